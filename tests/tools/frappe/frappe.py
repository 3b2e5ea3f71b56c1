"""Plays Frappe's module to a program that keeps an Email Account and an Email Domain: fields and rules of these document types, and a database in
the JSON file FRAPPE_DATABASE. What is not committed is lost, as there. With FRAPPE_LOGS_IN, the account's server is tried when it is saved, as there."""

import copy
import email.message
import email.utils
import imaplib
import json
import os
import smtplib

SELECT = {"auth_method": ["Basic", "OAuth"], "email_sync_option": ["ALL", "UNSEEN"], "initial_sync_count": ["100", "250", "500"]}
DATA = ["email_account_name", "email_id", "login_id", "domain", "service", "smtp_server", "smtp_port", "email_server", "incoming_port", "append_to",
        "sent_folder_name", "footer", *SELECT]
CHECK = ["login_id_is_different", "awaiting_password", "ascii_encode_password", "enable_outgoing", "default_outgoing", "use_ssl_for_outgoing", "use_tls",
         "no_smtp_authentication", "always_use_account_email_id_as_sender", "always_use_account_name_as_sender_name", "enable_incoming",
         "default_incoming", "use_imap", "use_ssl", "use_starttls", "validate_ssl_certificate", "track_email_status", "add_signature"]
# What only newer versions have.
CHECK = [name for name in CHECK if name not in os.environ.get("FRAPPE_LACKS", "").split()]


# What an account takes over from its domain whenever it is saved.
FETCHED = ["use_imap", "email_server", "use_ssl", "smtp_server", "use_tls", "smtp_port"]
# What a domain hands to its accounts when it is saved.
PUSHED = [*FETCHED, "use_starttls", "use_ssl_for_outgoing", "incoming_port"]
OF_DOMAIN = ["domain_name", "email_server", "smtp_server", "smtp_port", "incoming_port", "use_imap", "use_ssl", "use_starttls", "use_tls",
             "use_ssl_for_outgoing", "validate_ssl_certificate"]
OF_DOMAIN = [name for name in OF_DOMAIN if name not in os.environ.get("FRAPPE_LACKS", "").split()]


class ValidationError(Exception):
    pass


class DoesNotExistError(Exception):
    pass


class Field:
    def __init__(self, fieldname):
        self.fieldname = fieldname


class Meta:
    fields = [Field(name) for name in [*DATA, *CHECK, "password", "imap_folder"]]


class MetaOfDomain:
    fields = [Field(name) for name in OF_DOMAIN]


class Row(dict):
    pass


def _accounts():
    return {name: one for name, one in _pending.items() if not name.startswith(DOMAINS)}


# Domains stand in the same file.
DOMAINS = "Email Domain/"


class Document:
    meta = Meta

    def __init__(self, values, is_new):
        self.values, self.is_new = values, is_new

    @property
    def name(self):
        return self.values.get("name")

    def get(self, field):
        value = self.values.get(field)
        # A password reads as stars.
        if field == "password":
            return value and "*" * len(value)
        return [Row(row) for row in value] if isinstance(value, list) else value

    def set(self, field, value):
        if field not in [one.fieldname for one in Meta.fields]:
            raise AttributeError(field)
        self.values[field] = value

    def get_password(self, fieldname="password", raise_exception=True):
        return self.values.get(fieldname)

    def save(self):
        values = self.values
        for field in CHECK:
            if values.setdefault(field, 0) not in (0, 1):
                raise ValidationError(f"{field} is a check")
        for field in DATA:
            if not isinstance(values.get(field) or "", str):
                raise ValidationError(f"{field} is text")
        for field, options in SELECT.items():
            if values.get(field) and values[field] not in options:
                raise ValidationError(f"{field} is one of {options}")
        if not values.get("email_id") or not values.get("email_account_name"):
            raise ValidationError("mandatory")
        if values.get("use_imap") and values["enable_incoming"] and not values.get("imap_folder"):
            raise ValidationError("an IMAP account needs a folder")
        if values.get("use_ssl_for_outgoing") and values.get("use_tls"):
            raise ValidationError("the server hangs up")
        # The servers of the account's domain go before its own.
        if values.get("domain"):
            domain = _pending.get(DOMAINS + values["domain"])
            if domain is None:
                raise ValidationError(f"Could not find Domain: {values['domain']}")
            values.update({field: domain.get(field) for field in FETCHED})
        if self.is_new:
            values["name"] = values["email_account_name"]
            if values["name"] in _pending:
                raise ValidationError("duplicate name")
        if any(other["email_id"] == values["email_id"] for name, other in _accounts().items() if name != values["name"]):
            raise ValidationError("duplicate email_id")
        if values["default_outgoing"]:
            for other in _accounts().values():
                other["default_outgoing"] = 0
        if values.get("enable_outgoing") and os.environ.get("FRAPPE_LOGS_IN"):
            try:
                _session(values).quit()
            except (smtplib.SMTPException, OSError) as error:
                raise ValidationError(f"Outgoing email account not correct: {error}") from error
        _pending[values["name"]] = copy.deepcopy(values)
        self.is_new = False


class Domain(Document):
    """An Email Domain. It connects to both servers when it is saved: with FRAPPE_LOGS_IN; the ports of FRAPPE_CLOSED are closed."""

    meta = MetaOfDomain

    def set(self, field, value):
        if field not in OF_DOMAIN:
            raise AttributeError(field)
        self.values[field] = value

    def save(self):
        values = self.values
        for field in OF_DOMAIN:
            if field.startswith(("use_", "validate_")):
                values[field] = values.get(field) or 0
        for field in ("domain_name", "email_server", "smtp_server"):
            if not values.get(field):
                raise ValidationError(f"mandatory: {field}")
        for kind, port in (("Incoming", "incoming_port"), ("Outgoing", "smtp_port")):
            if values.get(port) in os.environ.get("FRAPPE_CLOSED", "").split():
                raise ValidationError(f"{kind} email account not correct: connection refused")
        if os.environ.get("FRAPPE_LOGS_IN"):
            try:
                imaplib.IMAP4_SSL(values["email_server"], int(values["incoming_port"])).logout()
            except (imaplib.IMAP4.error, OSError) as error:
                raise ValidationError(f"Incoming email account not correct: {error}") from error
            try:
                kind = smtplib.SMTP_SSL if values["use_ssl_for_outgoing"] else smtplib.SMTP
                kind(values["smtp_server"], int(values["smtp_port"]), timeout=60).quit()
            except (smtplib.SMTPException, OSError) as error:
                raise ValidationError(f"Outgoing email account not correct: {error}") from error
        if self.is_new:
            values["name"] = values["domain_name"]
        _pending[DOMAINS + values["name"]] = copy.deepcopy(values)
        for name, account in _accounts().items():
            if account.get("domain") == values["name"]:
                account = Document(copy.deepcopy(account), False)
                account.values.update({field: values.get(field) or 0 for field in PUSHED})
                account.save()
        self.is_new = False


class Database:
    def exists(self, doctype, what):
        if doctype == "Email Domain":
            return what if DOMAINS + what in _pending else None
        assert doctype == "Email Account"
        if isinstance(what, dict):
            return next((name for name, one in _accounts().items() if all(one.get(key) == value for key, value in what.items())), None)
        return what if what in _accounts() else None

    def commit(self):
        with open(os.environ["FRAPPE_DATABASE"], "w", encoding="utf-8") as file:
            json.dump(_pending, file)

    def rollback(self):
        _read()


_pending = None
_user = None
db = None


def init(site, sites_path="."):
    if not os.path.isdir(os.path.join(sites_path, site)):
        raise DoesNotExistError(site)


def _read():
    global _pending
    try:
        with open(os.environ["FRAPPE_DATABASE"], encoding="utf-8") as file:
            _pending = json.load(file)
    except FileNotFoundError:
        _pending = {}


def connect():
    global db
    _read()
    db = Database()


def set_user(name):
    global _user
    _user = name


def new_doc(doctype):
    assert _user == "Administrator"
    return {"Email Account": Document, "Email Domain": Domain}[doctype]({}, True)


def get_doc(doctype, name):
    assert _user == "Administrator"
    if doctype == "Email Domain":
        return Domain(copy.deepcopy(_pending[DOMAINS + name]), False)
    return Document(copy.deepcopy(_accounts()[name]), False)


class Found:
    def __init__(self, name):
        self.name = name


def get_all(doctype, filters):
    assert doctype == "Email Account"
    return [Found(name) for name, one in _accounts().items() if all(one.get(key) == value for key, value in filters.items())]


def delete_doc(doctype, name):
    assert doctype == "Email Domain" and _user == "Administrator"
    if get_all("Email Account", {"domain": name}):
        raise ValidationError(f"Cannot delete {name}: it is linked with an Email Account")
    del _pending[DOMAINS + name]


def _session(account):
    """As frappe/email/smtp.py: without a context of its own, so that nobody looks at the certificate."""
    kind = smtplib.SMTP_SSL if account["use_ssl_for_outgoing"] else smtplib.SMTP
    session = kind(account["smtp_server"], int(account["smtp_port"]), timeout=60)
    if account["use_tls"]:
        session.starttls()
    if not account["no_smtp_authentication"]:
        session.login(account["login_id"] if account["login_id_is_different"] else account["email_id"], account["password"])
    return session


def sendmail(recipients, subject, message, now=False):
    """At once only: what is put into the queue is a worker's business."""
    assert now
    account = next((one for one in _accounts().values() if one["enable_outgoing"] and one["default_outgoing"]), None)
    if account is None:
        raise ValidationError("Please setup default outgoing Email Account")
    sender = account["email_id"] if account["always_use_account_email_id_as_sender"] else "administrator@erp.example.com"
    text = email.message.EmailMessage()
    text["From"], text["To"], text["Subject"] = sender, ", ".join(recipients), subject
    text["Date"], text["Message-ID"] = email.utils.formatdate(), email.utils.make_msgid(domain="erp.example.com")
    text.set_content(message)
    session = _session(account)
    session.sendmail(sender, recipients, text.as_bytes())
    session.quit()


def destroy():
    global db
    db = None
