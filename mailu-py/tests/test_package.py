"""What the package promises besides results: its types, its version, its README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any, get_type_hints, is_typeddict

import mailu
import pytest
from mailu import types
from support import CASE_NAMES, CASES, MINIMAL, PACKAGE, read_json

DATA: dict[str, Any] = {
    "A": types.AddressData,
    "AAAA": types.AddressData,
    "CAA": types.CaaData,
    "CNAME": types.CnameData,
    "MX": types.MxData,
    "PTR": types.CnameData,
    "SRV": types.SrvData,
    "TLSA": types.TlsaData,
    "TXT": types.TxtData,
}


def assert_keys(value: Any, of: Any) -> None:
    assert is_typeddict(of)
    assert of.__required_keys__ <= set(value) <= set(get_type_hints(of)), value


def test_all_names_exist() -> None:
    for name in mailu.__all__:
        assert hasattr(mailu, name)
    assert list(mailu.__all__) == sorted(mailu.__all__)


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_the_types_describe_the_data(case: Path) -> None:
    if (case / "error.json").exists():
        error = read_json(case / "error.json")
        for finding in error["findings"]:
            assert_keys(finding, types.Finding)
        return
    for finding in read_json(case / "findings.json"):
        assert_keys(finding, types.Finding)
    report = read_json(case / "dns.json")
    assert_keys(report, types.DnsReport)
    for zone in report["zones"]:
        assert_keys(zone, types.DnsZone)
        for record in zone["records"]:
            assert_keys(record, types.DnsRecord)
            assert set(DATA) >= {record["type"]}
            if record["data"] is not None:
                assert_keys(record["data"], DATA[record["type"]])


def test_rendered_files_have_their_type() -> None:
    for file in mailu.render(MINIMAL):
        assert_keys(file, types.RenderedFile)
        assert (type(file["path"]), type(file["mode"])) == (str, int)


def test_the_schema_knows_the_keys() -> None:
    schema = mailu.config_schema()
    assert set(MINIMAL) <= set(schema["properties"])
    assert set(schema["required"]) == set(MINIMAL)


def test_the_version_is_cargos() -> None:
    manifest = (PACKAGE.parent / "Cargo.toml").read_text("utf-8")
    found = re.search(r'^version = "(.+)"$', manifest, re.MULTILINE)
    assert found is not None
    assert mailu.__version__ == found.group(1)


def test_the_readmes_example_runs() -> None:
    readme = (PACKAGE / "README.md").read_text("utf-8")
    found = re.search(r"```python\n(.*?)```\n.*?```text\n(.*?)```", readme, re.DOTALL)
    assert found is not None
    example, output = found.groups()
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{example}"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert run.stdout == output
