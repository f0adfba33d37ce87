"""Commands on a machine without the store that they need, as `Hosts` says."""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jph.cli.terminal.place import machines_of, require_here
from jph.config.model import Network
from jph.errors import StoreError
from tests.jph.cli.programs import CONSOLE, control, setpoint

WriteConfig = Callable[..., Path]
NODES = [
    setpoint("SP"),
    {"Codifier": "Q1", "Type": "jphPostgreSQL", "Name": "Collector"},
    {"Codifier": "CF", "Type": "Gateway", "Name": "Page"},
    {"Codifier": "FR", "Type": "Recorder", "Name": "Recorder"},
    CONSOLE,
]
HOSTS = {"pi": ["SP"], "nas": ["Q1", "CF", "FR"]}


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("backup FILE", "the history"),
        ("gaps", "the history"),
        ("history SP", "the history"),
        ("sql rebuild --all", "the history"),
        ("user list", "the page"),
        ("record show", "the recorder"),
    ],
)
def test_a_command_names_the_machine_that_has_the_store(
    config_file: WriteConfig, tmp_path: Path, words: str, what: str
) -> None:
    state, archive = tmp_path / "state", tmp_path / "backup.zip"
    config = config_file(*NODES, Hosts=HOSTS)
    arguments = [str(archive) if word == "FILE" else word for word in words.split()]
    done = control(config, *arguments, JPH_STATE=str(state))
    assert done.returncode == 1
    assert done.stderr.startswith(f"control.py: {what} of this house is on nas (")
    assert done.stderr.count("\n") == 1
    assert not archive.exists()
    assert not (state / "postgres").exists()


def test_a_machine_that_has_the_store_goes_on(network: Callable[..., Network]) -> None:
    types = {"jphPostgreSQL"}
    own = socket.gethostname()
    for hosts in ({}, {own: ["Q1"]}, {"*": ["Q1"]}, {own.partition(".")[0]: ["Q1"]}):
        require_here(network(*NODES, Hosts=hosts), types, "the history")
    made = network(*NODES, Hosts=HOSTS)
    assert machines_of(made, types) == {"nas": ["Q1"]}
    with pytest.raises(StoreError, match=r"is on nas \(Q1\), not on "):
        require_here(made, types, "the history")


def test_a_backup_without_history_is_an_error(config_file: WriteConfig, tmp_path: Path) -> None:
    archive, state = tmp_path / "backup.zip", tmp_path / "state"
    config = config_file(*NODES)
    done = control(config, "backup", str(archive), JPH_STATE=str(state))
    assert done.returncode == 1
    assert f"there is no history in {state}" in done.stderr
    assert not archive.exists()
    assert not (state / "postgres").exists()


def test_an_empty_backup_is_an_error(
    sql: dict[str, Any], config_file: WriteConfig, tmp_path: Path
) -> None:
    archive = tmp_path / "backup.zip"
    config = config_file(*NODES, SQL=sql)
    for _ in range(2):  # without tables, and with empty ones
        done = control(config, "backup", str(archive))
        assert done.returncode == 1
        assert "the history is empty" in done.stderr
        assert not archive.exists()
        assert control(config, "sql", "tables", "--apply").returncode == 0
