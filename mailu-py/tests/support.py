"""Shared by the tests."""

from __future__ import annotations

import json
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
