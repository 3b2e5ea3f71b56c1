"""/admin/…: enough of the administration pages to see who is logged in and what there is."""
import flask
import markupsafe

from .access import current_user, managed_domains, needs_admin, needs_login, page
from .accounts import config, records
from .store import store

views = flask.Blueprint("ui", __name__)


def table(rows):
    body = markupsafe.Markup("")
    for row in rows:
        body += markupsafe.Markup("<tr>{}</tr>").format(markupsafe.Markup("").join(markupsafe.Markup("<td>{}</td>").format(cell) for cell in row))
    return markupsafe.Markup("<table>{}</table>").format(body)


def framed(body, title):
    user = current_user()
    head = markupsafe.Markup('<nav><span id="user">{0}</span> <a href="{1}/user/settings">Settings</a> <a href="{1}/domain">Mail domains</a> '
                             '<a href="/sso/logout">Sign out</a></nav><h1>{2}</h1>').format(user.email, config("WEB_ADMIN"), title)
    return page(head + body, title)


@views.get("/")
@needs_login
def index():
    return flask.redirect(flask.url_for("ui.user_settings"))


@views.get("/user/settings")
@needs_login
def user_settings():
    user = current_user()
    return framed(table((key, user[key]) for key in ("email", "displayed_name", "quota_bytes", "quota_bytes_used", "forward_enabled", "spam_enabled")), "Settings")


@views.get("/domain")
@needs_login
def domain_list():
    rows = [(domain.name, f"{len(store().find('user', domain_name=domain.name))} / {domain.max_users}",
             f"{len(store().find('alias', domain_name=domain.name))} / {domain.max_aliases}", domain.comment or "")
            for domain in managed_domains(current_user())]
    return framed(table(rows), "Domain list")


@views.get("/domain/details/<name>")
@needs_login
def domain_details(name):
    domain = store().get("domain", name) or flask.abort(403)
    if domain.name not in [entry.name for entry in managed_domains(current_user())]:
        flask.abort(403)
    return framed(table((key, value) for key, value in records(domain).items()), "Domain details")


@views.get("/user/list/<name>")
@needs_login
def user_list(name):
    if name not in [entry.name for entry in managed_domains(current_user())]:
        flask.abort(403)
    return framed(table((user.email, user.displayed_name, user.quota_bytes_used) for user in store().find("user", domain_name=name)), "User list")


@views.get("/antispam")
@needs_admin
def antispam():
    return framed(markupsafe.Markup(""), "Antispam")


@views.get("/webmail")
def webmail():
    return flask.redirect(config("WEB_WEBMAIL"))


@views.get("/client")
def client():
    return page(table([("IMAP", f"{config('HOSTNAME')}:993"), ("SMTP", f"{config('HOSTNAME')}:465")]), "Client setup")
