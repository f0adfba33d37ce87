"""Messages to a service manager, over a socket of the test, and the deadlines of work."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jph.util.deadlines import LEAST_S, Deadlines
from jph.util.notify import Notifier, notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.setblocking(False)
        yield bound


def test_fields_are_lines_of_one_datagram(manager: socket.socket) -> None:
    way = Notifier(manager.getsockname())
    assert way.send("READY=1", "STATUS=runs TI")
    assert manager.recv(100) == b"READY=1\nSTATUS=runs TI"
    way.close()


def test_the_environment_names_the_manager_and_its_watchdog_once() -> None:
    variables = {"NOTIFY_SOCKET": "@jph", "WATCHDOG_USEC": "90000000", "OTHER": "x"}
    way = notifier(variables)
    assert way is not None
    assert way.watchdog_s == 90
    assert variables == {"OTHER": "x"}  # what this process starts is not the service
    assert notifier(variables) is None
    way.close()


def test_a_watchdog_of_another_process_is_not_fed() -> None:
    way = notifier({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "1"})
    assert way is not None
    assert way.watchdog_s is None
    way.close()


def test_a_manager_that_is_away_stops_nothing(tmp_path: Path) -> None:
    way = Notifier(str(tmp_path / "nothing"))
    assert not way.send("READY=1")
    way.close()


def test_work_is_overdue_after_its_deadline_and_not_after_it_reports() -> None:
    deadlines = Deadlines()
    deadlines.expect("chip", 0.0)
    deadlines.expect("timer", 0.0, 600.0)
    assert deadlines.overdue(LEAST_S) == []
    assert deadlines.overdue(LEAST_S + 1) == ["chip"]
    deadlines.expect("chip", LEAST_S + 1)
    assert deadlines.overdue(LEAST_S + 2) == []
    assert deadlines.overdue(601.0) == ["chip", "timer"]
    deadlines.clear()
    assert deadlines.overdue(1e9) == []
