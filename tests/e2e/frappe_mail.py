"""frappe_mail.py FILE TO SUBJECT PATIENCE: sends a message as Frappe does with an Email Account (frappe/email/smtp.py): smtplib, without a context of
its own, so that nobody looks at the certificate. Prints {"ok": …, "why": …}."""

import email.message
import email.utils
import json
import smtplib
import sys

path, to, subject, patience = sys.argv[1:]
with open(path, encoding="utf-8") as file:
    account = json.load(file)

message = email.message.EmailMessage()
# always_use_account_email_id_as_sender
sender = account["email_id"] if account["always_use_account_email_id_as_sender"] else "somebody@elsewhere.test"
message["From"] = sender
message["To"] = to
message["Subject"] = subject
message["Date"] = email.utils.formatdate()
message["Message-ID"] = email.utils.make_msgid(domain="erp.example.com")
message.set_content("from ERPNext")

try:
    kind = smtplib.SMTP_SSL if account["use_ssl_for_outgoing"] else smtplib.SMTP
    session = kind(account["smtp_server"], int(account["smtp_port"]), timeout=int(patience))
    if account["use_tls"]:
        session.ehlo()
        session.starttls()
        session.ehlo()
    if not account["no_smtp_authentication"]:
        login = account["login_id"] if account["login_id_is_different"] else account["email_id"]
        session.login(login, account["password"])
    session.sendmail(sender, [to], message.as_bytes())
    session.quit()
    said = {"ok": True, "why": ""}
except (smtplib.SMTPException, OSError) as error:
    said = {"ok": False, "why": f"{type(error).__name__} {error}"}
print(json.dumps(said))
