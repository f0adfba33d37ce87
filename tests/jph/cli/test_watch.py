import time
from collections.abc import Callable, Iterator
from zoneinfo import ZoneInfo

import pytest

from collector.db.location import zone_of
from collector.energy import money
from jph.cli.commands.watch import Printer
from jph.cli.terminal.zone import local_zone
from jph.config.model import Network
from jph.wire.codec import Control, Flag, Reading
from tests.jph.heating.explain.tellinghouse import telling_house

NOON_MS = 1_795_172_400_000  # in Paris, on 20 November 2026
DAY_MS = 86_400_000


@pytest.fixture
def paris(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Put this machine into Paris."""
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def ping(timestamp_ms: int) -> Control:
    return Control(1, 7, timestamp_ms, Flag.PING, "CC", "TI", 1, 5.0, True)


@pytest.mark.usefixtures("paris")
def test_the_day_and_its_time_are_told_once_and_where_they_differ(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printer = Printer(telling_house())
    for sent_ms, arrival_ms in (
        (NOON_MS, NOON_MS),
        (NOON_MS + 1, NOON_MS),
        (NOON_MS - DAY_MS, NOON_MS),
        (NOON_MS + DAY_MS, NOON_MS + DAY_MS),
        (2**63, NOON_MS + DAY_MS),
    ):
        printer.show(ping(sent_ms), arrival_ms)
    told = [line.partition(" C P")[0] for line in capsys.readouterr().out.splitlines()]
    assert told == [
        "2026-11-20 CET",
        "12:00:00.000",
        "12:00:00.001",
        "2026-11-19 12:00:00.000",
        "2026-11-21 CET",
        "12:00:00.000",
        "????-??-?? ??:??:??.???",
    ]


def test_times_are_those_of_the_house(
    network: Callable[..., Network], capsys: pytest.CaptureFixture[str]
) -> None:
    calculator = {"Codifier": "Q2", "Type": "postgresCalcHandler"}
    for zone, clock in (("Europe/Paris", "14:00:00.000"), ("Asia/Tokyo", "21:00:00.000")):
        made = network({**calculator, "Sensor": {"TimeZone": zone}})
        at_ms = 1_782_907_200_000  # 2026-07-01 12:00 UTC
        Printer(made).show(Reading(1, 1, at_ms, "d", "Q2", "@@", 1, 0, 1.0), at_ms)
        assert clock in capsys.readouterr().out
    assert local_zone(network({"Codifier": "SP", "Type": "Setpoint"})) == ZoneInfo("Europe/Paris")


def test_each_command_has_the_zone_of_the_history(network: Callable[..., Network]) -> None:
    calculator = {"Codifier": "Q2", "Type": "postgresCalcHandler"}
    tokyo = {**calculator, "Sensor": {"TimeZone": "Asia/Tokyo"}}
    for house in ({"Codifier": "SP", "Type": "Setpoint"}, calculator, tokyo):
        made = network(house)
        assert local_zone(made) == zone_of(made) == money.local_days(made).zone
