"""What mailboxes, aliases and domains mean: passwords, where mail goes, keys, DNS records."""
import os

import flask
import passlib.context
import passlib.hash
import passlib.registry
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from . import sessions
from .store import store

OLD_PREFIXES = ("{PBKDF2}", "{BLF-CRYPT}", "{SHA512-CRYPT}", "{SHA256-CRYPT}", "{MD5-CRYPT}", "{CRYPT}")
_known = {}
_verified = {}


def config(name):
    return flask.current_app.config[name]


# -- passwords -----------------------------------------------------------------------------------------------------------------------------

def context():
    rounds = config("CREDENTIAL_ROUNDS")
    if rounds not in _known:
        schemes = [name for name in passlib.registry.list_crypt_handlers() if name != "scrypt" and not name.endswith("plaintext")]
        _known[rounds] = passlib.context.CryptContext(schemes, default="bcrypt_sha256", deprecated="auto", bcrypt_sha256__rounds=rounds)
    return _known[rounds]


def hashed(password):
    return context().hash(password)


def set_password(user, password, raw=False, keep=None, **also):
    """New password and no web session of the user's left, except `keep`."""
    store().change(user, password=password if raw else hashed(password), **also)
    sessions.prune(user.email, keep)


def strip_prefix(value):
    return value.split("}", 1)[1] if value.startswith(OLD_PREFIXES) else value


def check_password(user, password):
    """What is stored but not a hash fits no password (the last of the schemes takes it, and refuses)."""
    if password == "":
        return False
    remembered = _verified.get(user.email)
    if remembered and remembered[0] == user.password:
        return passlib.hash.pbkdf2_sha256.verify(password, remembered[1])
    good, better = context().verify_and_update(password, strip_prefix(user.password))
    if better:
        store().change(user, password=better)
        store().commit()
    if good:
        _verified[user.email] = (user.password, passlib.hash.pbkdf2_sha256.using(rounds=1).hash(password))
    return good


def token_hash(password):
    return passlib.hash.pbkdf2_sha256.using(rounds=1).hash(password)


def check_token(token, password):
    if token.password.startswith("$5$"):
        if not passlib.hash.sha256_crypt.verify(password, token.password):
            return False
        store().change(token, password=token_hash(password))
        store().commit()
        return True
    return passlib.hash.pbkdf2_sha256.verify(password, token.password)


def login(email, password):
    user = store().get("user", email)
    return user if user and user.enabled and check_password(user, password) else None


# -- where mail goes -----------------------------------------------------------------------------------------------------------------------

def split(address):
    """Local part (None without an @) and domain, an alternative name replaced by the real one."""
    local, domain = address.rsplit("@", 1) if "@" in address else (None, address)
    alternative = store().get("alternative", domain)
    return local, alternative.domain_name if alternative else domain


def find_alias(local, domain):
    """Exact before wildcard, longer before shorter; first as it is written, then in lower case."""
    from .store import name_in

    def search(column, value):
        row = store().run(
            f'SELECT email FROM alias WHERE domain_name = ? AND ((wildcard = 0 AND {column} = ?) OR (wildcard = 1 AND ? LIKE {column})) '
            "ORDER BY wildcard, length(localpart) DESC LIMIT 1", name_in(domain), value, value).fetchone()
        return store().get("alias", row[0]) if row else None

    written, lower = search("localpart", local), search("lower(localpart)", local and local.lower())
    if written and lower:
        return lower if written.wildcard else written
    return written or lower


def destinations(local, domain, keep=False):
    """Where mail for local@domain goes, or None. `keep`: also to the mailbox itself, whatever its forwarding says."""
    marks = os.environ.get("RECIPIENT_DELIMITER") or ""
    cut = next((at for at, sign in enumerate(local) if sign in marks), None)
    stripped = None if cut is None else local[:cut]
    user = store().get("user", f"{local}@{domain}")
    if not user and stripped:
        user = store().get("user", f"{stripped}@{domain}")
    if user:
        own = [f"{local}@{domain}"]
        if not user.forward_enabled:
            return own
        return user.forward_destination + (own if user.forward_keep or keep else [])
    exact = find_alias(local, domain)
    if exact and not exact.wildcard:
        return exact.destination
    other = find_alias(stripped, domain) if stripped is not None else None
    found = other or exact
    return found.destination if found else None


# -- keys and records ----------------------------------------------------------------------------------------------------------------------

def new_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def key_file(domain):
    return config("DKIM_PATH").format(domain=domain, selector=config("DKIM_SELECTOR"))


def read_key(domain):
    try:
        with open(key_file(domain), "rb") as file:
            return file.read() or None
    except FileNotFoundError:
        return None


def write_key(domain, key):
    if key:
        with open(key_file(domain), "wb") as file:
            file.write(key)
    elif os.path.exists(key_file(domain)):
        os.unlink(key_file(domain))


def public_key(domain):
    key = read_key(domain)
    if key:
        public = serialization.load_pem_private_key(key, password=None).public_key()
        pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return "".join(pem.decode().split("-----")[2].split())
    return None


ISRG = ("0b9fa5a59eed715c26c1020c711b4f6ec42d58b0015e14337a39dad301c5afc3", "762195c225586ee6c0237456e2107dc54f1efc21f61a792ebd515913cce68332")


def records(domain):
    """The DNS records Mailu recommends, by the names of its API."""
    name, host, own = domain.name, config("HOSTNAME"), config("DOMAIN")
    public = public_key(name)
    ports = {int(port.strip()) for port in config("PORTS").split(",")} | {465, 993}
    services = [("imap", 143, 20), ("pop3", 110, 20), ("submission", 587, 20)]
    if config("TLS_FLAVOR") != "notls":
        services += [("autodiscover", 443, 10), ("submissions", 465, 10), ("imaps", 993, 10), ("pop3s", 995, 10)]
    reports = "".join(f" {tag}=mailto:{config(key)}@{own};" for tag, key in (("rua", "DMARC_RUA"), ("ruf", "DMARC_RUF")) if config(key))
    return {
        "dns_autoconfig": [f"_{service}._tcp.{name}. 600 IN SRV " + (f"{priority} 1 {port} {host}." if port in ports else "0 0 0 .")
                           for service, port, priority in services]
        + [f"{label}.{name}. 600 IN CNAME {host}." for label in ("autoconfig", "autodiscover")],
        "dns_mx": f"{name}. 600 IN MX 10 {host}.",
        "dns_spf": f'{name}. 600 IN TXT "v=spf1 mx a:{host} ~all"',
        "dns_dkim": f'{config("DKIM_SELECTOR")}._domainkey.{name}. 600 IN TXT "v=DKIM1; k=rsa; p={public}"' if public else None,
        "dns_dmarc": f'_dmarc.{name}. 600 IN TXT "v=DMARC1; p=reject;{reports} adkim=s; aspf=s"' if public else None,
        "dns_dmarc_report": f'{name}._report._dmarc.{own}. 600 IN TXT "v=DMARC1;"' if public else None,
        "dns_tlsa": [f"_25._tcp.{host}. 86400 IN TLSA 2 1 1 {digest}" for digest in ISRG] if config("TLS_FLAVOR") in ("letsencrypt", "mail-letsencrypt") else [],
    }
