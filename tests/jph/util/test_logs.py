"""Logging as the config asks, as far as the machine can; each line is limited."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.util import logs


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Give logging back as it was."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    yield
    root.handlers[:], root.level, logging.raiseExceptions = before
    for handler in logging.getLogger("Teleinfo").handlers[:]:
        logging.getLogger("Teleinfo").removeHandler(handler)
        handler.close()


TABLE: dict[str, Any] = {
    "formatters": {"brief": {"format": "%(name)s (%(codifier)s) %(levelname)s %(message)s"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "brief",
            "stream": "ext://sys.stdout",
        },
        "syslog": {"class": "logging.handlers.SysLogHandler", "address": "/nowhere/log"},
    },
    "loggers": {"Teleinfo": {"handlers": ["syslog"], "level": "INFO"}},
    "root": {"handlers": ["console", "syslog"], "level": "INFO"},
}


def test_a_syslog_that_is_not_there_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.configure(TABLE) == [
        "Logging: handler 'syslog' has no /nowhere/log to write to yet",
    ]
    logs.node_logger("TI", "Teleinfo", TABLE).info("hello")
    logging.getLogger("other").info("library")
    assert capsys.readouterr().out.splitlines() == [
        "Teleinfo (TI) INFO hello",
        "other (--) INFO library",
    ]


def test_a_handler_the_machine_lacks_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    handlers = {**TABLE["handlers"], "file": {"class": "logging.FileHandler", "filename": "/"}}
    root = {"handlers": ["console", "file"], "level": "INFO"}
    (refused, _) = logs.configure({**TABLE, "handlers": handlers, "root": root})
    assert "'file'" in refused
    logging.getLogger("other").info("still here")
    assert "still here" in capsys.readouterr().out


def test_a_table_that_is_nonsense_leaves_the_console(capsys: pytest.CaptureFixture[str]) -> None:
    assert logs.configure(
        {"handlers": {"a": {"class": "no.such.thing"}}, "root": {"level": "LOUD"}}
    )
    logs.node_logger("TI", "Teleinfo", {}).info("still here")
    assert "TI INFO still here" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("known", "name"),
    [
        ({"jph-TI", "Teleinfo", "jph"}, "jph-TI"),
        ({"Teleinfo", "jph"}, "Teleinfo"),
        ({"default"}, "default"),
        (set(), "jph"),
    ],
)
def test_the_most_particular_logger_is_taken(known: set[str], name: str) -> None:
    table: dict[str, object] = {"loggers": {key: {} for key in known}}
    assert logs.node_logger("TI", "Teleinfo", table).name == name


def test_debug_and_silent(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JPH_DEBUG", "1")
    assert logs.configure(TABLE) == []
    logs.node_logger("TI", "Teleinfo", {}).debug("detail")
    assert "TI DEBUG detail" in capsys.readouterr().err
    monkeypatch.setenv("JPH_SILENT", "1")
    logs.configure(TABLE)
    logs.node_logger("TI", "Teleinfo", TABLE).critical("nothing")
    assert capsys.readouterr().err == ""


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 300))))
def test_a_throttle_allows_each_key_once_in_its_interval(asks: list[tuple[int, float]]) -> None:
    throttle = logs.Throttle(60.0)
    allowed: dict[int, float] = {}
    for key, now in sorted(asks, key=lambda ask: ask[1]):
        expected = key not in allowed or now - allowed[key] >= 60.0
        assert throttle.allow(key, now) == expected
        if expected:
            allowed[key] = now


def test_a_throttle_is_bounded() -> None:
    throttle = logs.Throttle(60.0, max_keys=3)
    assert all(throttle.allow(key, 0.0) for key in range(4))
    assert throttle.allow(0, 1.0)
    assert not throttle.allow(3, 1.0)


def test_a_sender_that_changes_its_key_is_limited_over_all_keys() -> None:
    throttle = logs.Throttle()
    logged = sum(throttle.allow(("forged", number), number / 100) for number in range(60_000))
    assert logged < 60 + 600 / 2 + 2
