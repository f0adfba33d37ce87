"""The config's `Logging`: a closed schema, because dictConfig calls what a table names."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jph.config import model
from jph.errors import ConfigError
from tests.support import REPOSITORY, SHARED_DATA

Table = dict[str, Any]
STREAM: Table = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
RUN: Table = {"()": "subprocess.call", "args": ["touch", "owned"]}


def refused(config_file: Callable[..., Path], table: object) -> list[str]:
    """Return the paths of the problems that a config with this table has."""
    path = config_file({"Codifier": "SP", "Type": "Setpoint"}, Logging=table)
    try:
        model.load(str(path))
    except ConfigError as error:
        return [problem.path.removeprefix("Logging.") for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("table", "where"),
    [
        ({"handlers": {"a": RUN}}, "handlers.a.class"),
        ({"handlers": {"a": {**STREAM, **RUN}}}, "handlers.a.()"),
        ({"handlers": {"a": {**STREAM, ".": {"level": 1}}}}, "handlers.a.."),
        ({"handlers": {"a": {**STREAM, "stream": "ext://os.system"}}}, "handlers.a.stream"),
        ({"handlers": {"a": {"class": "os.system"}}}, "handlers.a.class"),
        ({"handlers": {"a": {"class": "logging.handlers.HTTPHandler"}}}, "handlers.a.class"),
        ({"formatters": {"f": RUN}}, "formatters.f.()"),
        ({"formatters": {"f": {"class": "os.system"}}}, "formatters.f.class"),
        ({"formatters": {"f": {"format": "ext://antigravity"}}}, "formatters.f.format"),
        ({"formatters": {"f": {"datefmt": "cfg://handlers"}}}, "formatters.f.datefmt"),
        ({"formatters": {"f": {"format": "{x}", "style": "{"}}}, "formatters.f.style"),
        ({"filters": {"f": RUN}}, "filters"),
        ({"incremental": True}, "incremental"),
        ({"version": 2}, "version"),
        ({"root": {"level": "ext://os.environ"}}, "root.level"),
        ({"root": {"handlers": ["missing"]}}, "root.handlers"),
        ({"root": {"filters": ["f"]}}, "root.filters"),
        ({"loggers": {"jph": {"propagate": "ext://os"}}}, "loggers.jph.propagate"),
        ({"handlers": {"ext://os": STREAM}}, "handlers"),
        ({"handlers": {"a": {**STREAM, "formatter": "ext://os"}}}, "handlers.a.formatter"),
        ({"handlers": {"a": "ext://os"}}, "handlers.a.class"),
        ({"handlers": ["ext://os"]}, "handlers"),
    ],
)
def test_what_is_not_in_the_schema_is_refused(
    config_file: Callable[..., Path], table: Table, where: str
) -> None:
    assert where in refused(config_file, table)


@pytest.mark.parametrize(
    "name", ["/etc/cron.d/jph", "$JPH_STATE/users.db", "../users.db", "~/.profile", "log\0", ""]
)
def test_files_outside_of_the_log_folder_are_refused(
    config_file: Callable[..., Path], name: str
) -> None:
    handler = {"class": "logging.FileHandler", "filename": name}
    inside = name.startswith("~")  # a relative name like any other
    assert refused(config_file, {"handlers": {"a": handler}}) == (
        [] if inside else ["handlers.a.filename"]
    )


def test_a_log_file_that_may_be_written(config_file: Callable[..., Path], state: Path) -> None:
    for name in ("$JPH_STATE/log/mine.log", "mine.log", str(state / "log" / "mine.log")):
        handler: dict[str, object]
        handler = {"class": "logging.handlers.RotatingFileHandler", "filename": name}
        handler |= {"maxBytes": 1000, "backupCount": 2}
        table = {"__comment": "logs", "handlers": {"__comment": "one", "a": handler}}
        path = config_file({"Codifier": "SP", "Type": "Setpoint"}, Logging=table)
        handlers = model.load(str(path)).logging["handlers"]
        assert handlers == {"a": {**handler, "filename": str(state / "log" / "mine.log")}}


def test_the_original_config_is_accepted(config_file: Callable[..., Path]) -> None:
    syslog = {
        "class": "logging.handlers.SysLogHandler",
        "facility": "daemon",
        "address": "/dev/log",
        "level": "INFO",
    }
    address: object
    for address in ("/dev/log", ["localhost", 514]):
        table = {"version": 1, "handlers": {"syslog": {**syslog, "address": address}}}
        assert refused(config_file, table) == []
    for address in ("ext://os", ["ext://os", 514], ["localhost"], 514):
        table = {"handlers": {"syslog": {**syslog, "address": address}}}
        assert refused(config_file, table) == ["handlers.syslog.address"]
    original = SHARED_DATA / "config" / "multi-sensor.json"
    for path in (REPOSITORY / "static" / "config.json", original):
        if path.exists():
            assert refused(config_file, json.loads(path.read_text())["Logging"]) == []


def test_a_served_config_runs_no_command(config_file: Callable[..., Path], tmp_path: Path) -> None:
    """The whole way: a node is started with a config that names a function."""
    mark = tmp_path / "owned"
    evil = {"()": "subprocess.call", "args": ["touch", str(mark)]}
    path = config_file(
        {"Codifier": "SP", "Type": "Setpoint"}, Logging={"handlers": {"a": evil}, "version": 1}
    )
    done = subprocess.run(
        [sys.executable, "control.py", "--config", str(path), "run", "SP"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Logging.handlers.a" in done.stderr
    assert not mark.exists()
