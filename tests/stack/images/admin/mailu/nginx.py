"""Answers in the protocol of nginx's mail authentication, which front's nginx and Dovecot both speak."""
import hashlib
import hmac
import ipaddress
import string
import urllib.parse

import flask
import standin

from . import accounts, sessions
from .accounts import config
from .store import StatementError, store

WEBMAIL_PORTS = ("14190", "10143", "10025")
REFUSALS = {
    "authentication": ("Authentication credentials invalid", "AUTHENTICATIONFAILED", "535 5.7.8", "-ERR Authentication failed", "AuthFailed"),
    "encryption": ("Must issue a STARTTLS command first", "PRIVACYREQUIRED", "530 5.7.0", "-ERR Authentication canceled.", "ENCRYPT-NEEDED"),
    "ratelimit": ("Temporary authentication failure (rate-limit)", "LIMIT", "451 4.3.2", "-ERR [LOGIN-DELAY] Retry later", "AuthFailed"),
}
PLACES = {"imap": 1, "smtp": 2, "submission": 2, "lmtp": 2, "pop3": 3, "sieve": 4}


def refusal(reason, protocol):
    return {"Auth-Status": REFUSALS[reason][0], "Auth-Error-Code": REFUSALS[reason][PLACES[protocol]]}


def is_token(word):
    return len(word) == 32 and set(word) <= set(string.digits + "abcdef")


def inside(ip, networks):
    try:
        return any(ipaddress.ip_address(ip) in ipaddress.ip_network(network, strict=False) for network in networks)
    except ValueError:
        return False


def password_mark(password):
    return hmac.digest(flask.current_app.keys["TRUNCATED_PW_KEY"], password.encode(), hashlib.sha256).hex()[:6]


def check(user, password, ip, protocol=None, port=None, source_port=None, name=None):
    """Whether this user may come in with this password, from there, by that protocol; writes the line about it."""
    def log(result, who=user, level="info"):
        getattr(flask.current_app.logger, level)(f"Login attempt for: {who}/{protocol}/{port} from: {ip}/{source_port}: {result}")

    webmail = port in WEBMAIL_PORTS
    if not user or not user.enabled or (protocol == "imap" and not user.enable_imap and not webmail) or (protocol == "pop3" and not user.enable_pop):
        log("failed: account disabled", user or repr(name))
        return False
    if webmail and sessions.is_webmail_token(user.email, password):
        log("success: webmail-token", level="debug")
        return True
    if is_token(password):
        for token in store().find("token", user_email=user.email):
            if accounts.check_token(token, password):
                allowed = not token.ip or inside(ip, token.ip)
                log(f"{'success' if allowed else 'failed: badip'}: token-{token.id}: {token.comment or ''!r}")
                return allowed
    if not accounts.check_password(user, password):
        log(f"failed: badauth: {password_mark(password)}")
        return False
    if config("AUTH_REQUIRE_TOKENS") and protocol not in ("web", "sso"):
        log("failed: password ok, but a token is required")
        return False
    log("success: password")
    return True


def server(protocol, authenticated):
    """Address (always a number) and port of whoever takes the connection."""
    service, port = {
        "imap": ("IMAP", 143), "pop3": ("IMAP", 110), "smtp": ("SMTP", 10025 if authenticated else 25), "submission": ("SMTP", 10025),
        "lmtp": ("IMAP", 2525), "sieve": ("IMAP", 4190)}[protocol]
    host = config(f"{service}_ADDRESS")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        host = standin.resolve_hostname(host)
    return {"Auth-Status": "OK", "Auth-Server": host, "Auth-Port": port}


def answer(headers):
    method, protocol = headers["Auth-Method"].lower(), headers["Auth-Protocol"].lower()
    if method in ("", "none") and protocol in ("smtp", "lmtp"):
        if config("INBOUND_TLS_ENFORCE") and protocol == "smtp" and headers.get("Auth-SSL") != "on":
            return {**refusal("encryption", protocol), "Auth-Wait": 0}
        return server(protocol, False)
    if method not in ("plain", "login"):
        raise ValueError(f"no such way to log in: {method} over {protocol}")
    email, exists = "invalid", False
    try:
        email, password, ip = (urllib.parse.unquote(headers[name]) for name in ("Auth-User", "Auth-Pass", "Client-Ip"))
    except (KeyError, ValueError):
        flask.current_app.logger.warning(f"Received undecodable user/password from front: {headers.get('Auth-User', '')!r}")
    else:
        try:
            user = store().get("user", email) if "@" in email else None
        except StatementError as error:
            flask.current_app.logger.warning(f"Invalid user {email!r}: {str(error).splitlines()[0]}")
        else:
            exists = user is not None
            if check(user, password, ip, protocol, headers["Auth-Port"], headers["Client-Port"], email):
                return {**server(headers["Auth-Protocol"], True), "Auth-User": email, "Auth-User-Exists": exists}
    return {**refusal("authentication", protocol), "Auth-User": email, "Auth-User-Exists": exists, "Auth-Wait": 0}
