#!/usr/bin/env python3
"""The sharp edges of `smtp`: who may relay, who may claim to be whom, what waits and what ends it."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import checks

SILENT_MILTER = """
import socketserver
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        # Wants to see nothing of any message: negotiated, then always "continue".
        while head := self.request.recv(4):
            size = int.from_bytes(head, "big")
            data = b""
            while len(data) < size:
                data += self.request.recv(size - len(data))
            if data[:1] == b"O":
                self.request.sendall(b"\\0\\0\\0\\x0dO\\0\\0\\0\\6\\0\\0\\0\\0\\0\\0\\0\\x7f")
            elif data[:1] not in b"DAQ":
                self.request.sendall(b"\\0\\0\\0\\1c")
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("", 11332), Handler).serve_forever()
"""

STRANGER = 'ADDR="203.0.113.9", NAME="mx.stranger.test"'


def main():
    with checks.Stack() as stack:
        stack.dns("foreign.test. MX 10 mx.foreign.test.", "mx.foreign.test. A 203.0.113.25", "example.com. MX 10 mail.example.com.", "mail.example.com. A 203.0.113.1")
        stack.admin()
        stack.run("client", "base", "sleep", "600", aliases=["front"])
        stack.run("smtp", "postfix")
        stack.run("token", "postfix", PROXY_PROTOCOL="25,http")
        stack.run("level", "postfix", LOG_LEVEL="verbose")
        stack.run("size", "postfix", MESSAGE_SIZE_LIMIT="")
        overrides = """mkdir /overrides; cd /overrides
echo 'smtpd_banner = \\$myhostname waits' >postfix.cf
echo '# not this' >>postfix.cf
echo 'late/unix=late unix - - n - - smtp -o syslog_name=postfix-late' >postfix.master
echo 'foreign.test encrypt' >tls_policy.map
exec python3 /start.py"""
        stack.run("own", "postfix", "sh", "-c", overrides, RELAYHOST="[relay.test]:587", RELAYUSER="us", RELAYPASSWORD="secret", RELAYNETS="192.0.2.0/24,2001:db8::/32",
                  SUBNET6="fd00:1::/64", DEFER_ON_TLS_ERROR="False", OUTBOUND_TLS_LEVEL="may", REJECT_UNLISTED_RECIPIENT="yes")
        checks.docker("network", "connect", "--alias", "smtp", stack.outside, f"{checks.PREFIX}-smtp")
        stack.run("foreign", "base", "sleep", "600", network=stack.outside)
        stack.healthy("smtp")

        for name, why in (("token", "an unknown word in PROXY_PROTOCOL"), ("level", "an unknown LOG_LEVEL")):
            stack.until(f"{why} ends it", lambda name=name: not stack.state(name)["Running"] and stack.state(name)["ExitCode"] == 1)
        stack.expect("the size limit has to be a number", stack.logs("size"), "bad numerical configuration")

        found = stack.client('print(try_mail(smtp("smtp"), "x@elsewhere.test", "anna@example.com"))')
        stack.expect("without antispam mail is deferred", found, "451 4.7.1")

        stack.run("antispam", "base", "python3", "-c", SILENT_MILTER)
        time.sleep(1)
        found = stack.client('print(try_mail(smtp("smtp"), "x@elsewhere.test", "y@foreign.test"))')
        stack.expect("whoever is inside SUBNET may relay", found, "250 2.1.5")
        found = stack.client(f'print(try_mail(smtp("smtp", {STRANGER}), "x@example.com", "y@foreign.test"))')
        stack.expect("front is believed who the client is, and a stranger may not relay", found, "XCLIENT 220", "554 5.7.1", "Relay access denied")
        found = stack.client(f'print(try_mail(smtp("smtp", {STRANGER}), "x", "anna@example.com"))')
        stack.expect("a stranger's sender needs a domain", found, "504 5.5.2")
        found = stack.client('s = smtp("smtp"); print(try_mail(s, "x@elsewhere.test", "anna@example.com")); print(try_mail(s, "x@elsewhere.test", "sales@example.com"))')
        stack.expect("accounts and aliases are known", found, "250 2.1.5 Ok\n250 2.1.5 Ok")
        found = stack.client('print(try_mail(smtp("smtp"), "x@elsewhere.test", "nobody@example.com"))')
        stack.expect("nobody else is", found, "550 5.1.1")
        found = stack.client('s = smtp("smtp"); print(s.has_extn("xclient")); print(try_mail(s, "x@example.com", "y@foreign.test"))', "foreign")
        stack.expect("from outside: no relay, no claims", found, "False", "Relay access denied")

        login = 'smtp("smtp", 10025, ADDR="203.0.113.9", LOGIN="{}@example.com")'
        found = stack.client(f'print(try_mail({login.format("anna")}, "anna@example.com", "y@foreign.test"))')
        stack.expect("an account sends as itself", found, "250 2.1.5")
        found = stack.client(f'print(try_mail({login.format("anna")}, "ben@example.com", "y@foreign.test"))')
        stack.expect("not as somebody else", found, "553 5.7.1", "not owned by user")
        found = stack.client(f'print(try_mail({login.format("anna")}, "x@elsewhere.test", "y@foreign.test"))')
        stack.expect("nor as a foreigner", found, "553 5.7.1")
        found = stack.client(f'print(try_mail({login.format("fast")}, "fast@example.com", "y@foreign.test"))')
        stack.expect("who sends too much has to wait", found, "450 4.2.1", "too many emails")

        stack.client('s = smtp("smtp"); print(s.sendmail("x@elsewhere.test", ["anna@example.com"], "Subject: waits\\n\\nfor front"))')
        stack.until("the queue shows what waits", lambda: '"queue_name": "deferred"' in stack.exec("smtp", "postqueue", "-j"))
        stack.expect("one line for each attempt, as Mailu's", stack.logs("smtp"), " mail postfix/lmtp[", "status=deferred (", "NOQUEUE: reject: RCPT from")

        stack.remove("admin")
        found = stack.client('print(try_mail(smtp("smtp"), "x@elsewhere.test", "anna@example.com"))')
        stack.expect("without admin mail is deferred, not refused", found, "451 4.3.0")
        stack.healthy("own")
        found = stack.exec("own", "sh", "-c", "postconf -h mynetworks smtpd_authorized_xclient_hosts smtp_tls_dane_insecure_mx_policy smtpd_banner; postconf -Mf late/unix; "
                           "postmap -q foreign.test lmdb:/etc/postfix/tls_policy.map; postmap -q '[relay.test]:587' lmdb:/etc/postfix/sasl_passwd; postconf -P 10025/inet/smtpd_reject_unlisted_recipient")
        stack.expect("all networks are trusted that are named", found, f"127.0.0.1/32 {checks.SUBNET} [::1]/128 [fd00:1::]/64 192.0.2.0/24 [2001:db8::]/32\n{checks.SUBNET},[fd00:1::]/64\n")
        stack.expect("any text is `on` where Mailu takes it raw", found, "\ndane\n", "smtpd_reject_unlisted_recipient = yes")
        stack.expect("overrides are heard", found, "\n$myhostname waits\n", "-o syslog_name=postfix-late", "\nencrypt\nus:secret\n")
        checks.docker("kill", f"{checks.PREFIX}-own")
        checks.docker("start", f"{checks.PREFIX}-own")
        stack.healthy("own")
        start = time.monotonic()
        checks.docker("stop", "-t", "10", f"{checks.PREFIX}-smtp")
        stack.tell("it stops at once", time.monotonic() - start < 5)


if __name__ == "__main__":
    main()
