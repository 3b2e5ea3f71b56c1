#!/usr/bin/env python3
"""Proves that this image does what Mailu's webmail does, and refuses what it refuses.

    python3 tests/stack/images/webmail/check.py [IMAGE]    needs an engine (DOCKER_HOST) on which the image is built

It runs itself inside the image, without a network, and takes less than a minute.

A Dovecot with one user stands where front is.
"""
import http.client
import os
import re
import subprocess
import sys
import time

if not os.path.exists("/start.py"):
    image = sys.argv[1] if len(sys.argv) > 1 else "ghcr.io/mailu/webmail:2024.06.57"
    with open(__file__) as script:
        sys.exit(subprocess.call(["docker", "run", "--rm", "-i", "--network", "none", "--entrypoint", "python3", image, "-"], stdin=script))

START = time.monotonic()
ENV = {
    "PATH": os.environ["PATH"],
    "SECRET_KEY": "0123456789abcdef",
    "HOSTNAMES": "mail.example.com,mx.example.com",
    "WEBMAIL": "roundcube",
    "WEB_WEBMAIL": "/webmail",
    "WEB_ADMIN": "/admin",
    "ADMIN": "false",
    "MESSAGE_SIZE_LIMIT": "50000000",
    "FRONT_ADDRESS": "127.0.0.1",
    "LD_PRELOAD": "",
}
USER = {"X-Remote-User": "x@example.com", "X-Remote-User-Token": "token-right"}
failures = 0


def check(what, fine, detail=""):
    global failures
    failures += not fine
    print(f"{'ok  ' if fine else 'FAIL'} {what}{'' if fine else f': {detail}'}", flush=True)


def until(condition, seconds=15):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if result := condition():
            return result
        time.sleep(0.1)
    return condition()


class Webmail:
    """A run of /start.py."""

    def __init__(self, **changes):
        env = {name: value for name, value in {**ENV, **changes}.items() if value is not None}
        self.log = open("/tmp/webmail.log", "wb+")
        self.process = subprocess.Popen(["/start.py"], env=env, stdout=self.log, stderr=self.log)

    def text(self):
        with open("/tmp/webmail.log", errors="replace") as file:
            return file.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        subprocess.run(["killall", "-q", "php-fpm8.2"])
        until(lambda: reap() or subprocess.run(["killall", "-q", "-0", "php-fpm8.2"]).returncode)


def reap():
    """This is process 1 here: without this, whoever ended would still be counted."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


class Browser:
    """Keeps cookies; follows nothing."""

    def __init__(self):
        self.cookies = {}

    def get(self, path, headers=None):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", 80, timeout=20)
            cookies = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}
            connection.request("GET", path, headers={"Host": "mail.example.com", **cookies, **(headers or {})})
            answer = connection.getresponse()
        except OSError:
            return 0, None, ""
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return answer.status, answer.headers.get("Location"), answer.read().decode("utf-8", "replace")


def play_front():
    os.makedirs("/tmp/mail", exist_ok=True)
    pair = ["-nodes", "-days", "2", "-subj", "/CN=nobody.invalid", "-keyout", "/tmp/key.pem", "-out", "/tmp/cert.pem"]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", *pair], check=True, capture_output=True)
    with open("/tmp/dovecot.conf", "w") as file:
        file.write(
            """base_dir = /run/front
log_path = /tmp/dovecot.log
protocols = imap
ssl = required
ssl_cert = </tmp/cert.pem
ssl_key = </tmp/key.pem
mail_location = maildir:/tmp/mail
mail_uid = mailu
mail_gid = mailu
first_valid_uid = 1
passdb {
  driver = static
  args = password=token-right
}
userdb {
  driver = static
  args = uid=mailu gid=mailu home=/tmp/mail
}
namespace inbox {
  inbox = yes
}
service imap-login {
  inet_listener imap {
    port = 10143
  }
  inet_listener imaps {
    port = 0
  }
}
"""
        )
    os.makedirs("/tmp/mail/new", exist_ok=True)
    for folder in ("cur", "tmp"):
        os.makedirs(f"/tmp/mail/{folder}", exist_ok=True)
    with open("/tmp/mail/new/1.a", "w") as file:
        file.write("From: a@example.net\r\nTo: x@example.com\r\nSubject: A letter to find\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nHello\r\n")
    subprocess.run(["chown", "-R", "mailu:mailu", "/tmp/mail"], check=True)
    subprocess.run(["dovecot", "-c", "/tmp/dovecot.conf"], check=True)


def refusals():
    for changes, code, words in (
        ({"SECRET_KEY": None}, 1, "SECRET_KEY"),
        ({"MESSAGE_SIZE_LIMIT": ""}, 1, "invalid literal for int"),
        ({"HOSTNAMES": None}, 1, "HOSTNAMES"),
        ({"PROXY_PROTOCOL": "http"}, 1, "NameError"),
        ({"WEBMAIL": "snappymail"}, 1, "SnappyMail is not"),
        ({"SQLALCHEMY_DATABASE_URI_ROUNDCUBE": ""}, 1, "Unknown ROUNDCUBE_DB_FLAVOR"),
        ({"ROUNDCUBE_DB_FLAVOR": "mysql"}, 3, ""),
        ({"FRONT_ADDRESS": "nobody.invalid"}, 1, "host not found"),
    ):
        with Webmail(**changes) as webmail:
            check(f"{changes}: ends with {code}", until(lambda: webmail.process.poll() is not None) and webmail.process.returncode == code and words in webmail.text(), webmail.text())


def login():
    with open("/data/of-root", "w"):
        pass
    with Webmail() as webmail:
        check("health", until(lambda: Browser().get("/ping")[0] == 200), webmail.text())
        check("ping is for this container only", Browser().get("/ping", {"X-Real-IP": "198.51.100.9"})[0] == 403)
        check("/data belongs to mailu", os.stat("/data/of-root").st_uid == os.stat("/data/roundcube.db").st_uid != 0)
        browser = Browser()
        answer = browser.get("/")
        check("without a session: to sso.php", answer[:2] == (302, "sso.php"), answer)
        answer = browser.get("/sso.php")
        check("sso.php without headers: round and round, below /webmail", answer[:2] == (302, "sso.php"), answer)
        answer = Browser().get("/sso.php", {**USER, "X-Remote-User-Token": "token-wrong"})
        check("a wrong token: to sso.php again", answer[:2] == (302, "sso.php"), answer)
        answer = browser.get("/sso.php", USER)
        check("sso.php with headers: to index.php", answer[:2] == (302, "index.php"), (answer, webmail.text()))
        status, _, page = browser.get("/?_task=mail")
        check("then it is the inbox", status == 200 and "Mailu Webmail" in page and 'username">x@example.com<' in page and 'id="messagelist' in page, (status, page[-3000:]))
        check("paths are those of the browser", "/webmail/" in page, re.findall(r'(?:src|href)="([^"]*)"', page)[:10])
        check("ADMIN=false shows the button: it is not empty", "button-mailu" in page)
        for asset in re.findall(r'(?:src|href)="/?(?:webmail/)?((?:skins|program|plugins)/[^"]+)"', page):
            found = browser.get("/" + asset.replace("&amp;", "&"))[0]
            if found != 200:
                check(f"/{asset} is there", False, found)
        status, _, listing = browser.get("/?_task=mail&_action=list&_mbox=INBOX&_remote=1", {"X-Roundcube-Request": token(page)})
        check("the letter is in it", "A letter to find" in listing, listing[:1000])
        answer = browser.get("/?_task=logout&_token=" + token(page))
        check("logging out: to /sso/logout", answer[:2] == (302, "/sso/logout"), answer)
    with Webmail(ADMIN="", WEB_WEBMAIL="/") as webmail:
        until(lambda: Browser().get("/ping")[0] == 200)
        check("a second start finds its database", "Already initialized" in webmail.text(), webmail.text())
        check("webmail at /: sso.php without headers is refused", Browser().get("/sso.php")[0] == 403, Browser().get("/sso.php"))
        browser = Browser()
        browser.get("/sso.php", USER)
        check("ADMIN empty: no button", "button-mailu" not in browser.get("/?_task=mail")[2])


def token(page):
    found = re.search(r'"request_token":"([^"]+)"', page)
    return found[1] if found else ""


play_front()
refusals()
login()
print(f"{failures} failures, {time.monotonic() - START:.0f} s")
sys.exit(failures > 0)
