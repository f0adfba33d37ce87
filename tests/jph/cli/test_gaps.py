import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest

from collector.history.gaps import Gaps, RecordedGap
from collector.ingest.buffer import Batch
from collector.ingest.writer import Store
from jph.cli.commands.gaps import show
from jph.cli.terminal.database import parse_moment
from jph.retransmit import Cause, Gap
from jph.wire.codec import Quality, Reading
from tests.jph.cli.programs import control

WriteConfig = Callable[..., Path]
NOON_MS = 1_795_176_000_000  # 2026-11-20 12:00:00 UTC
METER = {"Codifier": "TI", "Type": "Setpoint", "Sensor": {"Default": "1"}}


def reading(sequence: int) -> Reading:
    when = NOON_MS + 1000 * sequence
    return Reading(sequence, 7, when, "i", "TI", "@@", 1, Quality.GOOD, 1)


@pytest.fixture
def history(sql: dict[str, Any]) -> dict[str, Any]:
    """Store 10 readings of TI, of which 4 are lost and 2 still asked for."""
    store = Store("Q1")
    store.open(f"host={sql['Host']} user={sql['User']} dbname={sql['Database']}", NOON_MS)
    gone = Gap("TI", 7, 1, 4, Cause.GONE, NOON_MS, NOON_MS + 5000)
    unknown = Gap("HO", 3, 9, 0, Cause.SOURCE_GONE, NOON_MS - 7200_000, 0)
    counted = Gap("HO", 3, 5, 2, Cause.GONE, NOON_MS - 7300_000, NOON_MS - 7250_000)
    store.write(Batch([reading(0), reading(5), reading(8)], [gone, counted, unknown]), NOON_MS)
    store.close()
    return sql


def test_gaps_are_listed(history: dict[str, Any], config_file: WriteConfig) -> None:
    done = control(config_file(METER, SQL=history), "gaps", TZ="UTC")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "code  from                     to                       messages  cause\n"
        "HO    2026-11-20 10:58:20.000  2026-11-20 10:59:10.000         2  gone\n"
        "HO    2026-11-20 11:00:00.000  ?                               ?  source gone\n"
        "TI    2026-11-20 13:00:00.000  2026-11-20 13:00:05.000         4  gone\n"
        "\n"
        "6 messages lost in 3 gaps\n"
        "still asked for: 2 of TI\n"
    )


def test_gaps_of_one_and_since(history: dict[str, Any], config_file: WriteConfig) -> None:
    config = config_file(METER, SQL=history)
    done = control(config, "gaps", "TI", "--json", "--since", "2026-11-20 12:00:05+00:00")
    told = json.loads(done.stdout)
    assert told["asked"] == {"TI": 2}
    (gap,) = told["gaps"]
    assert gap["from_time"] == "2026-11-20T12:00:00Z"
    assert (gap["codifier"], gap["messages"], gap["cause"]) == ("TI", 4, "gone")
    later = control(config, "gaps", "TI", "--since", "2026-11-20 12:00:06+00:00")
    assert later.stdout == "no gaps\nstill asked for: 2 of TI\n"


def test_a_database_without_history_is_told(sql: dict[str, Any], config_file: WriteConfig) -> None:
    done = control(config_file(METER, SQL=sql), "gaps")
    assert done.returncode == 1
    assert "no tables of this version" in done.stderr


def test_a_database_that_is_away_is_told(config_file: WriteConfig, tmp_path: Path) -> None:
    nowhere = {"Database": "jph", "User": "jph", "Host": str(tmp_path)}
    done = control(config_file(METER, SQL=nowhere), "gaps")
    assert (done.returncode, "PostgreSQL: " in done.stderr) == (1, True)


def test_an_unknown_codifier_is_told(config_file: WriteConfig) -> None:
    done = control(config_file(METER), "gaps", "XX")
    assert (done.returncode, "'XX' is not in the config" in done.stderr) == (2, True)


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LOCAL = ZoneInfo("Europe/Paris")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", NOW - timedelta(minutes=90)),
        ("7d", NOW - timedelta(days=7)),
        ("2026-11-19T10:00:00+00:00", datetime(2026, 11, 19, 10, tzinfo=UTC)),
        ("2026-11-19", datetime(2026, 11, 18, 23, tzinfo=UTC)),
    ],
)
def test_since_is_a_while_ago_or_a_moment(text: str, expected: datetime) -> None:
    assert parse_moment(text, NOW, LOCAL) == expected


@pytest.mark.parametrize("text", ["tomorrow", "2", "-1h", "2h30", ""])
def test_since_may_be_neither(text: str) -> None:
    with pytest.raises(click.BadParameter, match="none of"):
        parse_moment(text, NOW, LOCAL)


def test_since_before_all_time_is_a_mistake(config_file: WriteConfig) -> None:
    done = control(config_file(METER), "gaps", "--since", "999999d")
    assert (done.returncode, "'999999d' is before the year 1970" in done.stderr) == (2, True)


def test_nothing_lost_is_said() -> None:
    assert show(Gaps([], {})) == ["no gaps"]


def test_times_that_nobody_knows_are_question_marks() -> None:
    gap = RecordedGap("TI", 7, 1, 3, None, None, "overflow", NOW)
    assert show(Gaps([gap], {}))[1].split() == ["TI", "?", "?", "3", "overflow"]
