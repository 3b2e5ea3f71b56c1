#!/usr/bin/env python3
"""Mail through `smtp`, `antispam` and `imap`: signed on its way out, judged on its way in."""
import base64
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
import checks

SCANNER, MACROS = "10.98.7.60", "10.98.7.61"

HELPERS = r'''
import dkim, email.utils, itertools
KEY = """@KEY@"""
count = itertools.count(int(time.time() * 1000))
def message(sender, to, body="Good morning, are we still on for lunch on Thursday at the usual place?", extra=""):
    number = next(count)
    return (f"From: Somebody <{sender}>\r\nTo: <{to}>\r\nSubject: Lunch {number}\r\nMessage-ID: <{number}@{sender.partition('@')[2]}>\r\n"
            f"Date: {email.utils.formatdate()}\r\nMIME-Version: 1.0\r\n{extra or 'Content-Type: text/plain; charset=utf-8' + chr(13) + chr(10)}\r\n{body}\r\n")
def signed(text, domain):
    return (dkim.sign(text.encode(), b"sel", domain.encode(), KEY.encode(), include_headers=[b"from", b"to", b"subject", b"date"]) + text.encode()).decode()
def stranger(address="203.0.113.25", name="mx.foreign.test"):
    return smtp("smtp", ADDR=address, NAME=name, HELO=name)
'''


def main():
    key = subprocess.run(["openssl", "genrsa", "-traditional", "2048"], capture_output=True, text=True, check=True).stdout
    public = subprocess.run(["openssl", "rsa", "-pubout", "-outform", "DER"], input=key.encode(), capture_output=True, check=True).stdout
    text = "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()
    helpers = HELPERS.replace("@KEY@", key)

    with checks.Stack() as stack:
        stack.dns(
            "foreign.test. MX 10 mx.foreign.test.", "mx.foreign.test. A 203.0.113.25", '25.113.0.203.in-addr.arpa. PTR mx.foreign.test.',
            'foreign.test. TXT "v=spf1 mx -all"', '_dmarc.foreign.test. TXT "v=DMARC1; p=reject"',
            f'sel._domainkey.foreign.test. TXT "{text[:200]}" "{text[200:]}"',
            "example.com. MX 10 mail.example.com.", "mail.example.com. A 203.0.113.1", 'example.com. TXT "v=spf1 mx -all"', '_dmarc.example.com. TXT "v=DMARC1; p=none"',
        )
        stack.run("client", "base", "sleep", "600")
        stack.run("redis", "redis")
        stack.run("antivirus", "clamav", options=["--ip", SCANNER])
        stack.run("oletools", "oletools", options=["--ip", MACROS])
        stack.run("antispam", "rspamd", ANTIVIRUS="clamav", SCAN_MACROS="true", options=["--hostname", "antispam"])
        stack.until("it waits for admin", lambda: "Admin is not up just yet" in stack.logs("antispam"))
        stack.admin()
        stack.run("smtp", "postfix")
        stack.run("imap", "dovecot", aliases=["front"])
        stack.healthy("antispam", "smtp", "imap", "oletools", "antivirus")

        login = 'smtp("smtp", 10025, ADDR="203.0.113.9", LOGIN="anna@example.com")'
        found = stack.client(helpers + f'''
print(try_mail({login}, "anna@example.com", "ben@example.com", message("anna@example.com", "ben@example.com")))
mail = mailbox("ben@example.com")[0]
public = "".join(urllib.request.urlopen("http://admin:8080/internal/public").read().decode().split("\\n")[1:-2])
print(mail)
print("VERIFIED", dkim.verify(mail.encode(), dnsfunc=lambda name, timeout=5: f"v=DKIM1; k=rsa; p={{public}}".encode()))
''')
        stack.expect("what an account sends is signed with admin's key", found, "DKIM-Signature: ", "d=example.com; s=dkim;", "VERIFIED True")
        stack.tell("and does not show where it was sent from", "203.0.113.9" not in found, found)

        found = stack.client(helpers + '''
print(try_mail(stranger(), "x@foreign.test", "anna@example.com", signed(message("x@foreign.test", "anna@example.com"), "foreign.test")))
print(mailbox("anna@example.com")[0])
''')
        stack.expect("a stranger's mail is judged", found, "250 2.0.0", "Authentication-Results:", "spf=pass", "dkim=pass", "dmarc=pass")
        found = stack.client(helpers + '''
text = signed(message("x@foreign.test", "anna@example.com"), "foreign.test").replace("Thursday", "Friday")
for _ in range(2):
    print(try_mail(stranger("203.0.113.66", "other.test"), "forged@foreign.test", "anna@example.com", text))
''')
        # For minutes, whatever comes from there: another message from the same sender to the same account waits too.
        stack.expect("a forged one has to come again later", found, "451 4.7.1 Try again later\n", "451 4.7.1 Try again later")
        # Rspamd asks for the list some seconds after its start: until then it does not know which domains are local. Each of its processes does.
        stack.until("antispam knows our domains", lambda: any("(rspamd_proxy)" in line and "rspamd_kv_list_fin: read hash" in line and "local_domains" in line
                                                              for line in stack.logs("antispam").splitlines()))
        found = stack.client(helpers + 'print(try_mail(stranger(), "x2@foreign.test", "anna@example.com", message("ben@example.com", "anna@example.com")))')
        stack.expect("nobody else writes in our domain's name", found, "554 5.7.1", "anti-spoofing")
        attached = '''
def attached(name, text, kind="application/octet-stream"):
    extra = 'Content-Type: multipart/mixed; boundary="b"\\r\\n'
    body = f'--b\\r\\nContent-Type: text/plain\\r\\n\\r\\nSee below.\\r\\n--b\\r\\nContent-Type: {kind}; name="{name}"\\r\\nContent-Disposition: attachment; filename="{name}"\\r\\n\\r\\n{text}\\r\\n--b--'
    sender = f"x{next(count)}@foreign.test"
    return try_mail(stranger(), sender, "anna@example.com", signed(message(sender, "anna@example.com", body, extra), "foreign.test"))
'''
        # Rspamd gives text that is not attached to no scanner.
        found = stack.client(helpers + attached + '''
print(attached("bill.pdf", "X5O!P%@AP[4\\\\PZX54(P^)7CC)7}" + "$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"))
''')
        stack.expect("a virus is refused", found, "554 5.7.1", "dangerous/malicious code")
        stack.expect("a forbidden attachment is refused", stack.client(helpers + attached + 'print(attached("nice.exe", "x" * 400))'), "554 5.7.1", "Forbidden attachment extension")
        macro = "Attribute VB_Name = 1\\r\\nSub AutoOpen()\\r\\nShell 1\\r\\n" + "rem x\\r\\n" * 100
        found = stack.client(helpers + attached + f'print(attached("bill.doc", "{macro}", "application/msword"))')
        # By its score, for the same reason: not with the text of the rule.
        stack.expect("so is a macro that starts a program", found, "554 5.7.1 Spam message rejected")
        stack.expect("each is in the log, as Mailu's", "\n".join(line for line in stack.logs("antispam").splitlines() if "task_write_log" in line), "; rspamd_task_write_log: id: <", "(default: T (reject): [", "CLAM_VIRUS")
        stack.expect("statistics want the password, or SUBNET",
                     stack.exec("antispam", "curl", "-s", "http://127.0.0.1:11334/stat") + stack.exec("client", "curl", "-s", "http://antispam:11334/stat")
                     + stack.exec("antispam", "curl", "-s", "-H", "Password: mailu", "http://127.0.0.1:11334/metrics"),
                     "nauthorized", '"scanned"', "rspamd_scanned_total")
        stack.remove("oletools")
        stack.run("oletools", "base", "sleep", "600", options=["--ip", MACROS])
        found = stack.client(helpers + attached + 'print(attached("bill.doc", "z" * 500, "application/msword"))')
        # Mailu's rule means to defer it. But rspamd looks into documents after its rules have been through, so the rule never sees that.
        stack.expect("without oletools, documents come through", found, "250 2.0.0")
        stack.remove("antivirus")
        stack.run("antivirus", "clamav", STANDIN_CLAMAV_SECONDS="600", options=["--ip", SCANNER])
        found = stack.client(helpers + attached + 'print(attached("bill.pdf", "y" * 500))')
        stack.expect("while the scanner loads its signatures, mail is deferred", found, "451 4.7.1", "Please retry later")


if __name__ == "__main__":
    main()
