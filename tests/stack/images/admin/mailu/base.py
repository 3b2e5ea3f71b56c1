"""/sso/…: logging in and out on the web."""
import hmac
import ipaddress
import re
import secrets
import urllib.parse

import flask
import markupsafe

from . import accounts, nginx, sessions
from .access import current_user, log_in, needs_login, page
from .accounts import config
from .limiter import limiter
from .store import store

views = flask.Blueprint("sso", __name__)
ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def client():
    headers = flask.request.headers
    return headers.get("X-Real-IP", flask.request.remote_addr), headers.get("X-Real-Port")


def wanted_place(by_proxy=False):
    """`?url=`, if it stays on this host."""
    request = flask.request
    if request.args.get("url") and (by_proxy or "homepage" not in request.url):
        target = urllib.parse.urlparse(urllib.parse.urljoin(request.url, urllib.parse.unquote(request.args["url"])))
        if target.netloc == urllib.parse.urlparse(request.url).netloc:
            return target.geturl()
    return None


def login_page():
    only_admin = "url" in flask.request.args and "homepage" not in flask.request.url
    buttons = []
    if not only_admin and str(config("WEBMAIL")).upper() != "NONE":
        buttons.append(("submitWebmail", "Sign in Webmail"))
    if only_admin or str(config("ADMIN")).upper() != "FALSE":
        buttons.append(("submitAdmin", "Sign in" if only_admin else "Sign in Admin"))
    form = markupsafe.Markup(
        '<form class="form" method="post" role="form"><label for="email">E-mail</label><input id="email" name="email" type="text" required autofocus value="{}">'
        '<label for="pw">Password</label><input id="pw" name="pw" type="password" required><input id="pwned" name="pwned" type="hidden" value="-1">'
    ).format(flask.request.form.get("email", ""))
    for name, label in buttons:
        form += markupsafe.Markup('<input id="{0}" name="{0}" type="submit" value="{1}">').format(name, label)
    return page(form + markupsafe.Markup("</form>"), "Sign in")


@views.route("/login", methods=["GET", "POST"])
def login():
    if flask.request.headers.get(config("PROXY_AUTH_HEADER")) and "noproxyauth" not in flask.request.url:
        return by_proxy()
    ip, port = client()
    form = flask.request.form
    username, password = form.get("email", "").strip(), form.get("pw", "")
    if flask.request.method != "POST" or not ADDRESS.fullmatch(username) or not password:
        return login_page()
    device, device_user = limiter.device(flask.request.cookies.get("rate_limit"))
    if not nginx.is_token(password):
        if username != device_user and limiter.ip_blocked(ip):
            flask.flash("Too many attempts from your IP (rate-limit)")
            return login_page()
        if limiter.user_blocked(username, ip, device, device_user):
            flask.flash("Too many attempts for this user (rate-limit)")
            return login_page()
    user = accounts.login(username, password)
    line = f'Login attempt for: {username}/sso/{flask.request.headers.get("X-Forwarded-Proto")} from: {ip}/{port}'
    if not user:
        if store().get("user", username):
            limiter.hit_user(username, ip, device, device_user, password)
        else:
            limiter.hit_ip(ip, username)
        flask.current_app.logger.info(f"{line}: failed: badauth: {nginx.password_mark(password)}")
        flask.flash("Wrong e-mail or password")
        return login_page()
    destination = wanted_place()
    if destination is None:
        # Without any of the two buttons there is nowhere to go: an error, as with Mailu.
        destination = config("WEB_ADMIN") if "submitAdmin" in form else config("WEB_WEBMAIL") if "submitWebmail" in form else flask.abort(500)
    log_in(user)
    if user.change_pw_next_login:
        flask.session["redirect_to"] = destination
        destination = flask.url_for("sso.pw_change")
    response = flask.redirect(destination)
    response.set_cookie("rate_limit", limiter.device_cookie(username), max_age=31536000, path=flask.url_for("sso.login"),
                        secure=config("SESSION_COOKIE_SECURE"), httponly=True)
    pwned = form.get("pwned", "-1")
    flask.current_app.logger.info(f"{line}: success: password: {pwned}")
    if len(password) < 8:
        flask.flash("This password is too short.")
    return response


@views.route("/pw_change", methods=["GET", "POST"])
@needs_login
def pw_change():
    ip, port = client()
    form, user = flask.request.form, current_user()
    token = flask.session.setdefault("csrf_token", secrets.token_hex(20))
    if flask.request.method == "POST" and hmac.compare_digest(form.get("csrf_token", ""), token) and all(form.get(name) for name in ("oldpw", "pw", "pw2")):
        old, new, again = form["oldpw"], form["pw"], form["pw2"]
        if len(new) < 8:
            flask.flash("This password is too short.")
        elif old == again:
            flask.flash("The new password can't be the same as the old password")
        elif new != again:
            flask.flash("The new passwords don't match")
        elif not accounts.login(user.email, old):
            flask.flash("The current password is incorrect!")
        else:
            log_in(user)
            accounts.set_password(user, new, change_pw_next_login=False)
            store().commit()
            flask.current_app.logger.info(f"Forced password change by {user} from: {ip}/{port}: success: password: {form.get('pwned', '-1')}")
            return flask.redirect(flask.session.pop("redirect_to", None) or config("WEB_ADMIN"))
    form = markupsafe.Markup('<form class="form" method="post"><input id="csrf_token" name="csrf_token" type="hidden" value="{}">').format(token)
    for name, label in (("oldpw", "Current password"), ("pw", "New password"), ("pw2", "New password (again)")):
        form += markupsafe.Markup('<label for="{0}">{1}</label><input id="{0}" name="{0}" type="password" required>').format(name, label)
    return page(form + markupsafe.Markup('<input id="pwned" name="pwned" type="hidden" value="-1"><input id="submit" name="submit" type="submit" '
                                         'value="Change password"></form>'), "Change password")


@views.get("/logout")
@needs_login
def logout():
    flask.session.destroy()
    response = flask.redirect(config("PROXY_AUTH_LOGOUT_URL") or flask.url_for("sso.login"))
    for cookie in ("roundcube_sessauth", "roundcube_sessid", "smsession"):
        response.set_cookie(cookie, "empty", expires=0)
    return response


def by_proxy():
    """Whoever the proxy in front says it is, if the proxy is one we know."""
    log, remote, ip = flask.current_app.logger, flask.request.remote_addr, client()[0]
    proxy = flask.request.headers.get("X-Forwarded-By", remote)
    email = flask.request.headers[config("PROXY_AUTH_HEADER")]
    if not any(ipaddress.ip_address(proxy) in network for network in config("PROXY_AUTH_WHITELIST")):
        log.error(f"Login failed by proxy - not on whitelist: from {ip} through {remote}.")
        flask.abort(500, f"{proxy} is not on PROXY_AUTH_WHITELIST")
    user = store().get("user", email)
    if not user:
        if not config("PROXY_AUTH_CREATE"):
            log.warning(f"Login failed by proxy - does not exist: {user} from {ip} through {remote}.")
            flask.abort(500, f"You don't exist. Go away! ({email})")
        local, _, name = email.rpartition("@")
        domain = store().get("domain", name) or flask.abort(500, f"You don't exist. Go away! (domain={name})")
        if domain.max_users != -1 and len(store().find("user", domain_name=name)) >= domain.max_users:
            log.warning(f"Too many users for domain {domain}")
            flask.abort(500, f"Too many users in (domain={domain})")
        user = store().add_mailbox("user", local, name, password=accounts.hashed(secrets.token_urlsafe()))
        store().commit()
        sessions.prune(user.email)
    log_in(user)
    log.info(f"Login succeeded by proxy created user: {user} from {ip} through {remote}.")
    return flask.redirect(wanted_place(True) or config("WEB_ADMIN"))
