"""How much memory grows over many renderings: ``memory.py COUNT``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "python"))

import mailu

CONFIG = {"mail_host": "mail.example.com", "email_domain": "example.com", "admin_email": "admin@example.com"}


def resident() -> int:
    """In KiB."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def turn() -> None:
    mailu.render(CONFIG, secrets={"secret_key": "x" * 32})
    mailu.dns_records(CONFIG)
    try:
        mailu.render({**CONFIG, "tls": {"mode": "taefik"}})
    except mailu.InvalidInputError:
        pass


def main() -> None:
    count = int(sys.argv[1])
    for _ in range(max(100, count // 10)):
        turn()
    before = resident()
    for _ in range(count):
        turn()
    print(f"{count} renderings: from {before} KiB, grown by {resident() - before} KiB")


if __name__ == "__main__":
    main()
