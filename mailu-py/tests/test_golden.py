"""The golden files of the repository: the same inputs give the same outputs as in Rust and Node."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import mailu
import pytest
from support import CASE_NAMES, CASES, TESTS, Extra, read_json

INPUTS: dict[str, Callable[[str], mailu.Config]] = {"text": lambda text: text}
if sys.version_info >= (3, 11):
    import tomllib

    INPUTS["mapping"] = tomllib.loads


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 12


@pytest.mark.parametrize("form", INPUTS)
@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_golden(case: Path, form: str) -> None:
    try:
        config = INPUTS[form]((case / "mailu.toml").read_bytes().decode())
    except ValueError:
        # What is no TOML has no mapping; the other form has the error.
        assert read_json(case / "error.json")["findings"][0]["id"] == "config.syntax"
        return
    given = case / "input.json"
    extra: Extra = read_json(given) if given.exists() else {}
    secrets = extra.get("secrets")
    keys = {
        domain: (TESTS / name).read_text("ascii")
        for domain, name in extra.get("dkim_keys", {}).items()
    }

    expected = case / "error.json"
    if expected.exists():
        with pytest.raises(mailu.MailuError) as caught:
            mailu.render(config, secrets=secrets, dkim_keys=keys)
        error = caught.value
        assert {
            "kind": error.kind,
            "code": error.code,
            "message": str(error),
            "cause": error.cause,
            "hints": error.hints,
            "findings": error.findings,
        } == read_json(expected)
        return

    files = mailu.render(config, secrets=secrets, dkim_keys=keys)
    rendered = {file["path"]: file["text"].encode() for file in files}
    golden = {
        path.relative_to(case / "files").as_posix(): path.read_bytes()
        for path in (case / "files").rglob("*")
        if path.is_file()
    }
    assert golden, "a case has either files or error.json"
    for path, text in golden.items():
        assert rendered[path] == text, path
    for name, value in {
        "dns.json": mailu.dns_records(config, dkim_keys=keys),
        "findings.json": mailu.check_config(config),
    }.items():
        if (case / name).exists():
            assert value == read_json(case / name), name
