#!/usr/bin/env python3
"""Proves that this image is as hard to please as Mailu's front.

    python3 tests/stack/images/nginx/check.py [IMAGE]    needs an engine (DOCKER_HOST) on which the image is built

It runs itself inside the image, without a network, and takes less than a minute.

The admin service and the servers behind are played by threads of this process.
"""
import http.server
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse

if not os.path.exists("/start.py"):
    image = sys.argv[1] if len(sys.argv) > 1 else "ghcr.io/mailu/nginx:2024.06.57"
    with open(__file__) as script:
        sys.exit(subprocess.call(["docker", "run", "--rm", "-i", "--network", "none", "--entrypoint", "python3", image, "-"], stdin=script))

START = time.monotonic()
ENV = {
    "PATH": os.environ["PATH"],
    "HOSTNAMES": "mail.example.com,mx.example.com",
    "DOMAIN": "example.com",
    "POSTMASTER": "admin",
    "ADMIN": "true",
    "WEBMAIL": "roundcube",
    "WEB_WEBMAIL": "/webmail",
    "WEB_ADMIN": "/admin",
    "WEBROOT_REDIRECT": "/webmail",
    "WEBDAV": "none",
    "API": "false",
    "MESSAGE_SIZE_LIMIT": "50000000",
    "PORTS": "25,80,443,465,993,995,4190",
    "ADMIN_ADDRESS": "127.0.0.1",
    "ANTISPAM_ADDRESS": "127.0.0.1",
    "WEBMAIL_ADDRESS": "127.0.0.9",
    "SMTP_ADDRESS": "127.0.0.1",
    "LD_PRELOAD": "",
}
LIVE = "/certs/letsencrypt/live"
failures = 0


def check(what, fine, detail=""):
    global failures
    failures += not fine
    print(f"{'ok  ' if fine else 'FAIL'} {what}{'' if fine else f': {detail}'}", flush=True)


def until(condition, seconds=10):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.05)
    return condition()


# ------------------------------------------------------------------------------------------------ things to work with
def make_pair(cert, key, name="mail.example.com", extension="basicConstraints=CA:TRUE"):
    os.makedirs(os.path.dirname(cert), exist_ok=True)
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    subprocess.run([*command, "-addext", extension, "-subj", f"/CN={name}", "-keyout", key + ".new", "-out", cert + ".new"], check=True, capture_output=True)
    os.rename(key + ".new", key)
    os.rename(cert + ".new", cert)


def clean():
    for entry in os.listdir("/certs"):
        path = os.path.join("/certs", entry)
        shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
    for path in ("/etc/nginx/nginx.conf", "/etc/dovecot/proxy.conf"):
        if os.path.exists(path):
            os.unlink(path)
    shutil.copy(DEFAULT_NGINX, "/etc/nginx/nginx.conf")


DEFAULT_NGINX = "/tmp/nginx.conf.default"
shutil.copy("/etc/nginx/nginx.conf", DEFAULT_NGINX)


def state(name):
    """Processes of this name that live."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                stat = file.read()
        except OSError:
            continue
        comm = stat[stat.index("(") + 1 : stat.rindex(")")]
        if comm == name and stat[stat.rindex(")") + 2] != "Z":
            found.append(int(pid))
    return found


class Front:
    """A run of /start.py."""

    def __init__(self, **changes):
        env = {name: value for name, value in {**ENV, **changes}.items() if value is not None}
        self.log = open("/tmp/front.log", "wb+")
        self.process = subprocess.Popen(["/start.py"], env=env, stdout=self.log, stderr=self.log, start_new_session=True)

    def text(self):
        with open("/tmp/front.log", errors="replace") as file:
            return file.read()

    def up(self):
        return until(lambda: status(10204, "/health") == 204)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in state("dovecot"):
            os.kill(pid, signal.SIGTERM)
        try:
            os.killpg(self.process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
        self.process.wait()
        for name in ("nginx", "certwatcher.py", "python3", "dovecot"):
            until(lambda name=name: [pid for pid in state(name) if pid != os.getpid()] == [], 5)


def status(port, path, tls=False, headers=()):
    answer = fetch(port, path, tls, headers)
    return answer and answer[0]


def fetch(port, path, tls=False, headers=(), start=b""):
    """Status, headers and body; None if nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain:
            plain.sendall(start)
            with secured(plain) if tls else plain as sock:
                lines = [f"GET {path} HTTP/1.1", "Host: mail.example.com", "Connection: close", *headers, "", ""]
                sock.sendall("\r\n".join(lines).encode())
                data = b""
                while chunk := sock.recv(65536):
                    data += chunk
    except OSError:
        return None
    head, _, body = data.partition(b"\r\n\r\n")
    match = re.match(rb"HTTP/1.1 (\d+)", head)
    return match and (int(match[1]), head.decode("latin1"), body.decode("latin1"))


def secured(sock):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(sock, server_hostname="mail.example.com")


class Talk:
    """A conversation by lines."""

    def __init__(self, port, tls=False, start=b"", host="127.0.0.1", source=None):
        self.sock = socket.create_connection((host, port), 5, source_address=source and (source, 0))
        self.sock.sendall(start)
        if tls:
            self.sock = secured(self.sock)
        self.file = self.sock.makefile("rb")

    def line(self):
        try:
            return self.file.readline().decode("latin1").rstrip("\r\n")
        except OSError as error:
            return f"<{error}>"

    def say(self, text, more=lambda line: line[3:4] == "-"):
        self.sock.sendall(text.encode() + b"\r\n")
        lines = [self.line()]
        while more(lines[-1]):
            lines.append(self.line())
        return lines

    def starttls(self):
        self.sock = secured(self.sock)
        self.file = self.sock.makefile("rb")

    def close(self):
        self.file.close()
        self.sock.close()


def listening(port):
    try:
        socket.create_connection(("127.0.0.1", port), 2).close()
        return True
    except OSError:
        return False


PORTS = (25, 80, 110, 143, 443, 465, 587, 993, 995, 2525, 4190, 10025, 10143, 10204, 14190)


def open_ports():
    return [port for port in PORTS if listening(port)]


# -------------------------------------------------------------------------------------------------- who is behind
questions = []
BACKENDS = {"imap": 1143, "pop3": 1110, "submission": 11025, "sieve": 14191, "lmtp": 12525, "smtp": 1025}


class Admin(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        headers = {name.lower(): value for name, value in self.headers.items()}
        questions.append((self.path, headers))
        code, answer = 200, {}
        if self.path == "/internal/auth/email":
            protocol = headers["auth-protocol"]
            password = urllib.parse.unquote(headers.get("auth-pass", ""))
            if protocol == "smtp" and headers["auth-method"] != "none":
                answer = {"Auth-Status": "AUTH not supported", "Auth-Error-Code": "502 5.5.1"}
            elif protocol in ("smtp", "lmtp") or password == "right %+":
                answer = {"Auth-Status": "OK", "Auth-Server": "127.0.0.1", "Auth-Port": str(BACKENDS[protocol])}
            elif password == "broken":
                code = 500
            else:
                answer = {"Auth-Status": "Authentication credentials invalid", "Auth-Error-Code": "AUTHENTICATIONFAILED"}
        elif self.path in ("/internal/auth/user", "/internal/auth/admin"):
            code = 403
        self.send_response(code)
        for name, value in {**answer, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


class Backend(threading.Thread):
    """A server that writes down what is said to it."""

    def __init__(self, port, greeting, answers):
        super().__init__(daemon=True)
        self.heard, self.greeting, self.answers = [], greeting, answers
        self.listener = socket.create_server(("127.0.0.1", port))
        self.start()

    def run(self):
        while True:
            sock, _ = self.listener.accept()
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        file = sock.makefile("rwb", buffering=0)
        file.write(self.greeting)
        while line := file.readline():
            line = line.decode("latin1").rstrip("\r\n")
            self.heard.append(line)
            for match, answer in self.answers:
                if found := re.match(match, line, re.I):
                    file.write(found.expand(answer).encode())
                    break


SMTP_ANSWERS = [
    (r"(EHLO|LHLO)", "250-smtp\r\n250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT TTL TIMEOUT\r\n250 8BITMIME\r\n"),
    (r"XCLIENT", "220 smtp\r\n"),
    (r"", "250 2.0.0 fine\r\n"),
]


def play_resolver():
    """Knows nothing: answers every question with NXDOMAIN. nginx asks for the name of each client of port 25, and waits."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 53))

    def serve():
        while True:
            question, client = sock.recvfrom(4096)
            sock.sendto(question[:2] + b"\x81\x83" + question[4:], client)

    threading.Thread(target=serve, daemon=True).start()
    with open("/etc/resolv.conf", "w") as file:
        file.write("nameserver 127.0.0.1\n")


def play_services():
    threading.Thread(target=http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Admin).serve_forever, daemon=True).start()
    capability = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE AUTH=PLAIN"
    imap = [(r"(\S+) (AUTHENTICATE|LOGIN)", r"\1 OK [CAPABILITY IMAP4rev1] in" + "\r\n"), (r"(\S+) ", r"\1 OK fine" + "\r\n"), ("", "+ \r\n")]
    return {
        "imap": Backend(BACKENDS["imap"], f"* OK [CAPABILITY {capability}] imap\r\n".encode(), imap),
        "submission": Backend(BACKENDS["submission"], b"220 smtp\r\n", SMTP_ANSWERS),
        "smtp": Backend(BACKENDS["smtp"], b"220 smtp\r\n", SMTP_ANSWERS),
        "lmtp": Backend(BACKENDS["lmtp"], b"220 lmtp\r\n", SMTP_ANSWERS),
    }


# ---------------------------------------------------------------------------------------------------------- checks
def crashes():
    for token in ("http", "none", "25, 465"):
        with Front(TLS_FLAVOR="notls", PROXY_PROTOCOL=token) as front:
            code = until(front.process.poll)
            check(f"PROXY_PROTOCOL={token} crashes", code == 1 and "NameError" in front.text(), (code, front.text()))
    with Front(TLS_FLAVOR=None) as front:
        check("no TLS_FLAVOR crashes", until(front.process.poll) == 1 and "KeyError: 'TLS_FLAVOR'" in front.text(), front.text())
    with Front(TLS_FLAVOR="notls", LOG_LEVEL="info") as front:
        check("LOG_LEVEL=info crashes", until(front.process.poll) == 1 and "Unknown level" in front.text(), front.text())
    for changes in ({"TLS_FLAVOR": "lets"}, {"TLS_FLAVOR": "notls", "HOSTNAMES": None}):
        with Front(**changes) as front:
            fine = until(lambda: status(80, "/") == 404) and status(10204, "/health") is None and front.process.poll() is None
            check(f"{changes}: the container stays up, without a configuration and without health", fine, front.text())


def rendered(**changes):
    """What a flavor opens, by its configuration: nginx's ports and Dovecot's, and whether each accepts its files."""
    subprocess.run(["/config.py"], env={k: v for k, v in {**ENV, **changes}.items() if v is not None}, capture_output=True, check=True)
    with open("/etc/nginx/nginx.conf") as file:
        web = set(map(int, re.findall(r"^\s+listen (\d+)[ ;]", file.read(), re.M)))
    with open("/etc/dovecot/proxy.conf") as file:
        logins = set(map(int, re.findall(r"port = (\d+)", file.read()))) - {0}
    nginx = subprocess.run(["nginx", "-t"], capture_output=True, text=True)
    dovecot = subprocess.run(["doveconf", "-c", "/etc/dovecot/proxy.conf", "-x", "-h", "ssl_cert"], capture_output=True, text=True)
    if nginx.returncode:
        print(nginx.stderr)
    return web, logins, nginx.returncode == 0, dovecot.returncode == 0


def ports():
    inner = {2525, 10025, 10143, 14190}
    tls = {465, 993, 995}
    issued = [f"{LIVE}/{name}/{file}" for name in ("mailu", "mailu-ecdsa") for file in ("nginx-chain.pem", "privkey.pem")]
    cases = [
        # flavor, certificate there, PORTS, nginx, Dovecot
        ("cert", True, None, {25, 80, 443}, {4190} | tls),
        ("cert", False, None, {25, 80}, {4190} | tls),
        ("cert", True, "25,443,465,993", {25, 443}, {465, 993} | {None}),
        ("mail", True, None, {25, 80, 443}, {4190} | tls),
        ("mail", False, None, {25, 80}, {4190} | tls),
        ("mail", True, "25,143,587,110,4190", {25, 80, 443}, {110, 143, 587, 4190, 465, 993}),
        ("letsencrypt", True, None, {25, 80, 443}, {4190} | tls),
        ("letsencrypt", False, None, {25, 80}, {4190} | tls),
        ("letsencrypt", True, "25,443", {25, 443}, {465, 993} | {None}),
        ("mail-letsencrypt", True, None, {25, 80, 443}, {4190} | tls),
        ("mail-letsencrypt", False, "25", {25, 80}, {465, 993} | {None}),
        ("notls", False, None, {25, 80}, {4190}),
        ("notls", False, "25,143,110,587,993,4190", {25, 80}, {110, 143, 587, 4190}),
    ]
    for flavor, there, wanted, web, logins in cases:
        clean()
        if there and "letsencrypt" in flavor:
            for cert, key in zip(issued[::2], issued[1::2]):
                make_pair(cert, key)
                shutil.copy(cert, cert.replace("nginx-chain", "fullchain"))
        elif there:
            make_pair("/certs/cert.pem", "/certs/key.pem")
        # Without 4190 the webmail has no sieve either.
        expected = (inner | logins) - ({14190, None} if None in logins else set())
        found = rendered(TLS_FLAVOR=flavor, **({"PORTS": wanted} if wanted else {}))
        check(
            f"ports of {flavor}, certificate {'there' if there else 'missing'}, PORTS={wanted or 'usual'}",
            found[0] == web and found[1] == expected and found[2] and found[3] == (there or flavor == "notls"),
            found,
        )
    rendered(TLS_FLAVOR="mail", PROXY_PROTOCOL="mail", REAL_IP_HEADER="X-Forwarded-For", REAL_IP_FROM="10.1.0.2")
    text = open("/etc/nginx/nginx.conf").read() + open("/etc/dovecot/proxy.conf").read()
    for line, times in (("listen 25 proxy_protocol;", 1), ("listen 80;", 1), ("haproxy = yes", 7), ("haproxy_trusted_networks = 10.1.0.2\n", 1)):
        check(f"PROXY_PROTOCOL=mail: {line.strip()}", text.count(line) == times, text.count(line))


def no_certificate():
    clean()
    with Front(TLS_FLAVOR="mail") as front:
        check("mail without a certificate: nginx lives", front.up(), front.text())
        check("it says so", "Missing cert or key file, disabling TLS" in front.text(), front.text())
        until(lambda: "ssl_cert" in front.text(), 5)
        check("doveconf says why Dovecot is not there", "ssl_cert: Can't open file /certs/cert.pem" in front.text(), front.text())
        check("Dovecot is dead", state("dovecot") == [], state("dovecot"))
        check("only 25 and 80 are open", open_ports() == [25, 80, 10204], open_ports())
        check("the site is on port 80", status(80, "/sso/login") == 200, fetch(80, "/sso/login"))
        talk = Talk(25)
        check("25 without STARTTLS", talk.line().startswith("220 mail.example.com") and "STARTTLS" not in "".join(talk.say("EHLO a")))
        talk.close()
        make_pair("/certs/cert.pem", "/certs/key.pem")
        check("a certificate comes: nginx opens 443", until(lambda: listening(443)), front.text())
        time.sleep(1.5)
        check("but Dovecot stays dead", state("dovecot") == [] and not listening(993), state("dovecot"))
        subprocess.run(["killall", "-q", "-HUP", "nginx", "dovecot"])
        time.sleep(0.5)
        check("HUP does not wake it", state("dovecot") == [])
        subprocess.run(["dovecot", "-c", "/etc/dovecot/proxy.conf"], stdin=subprocess.DEVNULL, stdout=front.log, stderr=front.log)
        check("starting it does", until(lambda: listening(993)), front.text())
        check("and gives its pid file", until(lambda: os.path.exists("/run/dovecot/master.pid")))
        old = peer(993)
        make_pair("/certs/cert.pem", "/certs/key.pem", "second.example.com")
        check("a replaced pair reaches running processes", until(lambda: peer(993) not in (old, None) and peer(443) == peer(993)), front.text())
        check("and costs the pid files, so the health check is red from now on", until(lambda: not os.path.exists("/run/dovecot/master.pid")))
        check("pidof finds Dovecot", subprocess.run(["pidof", "dovecot"], capture_output=True).returncode == 0)
    for flavor in ("cert", "letsencrypt"):
        clean()
        with Front(TLS_FLAVOR=flavor) as front:
            front.up()
            expected = 301 if flavor == "cert" else 204
            fine = status(80, "/.well-known/acme-challenge/testing") == expected and status(80, "/") == 301 and status(80, "/health") == 204
            check(f"{flavor} without a certificate: port 80 redirects", fine, fetch(80, "/"))
            check(f"{flavor} without a certificate: 443 closed, Dovecot dead", not listening(443) and state("dovecot") == [])


def peer(port):
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as sock, secured(sock) as tls:
            return tls.getpeercert(True)
    except OSError:
        return None


def in_place():
    clean()
    make_pair("/certs/cert.pem", "/certs/key.pem")
    with Front(TLS_FLAVOR="cert") as front:
        front.up()
        until(lambda: listening(993))
        old = peer(993)
        time.sleep(1.2)
        make_pair("/tmp/pair/cert.pem", "/tmp/pair/key.pem", "third.example.com")
        for file in ("key.pem", "cert.pem"):
            with open(f"/tmp/pair/{file}", "rb") as source, open(f"/certs/{file}", "r+b") as target:
                target.truncate()
                target.write(source.read())
        check("a pair written in place is read again", until(lambda: peer(993) not in (old, None) and peer(443) == peer(993)), front.text())
        check("and the pid file stays", os.path.exists("/run/dovecot/master.pid"))
        check("https: a request that came as http is sent to https", status(443, "/", True, ["X-Forwarded-Proto: http"]) == 301)


PROXY_V1 = b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 25\r\n"


def mail(backends):
    clean()
    make_pair("/certs/cert.pem", "/certs/key.pem")
    changes = {"REAL_IP_FROM": "127.0.0.2", "REAL_IP_HEADER": "X-Forwarded-For", "PROXY_PROTOCOL": "mail"}
    with Front(TLS_FLAVOR="mail", PORTS="25,80,143,443,465,587,993,995,4190", **changes) as front:
        front.up()
        until(lambda: listening(10143))

        talk = Talk(25)
        talk.sock.sendall(b"EHLO a\r\n")
        line = talk.line()
        check("25 without its PROXY header is cut", not line or line.startswith("<"), line)
        talk.close()
        for source, seen in (("127.0.0.2", "198.51.100.7"), ("127.0.0.3", "127.0.0.3")):
            talk = Talk(25, start=PROXY_V1, source=source)
            talk.line()
            lines = talk.say("EHLO client.example.net")
            check("25: STARTTLS, SIZE, no AUTH", "250 STARTTLS" in lines and "250-SIZE 50000000" in lines and "AUTH" not in " ".join(lines), lines)
            talk.say("MAIL FROM:<a@example.net>")
            answer = talk.say("RCPT TO:<b@example.com>")[0]
            xclient = [line for line in backends["smtp"].heard if line.startswith("XCLIENT")][-1:]
            check(f"25 from {source}: postfix is told {seen}", answer.startswith("250") and f"ADDR={seen}" in "".join(xclient), (answer, xclient))
            talk.close()
        asked = [headers for path, headers in questions if path == "/internal/auth/email"][-1]
        check("25: admin is asked", asked["auth-port"] == "25" and asked["auth-method"] == "none" and asked["auth-protocol"] == "smtp", asked)
        talk = Talk(25, start=PROXY_V1, source="127.0.0.2")
        talk.line()
        talk.say("EHLO a")
        answer = talk.say("AUTH PLAIN AGEAYg==")[0]
        check("25: AUTH is refused", answer.startswith("5"), answer)
        talk.close()

        talk = Talk(143, source="127.0.0.2", start=PROXY_V1)
        greeting = talk.line()
        check("143: greeting with STARTTLS and LOGINDISABLED", "STARTTLS" in greeting and "LOGINDISABLED" in greeting, greeting)
        talk.close()
        talk = Talk(143, source="127.0.0.3", start=PROXY_V1)
        check("143 from an untrusted proxy is cut", "OK" not in talk.line())
        talk.close()

        talk = Talk(993, True, PROXY_V1, source="127.0.0.2")
        talk.line()
        answer = talk.say('a LOGIN "x@example.com" "right %+"', lambda line: line.startswith("* "))[-1]
        asked = questions[-1][1]
        expected = {"auth-user": "x%40example.com", "auth-pass": "right%20%25%2B", "auth-protocol": "imap", "auth-port": "25", "client-ip": "198.51.100.7"}
        wrong = {name: asked.get(name) for name, value in expected.items() if asked.get(name) != value}
        check("993: admin is asked who it is, with the client's address from the PROXY header", answer.startswith("a OK") and not wrong, (answer, asked))
        talk.close()
        talk = Talk(993, True, PROXY_V1, source="127.0.0.2")
        talk.line()
        begin = time.monotonic()
        answer = talk.say("a LOGIN x@example.com wrong", lambda line: line.startswith("* "))[-1]
        check("993: wrong password", answer.startswith("a NO [AUTHENTICATIONFAILED]"), answer)
        check("after some time", 1 < time.monotonic() - begin < 4, time.monotonic() - begin)
        answer = talk.say("b LOGIN x@example.com broken", lambda line: line.startswith("* "))[-1]
        check("993: a broken admin is a temporary failure", answer.startswith("b NO [UNAVAILABLE]"), answer)
        talk.close()

        import base64

        right = base64.b64encode(b"\0x@example.com\0right %+").decode()
        for port, tls, start in ((465, True, PROXY_V1), (10025, False, b"")):
            talk = Talk(port, tls, start, source="127.0.0.2")
            talk.line()
            lines = talk.say("EHLO client.example.net")
            if not tls:
                check(f"{port}: no AUTH without STARTTLS", "AUTH" not in " ".join(lines), lines)
                talk.say("STARTTLS")
                talk.starttls()
                talk.say("EHLO client.example.net")
            heard = backends["submission"].heard
            heard.clear()
            answer = talk.say(f"AUTH PLAIN {right}")[0]
            said = " ".join(heard)
            check(f"{port}: submission goes on with the login in XCLIENT", answer.startswith("235") and "LOGIN=x@example.com" in said, (answer, said))
            check(f"{port}: client address in XCLIENT", f"ADDR={'198.51.100.7' if tls else '127.0.0.2'}" in said, said)
            talk.close()

        talk = Talk(2525)
        talk.line()
        talk.say("LHLO postfix")
        answers = talk.say("MAIL FROM:<a@example.net>"), talk.say("RCPT TO:<x@example.com>")
        check("2525: LMTP is passed on", answers[1][0].startswith("250") and "RCPT TO:<x@example.com>" in " ".join(backends["lmtp"].heard), answers)
        asked = questions[-1][1]
        check("2525: admin is asked without a password", asked["auth-protocol"] == "lmtp" and "auth-pass" not in asked, asked)
        talk.close()
        check("14190: sieve greets", "IMPLEMENTATION" in Talk(14190).line())
        until(lambda: "started proxying" in front.text(), 3)
        check("log: proxy line of Dovecot", re.search(r"imap-login: Info: proxy\(x@example\.com,.*started proxying to", front.text(), re.I), front.text()[-3000:])
        check("log: nginx's line of a connection to 25", re.search(r"\[info\] \d+#\d+: \*\d+ client 127\.0\.0\.2:\d+ connected to", front.text()))


def acme():
    """The first certificates of a real (test) authority, over this very nginx."""
    clean()
    make_pair("/tmp/acme/cert.pem", "/tmp/acme/key.pem", "localhost", "subjectAltName=DNS:localhost")
    names = ENV["HOSTNAMES"].split(",")
    with open("/etc/hosts", "a") as file:
        file.write(f"127.0.0.1 {' '.join(names)}\n")
    settings = {"listenAddress": "127.0.0.1:14000", "managementListenAddress": "127.0.0.1:15000", "httpPort": 80, "tlsPort": 443}
    settings |= {"certificate": "/tmp/acme/cert.pem", "privateKey": "/tmp/acme/key.pem", "ocspResponderURL": "", "externalAccountBindingRequired": False}
    with open("/tmp/acme/pebble.json", "w") as file:
        json.dump({"pebble": settings}, file)
    quick = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
    with open("/tmp/acme/log", "w") as log:
        authority = subprocess.Popen(["pebble", "-config", "/tmp/acme/pebble.json"], env=quick, stdout=log, stderr=log)
    knob = {"MAILU_STANDIN_ACME": "https://localhost:14000/dir", "MAILU_STANDIN_ACME_CA": "/tmp/acme/cert.pem"}
    with Front(TLS_FLAVOR="mail-letsencrypt", **knob) as front:
        came = until(lambda: listening(443), 40)
        check("letsencrypt: two certificates come, and nginx opens 443", came, front.text()[-3000:])
        files = [f"{LIVE}/{name}/{file}.pem" for name in ("mailu", "mailu-ecdsa") for file in ("nginx-chain", "DANE-chain")]
        check("letsencrypt: both chains of both are there", all(map(os.path.exists, files)), os.listdir("/certs"))
        kinds = [subprocess.run(["openssl", "x509", "-noout", "-text", "-in", file], capture_output=True, text=True).stdout for file in files[::2]]
        check("letsencrypt: RSA and ECDSA", "rsaEncryption" in kinds[0] and "id-ecPublicKey" in kinds[1])
        check("letsencrypt: all names", all(f"DNS:{name}" in kind for name in names for kind in kinds), kinds)
        check("letsencrypt: nobody at Let's Encrypt signed them, which is said", "Neither ISRG X1 nor ISRG X2" in front.text())
        time.sleep(1)
        check("letsencrypt: Dovecot stays dead", state("dovecot") == [] and not listening(993))
    with Front(TLS_FLAVOR="mail-letsencrypt", **knob) as front:
        check("letsencrypt: after a restart it lives", until(lambda: listening(993)), front.text()[-2000:])
    authority.kill()
    authority.wait()


def web():
    clean()
    make_pair("/certs/cert.pem", "/certs/key.pem")
    with Front(TLS_FLAVOR="mail", REAL_IP_HEADER="X-Forwarded-For", REAL_IP_FROM="127.0.0.1", API="true", WEB_API="/api") as front:
        front.up()
        for path, code, where in (
            ("/", 302, "/webmail?homepage"),
            ("/webmail", 301, "/webmail/"),
            ("/webmail/", 302, "/sso/login?url=/webmail/"),
            ("/admin/antispam/", 302, "/sso/login?url=/admin/antispam/"),
            ("/internal/auth/user", 404, None),
            ("/internal/rspamd/local_domains", 404, None),
            ("/health", 204, None),
            ("/robots.txt", 200, None),
            ("/webdav/", 302, None),
            ("/.well-known/acme-challenge/testing", 302, None),
        ):
            answer = fetch(80, path, headers=["X-Forwarded-Proto: https"])
            found = re.search(r"^location: (\S+)", answer[1], re.M | re.I)
            found = found and found[1]
            if path in ("/", "/webdav/", "/.well-known/acme-challenge/testing"):
                # `try_files` goes on inside: what the webmail's own location answers.
                code, where = 301, "/webmail/?homepage"
            check(f"GET {path}: {code}", answer[0] == code and (where is None or found == where), answer[:2])
        fetch(80, "/sso/login", headers=["X-Forwarded-For: 203.0.113.5", "X-Forwarded-Proto: https"])
        asked = questions[-1][1]
        right = asked["x-real-ip"] == "203.0.113.5" and asked["x-forwarded-proto"] == "https" and asked["x-forwarded-by"] == "127.0.0.1"
        check("admin learns of the real client and of https", right, asked)
        check("API reaches admin", status(80, "/api/v1/domain") == 200 and questions[-1][0] == "/api/v1/domain")
        check("autoconfig reaches admin", status(80, "/mail/config-v1.1.xml") == 200 and questions[-1][0] == "/internal/autoconfig/mozilla")
        check("log: combined lines", re.search(r'203\.0\.113\.5 - - \[.*\] "GET /sso/login HTTP/1\.1" 200', front.text()), front.text()[-500:])
        check("log: nothing for /health", "GET /health" not in front.text())


play_resolver()
backends = play_services()
for part in (crashes, ports, no_certificate, in_place, lambda: mail(backends), web, acme):
    part()
print(f"{failures} failures, {time.monotonic() - START:.0f} s")
sys.exit(failures > 0)
