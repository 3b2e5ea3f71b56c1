"""Mail servers for all clients in a table, and for each a page that tells the owner of the domain what to put into its DNS.

    python examples/python/clients.py ROOT PAGES [TABLE]

ROOT is where AgencyStack lives (/opt/agency_stack), PAGES a directory. The files of every server are written and nothing is started: that is
done by ``server.install(mail_host=…, client=…)`` when the records are published. Run again, it changes only what is new in the table.
"""

from __future__ import annotations

import csv
import logging
import sys
from pathlib import Path

import mailu


def main(root: Path, pages: Path, table: Path) -> int:
    server = mailu.Mailu(root)
    with table.open(newline="", encoding="utf-8") as file:
        clients = list(csv.DictReader(file))
    failed = 0
    for client in clients:
        try:
            done = server.install(
                mail_host=client["mail_host"],
                client=client["client"],
                email_domain=client["email_domain"],
                admin_email=client["admin_email"],
                # The web through the shared Traefik, the mail ports on an address of the client's own.
                settings={
                    "ports.via": "published",
                    "ports.address": client["address"],
                    "dns.ipv4": client["address"],
                },
                no_start=True,
            )
            written = server.dns_export(
                pages / client["client"],
                "html",
                agency="Example Agency",
                mail_host=client["mail_host"],
                client=client["client"],
            )
        except mailu.MailuError as error:
            # The others go on.
            failed += 1
            print(f"{client['client']}: {error} [{error.code}]", file=sys.stderr)
            for finding in error.findings:
                print(f"  {finding['subject']}: {finding['message']}", file=sys.stderr)
            for hint in error.hints:
                print(f"  {hint}", file=sys.stderr)
            continue
        state = "made" if done["performed"] else "as it was"
        print(f"{client['client']}: {state}, {written['files'][0]}")
    return 1 if failed else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    here = Path(__file__).resolve().parent
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]) if len(sys.argv) == 4 else here / "clients.csv"))
