"""Web sessions in redis (database 3), the cookie that names them, and the temporary tokens of the webmail."""
import base64
import datetime
import hashlib
import hmac
import json
import secrets
import time

import flask
import redis
from flask.sessions import SessionInterface, SessionMixin
from werkzeug.datastructures import CallbackDict


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Keys:
    """A session's key: whose it is (hashed), random, when it began."""

    def __init__(self, config):
        self.lifetime = config["PERMANENT_SESSION_LIFETIME"]
        self.secret = hmac.digest(config["SECRET_KEY"].encode(), b"SESSION_UID_HASH", "sha256")
        self.size = -(-config["SESSION_KEY_BITS"] // 8)
        self.owner_size, self.random_size = len(encode(bytes(self.size))), len(encode(bytes(16)))

    def owner(self, email):
        return encode(hmac.digest(self.secret, email.encode(), hashlib.sha256)[:self.size])

    def new(self, email):
        return self.owner(email) + encode(secrets.token_bytes(16)) + encode(int(time.time()).to_bytes(4, "big"))

    def valid(self, key):
        start = self.owner_size + self.random_size
        try:
            begun = int.from_bytes(base64.urlsafe_b64decode(key[start:] + "=="), "big")
        except ValueError:
            return False
        return start < len(key) <= start + 6 and begun <= time.time() <= begun + self.lifetime


class Session(CallbackDict, SessionMixin):
    def __init__(self, key=None):
        app = flask.current_app
        self.key, values = None, None
        if key and app.session_keys.valid(key):
            stored = app.session_store.get(key)
            if stored is not None:
                self.key, values = key, json.loads(stored)
        self.fresh = self.key is None
        self.modified = False

        def touched(session):
            session.modified = True
        super().__init__(values, touched)

    def forget(self, token=True):
        if self.key:
            if token and "webmail_token" in self:
                flask.current_app.session_store.delete(self["webmail_token"])
            flask.current_app.session_store.delete(self.key)
        self.key = None

    def regenerate(self):
        self.forget(token=False)
        self.fresh = self.modified = True

    def destroy(self):
        self.forget()
        self.clear()
        self.modified = True

    def save(self):
        """True when the client has to be told a new key."""
        app = flask.current_app
        new = self.key is None
        if new:
            self.key = app.session_keys.new(self.get("_user_id", ""))
            if "webmail_token" in self:
                app.session_store.setex(self["webmail_token"], app.config["PERMANENT_SESSION_LIFETIME"], self.key)
        app.session_store.setex(self.key, app.config["SESSION_TIMEOUT"], json.dumps(dict(self)))
        return new


class Interface(SessionInterface):
    def open_session(self, app, request):
        with app.app_context():
            return Session(request.cookies.get(app.config["SESSION_COOKIE_NAME"]))

    def save_session(self, app, session, response):
        name = app.config["SESSION_COOKIE_NAME"]
        if not session:
            if session.modified:
                session.forget()
                response.delete_cookie(name)
            return
        if session.save():
            response.set_cookie(
                name, session.key, httponly=True,
                expires=datetime.datetime.now() + datetime.timedelta(seconds=app.config["PERMANENT_SESSION_LIFETIME"]),
                secure=app.config["SESSION_COOKIE_SECURE"], samesite=app.config["SESSION_COOKIE_SAMESITE"])


def prune(email=None, keep=None):
    app = flask.current_app
    for key in list(app.session_store.scan_iter(match=f"{app.session_keys.owner(email)}*" if email else None)):
        if not key.startswith("token-") and key not in (keep or ()):
            app.session_store.delete(key)


def webmail_token(session):
    """What the webmail logs in to IMAP and SMTP with, for as long as the session lives."""
    app = flask.current_app
    token = session.setdefault("webmail_token", f"token-{secrets.token_urlsafe()}")
    if session.key is None:
        session.save()
    app.session_store.setex(token, app.config["PERMANENT_SESSION_LIFETIME"], session.key)
    return token


def is_webmail_token(email, token):
    key = flask.current_app.session_store.get(token) if token.startswith("token-") else None
    return bool(key) and Session(key).get("_user_id") == email


def setup(app):
    app.session_store = redis.Redis.from_url(app.config["SESSION_STORAGE_URL"], decode_responses=True)
    app.session_keys = Keys(app.config)
    app.session_interface = Interface()
    # Needs redis: without it neither the commands nor the server start.
    app.logger.info("cleaning session store")
    for key in list(app.session_store.scan_iter()):
        session = app.session_store.get(key) if key.startswith("token-") else key
        if not session or not app.session_keys.valid(session):
            app.session_store.delete(key)
