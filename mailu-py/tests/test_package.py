"""What the package promises besides results: its types, its version, its README."""

from __future__ import annotations

import os
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


README = (PACKAGE / "README.md").read_text("utf-8")
EXAMPLES: list[tuple[str, str]] = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, re.DOTALL)


def test_the_readmes_examples_run_one_after_another(tmp_path: Path) -> None:
    """As they are, but for the places of a server: those are below a directory of the test's."""
    assert len(EXAMPLES) == README.count("```python") == 4
    (tmp_path / "backups").mkdir()
    for example, output in EXAMPLES:
        here = example.replace("mailu.Mailu()", f"mailu.Mailu({str(tmp_path / 'root')!r})")
        here = here.replace("/var/backups", str(tmp_path / "backups"))
        run = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.path[:] = {sys.path!r}\n{here}"],
            capture_output=True,
            env={**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"},
            text=True,
        )
        assert run.returncode == 0, run.stderr
        assert run.stdout.replace(str(tmp_path / "backups"), "/var/backups") == output


def test_the_example_with_many_clients_runs(tmp_path: Path) -> None:
    program = PACKAGE.parent / "examples" / "python" / "clients.py"
    root, pages = tmp_path / "root", tmp_path / "pages"

    def run(*more: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, program, root, pages, *more],
            capture_output=True,
            env={**os.environ, "PYTHONPATH": str(PACKAGE / "python")},
            text=True,
        )

    first = run()
    assert first.returncode == 0, first.stderr
    lines = first.stdout.splitlines()
    assert len(lines) == 20 and all(": made, " in line for line in lines), first.stdout
    assert {one["client"] for one in mailu.Mailu(root).list()} == {line.split(":")[0] for line in lines}
    for line in lines:
        page = Path(line.split(", ", 1)[1]).read_text("utf-8")
        assert "Example Agency" in page and f"mail.{line.split(':')[0]}.example.com" in page
    again = run()
    assert again.returncode == 0 and again.stdout.count(": as it was, ") == 20, again.stdout + again.stderr
    # What is wrong with one keeps the others from nothing.
    table = tmp_path / "table.csv"
    rows = [
        "client,mail_host,email_domain,admin_email,address",
        "zero,mail.zero.example.com,zero.example.com,nobody,203.0.113.40",
    ]
    table.write_text("\n".join([*rows, "yard,mail.yard.example.com,yard.example.com,a@yard.example.com,203.0.113.41"]), "utf-8")
    mixed = run(table)
    assert mixed.returncode == 1
    assert mixed.stdout.startswith("yard: made, ") and mixed.stderr.startswith("zero: ")
    assert len(mailu.Mailu(root).list()) == 21
