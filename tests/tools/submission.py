"""A submission server as strict as Mailu's front and Postfix together: 465 with TLS from the first byte, 587 with STARTTLS required, TLS 1.2 and later,
PLAIN and LOGIN only, a sender that the login owns (553 at RCPT, as with smtpd_delay_reject).

Usage: submission.py CHAIN KEY LOG, with JSON on standard input: {"LOGIN": {"password": …, "owns": [ADDRESS, …]}}. Every message becomes a line of JSON in LOG.
Prints `ready` when both ports listen on 127.0.0.1.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

chain, key, log = sys.argv[1:]
accounts = json.load(sys.stdin)


def authenticate(server, session, envelope, mechanism, data):
    login, password = data.login.decode(), data.password.decode()
    account = accounts.get(login)
    if mechanism not in ("PLAIN", "LOGIN") or account is None or account["password"] != password:
        return AuthResult(success=False, handled=False)
    session.login = login
    return AuthResult(success=True)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        login = session.login
        owned = [login] + accounts[login]["owns"]
        if envelope.mail_from not in owned:
            return f"553 5.7.1 <{envelope.mail_from}>: Sender address rejected: not owned by user {login}"
        if address.endswith("@example.com") and address not in accounts:
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):
        tls = server.transport.get_extra_info("ssl_object")
        with open(log, "a", encoding="utf-8") as file:
            json.dump(
                {
                    "port": server.transport.get_extra_info("sockname")[1],
                    "tls": tls.version() if tls else None,
                    "login": session.login,
                    "helo": session.host_name,
                    "from": envelope.mail_from,
                    "to": envelope.rcpt_tos,
                    "message": envelope.content.decode("utf-8", "replace"),
                },
                file,
            )
            file.write("\n")
        return "250 2.0.0 Ok: queued as 4B1C2D3E4F"


async def main():
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(chain, key)
    common = {"hostname": "mail.example.com", "authenticator": authenticate, "auth_required": True, "enable_SMTPUTF8": False}
    loop = asyncio.get_running_loop()
    # aiosmtpd knows of no TLS but its own STARTTLS.
    await loop.create_server(lambda: SMTP(Handler(), auth_require_tls=False, **common), "127.0.0.1", 465, ssl=context)
    starttls = {"tls_context": context, "require_starttls": True, "auth_require_tls": True}
    await loop.create_server(lambda: SMTP(Handler(), **starttls, **common), "127.0.0.1", 587)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
