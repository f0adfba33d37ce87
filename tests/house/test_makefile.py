"""The Makefile: an installation that shows its progress and stops at an error."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import LIMIT_S, REPOSITORY

PIP = """#!/bin/sh
echo "Obtaining file:///jph"
echo "Collecting msgspec>=0.18 (from jph==0.1.0)"
echo "  Using cached msgspec-0.22.0.whl"
echo "Collecting click (from jph==0.1.0)"
echo "Installing collected packages: msgspec, click"
{end}
"""


def make(directory: Path, end: str) -> "subprocess.CompletedProcess[str]":
    """Install with a pip of our own that prints as the real one does, and then runs `end`."""
    for name in ("Makefile", "setup.cfg", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, directory)
    programs = directory / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "pip"):
        (programs / name).write_text(PIP.format(end=end))
        (programs / name).chmod(0o755)
    return subprocess.run(
        ["make", ".venv/run.stamp"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def test_an_installation_shows_each_package(tmp_path: Path) -> None:
    done = make(tmp_path, "exit 0")
    assert done.returncode == 0, done
    assert (tmp_path / ".venv" / "run.stamp").exists()
    assert done.stderr.splitlines()[1:] == [
        "  package 1: msgspec>=0.18 (from jph==0.1.0)",
        "  package 2: click (from jph==0.1.0)",
        "  installing the packages",
    ]


def test_an_installation_that_fails_shows_the_error_and_is_tried_again(tmp_path: Path) -> None:
    done = make(tmp_path, 'echo "ERROR: no network" >&2; exit 1')
    assert done.returncode != 0
    assert "ERROR: no network" in done.stderr
    assert not (tmp_path / ".venv" / "run.stamp").exists()
