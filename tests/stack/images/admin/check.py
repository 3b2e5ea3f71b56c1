#!/usr/bin/python3
"""Checks the stand-in against Mailu's contract: docker run --rm --network none ghcr.io/mailu/admin:2024.06.57 python3 /app/check.py"""
import atexit
import base64
import json
import os
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.request

import dns.flags
import dns.message
import dns.rrset
import redis

sys.path.insert(0, "/app")
WORK = tempfile.mkdtemp()
atexit.register(shutil.rmtree, WORK, True)
TOKEN = "the-api-token"
ENV = {
    "SECRET_KEY": "0123456789ABCDEF", "DOMAIN": "example.com", "HOSTNAMES": "mail.example.com,imap.example.com", "SUBNET": "192.168.203.0/24",
    "TLS_FLAVOR": "cert", "ADMIN": "true", "WEBMAIL": "roundcube", "API": "true", "API_TOKEN": TOKEN, "DISABLE_STATISTICS": "true", "CREDENTIAL_ROUNDS": "4",
    "REDIS_ADDRESS": "127.0.0.1", "SMTP_ADDRESS": "192.168.203.5", "IMAP_ADDRESS": "192.168.203.6", "RECIPIENT_DELIMITER": "+", "LOG_LEVEL": "INFO",
    "SQLALCHEMY_DATABASE_URI": f"sqlite:///{WORK}/main.db", "DKIM_PATH": WORK + "/{domain}.{selector}.key", "INSTANCE_ID_PATH": f"{WORK}/instance",
}
os.environ.update(ENV)
REDIS = redis.Redis(decode_responses=True)


def setUpModule():
    server = subprocess.Popen(["redis-server", "--save", "", "--logfile", "/dev/null"], stdout=subprocess.DEVNULL)
    atexit.register(server.wait)
    atexit.register(server.terminate)
    while True:
        try:
            return REDIS.ping()
        except redis.ConnectionError:
            time.sleep(0.05)


def flask(*words, stdin="", **env):
    done = subprocess.run(["flask", *words], input=stdin, env={**os.environ, **env}, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


class Case(unittest.TestCase):
    def setUp(self):
        REDIS.flushall()
        for name in os.listdir(WORK):
            os.unlink(f"{WORK}/{name}")
        self.start()
        self.assertEqual(self.app.test_cli_runner().invoke(args=["db", "upgrade"]).exit_code, 0)
        self.mailu("admin", "admin", "example.com", "secret-password")

    def start(self, **env):
        import mailu
        old = dict(os.environ)
        os.environ.update(env)
        try:
            self.app = mailu.create_app()
        finally:
            os.environ.clear()
            os.environ.update(old)
        self.http = self.app.test_client()

    def mailu(self, *words, stdin=""):
        """A command in this process (starting Python each time takes too long): exit code and output."""
        result = self.app.test_cli_runner(mix_stderr=True).invoke(args=["mailu", *words], input=stdin)
        return result.exit_code, result.output

    def imported(self, text, *words):
        return self.mailu("config-import", *words, stdin=text)

    def rows(self, sql):
        import sqlite3
        with sqlite3.connect(f"{WORK}/main.db") as connection:
            return connection.execute(sql).fetchall()

    def auth(self, user=None, password=None, protocol="imap", port=993, method="plain", ip="203.0.113.9", **more):
        headers = {"Auth-Method": method, "Auth-Protocol": protocol, "Auth-Port": str(port), "Client-Ip": ip, "Client-Port": "5555", **more}
        if user:
            headers.update({"Auth-User": user, "Auth-Pass": password})
        return self.http.get("/internal/auth/email", headers=headers)

    def api(self, method, path, token=TOKEN, **more):
        answer = self.http.open(f"/api/v1{path}", method=method, headers={"Authorization": f"Bearer {token}"} if token else {}, **more)
        return answer.status_code, answer.json


class Configuration(Case):
    def test_wrong_values_end_the_process(self):
        wrong = {"AUTH_RATELIMIT_EXEMPTION": "10.0.0.300", "PROXY_AUTH_WHITELIST": "x", "WEB_ADMIN": "admin", "WEB_API": "api", "SESSION_TIMEOUT": "1h",
                 "AUTH_RATELIMIT_IP_V4_MASK": "x", "DEFAULT_SPAM_THRESHOLD": "x", "SESSION_KEY_BITS": "32", "PERMANENT_SESSION_LIFETIME": "",
                 "DB_FLAVOR": "oracle", "LOG_LEVEL": "info", "API_TOKEN_FILE": "/nowhere", "REDIS_ADDRESS": "127.0.0.1:1", "SQLALCHEMY_DATABASE_URI": "x"}
        for name, value in wrong.items():
            with self.subTest(name), self.assertRaises(Exception):
                self.start(**{name: value})
        self.assertEqual(flask("mailu", "advertise", SESSION_TIMEOUT="1h")[0], 1)

    def test_wrong_limits_are_errors_of_each_request(self):
        self.start(AUTH_RATELIMIT_IP="many", MESSAGE_RATELIMIT="")
        self.assertEqual(self.auth("admin@example.com", "secret-password").status_code, 500)
        self.assertEqual(self.http.get("/internal/postfix/sender/rate/admin@example.com").status_code, 500)
        self.start(AUTH_RATELIMIT_IP_V4_MASK="99")
        self.assertEqual(self.auth("admin@example.com", "secret-password").status_code, 500)

    def test_the_database_is_in_mailus_shape(self):
        self.assertEqual(self.rows("SELECT version_num FROM alembic_version"), [("0ba45693748d",)])
        self.assertEqual(self.rows("PRAGMA journal_mode"), [("delete",)])
        for statement in ("ALTER TABLE user DROP COLUMN change_pw_next_login", "ALTER TABLE user DROP COLUMN reply_enddate",
                          "UPDATE alembic_version SET version_num = '3b7eee912b41'"):
            self.rows(statement)
        self.assertEqual(self.app.test_cli_runner().invoke(args=["db", "upgrade"]).exit_code, 0)
        self.assertEqual(self.rows("SELECT version_num, change_pw_next_login, reply_enddate FROM alembic_version, user"), [("0ba45693748d", 0, "2999-12-31")])
        self.rows("UPDATE alembic_version SET version_num = '9a5866105f5a'")
        self.assertEqual(flask("db", "upgrade")[0], 1)


class Mail(Case):
    def test_incoming_mail(self):
        answer = self.auth(method="none", protocol="smtp", port=25)
        self.assertEqual((answer.headers["Auth-Status"], answer.headers["Auth-Server"], answer.headers["Auth-Port"]), ("OK", "192.168.203.5", "25"))
        answer = self.auth("admin@example.com", "secret-password", protocol="smtp", port=25)
        self.assertEqual((answer.headers["Auth-Status"], answer.headers["Auth-Error-Code"]), ("AUTH not supported", "502 5.5.1"))
        self.start(INBOUND_TLS_ENFORCE="true")
        self.assertEqual(self.auth(method="none", protocol="smtp", port=25).headers["Auth-Error-Code"], "530 5.7.0")
        self.assertEqual(self.auth(method="none", protocol="smtp", port=25, **{"Auth-SSL": "on"}).headers["Auth-Status"], "OK")

    def test_login(self):
        with self.assertLogs("mailu", "INFO") as logs:
            good = self.auth("admin%40example.com", "secret-password")
            bad = self.auth("admin@example.com", "wrong", protocol="submission", port=465)
            self.auth("nobody@example.com", "wrong")
        self.assertEqual([good.headers[name] for name in ("Auth-Status", "Auth-Server", "Auth-Port")], ["OK", "192.168.203.6", "143"])
        self.assertEqual([bad.headers[name] for name in ("Auth-Status", "Auth-Error-Code", "Auth-Wait")], ["Authentication credentials invalid", "535 5.7.8", "0"])
        lines = [(record.module, record.getMessage()) for record in logs.records]
        self.assertEqual(lines[0], ("nginx", "Login attempt for: admin@example.com/imap/993 from: 203.0.113.9/5555: success: password"))
        self.assertRegex(lines[1][1], r"^Login attempt for: admin@example.com/submission/465 from: 203.0.113.9/5555: failed: badauth: [0-9a-f]{6}$")
        self.assertEqual(lines[2][1], "Login attempt for: 'nobody@example.com'/imap/993 from: 203.0.113.9/5555: failed: account disabled")

    def test_plain_text_in_the_database_lets_nobody_in(self):
        self.mailu("user-import", "plain", "example.com", "just-text")
        self.assertEqual(self.auth("plain@example.com", "just-text").headers["Auth-Status"], "Authentication credentials invalid")

    def test_app_tokens(self):
        status, made = self.api("POST", "/token", json={"email": "admin@example.com", "AuthorizedIP": ["203.0.113.0/24"]})
        self.assertEqual((status, len(made["token"])), (200, 32))
        self.assertEqual(self.auth("admin@example.com", made["token"]).headers["Auth-Status"], "OK")
        self.assertNotEqual(self.auth("admin@example.com", made["token"], ip="198.51.100.1").headers["Auth-Status"], "OK")

    def test_limit_of_a_network(self):
        for name in "abcde":
            self.auth(f"{name}@example.com", "x", ip="198.51.100.1")
        with self.assertLogs("mailu", "WARNING") as logs:
            answer = self.auth("admin@example.com", "secret-password", ip="198.51.100.77")
        self.assertEqual((answer.headers["Auth-Status"], answer.headers["Auth-Error-Code"]), ("Temporary authentication failure (rate-limit)", "LIMIT"))
        self.assertEqual(logs.records[0].getMessage(), "Authentication attempt from 198.51.100.77 has been rate-limited.")
        self.assertEqual(self.auth("admin@example.com", "secret-password", ip="198.51.101.1").headers["Auth-Status"], "OK")
        self.assertEqual(self.api("GET", "/domain", environ_base={"REMOTE_ADDR": "198.51.100.5"})[0], 429)

    def test_after_a_success_an_address_is_exempt(self):
        self.auth("admin@example.com", "secret-password", ip="198.51.100.1")
        for name in "abcdefg":
            self.auth(f"{name}@example.com", "x", ip="198.51.100.1")
        self.assertEqual(self.auth("admin@example.com", "secret-password", ip="198.51.100.1").headers["Auth-Status"], "OK")

    def test_limit_of_a_sender(self):
        self.start(MESSAGE_RATELIMIT="2/day")
        answers = [self.http.get("/internal/postfix/sender/rate/admin@example.com") for _ in range(3)]
        self.assertEqual([answer.status_code for answer in answers], [404, 404, 200])
        self.assertEqual(answers[2].json, "450 4.2.1 You are sending too many emails too fast.")
        self.start(MESSAGE_RATELIMIT="2/day", MESSAGE_RATELIMIT_EXEMPTION="admin@example.com")
        self.assertEqual(self.http.get("/internal/postfix/sender/rate/admin@example.com").status_code, 404)

    def get(self, path):
        answer = self.http.get(f"/internal/{path}")
        return answer.json if answer.status_code == 200 else answer.status_code

    def test_maps(self):
        self.imported("domain: [{name: example.com, alternatives: [alt.example]}]\n"
                      "alias: [{email: info@example.com, destination: [admin@example.com]}, {email: all%@example.com, wildcard: true, destination: [x@y.example]}]\n"
                      "relay: [{name: r.example, smtp: '[10.0.0.1]:2525'}, {name: mx.example, smtp: 'mx:there.example'}]\n"
                      "user: [{email: fwd@example.com, password: x, forward_enabled: true, forward_keep: false, forward_destination: [o@p.example]}]", "-u")
        for path, value in {
            "postfix/domain/alt.example": "alt.example", "postfix/domain/other.example": 404, "postfix/domain/[1.2.3.4]": 404,
            "postfix/mailbox/admin@example.com": "admin@example.com", "postfix/mailbox/no@example.com": 404, "postfix/mailbox/no-at": 500,
            "postfix/alias/info@alt.example": "admin@example.com", "postfix/alias/admin+tag@example.com": "admin+tag@example.com",
            "postfix/alias/allofus@example.com": "x@y.example", "postfix/alias/fwd@example.com": "o@p.example", "postfix/alias/no@example.com": 404,
            "postfix/transport/u@r.example": "smtp:[10.0.0.1]:2525", "postfix/transport/u@mx.example": "smtp:there.example", "postfix/transport/*": 404,
            "postfix/sender/login/admin+tag@example.com": "admin@example.com", "postfix/sender/login/u@other.example": 404,
            "postfix/sender/map/admin@example.com": 404, "dovecot/userdb/admin@example.com": {"quota_rule": "*:bytes=1000000000"},
            "dovecot/userdb/no@example.com": 404, "dovecot/passdb/admin@example.com": {"password": None, "nopassword": "Y", "allow_real_nets": "192.168.203.0/24"},
            "dovecot/sieve/name/default/admin@example.com": "default", "fetch": [], "postfix/domain/bad..name": 500}.items():
            with self.subTest(path):
                self.assertEqual(self.get(path), value)
        rewritten = self.get("postfix/sender/map/u@other.example")
        self.assertRegex(rewritten, r"^SRS0=.{4}=..=other\.example=u@example\.com$")
        self.assertEqual(self.get(f"postfix/recipient/map/{rewritten}"), "u@other.example")
        self.assertEqual(self.get(f"postfix/recipient/map/{rewritten.replace('=u@', '=v@')}"), 404)
        self.assertIn('fileinto :create "Junk"', self.get("dovecot/sieve/data/default/admin@example.com"))
        self.assertEqual(self.http.post("/internal/dovecot/quota/storage/admin@example.com", json=4711).status_code, 200)
        self.assertEqual(self.api("GET", "/user/admin@example.com")[1]["quota_bytes_used"], 4711)
        self.assertEqual(self.http.get("/internal/rspamd/local_domains").text, "example.com\nalt.example")

    def test_signing_keys(self):
        self.assertEqual(self.get("rspamd/vault/v1/dkim/example.com"), {"data": {"selectors": []}})
        self.imported("domain: [{name: example.com, alternatives: [alt.example], dkim_key: -generate-}]", "-u")
        key = self.get("rspamd/vault/v1/dkim/alt.example")["data"]["selectors"][0]
        self.assertEqual((key["domain"], key["selector"]), ("alt.example", "dkim"))
        with open(f"{WORK}/example.com.dkim.key", encoding="utf-8") as file:
            self.assertEqual(file.read(), key["key"])


class Web(Case):
    def login(self, password="secret-password", button="submitAdmin", query="", **headers):
        return self.http.post(f"/sso/login{query}", data={"email": "admin@example.com", "pw": password, "pwned": "-1", **({button: "x"} if button else {})},
                              headers={"X-Real-IP": "203.0.113.9", "X-Real-Port": "1", "X-Forwarded-Proto": "https", **headers}, base_url="https://mail.example.com")

    def get(self, path):
        return self.http.get(path, base_url="https://mail.example.com")

    def test_login_and_out(self):
        self.assertEqual(self.get("/admin/").headers["Location"], "/sso/login?url=https%3A%2F%2Fmail.example.com%2Fadmin%2F")
        self.assertEqual([self.get(f"/internal/auth/{who}").status_code for who in ("user", "admin")], [403, 403])
        with self.assertLogs("mailu", "INFO") as logs:
            self.assertIn("Wrong e-mail or password", self.login("wrong").text)
            answer = self.login()
        self.assertEqual((answer.status_code, answer.headers["Location"]), (302, "/admin"))
        self.assertRegex(logs.output[0], r"^INFO:mailu:Login attempt for: admin@example.com/sso/https from: 203.0.113.9/1: failed: badauth: [0-9a-f]{6}$")
        self.assertEqual((logs.records[1].module, logs.output[1]),
                         ("base", "INFO:mailu:Login attempt for: admin@example.com/sso/https from: 203.0.113.9/1: success: password: -1"))
        self.assertIn("example.com", self.get("/admin/domain").text)
        self.assertEqual(self.get("/internal/auth/admin").status_code, 200)
        token = self.get("/internal/auth/user").headers["X-User-Token"]
        self.assertEqual(self.get("/internal/auth/user").headers["X-User"], "admin@example.com")
        self.assertEqual(self.auth("admin@example.com", token, port=10143).headers["Auth-Status"], "OK")
        self.assertNotEqual(self.auth("admin@example.com", token, port=993).headers["Auth-Status"], "OK")
        self.assertTrue(redis.Redis(db=3).keys())
        self.get("/sso/logout")
        self.assertEqual(self.get("/internal/auth/user").status_code, 403)
        self.assertNotEqual(self.auth("admin@example.com", token, port=10143).headers["Auth-Status"], "OK")

    def test_where_to(self):
        self.assertEqual(self.login(button="submitWebmail").headers["Location"], "/webmail")
        self.assertEqual(self.login(query="?url=/webdav").headers["Location"], "https://mail.example.com/webdav")
        self.assertEqual(self.login(query="?url=https://evil.example/").headers["Location"], "/admin")
        self.mailu("password", "admin", "example.com", "another-one")
        self.assertEqual(self.login("another-one").headers["Location"], "/sso/pw_change")

    def test_basic(self):
        words = base64.b64encode(b"admin@example.com:secret-password").decode()
        self.assertEqual(self.http.get("/internal/auth/basic").headers["WWW-Authenticate"], 'Basic realm="Login Required"')
        self.assertEqual(self.http.get("/internal/auth/basic", headers={"Authorization": f"Basic {words}"}).headers["X-User"], "admin@example.com")


class Commands(Case):
    def test_exit_codes(self):
        for words, code, output in (
            (("admin", "admin", "example.com", "x"), 1, "Error: user 'admin@example.com' exists, not created\n"),
            (("admin", "admin", "example.com", "x", "-m", "ifmissing"), 0, "user 'admin@example.com' exists, not updating\n"),
            (("admin", "admin", "example.com", "x", "-m", "update"), 0, "updated admin password\n"),
            (("admin", "admin", "example.com", "x", "-m", "m"), 1, "Error: invalid mode: 'm'\n"),
            (("password", "no", "example.com", "x"), 0, "User no@example.com not found.\n"),
            (("user", "u", "example.com", "x"), 0, ""), (("user", "u", "example.com", "x"), 1, ""), (("user-delete", "u@example.com"), 0, ""),
            (("user-delete", "u@example.com", "-r"), 0, ""), (("user-delete", "u@example.com", "-r"), 0, ""), (("domain", "new.example"), 0, ""),
            (("domain", "new.example"), 0, ""), (("domain", "bad..name"), 1, ""), (("alias", "a", "example.com", "x,y@z"), 0, ""),
            (("alias", "a", "example.com", "x,y@z"), 1, ""), (("alias-delete", "no@example.com"), 0, ""), (("setlimits", "no.example", "1", "1", "1"), 1, ""),
            (("setmanager", "example.com", "admin"), 0, ""), (("config-export", "nothing"), 1, "Error: Invalid filter: nothing\n"), (("--help",), 1, None),
            (("user", "--help"), 0, None)):
            with self.subTest(words):
                self.assertEqual(self.mailu(*words)[0], code)
                if output is not None:
                    self.assertEqual(self.mailu(*words)[1] if code == 1 and output else output, output)
        self.assertEqual(self.mailu("password", "one")[0], 2)

    def test_export_is_idempotent_with_update(self):
        self.imported("domain: [{name: example.com, dkim_key: -generate-}]", "-u")
        secrets = self.mailu("config-export", "-s")[1]
        self.assertEqual(self.imported(secrets, "-u", "-v"), (0, "Committing changes. No changes.\n"))
        self.assertIn("dkim_key: <hidden>", self.mailu("config-export")[1])
        # The same export without secrets takes the key away.
        self.assertEqual(self.imported(self.mailu("config-export")[1], "-u")[0], 0)
        self.assertFalse(os.path.exists(f"{WORK}/example.com.dkim.key"))

    def test_import_without_update_wipes(self):
        self.mailu("alias", "a", "example.com", "admin@example.com")
        self.assertEqual(self.imported("domain: [{name: other.example}]"), (0, "Committing changes. Created: domain(1)\n"))
        self.assertEqual([self.rows(f"SELECT count(*) FROM {table}")[0][0] for table in ("user", "alias", "domain")], [0, 0, 1])

    def test_what_the_summary_does_not_say(self):
        change = "user: [{email: admin@example.com, comment: hi}]"
        self.assertEqual(self.imported(change, "-u", "-n", "-v")[1],
                         "Modified user: 'admin@example.com' comment: '' -> 'hi'\nDry run. Not committing changes. Modified: user(1)\n")
        self.assertEqual(self.imported(change, "-u")[1], "Committing changes. No changes.\n")
        self.assertEqual(self.rows("SELECT comment FROM user"), [("hi",)])

    def test_passwords(self):
        self.imported("user: [{email: p@example.com, password: plain}, {email: h@example.com, password: plain, hash_password: true}]", "-u")
        stored = dict(self.rows("SELECT email, password FROM user"))
        self.assertEqual(stored["p@example.com"], "plain")
        self.assertTrue(stored["h@example.com"].startswith("$bcrypt-sha256$"))
        self.imported("user: [{email: h@example.com, password: plain, hash_password: true}]", "-u")
        self.assertEqual(dict(self.rows("SELECT email, password FROM user")), stored)

    def test_lists_and_removal(self):
        self.imported("domain: [{name: example.com, alternatives: [a.example, b.example]}]", "-u")
        self.imported("domain: [{name: example.com, alternatives: [c.example, -a.example]}]", "-u")
        self.assertEqual(self.rows("SELECT name FROM alternative ORDER BY name"), [("b.example",), ("c.example",)])
        self.assertEqual(self.imported("user: [{-email: admin@example.com}]", "-u")[1], "Committing changes. Deleted: user(1)\n")
        self.assertEqual(self.imported("user: [{-email: admin@example.com}]", "-u"), (1, (
            "Error: [ValidationError] 1 error occurred during input validation\n     - user.0.email : Item to delete not found: 'admin@example.com'.\n")))

    def test_errors(self):
        self.assertEqual(self.imported("domain: [{name: example.com, max_users: x}]\nuser: [{email: a@example.com}]\nfoo: 1"), (1, (
            "Error: [ValidationError] 3 errors occurred during input validation\n     - domain.0.max_users : Not a valid integer.\n"
            "     - foo                : Unknown field.\n     - user.0.password    : Missing data for required field.\n")))
        self.assertIn("Invalid input type.", self.imported("")[1])
        self.assertEqual(self.imported("domain: [{name: x.example}]\nrelay: [{name: x.example}]", "-u"),
                         (1, "Error: [ValueError] Duplicate domain name: ('x.example',)\n"))
        self.assertEqual(self.mailu("config-import", "/nowhere")[0], 2)
        self.assertEqual(self.rows("SELECT email FROM user"), [("admin@example.com",)])


class Api(Case):
    def test_who_may(self):
        with self.assertLogs("mailu", "INFO") as logs:
            self.assertEqual(self.api("GET", "/domain", token=None), (401, {"message": "A valid Authorization header is mandatory"}))
            self.assertEqual(self.api("GET", "/domain", token="wrong"), (403, {"message": "Invalid API token"}))
            self.assertEqual(self.api("GET", "/domain")[0], 200)
        self.assertEqual([(record.module, record.getMessage()) for record in logs.records],
                         [("common", "Invalid API token provided by 127.0.0.1."), ("common", "Valid API token provided by 127.0.0.1.")])
        for _ in range(4):
            self.api("GET", "/domain", token="wrong")
        self.assertEqual(self.api("GET", "/domain")[0], 429)

    def test_without_a_token(self):
        self.start(API_TOKEN="")
        self.assertEqual(self.http.get("/api/v1/domain").status_code, 500)
        old = os.environ.pop("API_TOKEN")
        self.start()
        os.environ["API_TOKEN"] = old
        self.assertEqual(self.api("GET", "/domain")[0], 500)

    def test_domains(self):
        self.assertEqual(self.api("POST", "/domain", json={"comment": 1}), (400, {
            "errors": {"name": "'name' is a required property", "comment": "1 is not of type 'string'"}, "message": "Input payload validation failed"}))
        for method, path, data, code in (
            ("POST", "/domain", {"name": "new.example", "alternatives": ["alt.example"]}, 200), ("POST", "/domain", {"name": "alt.example"}, 409),
            ("POST", "/domain", {"name": "bad"}, 400), ("GET", "/domain/bad", None, 200), ("GET", "/domain/no.example", None, 404),
            ("PATCH", "/domain/no.example", {}, 500), ("PATCH", "/domain/new.example", {"max_users": -2}, 400),
            ("PATCH", "/domain/new.example", {"max_users": 0}, 200), ("POST", "/user", {"email": "u@new.example", "raw_password": "x"}, 409),
            ("POST", "/domain/new.example/dkim", None, 200), ("POST", "/domain/new.example/manager", {"user_email": "admin@example.com"}, 200),
            ("POST", "/domain/new.example/manager", {"user_email": "admin@example.com"}, 409), ("GET", "/domain/new.example/manager/u@new.example", None, 404),
            ("GET", "/alternative/alt.example", None, 200), ("DELETE", "/alternative/alt.example", None, 200)):
            with self.subTest(f"{method} {path} {data}"):
                self.assertEqual(self.api(method, path, json=data)[0], code)
        shown = self.api("GET", "/domain/new.example")[1]
        self.assertEqual((shown["managers"], shown["dns_mx"]), (["admin@example.com"], "new.example. 600 IN MX 10 mail.example.com."))
        self.assertEqual(self.api("DELETE", "/domain/new.example")[0], 200)
        self.assertTrue(os.path.exists(f"{WORK}/new.example.dkim.key"))

    def test_users_aliases_relays_tokens(self):
        for method, path, data, code in (
            ("POST", "/user", {"email": "u@example.com", "raw_password": "x", "unknown": 1}, 200), ("POST", "/user", {"email": "u@example.com", "raw_password": "x"}, 409),
            ("POST", "/user", {"email": "u@no.example", "raw_password": "x"}, 404), ("POST", "/user", {"email": "v@example.com", "raw_password": "x", "reply_enddate": "x"}, 500),
            ("PATCH", "/user/u@example.com", {"forward_enabled": True, "forward_destination": []}, 400), ("PATCH", "/user/u@example.com", {"forward_destination": []}, 200),
            ("PATCH", "/user/no@example.com", {}, 404), ("POST", "/alias", {"email": "a@example.com", "destination": ["x@other.example"]}, 404),
            ("POST", "/alias", {"email": "a@example.com", "destination": ["u@example.com"]}, 200), ("POST", "/alias", {"email": "a@example.com", "destination": []}, 409),
            ("GET", "/alias/destination/example.com", None, 200), ("DELETE", "/alias/a@example.com", None, 200), ("POST", "/relay", {"name": "example.com"}, 409),
            ("POST", "/relay", {"name": "r.example"}, 200), ("PATCH", "/relay/r.example", {"smtp": "x"}, 200), ("POST", "/tokenuser/u@example.com", {}, 200),
            ("GET", "/tokenuser/u@example.com", None, 200), ("GET", "/token/1", None, 200), ("PATCH", "/token/1", {"AuthorizedIP": ["x"]}, 400),
            ("DELETE", "/token/1", None, 200), ("GET", "/token/1", None, 404), ("DELETE", "/user/u@example.com", None, 200)):
            with self.subTest(f"{method} {path} {data}"):
                self.assertEqual(self.api(method, path, json=data)[0], code)
        self.assertEqual(self.http.get("/api/v1/token/user/u@example.com").status_code, 404)
        self.assertEqual(len(self.http.get("/api/v1/swagger.json").json["paths"]), 18)


class Resolver(socketserver.BaseRequestHandler):
    validates = False

    def handle(self):
        data, socket = self.request
        answer = dns.message.make_response(dns.message.from_wire(data), recursion_available=True)
        answer.answer.append(dns.rrset.from_text("example.org.", 1, "IN", "A", "192.0.2.1"))
        answer.flags |= dns.flags.AD if Resolver.validates else 0
        socket.sendto(answer.to_wire(), self.client_address)


class Start(Case):
    def test_start_waits_for_a_resolver_that_validates(self):
        if os.getuid() or not os.path.exists("/.dockerenv"):
            self.skipTest("only in the container")
        with open("/etc/resolv.conf", "w", encoding="utf-8") as file:
            file.write("nameserver 127.0.0.1\n")
        resolver = socketserver.ThreadingUDPServer(("127.0.0.1", 53), Resolver)
        threading.Thread(target=resolver.serve_forever, daemon=True).start()
        self.addCleanup(resolver.server_close)
        self.addCleanup(resolver.shutdown)
        env = {name: value for name, value in os.environ.items() if name not in ("SQLALCHEMY_DATABASE_URI", "DKIM_PATH", "INSTANCE_ID_PATH")}
        env.update(INITIAL_ADMIN_ACCOUNT="root", INITIAL_ADMIN_DOMAIN="example.com", INITIAL_ADMIN_PW="secret-password")
        process = subprocess.Popen(["/start.py"], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        seen = ""
        while "CRITICAL" not in seen:
            seen = process.stdout.readline()
            self.assertTrue(seen, "it ended")
        self.assertRegex(seen, r"^CRITICAL:root:Your DNS resolver at 127.0.0.1 isn't doing DNSSEC validation; ")
        Resolver.validates = True
        while "Booting worker" not in seen:
            seen = process.stdout.readline()
            self.assertTrue(seen, "it ended")
        ask = urllib.request.Request("http://127.0.0.1:8080/api/v1/user", headers={"Authorization": TOKEN})
        with urllib.request.urlopen(ask, timeout=5) as answer:
            self.assertEqual([user["email"] for user in json.load(answer)], ["root@example.com"])
        begun = time.monotonic()
        process.terminate()
        process.wait()
        self.assertLess(time.monotonic() - begun, 5)

    def test_start_ends_with_wrong_words(self):
        for name, value in {"PROXY_PROTOCOL": "http", "LOG_LEVEL": "info"}.items():
            done = subprocess.run(["/start.py"], env={**os.environ, name: value}, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1, done.stderr)


if __name__ == "__main__":
    unittest.main(buffer=True)
