"""Threads, forks, signals, and the interpreter's end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import mailu
import pytest
from support import MINIMAL, PACKAGE

HEAD = f"""
import os, sys, threading, time
sys.path.insert(0, {str(PACKAGE / "python")!r})
os.environ["DOCKER_HOST"] = "unix:///nowhere/docker.sock"
import mailu
from mailu import _mailu
server = mailu.Mailu(sys.argv[1])
def install(root):
    return mailu.Mailu(root).install(mail_host="mail.example.com", email_domain="example.com",
        admin_email="admin@example.com", no_start=True)
"""


def script(text: str, root: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", "-X", "faulthandler", "-c", HEAD + textwrap.dedent(text), str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], seconds: float = 60) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"it did not end: {out}{err}")
    return process.returncode, out, err


def test_threads_run_beside_each_other(tmp_path: Path) -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        try:
            for turn in range(3):
                root = tmp_path / f"{number}-{turn}"
                done = mailu.Mailu(root).install(config=MINIMAL, no_start=True)
                files = mailu.render(MINIMAL)
                if not done["performed"] or len(files) != 6:
                    wrong.append(f"{number}: {done}")
                try:
                    mailu.Mailu(root).show(mail_host="mail.two.com")
                except mailu.NotFoundError as error:
                    if error.code != "deployment.not_found":
                        wrong.append(error.code)
                else:
                    wrong.append("found")
        except BaseException as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(list(tmp_path.iterdir())) == 24


def test_other_threads_run_while_one_is_in_a_call(tmp_path: Path) -> None:
    mailu.Mailu(tmp_path).install(config=MINIMAL, no_start=True)
    with mailu.Mailu(tmp_path).status_watch() as reports:
        next(reports)
        begun = time.monotonic()
        assert sum(range(1000)) == 499_500
        assert mailu.check_config(MINIMAL) == []
        assert time.monotonic() - begun < 5


def test_ctrl_c_ends_a_call_that_waits(tmp_path: Path) -> None:
    process = script(
        """
        install(sys.argv[1])
        try:
            _mailu.call(sys.argv[1], "status_watch", {"seconds": 600}, lambda event: print("heard"))
        except KeyboardInterrupt:
            print("interrupted")
        """,
        tmp_path / "root",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "heard\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert ended(process) == (0, "interrupted\n", "")
    assert time.monotonic() - begun < 10


def test_ctrl_c_ends_an_iteration(tmp_path: Path) -> None:
    process = script(
        """
        install(sys.argv[1])
        try:
            for report in server.status_watch(seconds=600):
                print("heard")
        except KeyboardInterrupt:
            print("interrupted")
        """,
        tmp_path / "root",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "heard\n"
    process.send_signal(signal.SIGINT)
    assert ended(process) == (0, "interrupted\n", "")


def test_ctrl_c_leaves_what_the_same_call_continues(tmp_path: Path) -> None:
    root, archive = tmp_path / "root", tmp_path / "one.tar.zst"
    mailu.Mailu(root).install(config=MINIMAL, no_start=True)
    mail = root / "mailu" / "mail.example.com" / "data" / "mail" / "anna@example.com" / "cur"
    mail.mkdir(parents=True)
    for number in range(4000):
        (mail / f"{number}.M1P1.host,S=100:2,S").write_bytes(os.urandom(6000))
    process = script(
        """
        def hear(event):
            if event["kind"] == "said":
                print(event["line"].split()[0])
        try:
            server.backup(output=sys.argv[1] + "/../one.tar.zst", cold=True, progress=hear)
        except KeyboardInterrupt:
            print("interrupted")
        """,
        root,
    )
    assert process.stdout is not None
    while process.stdout.readline().strip() != "writing":
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert (code, out.split()[-1], err) == (0, "interrupted", "")
    assert not archive.exists()
    taken = mailu.Mailu(root).backup(output=archive, cold=True, verify=True)
    assert taken["end"]["messages"] == 4000


def test_a_fork_after_the_import_works(tmp_path: Path) -> None:
    process = script(
        """
        install(sys.argv[1] + "-before")
        stream = mailu.Mailu(sys.argv[1] + "-before").status_watch(seconds=600)
        next(stream)
        children = []
        for number in range(4):
            child = os.fork()
            if child == 0:
                done = install(f"{sys.argv[1]}-{number}")
                assert done["performed"] and len(mailu.render(done["details"]["config"] and
                    {"mail_host": "mail.example.com", "email_domain": "example.com", "admin_email": "a@example.com"})) == 6
                sys.exit(0)
            children.append(child)
        print([os.waitpid(child, 0)[1] for child in children])
        stream.close()
        """,
        tmp_path / "root",
    )
    code, out, err = ended(process)
    assert (code, out) == (0, "[0, 0, 0, 0]\n"), err


@pytest.mark.parametrize("turn", range(5))
def test_the_interpreter_may_end_while_calls_run(tmp_path: Path, turn: int) -> None:
    process = script(
        """
        install(sys.argv[1])
        def watch():
            _mailu.call(sys.argv[1], "status_watch", {"seconds": 600}, lambda event: None)
        def work():
            while True:
                try:
                    install(sys.argv[1] + "-more")
                    server.backup(output=sys.argv[1] + "/../b.tar.zst", cold=True)
                    os.remove(sys.argv[1] + "/../b.tar.zst")
                except mailu.MailuError as error:
                    if error.code != "interrupted":
                        raise
        for target in (watch, watch, work):
            threading.Thread(target=target, daemon=True).start()
        stream = server.status_watch(seconds=600)
        next(stream)
        time.sleep(0.2 + float(sys.argv[1][-1]) / 20)
        print("ends")
        """,
        tmp_path / f"root{turn}",
    )
    begun = time.monotonic()
    code, out, err = ended(process)
    assert (code, out) == (0, "ends\n"), err
    assert "fatal" not in err.lower() and "panicked" not in err, err
    assert time.monotonic() - begun < 30


def test_memory_stays_flat() -> None:
    run = subprocess.run(
        [sys.executable, str(PACKAGE / "tests" / "memory.py"), "400"],
        capture_output=True,
        check=True,
        text=True,
    )
    grown = int(run.stdout.split()[-2])
    assert grown < 2048, run.stdout
