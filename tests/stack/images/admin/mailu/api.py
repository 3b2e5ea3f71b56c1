"""The REST API, version 1."""
import datetime
import ipaddress
import re
import secrets

import flask
import idna

from . import accounts
from .common import payload, refused, reply, told
from .store import store


class Field:
    def __init__(self, kind, required=False, minimum=None, form=None):
        self.kind, self.required, self.minimum, self.form = kind, required, minimum, form


def needed(field):
    return Field(field.kind, True, field.minimum, field.form)


TEXT, NUMBER, FLAG, LIST, DATE = Field("string"), Field("integer"), Field("boolean"), Field("array"), Field("string", form="date")
LIMIT = Field("integer", minimum=-1)
DOMAIN_UPDATE = {"comment": TEXT, "max_users": LIMIT, "max_aliases": LIMIT, "max_quota_bytes": Field("integer", minimum=0), "signup_enabled": FLAG,
                 "alternatives": LIST}
USER = {"comment": TEXT, "quota_bytes": NUMBER, "global_admin": FLAG, "enabled": FLAG, "change_pw_next_login": FLAG, "enable_imap": FLAG,
        "enable_pop": FLAG, "allow_spoofing": FLAG, "forward_enabled": FLAG, "forward_destination": LIST, "forward_keep": FLAG, "reply_enabled": FLAG,
        "reply_subject": TEXT, "reply_body": TEXT, "reply_startdate": DATE, "reply_enddate": DATE, "displayed_name": TEXT, "spam_enabled": FLAG,
        "spam_mark_as_read": FLAG, "spam_threshold": NUMBER}
TOKEN = {"comment": TEXT, "AuthorizedIP": LIST}
RELAY = {"smtp": TEXT, "comment": TEXT}
ALIAS = {"comment": TEXT, "destination": LIST, "wildcard": FLAG}
DNS = {"dns_autoconfig": LIST, "dns_mx": TEXT, "dns_spf": TEXT, "dns_dkim": TEXT, "dns_dmarc": TEXT, "dns_dmarc_report": TEXT, "dns_tlsa": LIST}
MODELS = {
    "Response": {"code": NUMBER, "message": TEXT},
    "Domain": {"name": needed(TEXT), **DOMAIN_UPDATE}, "DomainUpdate": DOMAIN_UPDATE,
    "DomainGet": {"name": needed(TEXT), "managers": LIST, **DOMAIN_UPDATE, **DNS},
    "Manager": {"managers": LIST}, "ManagerCreate": {"user_email": needed(TEXT)}, "AlternativeDomain": {"name": needed(TEXT), "domain": needed(TEXT)},
    "UserGet": {"email": TEXT, "password": TEXT, "quota_bytes_used": NUMBER, **USER}, "UserCreate": {"email": needed(TEXT), "raw_password": needed(TEXT), **USER},
    "UserUpdate": {"raw_password": TEXT, **USER},
    "TokenGetResponse": {"id": TEXT, "email": TEXT, **TOKEN, "Created": TEXT, "Last edit": TEXT}, "TokenPost": {"email": needed(TEXT), **TOKEN},
    "TokenPost2": TOKEN, "TokenPostResponse": {"id": TEXT, "token": TEXT, "email": TEXT, **TOKEN, "Created": TEXT},
    "AliasUpdate": ALIAS, "Alias": {"email": needed(TEXT), **ALIAS}, "RelayUpdate": RELAY, "Relay": {"name": needed(TEXT), **RELAY},
}

views = flask.Blueprint("api_v1", __name__)
DOCUMENTED = []


def endpoint(method, path, model=None, answers="", shape="Response"):
    """A view behind the payload's validation and, after it, the token: in this order, as Mailu's library does it."""
    def wrap(view):
        def call(**arguments):
            data = None
            if model:
                data, refusal = payload(MODELS[model])
                if refusal:
                    return refusal
            refusal = refused()
            if refusal:
                return refusal
            return view(**arguments, **({"data": data} if model else {}))
        name = f"{method}{path}"
        views.add_url_rule(path, re.sub(r"\W+", "_", name), call, methods=[method])
        DOCUMENTED.append((method, path, model, answers, shape))
        return view
    return wrap


def is_domain(name):
    try:
        name = idna.encode(name).decode() if not name.isascii() else name
    except idna.IDNAError:
        return False
    return bool(re.fullmatch(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:xn--[a-z0-9-]{1,59}|[a-z]{2,63})", name, re.IGNORECASE)) and len(name) < 254


def is_email(address):
    local, at, domain = address.rpartition("@")
    return bool(at) and len(local) <= 64 and is_domain(domain) and bool(
        re.fullmatch(r"[\w!#$%&'*+/=?^`{}|~-]+(?:\.[\w!#$%&'*+/=?^`{}|~-]+)*", local, re.IGNORECASE | re.ASCII))


class Stop(Exception):
    """Ends a view with an answer."""


def stop(*answer):
    raise Stop(told(*answer))


@views.errorhandler(Stop)
def stopped(error):
    store().rollback()
    return error.args[0]


@views.errorhandler(500)
@views.errorhandler(Exception)
def broken(error):
    code = getattr(error, "code", None)
    if isinstance(code, int) and code != 500:
        return reply({"message": error.description}, code)
    flask.current_app.logger.exception("Exception on %s [%s]", flask.request.path, flask.request.method)
    return reply({"message": "Internal Server Error"}, 500)


def present(shown):
    """For lists: what has no value is left out."""
    return reply([{name: value for name, value in item.items() if value is not None} for item in shown])


def names_in(data, keys):
    return {key: data[key] for key in keys if key in data}


# -- domains -------------------------------------------------------------------------------------------------------------------------------

DOMAIN_OWN = ("comment", "max_users", "max_aliases", "max_quota_bytes", "signup_enabled")


def shown_domain(domain):
    return {"name": domain.name, "comment": domain.comment, "managers": store().managers(domain.name), **names_in(domain, DOMAIN_OWN[1:]),
            "alternatives": [entry.name for entry in store().find("alternative", domain_name=domain.name)], **accounts.records(domain)}


def need_domain(name, wrong=400):
    if not is_domain(name):
        stop(400, f"Domain {name} is not a valid domain", wrong)
    return store().get("domain", name) or stop(404, f"Domain {name} does not exist")


def add_alternatives(data, domain):
    wanted = data.get("alternatives", [])
    if len(set(wanted)) < len(wanted):
        stop(409, "Duplicate alternative domain names in request")
    for name in wanted:
        if store().name_in_use(name):
            stop(409, f"Duplicate alternative domain name {name}")
        if not is_domain(name):
            stop(400, f"Alternative domain {name} is not a valid domain")
    for name in wanted:
        store().add("alternative", name=name, domain_name=domain)


@endpoint("GET", "/domain", shape="DomainGet")
def domains():
    return present(map(shown_domain, store().find("domain")))


@endpoint("POST", "/domain", "Domain", "400 409")
def domain_create(data):
    name = data["name"]
    if not is_domain(name):
        stop(400, f"Domain {name} is not a valid domain")
    if store().name_in_use(name):
        stop(409, f"Duplicate domain name {name}")
    add_alternatives(data, name)
    store().add("domain", name=name, **names_in(data, DOMAIN_OWN))
    store().commit()
    return told(200, f"Domain {name} has been created")


@endpoint("GET", "/domain/<domain>", answers="400 404", shape="DomainGet")
def domain_get(domain):
    # An invalid name is answered with the error in the body and 200 as the status: Mailu's slip.
    return reply(shown_domain(need_domain(domain, wrong=200)))


@endpoint("PATCH", "/domain/<domain>", "DomainUpdate", "400 404 409")
def domain_update(domain, data):
    if not is_domain(domain):
        stop(400, f"Domain {domain} is not a valid domain")
    found = store().get("domain", domain)
    if not found:
        # Another slip: the message for an unknown domain cannot be built.
        raise UnboundLocalError("cannot access local variable 'data' where it is not associated with a value")
    add_alternatives(data, domain)
    store().change(found, **names_in(data, DOMAIN_OWN))
    store().commit()
    return told(200, f"Domain {domain} has been updated")


@endpoint("DELETE", "/domain/<domain>", answers="400 404")
def domain_delete(domain):
    store().delete(need_domain(domain))
    store().commit()
    return told(200, f"Domain {domain} has been deleted")


@endpoint("POST", "/domain/<domain>/dkim", answers="400 404")
def domain_dkim(domain):
    accounts.write_key(need_domain(domain).name, accounts.new_key())
    return told(200, f"DKIM/DMARC keys have been generated for domain {domain}")


@endpoint("GET", "/domain/<domain>/manager", answers="400 404", shape="Manager")
def managers(domain):
    return reply({"managers": store().managers(need_domain(domain).name)})


def need_manager(domain, email):
    """(domain, user, is one of its managers)"""
    if not is_email(email):
        stop(400, f"Invalid email address {email}")
    found = need_domain(domain)
    user = store().get("user", email) or stop(404, f"User {email} does not exist")
    return found, user, user.email in store().managers(found.name)


@endpoint("POST", "/domain/<domain>/manager", "ManagerCreate", "400 404 409")
def manager_create(domain, data):
    email = data["user_email"]
    found, user, already = need_manager(domain, email)
    if already:
        stop(409, f"User {email} is already a manager of the domain {found} ")
    store().add_manager(found.name, user.email)
    store().commit()
    return told(200, f"User {email} has been added as manager of the domain {found} ")


@endpoint("GET", "/domain/<domain>/manager/<email>", answers="400 404")
def manager_get(domain, email):
    found, _, already = need_manager(domain, email)
    return told(200, f"User {email} is a manager of the domain {found}") if already else told(404, f"User {email} is not a manager of the domain {found}")


@endpoint("DELETE", "/domain/<domain>/manager/<email>", answers="400 404")
def manager_delete(domain, email):
    found, user, already = need_manager(domain, email)
    if not already:
        stop(404, f"User {email} is not a manager of the domain {found}")
    store().remove_manager(found.name, user.email)
    store().commit()
    return told(200, f"User {email} has been removed as a manager of the domain {found} ")


@endpoint("GET", "/domain/<domain>/users", answers="400 404", shape="UserGet")
def domain_users(domain):
    return reply([shown_user(user) for user in store().find("user", domain_name=need_domain(domain).name)])


@endpoint("GET", "/alternative", shape="AlternativeDomain")
def alternatives():
    # `domain` is the object's name in its own words.
    return present({"name": entry.name, "domain": entry.domain_name} for entry in store().find("alternative"))


@endpoint("POST", "/alternative", "AlternativeDomain", "400 404 409")
def alternative_create(data):
    name, domain = data["name"], data["domain"]
    if not is_domain(name):
        stop(400, f"Alternative domain {name} is not a valid domain")
    need_domain(domain)
    if store().name_in_use(name):
        stop(409, f"Duplicate alternative domain name {name}")
    store().add("alternative", name=name, domain_name=domain)
    store().commit()
    return told(200, f"Alternative {name} for domain {domain} has been created")


def need_alternative(name):
    if not is_domain(name):
        stop(400, f"Alternative domain {name} is not a valid domain")
    return store().get("alternative", name) or stop(404, f"Alternative domain {name} does not exist")


@endpoint("GET", "/alternative/<alt>", answers="400 404", shape="AlternativeDomain")
def alternative_get(alt):
    found = need_alternative(alt)
    return reply({"name": found.name, "domain": found.domain_name})


@endpoint("DELETE", "/alternative/<alt>", answers="400 404 409")
def alternative_delete(alt):
    found = need_alternative(alt)
    store().delete(found)
    store().commit()
    return told(200, f"Alternative {alt} for domain {found.domain_name} has been deleted")


# -- users ---------------------------------------------------------------------------------------------------------------------------------

def shown_user(user):
    values = {"email": user.email, "password": user.password, "quota_bytes_used": user.quota_bytes_used, **names_in(user, USER)}
    for name in ("reply_startdate", "reply_enddate"):
        values[name] = values[name] and values[name].isoformat()
    return values


def user_values(data):
    """An empty forward_destination is as good as none; a bad date is an error nobody catches."""
    values = names_in(data, USER)
    if not values.get("forward_destination"):
        values.pop("forward_destination", None)
    for name in ("reply_startdate", "reply_enddate"):
        if name in values:
            year, month, day = values[name].split("-")
            values[name] = datetime.datetime(int(year), int(month), int(day))
    return values


def check_forwarding(data):
    for address in data.get("forward_destination", []):
        if not is_email(address):
            stop(400, f"Provided forward destination email address {address} is not a valid email address")


def need_email(email):
    if not is_email(email):
        stop(400, f"Provided email address {email} is not a valid email address")


def need_user(email):
    need_email(email)
    return store().get("user", email) or stop(404, f"User {email} cannot be found")


@endpoint("GET", "/user", shape="UserGet")
def users():
    return present(map(shown_user, store().find("user")))


@endpoint("POST", "/user", "UserCreate", "400 409")
def user_create(data):
    email = data["email"]
    need_email(email)
    check_forwarding(data)
    local, name = email.lower().rsplit("@", 1)
    domain = store().get("domain", name) or stop(404, f"Domain {name} does not exist")
    if domain.max_users != -1 and len(store().find("user", domain_name=name)) >= domain.max_users:
        stop(409, f"Too many users for domain {name}")
    if store().get("user", email):
        stop(409, f"User {email} already exists")
    if data.get("forward_enabled") is True and not data.get("forward_destination"):
        stop(400, "forward_destination is mandatory when forward_enabled is true")
    store().add_mailbox("user", local, name, password=accounts.hashed(data["raw_password"]), **user_values(data))
    store().commit()
    return told(200, f"User {email} has been created")


@endpoint("GET", "/user/<email>", answers="400 404", shape="UserGet")
def user_get(email):
    return reply(shown_user(need_user(email)))


@endpoint("PATCH", "/user/<email>", "UserUpdate", "400 404")
def user_update(email, data):
    need_email(email)
    check_forwarding(data)
    user = need_user(email)
    if data.get("forward_enabled", user.forward_enabled) is True and data.get("forward_destination") == []:
        stop(400, "forward_destination is mandatory when forward_enabled is true")
    if "raw_password" in data:
        accounts.set_password(user, data["raw_password"])
    store().change(user, **user_values(data))
    store().commit()
    return told(200, f"User {email} has been updated")


@endpoint("DELETE", "/user/<email>", answers="400 404")
def user_delete(email):
    store().delete(need_user(email))
    store().commit()
    return told(200, f"User {email} has been deleted")


# -- tokens --------------------------------------------------------------------------------------------------------------------------------

def token_values(data):
    for network in data.get("AuthorizedIP", []):
        try:
            ipaddress.ip_network(network, False)
        except ValueError:
            stop(400, f"Provided AuthorizedIP {network} in {data['AuthorizedIP']} is invalid")
    values = names_in(data, ("comment",))
    if "AuthorizedIP" in data:
        values["ip"] = data["AuthorizedIP"]
    return values


def new_token(email, data):
    user = need_user(email)
    word = secrets.token_hex(16)
    token = store().add("token", user_email=user.email, password=accounts.token_hash(word), **token_values(data))
    store().commit()
    return reply({"id": token.id, "token": word, "email": token.user_email, "comment": token.comment, "AuthorizedIP": token.ip,
                  "Created": str(token.created_at)})


def shown_token(token):
    return {"id": token.id, "email": token.user_email, "comment": token.comment, "AuthorizedIP": token.ip, "Created": str(token.created_at),
            "Last edit": str(token.updated_at)}


def need_token(number):
    return store().get("token", number) or stop(404, f"Record cannot be found for id {number} or invalid id provided")


@endpoint("GET", "/token", shape="TokenGetResponse")
def tokens():
    return present({**shown_token(token), "id": str(token.id), "Last edit": token.updated_at and str(token.updated_at)} for token in store().find("token"))


@endpoint("POST", "/token", "TokenPost", "400 404", "TokenPostResponse")
def token_create(data):
    return new_token(data["email"], data)


# No slash before the address: that is how it is spelt.
@endpoint("GET", "/tokenuser/<email>", answers="400 404", shape="TokenGetResponse")
def user_tokens(email):
    return reply([shown_token(token) for token in store().find("token", user_email=need_user(email).email)])


@endpoint("POST", "/tokenuser/<email>", "TokenPost2", "400 404", "TokenPostResponse")
def user_token_create(email, data):
    return new_token(email, data)


@endpoint("GET", "/token/<token_id>", answers="404", shape="TokenGetResponse")
def token_get(token_id):
    return reply(shown_token(need_token(token_id)))


@endpoint("PATCH", "/token/<token_id>", "TokenPost2", "400 404")
def token_update(token_id, data):
    store().change(need_token(token_id), **token_values(data))
    store().commit()
    return told(200, f"Token with id {token_id} has been updated")


@endpoint("DELETE", "/token/<token_id>", answers="404")
def token_delete(token_id):
    store().delete(need_token(token_id))
    store().commit()
    return told(200, f"Token with id {token_id} has been deleted")


# -- aliases -------------------------------------------------------------------------------------------------------------------------------

def shown_alias(alias):
    return {"comment": alias.comment, "destination": alias.destination, "wildcard": alias.wildcard, "email": alias.email}


def check_destinations(addresses):
    """Each has to be a mailbox of ours."""
    for address in addresses:
        if not is_email(address):
            stop(400, f"Provided destination email address {address} is not a valid email address")
        if not store().get("user", address):
            stop(404, f"Provided destination email address {address} does not exist")


def need_alias(email):
    if not is_email(email):
        stop(400, f"Provided alias (email address) {email} is not a valid email address")
    return store().get("alias", email) or stop(404, f"Alias {email} cannot be found")


@endpoint("GET", "/alias", shape="Alias")
def aliases():
    return present(map(shown_alias, store().find("alias")))


@endpoint("POST", "/alias", "Alias", "400 404 409")
def alias_create(data):
    email = data["email"]
    if not is_email(email):
        stop(400, f"Provided alias {email} is not a valid email address")
    local, name = email.lower().rsplit("@", 1)
    domain = store().get("domain", name) or stop(404, f"Domain {name} does not exist ({email})")
    if domain.max_aliases != -1 and len(store().find("alias", domain_name=name)) >= domain.max_aliases:
        stop(409, f"Too many aliases for domain {name}")
    check_destinations(data["destination"])
    if store().get("alias", email):
        stop(409, f"Duplicate alias {email}")
    store().add_mailbox("alias", local, name, **names_in(data, ALIAS))
    store().commit()
    return told(200, f"Alias {email} to destination(s) {data['destination']} has been created")


@endpoint("GET", "/alias/<alias>", answers="400 404", shape="Alias")
def alias_get(alias):
    return reply(shown_alias(need_alias(alias)))


@endpoint("PATCH", "/alias/<alias>", "AliasUpdate", "400 404")
def alias_update(alias, data):
    found = need_alias(alias)
    check_destinations(data.get("destination", []))
    store().change(found, **names_in(data, ALIAS))
    store().commit()
    return told(200, f"Alias {alias} has been updated")


@endpoint("DELETE", "/alias/<alias>", answers="400 404")
def alias_delete(alias):
    store().delete(need_alias(alias))
    store().commit()
    return told(200, f"Alias {alias} has been deleted")


@endpoint("GET", "/alias/destination/<domain>", answers="400 404", shape="Alias")
def domain_aliases(domain):
    if not is_domain(domain):
        stop(400, f"Domain {domain} is not a valid domain")
    found = store().get("domain", domain) or stop(404, f"Domain {domain} cannot be found")
    return reply([shown_alias(alias) for alias in store().find("alias", domain_name=found.name)])


# -- relays --------------------------------------------------------------------------------------------------------------------------------

def shown_relay(relay):
    return {"name": relay.name, "smtp": relay.smtp, "comment": relay.comment}


def need_relay(name):
    if not is_domain(name):
        stop(400, f"Relayed domain {name} is not a valid domain")
    return store().get("relay", name) or stop(404, f"Relayed domain {name} cannot be found")


@endpoint("GET", "/relay", shape="Relay")
def relays():
    return present(map(shown_relay, store().find("relay")))


@endpoint("POST", "/relay", "Relay", "400 409")
def relay_create(data):
    name = data["name"]
    if not is_domain(name):
        stop(400, f"Relayed domain {name} is not a valid domain")
    if store().name_in_use(name):
        stop(409, f"Duplicate domain {name}")
    store().add("relay", name=name, **names_in(data, RELAY))
    store().commit()
    return told(200, f"Relayed domain {name} has been created")


@endpoint("GET", "/relay/<name>", answers="400 404", shape="Relay")
def relay_get(name):
    return reply(shown_relay(need_relay(name)))


@endpoint("PATCH", "/relay/<name>", "RelayUpdate", "400 404")
def relay_update(name, data):
    store().change(need_relay(name), **names_in(data, RELAY))
    store().commit()
    return told(200, f"Relayed domain {name} has been updated")


@endpoint("DELETE", "/relay/<name>", answers="400 404")
def relay_delete(name):
    store().delete(need_relay(name))
    store().commit()
    return told(200, f"Relayed domain {name} has been deleted")


# -- its description ------------------------------------------------------------------------------------------------------------------------

def described(model):
    properties = {}
    for name, field in model.items():
        entry = {"type": field.kind, **({"minimum": field.minimum} if field.minimum is not None else {}), **({"format": field.form} if field.form else {})}
        properties[name] = {**entry, "items": {"type": "string"}} if field.kind == "array" else entry
    required = [name for name, field in model.items() if field.required]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


@views.get("/")
def root():
    return '<!DOCTYPE html><html><head><title>Mailu API</title></head><body><div id="swagger-ui"></div></body></html>'


@views.get("/swagger.json")
def swagger():
    paths = {}
    for method, path, model, answers, shape in DOCUMENTED:
        entry = {"responses": {code: {"description": code} for code in ("200", "401", "403", *answers.split())}}
        entry["responses"]["200"]["schema"] = {"$ref": f"#/definitions/{shape}"}
        if model:
            entry["parameters"] = [{"name": "payload", "in": "body", "required": True, "schema": {"$ref": f"#/definitions/{model}"}}]
        paths.setdefault(re.sub(r"<(\w+)>", r"{\1}", path), {})[method.lower()] = entry
    definitions = {name: described(model) for name, model in MODELS.items()}
    definitions["Alias"] = {"allOf": [{"$ref": "#/definitions/AliasUpdate"},
                                      {"properties": {name: definitions["Alias"]["properties"][name] for name in ("email", "destination")}, "required": ["email"]}]}
    return reply({"swagger": "2.0", "basePath": flask.url_for("api_v1.root").rstrip("/"), "info": {"title": "Mailu API", "version": "1.0"}, "paths": paths,
                  "definitions": definitions})


def register(app):
    path = app.config["WEB_API"]
    if app.config["API_TOKEN"] == "":
        def unset(path=""):
            return "<p>Error: API_TOKEN is not configured</p>", 500
        methods = ["GET"]
        app.add_url_rule(f"{path}/", "api_unset", unset, methods=methods)
        app.add_url_rule(f"{path}/<path:path>", "api_unset", unset, methods=methods)
        return
    app.register_blueprint(views, url_prefix=f"{path}/v1")
    app.get(f"{path}/", endpoint="api_root")(lambda: flask.redirect(flask.url_for("api_v1.root")))
