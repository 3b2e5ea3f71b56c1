#!/usr/bin/env python3
"""The sharp edges of `imap`: who gets in without a password, whose files they have to be, where mail goes."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import checks

DELIVER = r'''
def deliver(user, text, headers=""):
    session = smtplib.LMTP("imap", 2525)
    session.ehlo("front")
    print(try_mail(session, "x@elsewhere.test", user, f"From: x@elsewhere.test\nTo: {user}\nSubject: s\nMessage-ID: <{time.monotonic_ns()}@x>\n{headers}\n{text}\n"))
'''

SCRIPT = r'''
import base64
s = socket.create_connection(("imap", 4190), 10)
file = s.makefile("rwb")
def say(text=None):
    if text: file.write(text); file.flush()
    while True:
        line = file.readline()
        if line.startswith((b"OK", b"NO", b"BYE", b"")) and (not line or line[:2] in (b"OK", b"NO", b"BY")):
            return line.decode().strip()
script = b'require ["vacation"]; vacation :subject "Away" "Until Monday";\r\n'
print(say())
print(say(b'AUTHENTICATE "PLAIN" "' + base64.b64encode(b"\0ben@example.com\0whatever") + b'"\r\n'))
print(say(b'PUTSCRIPT "main" {%d+}\r\n' % len(script) + script + b"\r\n"))
print(say(b'SETACTIVE "main"\r\n'))
'''

# Whoever takes what Dovecot sends by SMTP.
SINK = r'''
import asyncio, aiosmtpd.controller
class Handler:
    async def handle_DATA(self, server, session, envelope):
        print("GOT", envelope.mail_from, envelope.rcpt_tos, envelope.content.decode(), flush=True)
        return "250 taken"
aiosmtpd.controller.Controller(Handler(), hostname="0.0.0.0", port=25).start()
asyncio.new_event_loop().run_forever()
'''


def main():
    with checks.Stack() as stack:
        stack.admin()
        stack.run("client", "base", "sleep", "600")
        stack.run("front", "base", "python3", "-c", SINK)
        stack.run("imap", "dovecot")
        stack.run("public", "dovecot", PROXY_PROTOCOL="mail")
        stack.run("token", "dovecot", PROXY_PROTOCOL="none")
        checks.docker("network", "connect", "--alias", "imap", stack.outside, f"{checks.PREFIX}-imap")
        stack.run("foreign", "base", "sleep", "600", network=stack.outside)
        stack.healthy("imap", "public")

        stack.until("an unknown word in PROXY_PROTOCOL ends it", lambda: stack.state("token")["ExitCode"] == 1 and not stack.state("token")["Running"])
        stack.expect("the mail user is 8:12", stack.exec("imap", "id", "mail"), "uid=8(mail) gid=12(mail)")
        login = 'print(imaplib.IMAP4("imap", timeout=10).login("anna@example.com", "whatever"))'
        stack.expect("inside SUBNET no password is asked for", stack.client(login), "OK")
        stack.expect("elsewhere nothing opens", stack.client(login, "foreign"), "AUTHENTICATIONFAILED")
        stack.expect("accounts can be listed", stack.exec("imap", "doveadm", "user", "*"), "anna@example.com", "ben@example.com")

        found = stack.client(DELIVER + 'deliver("anna@example.com", "hello"); print(mailbox("anna@example.com"))')
        stack.expect("mail is delivered", found, "Saved", "hello")
        stack.expect("into the maildir of the account", stack.exec("imap", "sh", "-c", "stat -c %u:%g /mail/anna@example.com/new /mail/anna@example.com"), "8:12\n8:12")
        ask = 'print(urllib.request.urlopen("http://admin:8080/internal/quota").read().decode())'
        stack.until("admin is told how much is used", lambda: '"storage/anna@example.com": ' in stack.client(ask))
        stack.client(DELIVER + 'deliver("anna@example.com", "buy", "X-Spam-Level: " + "*" * 14 + "\\n")')
        stack.expect("spam goes to Junk", stack.client('print(mailbox("anna@example.com", folder="Junk"))'), "buy")
        found = stack.client(DELIVER + 'deliver("anna@example.com", ("x" * 76 + "\\n") * 20000)')
        stack.expect("too much for the quota is refused", found, "552 5.2.2")
        stack.expect("nobody else has a mailbox", stack.client(DELIVER + 'deliver("nobody@example.com", "x")'), "550 5.1.1")

        stack.expect("a script is taken on 4190", stack.client(SCRIPT), "OK", 'OK "PUTSCRIPT completed."', 'OK "Setactive completed."')
        stack.client(DELIVER + 'deliver("ben@example.com", "are you there?")')
        stack.until("a notice goes out through front", lambda: "Until Monday" in stack.logs("front"))
        stack.expect("with a PROXY header wanted there: by the public name", stack.exec("public", "doveconf", "submission_host"), "mail.example.com")

        stack.exec("imap", "sh", "-c", "mkdir -p /mail/fast@example.com/cur /mail/fast@example.com/new /mail/fast@example.com/tmp && chmod 700 /mail/fast@example.com")
        checks.docker("restart", "-t", "5", f"{checks.PREFIX}-imap")
        stack.healthy("imap")
        stack.expect("mail that belongs to root stays closed", stack.client(DELIVER + 'deliver("fast@example.com", "x")'), "451 4")
        stack.remove("admin")
        stack.expect("without admin mail is deferred, not refused", stack.client(DELIVER + 'deliver("anna@example.com", "x")'), "451 4.3.0")
        start = time.monotonic()
        checks.docker("stop", "-t", "10", f"{checks.PREFIX}-imap")
        stack.tell("it stops at once", time.monotonic() - start < 5)


if __name__ == "__main__":
    main()
