"""Operations on a host, on a root of their own and without a Docker engine: the whole of it, and what fails."""

from __future__ import annotations

import json
import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import mailu
import pytest
from mailu import MailuError, types
from support import MINIMAL, SKIP, program, walk

HOST = "mail.example.com"
Call = Callable[[mailu.Mailu], object]


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


def install(root: Path, **options: Any) -> types.Installed:
    return mailu.Mailu(root).install(
        mail_host=HOST,
        email_domain="example.com",
        admin_email="admin@example.com",
        no_start=True,
        **options,
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    install(tmp_path / "root")
    return tmp_path / "root"


def cli(root: Path, *arguments: str) -> Any:
    run = subprocess.run(
        [program(), "--root", root, "--json", *arguments],
        capture_output=True,
        env={**os.environ, "MAILU_SKIP_CHECK": ",".join(SKIP)},
        stdin=subprocess.DEVNULL,
    )
    return json.loads(run.stdout)


def test_a_life_without_an_engine(tmp_path: Path) -> None:
    server = mailu.Mailu(tmp_path / "root")
    assert server.list() == []
    done = install(
        tmp_path / "root",
        admin_password="correct horse battery staple",
        settings={"limits.quota": "7GB", "ports.mail": [25, 465, 993], "services.antivirus": False},
    )
    assert done["performed"] and not done["plan"]["conflicts"]
    assert done["details"]["admin_url"] == f"https://{HOST}/admin/"
    assert "run" not in done
    assert not install(tmp_path / "root")["performed"], "again is no change"

    [one] = server.list()
    assert (one["mail_host"], one["state"], one["client"]) == (HOST, "installed", None)
    assert server.show()["config"]["limits"]["quota"] == 7_000_000_000
    assert server.config_get(key="ports.mail") == [25, 465, 993]
    assert server.secret("admin_password")["value"] == "correct horse battery staple"
    assert server.config_check() == []
    server.config_set({"limits.quota": "8GB"})
    assert server.plan()["plan"]["steps"]
    assert server.apply()["performed"]
    server.config_unset(["limits.quota"])
    assert server.apply(dry_run=True)["plan"]["steps"]

    [zone] = server.dns()["zones"]
    assert {record["type"] for record in zone["records"]} >= {"MX", "TXT", "SRV"}
    pages = server.dns_export(tmp_path / "zones", "html", agency="The Agency")
    [page] = pages["files"]
    assert "The Agency" in Path(page).read_text("utf-8")
    [text] = server.dns_text("records")
    assert text["zone"] == "example.com" and "MX" in text["text"]

    report = server.check(skip_check=SKIP)
    assert not report["ready"]
    assert any(one["id"] == "preflight.engine" and one["outcome"] == "failed" for one in report["checks"])
    assert not server.status()["healthy"]
    assert not server.status_all()["healthy"]
    [certificates] = server.certs_all(no_probe=True)
    assert "error" not in certificates

    archive = tmp_path / "one.tar.zst"
    taken = server.backup(output=archive, cold=True, verify=True)
    assert (taken["file"], taken["verified"]) == (str(archive), True)
    assert server.backup_verify(archive)["end"]["members"] == taken["end"]["members"]
    assert server.backup_list() == []
    other = mailu.Mailu(tmp_path / "other")
    assert not other.restore(file=archive, dry_run=True, no_start=True)["performed"]
    assert other.list() == []
    assert other.restore(file=archive, no_start=True)["performed"]
    assert other.secret("admin_password")["value"] == "correct horse battery staple"
    assert not other.apply()["plan"]["conflicts"]
    # Containers could run, so nothing is taken down where nobody can say.
    with pytest.raises(mailu.DockerError) as caught:
        other.uninstall(delete_data=True, yes_delete=HOST)
    assert caught.value.code == "engine.unreachable"
    # Nothing was left of one that never was.
    assert mailu.Mailu(tmp_path / "third").uninstall(mail_host=HOST, yes_delete=HOST, delete_data=True) is None


def test_a_configuration_may_be_a_mapping_or_text(tmp_path: Path) -> None:
    text = "".join(f'{key} = "{value}"\n' for key, value in MINIMAL.items())
    configs: list[mailu.Config] = [MINIMAL, text]
    for number, config in enumerate(configs):
        done = mailu.Mailu(tmp_path / str(number)).install(config=config, no_start=True)
        assert done["plan"]["mail_host"] == HOST


def test_results_are_what_the_program_prints(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = mailu.Mailu(root)
    assert server.list() == cli(root, "list")
    assert server.show() == cli(root, "show")
    assert server.dns() == cli(root, "dns")
    assert server.plan() == cli(root, "plan")
    assert server.config_get() == cli(root, "config", "get")
    # A timer runs the program, never the interpreter.
    monkeypatch.setenv("PATH", "/nowhere")
    if not any(Path(place, "mailu").exists() for place in ("/usr/sbin", "/usr/bin", "/usr/local/bin", "/snap/bin")):
        with pytest.raises(mailu.NotFoundError, match="`mailu`"):
            server.backup_timer()
    monkeypatch.setenv("PATH", str(Path(program()).parent))
    assert server.backup_timer() == cli(root, "backup", "timer")
    assert mailu.accounts_schema() == cli(root, "accounts", "schema")
    assert mailu.app_list() == cli(root, "app", "list")
    assert mailu.config_schema() == cli(root, "config", "schema")
    settings = server.app_settings("ghost", "ghost@example.com")
    assert settings == cli(root, "app", "settings", "ghost", "--login", "ghost@example.com")


BAD: list[tuple[list[str], Call]] = [
    (["show", "--domain", "mail.two.com"], lambda server: server.show(mail_host="mail.two.com")),
    (["show", "--reveal", "nonsense"], lambda server: server.secret("nonsense")),
    (["dns", "--zone", "elsewhere.org"], lambda server: server.dns(zone="elsewhere.org")),
    (["config", "get", "nonsense"], lambda server: server.config_get(key="nonsense")),
    (["config", "set", "tls.mode=taefik"], lambda server: server.config_set({"tls.mode": "taefik"})),
    (["user", "list"], lambda server: server.user_list()),
    (["uninstall", "--delete-data"], lambda server: server.uninstall(delete_data=True)),
    (["diagnose", "--unignore", "spf.all"], lambda server: server.diagnose_unignore("spf.all")),
    (
        ["user", "add", "anna@example.com", "quota=lots", "--no-password"],
        lambda server: server.user_add("anna@example.com", settings={"quota": "lots"}, no_password=True),
    ),
    (["backup", "verify", "/nowhere"], lambda server: server.backup_verify(Path("/nowhere"))),
    (["restore", "/nowhere"], lambda server: server.restore(file="/nowhere")),
    (["logs", "nonsense"], lambda server: next(server.logs(services=["nonsense"]))),
    (["exec", "imap", "ls"], lambda server: server.exec("imap", ["ls"])),
    (["check", "--skip-check", "nonsense"], lambda server: server.check(skip_check=["nonsense"])),
    (["start"], lambda server: server.start()),
]


@pytest.mark.parametrize(("arguments", "call"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_errors_are_what_the_program_prints(root: Path, arguments: list[str], call: Call) -> None:
    before = walk(root)
    printed = cli(root, *arguments)["error"]
    with pytest.raises(MailuError) as caught:
        call(mailu.Mailu(root))
    error = caught.value
    assert {
        "kind": error.kind,
        "code": error.code,
        "message": str(error),
        "cause": error.cause,
        "hints": error.hints,
        "findings": error.findings,
    } == printed
    assert type(error).kind == printed["kind"]
    assert walk(root) == before, "bad input changes nothing"


def test_what_is_missing_is_told_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(mailu.InvalidInputError) as caught:
        mailu.Mailu(tmp_path / "root").install(mail_host=HOST, no_start=True)
    assert caught.value.code == "install.missing_answers"
    assert "email_domain, admin_email missing" in str(caught.value)
    assert not (tmp_path / "root").exists()


def test_a_wrong_argument_is_named_and_a_secret_is_not(tmp_path: Path) -> None:
    server = mailu.Mailu(tmp_path)
    with pytest.raises(mailu.InvalidInputError) as caught:
        server.user_add("anna@example.com", password=cast("Any", ["hunter2"]))
    assert caught.value.code == "call.invalid"
    assert caught.value.findings[0]["subject"] == "password"
    assert "hunter2" not in str(caught.value) + str(caught.value.findings)
    with pytest.raises(TypeError, match="settings"):
        server.config_set({"limits.quota": cast("Any", object())})
    with pytest.raises(TypeError, match="unexpected keyword"):
        cast("Any", server).show(nonsense=1)


def test_progress_and_logging(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[mailu.Event] = []
    with caplog.at_level(logging.DEBUG, "mailu"):
        install(tmp_path / "root", progress=heard.append, admin_password="hunter2-do-not-show")
        mailu.Mailu(tmp_path / "root").backup(output=tmp_path / "one.tar.zst", cold=True, progress=heard.append)
    steps = [event for event in heard if event["kind"] == "step"]
    assert [event["number"] for event in steps] == list(range(1, steps[0]["total"] + 1))
    said = [event["line"] for event in heard if event["kind"] == "said"]
    assert any(line.startswith("writing ") for line in said)
    levels = {record.levelno for record in caplog.records}
    assert levels == {logging.DEBUG, logging.INFO}
    assert {record.name for record in caplog.records} == {"mailu"}
    assert len(caplog.records) == len(heard)
    assert "hunter2" not in caplog.text + str(heard)


def test_what_progress_raises_stops_the_operation(root: Path, tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def hear(event: mailu.Event) -> None:
        raise Enough

    archive = tmp_path / "one.tar.zst"
    with pytest.raises(Enough):
        mailu.Mailu(root).backup(output=archive, cold=True, progress=hear)
    assert not archive.exists()
    assert mailu.Mailu(root).backup(output=archive, cold=True)["file"] == str(archive)


def test_a_stream_is_an_iterator_that_can_be_closed(root: Path) -> None:
    server = mailu.Mailu(root)
    with server.status_watch(seconds=1) as reports:
        first = next(reports)
        assert first["mail_host"] == HOST
        assert next(reports)["mail_host"] == HOST
    with pytest.raises(StopIteration):
        next(reports)
    with pytest.raises(mailu.NotFoundError):
        next(mailu.Mailu(root / "nowhere").status_watch())
    with pytest.raises(mailu.DockerError):
        next(server.logs(follow=True))
