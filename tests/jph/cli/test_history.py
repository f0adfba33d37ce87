import contextlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest

from collector.history.query import Point
from collector.statistics.buckets import HOUR_US, MINUTE_US, SECOND_US
from jph.cli.terminal.database import parse_moment
from jph.cli.terminal.plot import plot
from tests.collector.statistics.test_calculator import CHANGE, House, reading
from tests.jph.cli.programs import control

WriteConfig = Callable[..., Path]
PARIS = ZoneInfo("Europe/Paris")
METER = {"Codifier": "I1", "Type": "Setpoint", "Symbol": "A", "Sensor": {"Default": "1"}}
TARIFF = {**METER, "Codifier": "TP", "DataType": "text"}
HOUR = "--from", "2026-10-25T02:00+01:00", "--to", "2026-10-25T03:00+01:00"


@pytest.fixture
def config(sql: dict[str, Any], config_file: WriteConfig) -> Path:
    """Store an hour of I1, a reading in 10 s with a spike, and a change of TP."""
    with contextlib.closing(House(sql)) as house:
        house.write(
            *(
                reading(n, CHANGE + n * 10 * SECOND_US, 50.0 if n == 100 else 2.0)
                for n in range(1, 361)
            ),
            reading(1, CHANGE + MINUTE_US, "HC", "TP", flag="s"),
            reading(2, CHANGE + 2 * MINUTE_US, "HC", "TP", flag="s"),
            reading(3, CHANGE + 3 * MINUTE_US, "HP", "TP", flag="s"),
        )
        house.calculate(CHANGE + 2 * HOUR_US)
    return config_file(METER, TARIFF, SQL=sql)


def test_csv_with_decimal_commas(config: Path) -> None:
    done = control(config, "history", "I1", *HOUR, "--every", "10min", "--csv", "--decimal-comma")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    names = head.split(";")
    assert "mean" in names
    means = [line.split(";")[names.index("mean")] for line in lines]
    assert "2,0" in means
    assert all("." not in mean for mean in means)
    assert all(line.count(";") == head.count(";") for line in lines)


def test_a_table(config: Path) -> None:
    done = control(config, "history", "I1", *HOUR, "--every", "10min")
    assert done.returncode == 0, done.stderr
    head, first, second, *_ = done.stdout.splitlines()
    assert head.split() == ["until", "mean", "min", "max", "readings"]
    assert first.split() == [
        "2026-10-25",
        "02:10:00.000",
        "+0100",
        "2",
        "A",
        "2",
        "A",
        "2",
        "A",
        "60",
    ]
    assert second.split() == [
        "2026-10-25",
        "02:20:00.000",
        "+0100",
        "2.8",
        "A",
        "2",
        "A",
        "50",
        "A",
        "60",
    ]


def test_for_programs(config: Path) -> None:
    shown = json.loads(control(config, "history", "I1", *HOUR, "--every", "hour", "--json").stdout)
    assert shown == {
        "every": "hour",
        "points": [
            {
                "timestamp_ms": CHANGE // 1000 + 3_600_000,
                "mean": 2.1333333333333333,
                "min": 2.0,
                "max": 50.0,
                "count": 360,
            }
        ],
    }
    done = control(config, "history", "I1", *HOUR, "--csv", "--every", "raw")
    lines = done.stdout.splitlines()
    assert lines[:2] == ["time,mean,min,max,count", "2026-10-25T01:00:10.000Z,2.0,2.0,2.0,1"]
    assert len(lines) == 361


def test_a_screenful_by_itself(config: Path) -> None:
    shown = json.loads(control(config, "history", "I1", *HOUR, "--json", "--most", "20").stdout)
    assert len(shown["points"]) <= 20
    assert max(point["max"] for point in shown["points"]) == 50.0


def test_a_picture(config: Path) -> None:
    done = control(config, "history", "I1", *HOUR, "--plot", COLUMNS="60")
    lines = done.stdout.splitlines()
    assert lines[0].split()[0] == "50"
    assert "•" in lines[0]
    assert lines[-1].split() == ["2026-10-25", "02:00", "2026-10-25", "03:00"]
    assert all(len(line) <= 60 for line in lines)


def test_text_is_shown_by_its_changes(config: Path) -> None:
    done = control(config, "history", "TP", *HOUR)
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["value", "HC", "HP"]
    shown = json.loads(control(config, "history", "TP", *HOUR, "--json").stdout)
    assert [each["value"] for each in shown] == ["HC", "HP"]
    assert control(config, "history", "TP", *HOUR, "--csv").stdout.count("\n") == 3


def test_nothing_there_is_said(config: Path) -> None:
    done = control(config, "history", "I1", "--from", "2020-01-01", "--to", "2020-01-02")
    assert (done.returncode, done.stdout) == (0, "")
    assert "I1 has no readings there" in done.stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (("XX",), "'XX' is not in the config"),
        (("I1", "--from", "soon"), "none of today, yesterday, 30min, 2h, 7d … or a date"),
        (("I1", "--from", "2026-10-25", "--to", "2026-10-24"), "is not before"),
    ],
)
def test_mistakes_are_told(config_file: WriteConfig, words: tuple[str, ...], shown: str) -> None:
    done = control(config_file(METER), "history", *words)
    assert (done.returncode, shown in done.stderr) == (2, True), done.stderr


def test_no_history_yet_is_told(sql: dict[str, Any], config_file: WriteConfig) -> None:
    done = control(config_file(METER, SQL=sql), "history", "I1")
    assert (done.returncode, "no tables of this version" in done.stderr) == (1, True)


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("2w", NOW - timedelta(days=14)),
        ("30min", NOW - timedelta(minutes=30)),
        ("90min", NOW - timedelta(minutes=90)),
        ("90m", NOW - timedelta(minutes=90)),
        ("today", datetime(2026, 11, 19, 23, tzinfo=UTC)),
        ("yesterday", datetime(2026, 11, 18, 23, tzinfo=UTC)),
        ("2026-10-25", datetime(2026, 10, 24, 22, tzinfo=UTC)),
        ("2026-10-26 08:00", datetime(2026, 10, 26, 7, tzinfo=UTC)),
        ("1970-01-01", datetime(1969, 12, 31, 23, tzinfo=UTC)),
        ("2026-10-26T08:00Z", datetime(2026, 10, 26, 8, tzinfo=UTC)),
    ],
)
def test_moments_are_local(text: str, expected: datetime) -> None:
    assert parse_moment(text, NOW, PARIS) == expected


def test_moments_that_are_none() -> None:
    with pytest.raises(click.BadParameter):
        parse_moment("2h30", NOW, PARIS)


@pytest.mark.parametrize("text", ["0001-01-01", "1969-12-30", "2101-01-01", "9999-12-31", "4000w"])
def test_a_time_that_no_reading_has_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="expected a time between 1970 and 2100"):
        parse_moment(text, NOW, PARIS)


def test_a_picture_of_one_point_and_of_none() -> None:
    assert plot([], PARIS, 80) == []
    lines = plot([Point(0, 1.0, 1.0, 1.0, 1)], PARIS, 40)
    assert sum("•" in line for line in lines) == 1
