"""What the images' own checks share: containers with a prefix, on networks of their own, and a small admin.

    tests/stack/engine.sh run python3 tests/stack/images/NAME/check.py

Or without engine.sh, on any engine (DOCKER_HOST) on which the images are built.
"""
import contextlib
import json
import os
import subprocess
import sys
import time

TAG = "2024.06.57"
PREFIX = f"check{os.getpid()}"
SUBNET = "10.98.7.0/24"
DNS = "10.98.7.53"
# Outside SUBNET, and not private: what is private, rspamd takes for local.
OUTSIDE = "192.0.2.0/24"

ENVIRONMENT = {
    "DOMAIN": "example.com", "HOSTNAMES": "mail.example.com", "POSTMASTER": "admin", "SUBNET": SUBNET, "TLS_FLAVOR": "mail",
    "MESSAGE_SIZE_LIMIT": "50000000", "LOG_LEVEL": "INFO", "SECRET_KEY": "0123456789abcdef", "RECIPIENT_DELIMITER": "+",
    "PORTS": "25,80,143,443,465,587,993,995,4190", "PROXY_PROTOCOL": "", "FETCHMAIL_DELAY": "1",
}

# Domains, accounts and keys in one file's worth of admin: the paths and answers are Mailu's.
ADMIN = r'''
import http.server, json, os, sys, urllib.parse
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
KEY = rsa.generate_private_key(65537, 2048)
PEM = KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()).decode()
PUBLIC = KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
USERS = {"anna@example.com", "ben@example.com", "fast@example.com"}
DOMAINS = {"example.com"}
QUOTA = {}
SIEVE = """require ["fileinto", "mailbox", "spamtestplus", "relational", "comparator-i;ascii-numeric"];
if spamtest :percent :value "gt" :comparator "i;ascii-numeric" "80" { fileinto :create "Junk"; stop; }
"""
def answer(path):
    kind, _, rest = path.partition("/")
    if kind == "postfix":
        table, _, key = rest.rpartition("/")
        if table == "domain": return key if key in DOMAINS else None
        if table == "mailbox": return key if key in USERS else None
        if table == "alias": return {"sales@example.com": "anna@example.com,ben@example.com", **{user: user for user in USERS}}.get(key)
        if table == "sender/login": return key if key in USERS else None
        if table == "sender/rate": return "450 4.2.1 You are sending too many emails too fast." if key.startswith("fast@") else None
        return None
    if kind == "dovecot":
        what, _, user = rest.partition("/")
        if what == "userdb" and not user: return sorted(USERS)
        if what == "passdb": return {"password": None, "nopassword": "Y", "allow_real_nets": os.environ["SUBNET"]} if user in USERS else None
        if what == "userdb": return {"quota_rule": "*:bytes=1000000"} if user in USERS else None
        if rest.startswith("sieve/name/"): return rest.split("/")[2]
        if rest.startswith("sieve/data/default/"): return SIEVE
    if path.startswith("rspamd/vault/v1/dkim/"):
        domain = path.rpartition("/")[2]
        return {"data": {"selectors": [{"domain": domain, "key": PEM, "selector": "dkim"}] if domain in DOMAINS else []}}
    if path == "fetch": return []
    return None
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        path = urllib.parse.unquote(self.path).removeprefix("/internal/")
        if path == "rspamd/local_domains": return self.send("\n".join(DOMAINS))
        if path == "public": return self.send(PUBLIC)
        if path == "quota": return self.send(json.dumps(QUOTA))
        value = answer(path)
        self.send("" if value is None else json.dumps(value), 404 if value is None else 200)
    do_HEAD = do_GET
    def do_POST(self):
        QUOTA[urllib.parse.unquote(self.path).removeprefix("/internal/dovecot/quota/")] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send("null")
    def send(self, text, status=200):
        self.send_response(status); self.send_header("Content-Length", str(len(text))); self.end_headers()
        if self.command != "HEAD": self.wfile.write(text.encode())
http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
'''

# What the client's scripts start with: SMTP as front speaks it, and IMAP.
CLIENT = r'''
import imaplib, json, smtplib, socket, sys, time, urllib.request
def smtp(host, port=25, **claims):
    session = smtplib.SMTP(host, port, timeout=30, local_hostname="client.test")
    session.ehlo()
    if claims:
        print("XCLIENT", *session.docmd("XCLIENT", " ".join(f"{key}={value}" for key, value in claims.items())))
        session.ehlo()
    return session
def try_mail(session, sender, recipient, text=None):
    for step in (lambda: session.mail(sender), lambda: session.rcpt(recipient), lambda: session.data(text)):
        try:
            code, answer = step()
        except smtplib.SMTPDataError as error:
            code, answer = error.args
        if code >= 300 or not text and answer.startswith(b"2.1.5"):
            break
    session.rset()
    return f"{code} {answer.decode()}"
def mailbox(user, host="imap", folder="INBOX", count=1, seconds=15):
    end = time.monotonic() + seconds
    while True:
        session = imaplib.IMAP4(host, timeout=10)
        session.login(user, "whatever")
        session.select(folder)
        numbers = session.search(None, "ALL")[1][0].split()
        found = [session.fetch(number, "(RFC822)")[1][0][1].decode() for number in numbers]
        session.logout()
        if len(found) >= count or time.monotonic() > end:
            return found
        time.sleep(0.2)
'''


def docker(*arguments, text=None, check=True):
    done = subprocess.run(["docker", *arguments], input=text, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments[:3])}: {done.stdout}{done.stderr}")
    return (done.stdout + done.stderr).strip()


def image(name):
    return {"redis": "redis:7.4.9-alpine", "tika": "apache/tika:3.2.3.0-full", "clamav": "clamav/clamav-debian:1.4.6", "base": "mailu-stack/base"}.get(name, f"ghcr.io/mailu/{name}:{TAG}")


class Stack:
    """Containers and networks, all gone at the end."""

    def __init__(self):
        self.inside, self.outside = f"{PREFIX}-inside", f"{PREFIX}-outside"
        self.failed = 0
        self.resolver = []

    def __enter__(self):
        self.clean()
        docker("network", "create", "--subnet", SUBNET, self.inside)
        docker("network", "create", "--subnet", OUTSIDE, self.outside)
        return self

    def __exit__(self, *_):
        self.clean()
        if self.failed:
            sys.exit(f"{self.failed} failed")

    def clean(self):
        found = docker("ps", "-aqf", f"name=^{PREFIX}-").split()
        if found:
            docker("rm", "-fv", *found)
        for network in (self.inside, self.outside):
            docker("network", "rm", network, check=False)

    def run(self, name, picture, *command, aliases=(), network=None, options=(), **environment):
        variables = [part for key, value in {**ENVIRONMENT, **environment}.items() for part in ("-e", f"{key}={value}")]
        names = [part for alias in (name, *aliases) for part in ("--network-alias", alias)]
        docker("run", "-d", "--name", f"{PREFIX}-{name}", "--network", network or self.inside, *names, *variables, *self.resolver, *options, image(picture), *command)

    def admin(self):
        self.run("admin", "base", "python3", "-c", ADMIN)

    def dns(self, *records):
        """Answers for everybody who is started after this; whatever ends in .test and is not in `records` does not exist."""
        data = "".join(f"  local-data: '{record}'\n" for record in records)
        config = f"server:\n  interface: 0.0.0.0\n  access-control: 0.0.0.0/0 allow\n  do-daemonize: no\n  chroot: ''\n  use-syslog: no\n  pidfile: ''\n  local-zone: . static\n{data}"
        self.run("dns", "base", "sh", "-c", f"cat >/tmp/dns.conf <<'END'\n{config}END\nexec unbound -c /tmp/dns.conf", options=["--ip", DNS])
        self.resolver = ["--dns", DNS]

    def remove(self, *names):
        docker("rm", "-fv", *(f"{PREFIX}-{name}" for name in names))

    def logs(self, name):
        return docker("logs", f"{PREFIX}-{name}")

    def exec(self, name, *command, text=None, check=True):
        return docker("exec", "-i", f"{PREFIX}-{name}", *command, text=text, check=check)

    def client(self, script, name="client"):
        return self.exec(name, "python3", "-", text=CLIENT + script, check=False)

    def state(self, name):
        return json.loads(docker("inspect", f"{PREFIX}-{name}"))[0]["State"]

    def healthy(self, *names, seconds=40):
        for name in names:
            self.until(f"{name} is healthy", lambda name=name: self.state(name).get("Health", {}).get("Status") == "healthy", seconds)

    def until(self, what, true, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with contextlib.suppress(RuntimeError):
                if true():
                    return self.tell(what, True)
            time.sleep(0.2)
        return self.tell(what, False)

    def tell(self, what, good, found=""):
        print(f"{'ok  ' if good else 'FAIL'} {what}", flush=True)
        if not good:
            self.failed += 1
            if found:
                print("     " + "\n     ".join(found[-3000:].splitlines()[-15:]), flush=True)

    def expect(self, what, found, *texts):
        self.tell(what, all(text in found for text in texts), found)
