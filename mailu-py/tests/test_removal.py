"""The list of operations is watched: without one function, or with one too many, its test fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import PACKAGE


def outcome(package: Path) -> subprocess.CompletedProcess[str]:
    """Runs the test of the list over a copy of the package."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=", "-k", "every_operation"]
        + [str(PACKAGE / "tests" / "test_parity.py")],
        capture_output=True,
        cwd=package.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(package), str(PACKAGE / "tests")])},
        text=True,
    )


def copy(to: Path) -> Path:
    shutil.copytree(PACKAGE / "python", to / "python")
    return to / "python"


def change(package: Path, pattern: str, replacement: str) -> None:
    path = package / "mailu" / "operations.py"
    text = path.read_text("utf-8")
    changed, count = re.subn(pattern, replacement, text, count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(changed, "utf-8")


def test_the_copy_as_it_is_passes(tmp_path: Path) -> None:
    run = outcome(copy(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("name", ["backup", "user_add", "dns_export"])
def test_a_method_that_is_missing_is_told(tmp_path: Path, name: str) -> None:
    package = copy(tmp_path)
    change(package, rf"    def {name}\(", f"    def _{name}(")
    run = outcome(package)
    assert run.returncode == 1, run.stdout + run.stderr
    assert name in run.stdout


def test_a_function_that_is_missing_is_told(tmp_path: Path) -> None:
    package = copy(tmp_path)
    init = package / "mailu" / "__init__.py"
    text = init.read_text("utf-8")
    assert text.count('    "app_list",\n') == 1
    init.write_text(text.replace('    "app_list",\n', ""), "utf-8")
    run = outcome(package)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "app_list" in run.stdout


def test_a_method_that_is_not_listed_is_told(tmp_path: Path) -> None:
    package = copy(tmp_path)
    change(package, r"    def backup\(", "    def unlisted(self) -> None:\n        pass\n\n    def backup(")
    run = outcome(package)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "unlisted" in run.stdout
