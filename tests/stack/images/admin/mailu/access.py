"""Who is logged in, and views that need it."""
import functools

import flask

from .store import store


def current_user():
    email = flask.session.get("_user_id")
    return store().get("user", email) if email else None


def log_in(user):
    flask.session.regenerate()
    flask.session["_user_id"] = user.email


def needs_login(view):
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        if not current_user():
            return flask.redirect(flask.url_for("sso.login", url=flask.request.url))
        return view(*args, **kwargs)
    return wrapper


def needs_admin(view):
    @needs_login
    @functools.wraps(view)
    def wrapper(*args, **kwargs):
        if not current_user().global_admin:
            flask.abort(403)
        return view(*args, **kwargs)
    return wrapper


def managed_domains(user):
    return store().find("domain") if user.global_admin else [store().get("domain", name) for name in store().manager_of(user.email)]


def page(body, title=""):
    """A page of the simplest kind; messages of the last action first."""
    return flask.render_template_string(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{{ sitename }} {{ title }}</title></head><body>'
        '{% for message in get_flashed_messages() %}<div class="alert">{{ message }}</div>{% endfor %}{{ body }}</body></html>',
        sitename=flask.current_app.config["SITENAME"], title=title, body=body)
