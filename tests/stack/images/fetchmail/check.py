#!/usr/bin/env python3
"""What is quiet in most deployments does its work: fetchmail, radicale, redis, tika and oletools."""
import json
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import checks

ACCOUNT = {
    "id": 1, "tls": False, "keep": False, "scan": False, "user_email": "ben@example.com", "protocol": "imap", "host": "imap", "port": 143,
    "folders": [], "username": "anna@example.com", "password": "what ever",
}
DELIVER = 'session = smtplib.LMTP("imap", 2525); print(try_mail(session, "x@elsewhere.test", "anna@example.com", "Subject: s\\n\\nfetch me\\n"))\n'


def main():
    with checks.Stack() as stack:
        stack.run("admin", "base", "python3", "-c", checks.ADMIN.replace('if path == "fetch": return []', f'if path == "fetch": return [{ACCOUNT!r}]'))
        stack.run("client", "base", "sleep", "600")
        # What is fetched from has to have a certificate that can be verified, also where the account does not ask for TLS: as with Mailu.
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(f"openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj /CN=imap -addext subjectAltName=DNS:imap -keyout {folder}/key -out {folder}/cert",
                           shell=True, check=True, capture_output=True)
            key, cert = (pathlib.Path(folder, name).read_text(encoding="ascii") for name in ("key", "cert"))
        overrides = "ssl_cert=</tmp/cert\nssl_key=</tmp/key"
        stack.run("imap", "dovecot", "sh", "-c", f"mkdir /overrides; printf '{overrides}\n' >/overrides/dovecot.conf; echo \"$KEY\" >/tmp/key; echo \"$CERT\" >/tmp/cert; exec python3 /start.py",
                  aliases=["front"], KEY=key, CERT=cert)
        stack.run("fetchmail", "fetchmail", "sh", "-c", "echo \"$CERT\" >/etc/ssl/certs/imap.pem; openssl rehash /etc/ssl/certs; exec python3 /fetchmail.py", CERT=cert)
        stack.run("suspicious", "fetchmail")
        stack.run("off", "fetchmail", FETCHMAIL_ENABLED="false")
        stack.run("delay", "fetchmail", FETCHMAIL_DELAY="10m")
        stack.run("webdav", "radicale")
        stack.run("redis", "redis")
        stack.run("tika", "tika")
        stack.run("oletools", "oletools")
        stack.healthy("imap", "fetchmail", "webdav", "oletools")

        stack.client(DELIVER)
        stack.expect("mail is fetched and delivered here", stack.client('print(mailbox("ben@example.com"))'), "fetch me")
        stack.expect("and gone there", stack.client('print(len(mailbox("anna@example.com", count=0)))'), "0")
        stack.until("who is not known is not believed", lambda: "Socket or TLS error" in stack.logs("suspicious"))
        stack.until("where it is off, nothing is asked", lambda: "Fetchmail disabled, skipping..." in stack.logs("off"))
        stack.until("the delay has to be a number", lambda: stack.state("delay")["ExitCode"] == 1 and "ValueError" in stack.logs("delay"))

        web = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-X", "MKCALENDAR"]
        stack.expect("a calendar is made for whom front names", stack.exec("client", *web, "-H", "X-Remote-User: anna", "http://webdav:5232/anna/diary/"), "201")
        stack.expect("nobody else gets at it", stack.exec("client", *web, "-H", "X-Remote-User: ben", "http://webdav:5232/anna/other/"), "403")
        stack.expect("Redis keeps what it has to keep", stack.exec("redis", "sh", "-c", "redis-cli set a b; redis-cli save; ls /data"), "OK\nOK\ndump.rdb")
        stack.expect("and listens to its networks", stack.exec("client", "python3", "-c", "import redis; print(redis.Redis('redis').get('a'))"), "b'b'")
        stack.expect("Tika answers", stack.exec("client", "curl", "-sS", "-T", "-", "http://tika:9998/tika", text="words"), "words")
        stack.expect("oletools answers", stack.exec("client", "sh", "-c", "echo PING | nc -q1 oletools 11343"), "PONG")
        stack.expect("and says nothing bad of small things", stack.exec("client", "sh", "-c", "printf 'OLEFY/1.0\\n\\nx' | nc -q1 oletools 11343"), json.dumps([{"error": "File too small"}]))


if __name__ == "__main__":
    main()
