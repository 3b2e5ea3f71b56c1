"""/internal/auth/…: who may come in. For front: mail (email), HTTP subrequests (user, admin, basic)."""
import base64

import flask

from . import nginx, sessions
from .access import current_user
from .limiter import limiter
from .store import StatementError, email_in, store

views = flask.Blueprint("auth", __name__)


def with_headers(values, status=200):
    response = flask.Response(status=status)
    for name, value in values.items():
        response.headers[name] = str(value)
    return response


@views.get("/auth/email")
def email():
    headers = flask.request.headers
    ip = headers["Client-Ip"]
    port_25 = headers["Auth-Port"] == "25"
    if port_25 and headers["Auth-Method"] != "none":
        limiter.hit_ip(ip)
        return with_headers({"Auth-Status": "AUTH not supported", "Auth-Error-Code": "502 5.5.1"})
    webmail = headers["Auth-Port"] in ("10143", "10025")
    token = nginx.is_token(headers.get("Auth-Pass", ""))
    if not (webmail or port_25 or token) and limiter.ip_blocked(ip):
        return with_headers(nginx.refusal("ratelimit", headers["Auth-Protocol"]))
    result = nginx.answer(headers)
    username = result.get("Auth-User")
    exists = bool(result.get("Auth-User-Exists"))
    if exists and not webmail and not token and limiter.user_blocked(username, ip):
        return with_headers(nginx.refusal("ratelimit", headers["Auth-Protocol"]))
    if result["Auth-Status"] == "OK":
        if not port_25:
            limiter.exempt(ip)
    elif exists:
        # Without the password, as Mailu does it by mistake: the same wrong one counts again each time.
        limiter.hit_user(username, ip)
    elif not webmail:
        limiter.hit_ip(ip, username)
    return with_headers(result)


@views.get("/auth/admin")
def admin():
    user = current_user()
    if user and user.global_admin and user.enabled:
        return ""
    flask.abort(403)


@views.get("/auth/user")
def web_user():
    user = current_user()
    if user and user.enabled:
        return with_headers({"X-User": email_in(user.email), "X-User-Token": sessions.webmail_token(flask.session)})
    flask.abort(403)


@views.get("/auth/basic")
def basic():
    ip = flask.request.headers.get("X-Real-IP", flask.request.remote_addr)

    def refuse(realm, **more):
        return with_headers({"WWW-Authenticate": f'Basic realm="{realm}"', **more}, 401)

    if limiter.ip_blocked(ip):
        return refuse("Authentication rate limit from one source exceeded", **{"Retry-After": "60"})
    authorization = flask.request.headers.get("Authorization") or ""
    if authorization.startswith("Basic "):
        name, password = (part.decode() for part in base64.b64decode(authorization[6:]).split(b":", 1))
        if limiter.user_blocked(name, ip):
            return refuse("Authentication rate limit for this username exceeded", **{"Retry-After": "60"})
        try:
            user = store().get("user", name) if "@" in name else None
        except StatementError as error:
            flask.current_app.logger.warning(f"Invalid user {name!r}: {str(error).splitlines()[0]}")
        else:
            if user and nginx.check(user, password, ip, "web", flask.request.headers.get("X-Real-Port"), name):
                limiter.exempt(ip)
                return with_headers({"X-User": email_in(user.email)})
            if user:
                limiter.hit_user(name, ip)
            else:
                limiter.hit_ip(ip, name)
    return refuse("Login Required")
