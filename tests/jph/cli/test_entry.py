"""A plain `run` takes the short way; everything else is for the commands."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jph.cli.entry import Plain, plain
from tests.support import LIMIT_S, REPOSITORY


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["run", "TI"], Plain(None, ("TI",), False)),
        (["run", "ti", "SH"], Plain(None, ("TI", "SH"), False)),
        (["run", "--with-parent", "TI"], Plain(None, ("TI",), True)),
        (["--config", "a.json", "run", "TI"], Plain("a.json", ("TI",), False)),
    ],
)
def test_a_plain_run_is_understood(arguments: Sequence[str], asked: Plain) -> None:
    assert plain(arguments) == asked


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["run"],
        ["run", "--help"],
        ["run", "TI", "--help"],
        ["run", "TI", "ti"],
        ["run", "@@"],
        ["--code", "TI", "run"],
        ["--config", "a.json", "status"],
        ["--config"],
        ["status"],
    ],
)
def test_anything_else_is_for_the_commands(arguments: Sequence[str]) -> None:
    assert plain(arguments) is None


def test_a_small_node_loads_neither_click_nor_tls(config_file: Callable[..., Path]) -> None:
    script = """
import runpy, sys
sys.argv = ["control.py", "--config", sys.argv[1], "run", "ZZ"]
try:
    runpy.run_path("control.py", run_name="__main__")
except SystemExit as end:
    print(end.code, sorted({"click", "_ssl", "redis", "psycopg2", "litestar"} & sys.modules.keys()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(config_file())],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    assert done.stdout == "2 []\n"
    assert done.stderr.startswith("control.py: codifier 'ZZ' is not in the config")
