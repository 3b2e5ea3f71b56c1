"""Shared by the tests."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, TypedDict

PACKAGE = Path(__file__).resolve().parent.parent
TESTS = PACKAGE.parent / "tests"
CASES = sorted(path for path in (TESTS / "golden").iterdir() if path.is_dir())
CASE_NAMES = [case.name for case in CASES]

MINIMAL: dict[str, object] = {
    "mail_host": "mail.example.com",
    "email_domain": "example.com",
    "admin_email": "admin@example.com",
}


class Extra(TypedDict, total=False):
    """``input.json``: what a case gives besides its configuration."""

    secrets: dict[str, str]
    dkim_keys: dict[str, str]


def read_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


# Nothing may be asked of other hosts.
SKIP = ["preflight.names", "preflight.dnssec", "preflight.outbound"]


def program() -> str:
    """The program, as `cargo build` makes it."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", PACKAGE.parent / "target"))
    path = target / "debug" / "mailu"
    assert path.exists(), f"{path} is missing: `cargo build -p mailu-cli` makes it"
    return str(path)


def walk(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below a directory: modes and contents. Locks and logs of calls are no change."""
    return {
        str(path.relative_to(root)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in sorted(root.rglob("*"))
        if path.suffix != ".lock"
    }
