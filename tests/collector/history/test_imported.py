"""The past of a simulated house: what it prints, and its import into an empty history."""

import contextlib
import io
import json
import time
from contextlib import closing
from typing import Any

import pytest

from collector.db.connecting import connect, query
from collector.db.schema import migrate
from collector.history import imported
from collector.statistics.buckets import find_zone
from collector.statistics.calculator import Calculator
from jph.config import model
from jph.sim import tell_past
from tests.support import REPOSITORY

DAY_MS = 86_400_000
NOW_MS = time.time_ns() // 10**6 // 60_000 * 60_000
"""A whole minute."""


@pytest.fixture(scope="module")
def printed() -> list[list[Any]]:
    """Return the lines of two days."""
    text = io.StringIO()
    config = str(REPOSITORY / "static" / "config.json")
    with contextlib.redirect_stdout(text):
        tell_past.main([config, "HO", str(NOW_MS), "2", "Europe/Paris"])
    return [json.loads(line) for line in text.getvalue().splitlines()]


def test_the_past_ends_now_with_the_first_indexes_and_never_overloads(
    printed: list[list[Any]],
) -> None:
    readings = [line[1:] for line in printed if line[0] == "readings"]
    hours = [line[1:] for line in printed if line[0] == "hour"]
    assert NOW_MS - 5 * 60_000 <= readings[-1][0] <= NOW_MS
    assert [ms for ms, _ in readings] == sorted(ms for ms, _ in readings)
    assert 8_121_000 < readings[-1][1]["X1"] <= 8_123_456
    assert 21_652_000 < readings[-1][1]["X2"] <= 21_654_321
    assert (
        readings[-1][1]["X2"]
        - readings[0][1]["X2"]
        + (readings[-1][1]["X1"] - readings[0][1]["X1"])
        > 150_000
    )
    assert max(values["I1"] for _, values in readings) <= 30
    assert all(18 < values["RA"] < 21 for _, values in readings)
    assert max(hour[3] for hour in hours) <= 30
    assert sum(hour[5] for hour in hours) > 3600  # s of shedding
    assert {hour[1] for hour in hours} == {1, 2, 3}


def test_an_empty_history_gets_the_past_with_statistics_and_hours(
    sql: dict[str, Any], printed: list[list[Any]]
) -> None:
    network = model.load(str(REPOSITORY / "static" / "config.json"))
    dsn = f"host={sql['Host']} user={sql['User']} dbname={sql['Database']}"
    zone = find_zone("Europe/Paris")
    with closing(connect(dsn, "test")) as connection:
        migrate(connection)
        assert not imported.has_older(connection, NOW_MS)
        readings = [line[1:] for line in printed if line[0] == "readings"]
        codes = imported.import_readings(connection, readings)
        assert {"I1", "X1", "TP", "RA", "S1"} <= codes
        assert imported.has_older(connection, NOW_MS - 3_600_000)
        with closing(Calculator(dsn, "test", zone)) as calculator:
            calculator.advance(1000 * NOW_MS)
        imported.compute(dsn, network, readings[-1][0])
        imported.import_hours(connection, network, [x[1:] for x in printed if x[0] == "hour"])
        ((count, coverage),) = query(
            connection, "SELECT count(*), min(coverage) FROM statistic_hour WHERE codifier = 'I1'"
        )
        assert count >= 46
        assert coverage > 50
        ((wh,),) = query(connection, "SELECT sum(wh) FROM energy_hour")
        assert wh > 150_000
        ((shed_s, phases),) = query(
            connection, "SELECT sum(shed_s), count(DISTINCT phase) FROM phase_hour"
        )
        assert (shed_s > 3600, phases) == (True, 3)
        qualities = query(connection, "SELECT DISTINCT quality FROM reading")
        assert qualities == [(4,)]
