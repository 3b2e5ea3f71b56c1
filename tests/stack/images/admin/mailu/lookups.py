"""/internal/…: what postfix, dovecot, rspamd, fetchmail and mail programs ask for."""
import datetime
import re
import time

import flask
import idna

from . import accounts, srs
from .accounts import config
from .limiter import limiter
from .store import StatementError, store

views = flask.Blueprint("lookups", __name__)
IN_BRACKETS = re.compile(r"(^|.*@)\[.*\]$")


def missing():
    flask.abort(404)


def found(value):
    return flask.jsonify(value) if value else missing()


# -- dovecot -------------------------------------------------------------------------------------------------------------------------------

@views.get("/dovecot/passdb/<path:email>")
def passdb(email):
    store().get("user", email) or missing()
    networks = [config("SUBNET")] + ([config("SUBNET6")] if config("SUBNET6") else [])
    return flask.jsonify({"password": None, "nopassword": "Y", "allow_real_nets": ",".join(networks)})


@views.get("/dovecot/userdb/")
def userdb_all():
    return flask.jsonify([user.email for user in store().find("user", enabled=True)])


@views.get("/dovecot/userdb/<path:email>")
def userdb(email):
    try:
        user = store().get("user", email)
    except StatementError:
        missing()
    return found(user and {"quota_rule": f"*:bytes={user.quota_bytes}"})


@views.post("/dovecot/quota/<kind>/<path:email>")
def quota(kind, email):
    user = store().get("user", email) or missing()
    if kind == "storage":
        store().change(user, keep_date=True, quota_bytes_used=flask.request.get_json())
        store().commit()
    return flask.jsonify(None)


@views.get("/dovecot/sieve/name/<script>/<path:email>")
def sieve_name(script, email):
    return flask.jsonify(script)


@views.get("/dovecot/sieve/data/default/<path:email>")
def sieve_data(email):
    return flask.jsonify(sieve(store().get("user", email) or missing()))


def quoted(value):
    return '"' + re.sub(r'([\\"$])', r"\\\1", str(value)) + '"'


def sieve(user):
    """The script that runs before the user's own: Delivered-To from the LMTP header, Junk above the threshold, the absence note."""
    uses = ("variables", "vacation", "fileinto", "envelope", "mailbox", "imap4flags", "regex", "relational", "date", "comparator-i;ascii-numeric",
            "spamtestplus", "editheader", "index")
    lines = [f'require "{name}";' for name in uses]
    lines += ['if header :index 2 :matches "Received" "from * by * for <*>; *"', "{", '  deleteheader "Delivered-To";',
              '  addheader "Delivered-To" "<${3}>";', "}"]
    if user.spam_enabled:
        lines += [f'if spamtest :percent :value "gt" :comparator "i;ascii-numeric" "{user.spam_threshold}"', "{"]
        lines += ['  setflag "\\\\seen";'] if user.spam_mark_as_read else []
        lines += ['  fileinto :create "Junk";', "  stop;", "}"]
    if user.reply_enabled and user.reply_startdate <= datetime.date.today() <= user.reply_enddate:
        name = quoted(f"{quoted(user.displayed_name)} <{quoted(user.email)[1:-1]}>") if user.displayed_name else None
        sender = f":from {name} " if name else ""
        lines += ['if not address :localpart :contains ["From","Reply-To"] ["noreply","no-reply"]', "{",
                  f"  vacation :days 1 {sender}:subject {quoted(user.reply_subject)} {quoted(user.reply_body)};", "}"]
    return "\n".join(lines) + "\n"


# -- postfix -------------------------------------------------------------------------------------------------------------------------------

def ascii_domains(addresses):
    return ",".join(f"{local}@{idna.encode(domain).decode()}" for local, domain in (address.rsplit("@", 1) for address in addresses))


def names(setting):
    return [name for name in config(setting).lower().replace(" ", "").split(",") if name]


def tlsa_of(domain):
    """The usable TLSA records of a mail server: none unless DNSSEC vouches for them."""
    import dns.flags
    import dns.resolver
    ask = dns.resolver.Resolver()
    ask.set_flags(dns.flags.RD | dns.flags.AD)
    ask.use_edns(0, dns.flags.DO, 1232)
    answer = ask.resolve(f"_25._tcp.{domain}", "TLSA", lifetime=10)
    if not answer.response.flags & dns.flags.AD:
        return []
    # RFC 7672, 3.1: DANE-TA and DANE-EE only.
    return [one for one in answer if one.usage in (2, 3) and one.selector < 2 and one.mtype < 3]


@views.get("/postfix/dane/<domain>")
def dane(domain):
    import dns.exception
    import dns.name
    import dns.resolver
    log = flask.current_app.logger
    usable = False
    try:
        usable = bool(tlsa_of(domain))
    except (dns.resolver.NXDOMAIN, dns.name.EmptyLabel):
        log.debug("%s has no TLSA record", domain)
    except dns.resolver.NoNameservers as error:
        # Bogus, or nobody answers: then sending waits, if so configured.
        log.warning("the TLSA record of %s: %s", domain, error)
        usable = config("DEFER_ON_TLS_ERROR")
    except dns.exception.DNSException as error:
        log.warning("the TLSA record of %s: %s", domain, error)
    return found("dane-only" if usable else None)


@views.get("/postfix/domain/<domain>")
def mail_domain(domain):
    if re.match(r"^\[.*\]$", domain):
        missing()
    record = store().get("domain", domain) or store().get("alternative", domain) or missing()
    return flask.jsonify(record.name)


@views.get("/postfix/mailbox/<path:email>")
def mailbox(email):
    return flask.jsonify((store().get("user", email) or missing()).email)


@views.get("/postfix/alias/<path:alias>")
def alias(alias):
    local, domain = accounts.split(alias)
    if local is None:
        return flask.jsonify(domain)
    return found(ascii_domains(accounts.destinations(local, domain) or []))


def transport_of(relay):
    """`[mx:|lmtp:]host[:port]` or `[host]:port` as a postfix transport; None if it is none."""
    target, way = (relay.smtp or "").lower(), ""
    for prefix in ("mx:", "lmtp:"):
        if target.startswith(prefix):
            way, target = prefix, target[len(prefix):]
            break
    match = re.fullmatch(r"\[(?P<host>[^\]]*)\](?::(?P<port>.*))?", target) if target.startswith("[") else \
        re.fullmatch(r"(?P<host>.*?)(?::(?P<port>[^:]*))?", target)
    if not match or (way == "mx:" and target.startswith("[")):
        return None
    host, port = match["host"], match["port"]
    if not host:
        if way == "lmtp:":
            return None
        host, way = relay.name.lower(), "mx:"
    try:
        host = f"ipv6:{host}" if ":" in host else idna.encode(host).decode()
        port = "" if port is None else f":{int(port, 10)}"
    except (idna.IDNAError, ValueError):
        return None
    if ":" in host or not way:
        host = f"[{host}]"
    return f"{'lmtp' if way == 'lmtp:' else 'smtp'}:{host}{port}"


@views.get("/postfix/transport/<path:email>")
def transport(email):
    if email == "*" or IN_BRACKETS.match(email):
        missing()
    relay = store().get("relay", accounts.split(email)[1]) or missing()
    return flask.jsonify(transport_of(relay) or flask.abort(400))


@views.get("/postfix/recipient/map/<path:recipient>")
def recipient_map(recipient):
    return found(srs.reverse(flask.current_app.keys["SRS_KEY"], recipient, time.time()))


@views.get("/postfix/sender/map/<path:sender>")
def sender_map(sender):
    """Foreign senders of forwarded mail become ours, so that bounces find the way back."""
    if sender.count("@") > 1 or sender.startswith('"'):
        missing()
    try:
        domain = accounts.split(sender)[1]
    except Exception:
        missing()
    if store().get("domain", domain):
        missing()
    return flask.jsonify(srs.forward(flask.current_app.keys["SRS_KEY"], sender, config("DOMAIN"), time.time()))


@views.get("/postfix/sender/login/<path:sender>")
def sender_login(sender):
    """The logins that may send with this envelope sender."""
    allowed = names("WILDCARD_SENDERS")
    local, domain = accounts.split(sender)
    if local is None:
        return found(",".join(allowed))
    cut = next((at for at, sign in enumerate(local) if sign in config("RECIPIENT_DELIMITER")), None)
    logins = {*(accounts.destinations(local[:cut], domain, keep=True) or []), *allowed, *(user.email for user in store().find("user", allow_spoofing=True))}
    return found(ascii_domains(logins))


@views.get("/postfix/sender/rate/<path:sender>")
def sender_rate(sender):
    if sender in config("MESSAGE_RATELIMIT_EXEMPTION"):
        missing()
    user = store().get("user", sender) or missing()
    if limiter.window(config("MESSAGE_RATELIMIT"), "sender", user.email).hit():
        missing()
    return flask.jsonify("450 4.2.1 You are sending too many emails too fast.")


# -- rspamd --------------------------------------------------------------------------------------------------------------------------------

@views.get("/rspamd/vault/v1/dkim/<domain>")
def vault(domain):
    record = store().get("domain", domain)
    alternative = None if record else store().get("alternative", domain)
    owner = record.name if record else alternative and alternative.domain_name
    key = accounts.read_key(owner) if owner else None
    selectors = [{"domain": idna.encode((record or alternative).name.lower()).decode(), "key": key.decode(), "selector": config("DKIM_SELECTOR")}] if key else []
    return flask.jsonify({"data": {"selectors": selectors}})


@views.get("/rspamd/local_domains")
def local_domains():
    return "\n".join(record.name for table in ("domain", "alternative") for record in store().find(table))


# -- fetchmail -----------------------------------------------------------------------------------------------------------------------------

@views.get("/fetch")
def fetches():
    keys = ("id", "tls", "keep", "scan", "user_email", "protocol", "host", "port", "folders", "username", "password")
    return flask.jsonify([{key: fetch[key] for key in keys} for fetch in store().find("fetch")])


@views.post("/fetch/<number>")
def fetched(number):
    fetch = store().get("fetch", number) or missing()
    # The message itself is dropped: Mailu writes it to an attribute that is no column.
    flask.request.get_json()
    store().change(fetch, keep_date=True, last_check=datetime.datetime.now())
    store().commit()
    return ""


# -- mail programs -------------------------------------------------------------------------------------------------------------------------

def server_xml(kind, port, host):
    return (f'<{kind} type="{"imap" if port == 993 else "smtp"}"><hostname>{host}</hostname><port>{port}</port><socketType>SSL</socketType>'
            f"<username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></{kind}>")


@views.get("/autoconfig/mozilla")
def autoconfig():
    host = config("HOSTNAME")
    xml = (f'<?xml version="1.0"?>\n<clientConfig version="1.1"><emailProvider id="{host}"><domain>%EMAILDOMAIN%</domain>'
           f'<displayName>Email</displayName>{server_xml("incomingServer", 993, host)}{server_xml("outgoingServer", 465, host)}</emailProvider></clientConfig>\r\n')
    return flask.Response(xml, mimetype="text/xml")


@views.get("/autoconfig/microsoft.json")
def autodiscover_json():
    if flask.request.args.get("Protocol", "Autodiscoverv1") != "Autodiscoverv1":
        missing()
    return flask.jsonify({"Protocol": "Autodiscoverv1", "Url": f"https://{config('HOSTNAME')}/autodiscover/autodiscover.xml"})
