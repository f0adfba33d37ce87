"""The command group: what each command says of itself, and how errors leave it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from jph.cli import config_path, main
from jph.cli.main import COMMANDS, CommandTable, cli
from jph.errors import ConfigError, DuplicateInstance, JphError, Problem
from tests.support import REPOSITORY


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0
    assert done.output.count("\n") > 5


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_keep_their_lines(name: str) -> None:
    output = CliRunner().invoke(cli, [name, "--help"]).output
    assert "\\b" not in output
    for line in output.splitlines():
        assert line.count("control.py") <= 1


def test_the_usual_config_is_here_or_beside_control_py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert config_path.default_config() == str(REPOSITORY / "static" / "config.json")
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "config.json").write_text("{}")
    assert config_path.default_config() == "static/config.json"
    monkeypatch.setattr(config_path, "_BESIDE", tmp_path / "nowhere.json")
    (tmp_path / "static" / "config.json").unlink()
    assert config_path.default_config() == "static/config.json"


def test_the_help_teaches_all_of_them() -> None:
    done = CliRunner().invoke(cli, ["--help"])
    assert done.exit_code == 0
    for name in COMMANDS:
        assert f"\n  {name} " in done.output
    assert "control.py ping TI" in done.output


def test_an_unknown_command_is_a_mistake_of_the_user() -> None:
    assert CliRunner().invoke(cli, ["pong"]).exit_code == 2


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> CommandTable:
    """Make a table with one command, which raises what its argument names."""
    errors: dict[str, Exception] = {
        "jph": JphError("it failed"),
        "config": ConfigError("2 mistakes:", [Problem("A", "wrong"), Problem("B", "wrong")]),
        "duplicate": DuplicateInstance("taken"),
        "bug": RuntimeError("a bug"),
    }

    @click.command()
    @click.argument("kind")
    def fail(kind: str) -> None:
        raise errors[kind]

    monkeypatch.setitem(main.COMMANDS, "fail", f"{__name__}:fail")
    monkeypatch.setattr(CommandTable, "get_command", lambda *_: fail)
    return CommandTable()


@pytest.mark.parametrize(
    ("kind", "status", "said"),
    [
        ("jph", 1, "control.py: it failed\n"),
        ("config", 2, "control.py: 2 mistakes:\n  A: wrong\n  B: wrong\n"),
        ("duplicate", 3, "control.py: taken\n"),
    ],
)
def test_an_error_is_told_without_traceback(
    failing: CommandTable, kind: str, status: int, said: str
) -> None:
    done = CliRunner().invoke(failing, ["fail", kind])
    assert (done.exit_code, done.stderr) == (status, said)


def test_a_bug_keeps_its_traceback(failing: CommandTable) -> None:
    with pytest.raises(RuntimeError, match="a bug"):
        CliRunner().invoke(failing, ["fail", "bug"], catch_exceptions=False)


def test_a_command_elsewhere_finds_the_state_of_the_house_beside_control_py(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    (root / "var").mkdir(parents=True)
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(config_path, "_ROOT", root)
    monkeypatch.setattr(config_path, "_BESIDE", root / "static" / "config.json")
    assert config_path.default_state(str(root / "static" / "config.json")) == root / "var"
    assert config_path.default_state("other.json") is None
    monkeypatch.delenv("JPH_STATE", raising=False)
    assert config_path.state_is_new() == elsewhere / "var"
    (elsewhere / "var").mkdir()
    assert config_path.default_state(str(root / "static" / "config.json")) is None
    assert config_path.state_is_new() is None


def test_accounts_in_a_new_state_are_warned_of(tmp_path: Path, config_file: Any) -> None:
    config = config_file({"Codifier": "SP", "Type": "Setpoint"})
    environment = {key: value for key, value in os.environ.items() if key != "JPH_STATE"}
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / "control.py"), "--config", str(config), "user", "list"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"warning: {tmp_path}/var is new" in done.stderr
