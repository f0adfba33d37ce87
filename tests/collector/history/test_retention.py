"""Readings go when they have been kept long enough, never before what they made is computed."""

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collector.db.connecting import transaction
from collector.history.gaps import read_gaps
from collector.history.housekeeping import Housekeeper
from collector.history.packing import pack_all
from collector.history.retention import RetentionSettings, days_kept, retire_all
from collector.statistics.buckets import HOUR_US, MINUTE_US, SECOND_US, to_us
from collector.statistics.touched import rebuild
from jph.config.model import Endpoint, Multicast, Network
from jph.errors import ConfigError
from jph.node import kinds
from jph.retransmit import Cause, Gap
from tests.collector.ingest.test_writer import dsn, query
from tests.collector.statistics.test_calculator import House, reading

FIRST = to_us(datetime(2026, 10, 28, tzinfo=UTC))
NOW = datetime(2026, 11, 3, 5, tzinfo=UTC)
DAY_US = 24 * HOUR_US
NOWHERE = Endpoint(address="", port=0)
NOTHING = Network(multicast=Multicast(control=NOWHERE, data=NOWHERE), sensors=[])
CALCULATOR = {"Codifier": "Q2", "Type": "postgresCalcHandler"}
FIRST_DAYS = "SELECT codifier, min(timestamp)::date::text FROM readings GROUP BY codifier"


@pytest.fixture
def house(sql: dict[str, Any]) -> Iterator[House]:
    """Store six days of I1 and I2, a reading in 10 minutes; all but the last hours computed."""
    with contextlib.closing(House(sql)) as house:
        moments = range(FIRST + SECOND_US, to_us(NOW), 10 * MINUTE_US)
        for code in ("I1", "I2"):
            house.write(*(reading(n, at, float(n % 7), code) for n, at in enumerate(moments)))
        house.calculate(to_us(NOW))
        count_energy(house)
        yield house


def count_energy(house: House) -> None:
    house.calculator.count_energy(NOTHING, to_us(NOW))


def retire(house: House, **days: int) -> None:
    def kept(codifier: str) -> int:
        return days.get(codifier, 0)

    for _ in retire_all(house.calculator.connection, kept, NOW):
        pass


def first_days(house: House) -> dict[str, str]:
    return dict(query(house.sql, FIRST_DAYS))


def pack(house: House) -> None:
    for _ in pack_all(house.calculator.connection, datetime(2026, 11, 1, tzinfo=UTC)):
        pass


@pytest.mark.parametrize("packed", [False, True])
def test_readings_go_by_whole_days_and_statistics_stay(house: House, packed: bool) -> None:
    if packed:
        pack(house)
    before = house.bytes()
    retire(house, I1=4)
    assert first_days(house) == {"I1": "2026-10-30", "I2": "2026-10-28"}
    assert house.bytes() == before
    retire(house, I1=1, I2=3)
    assert first_days(house) == {"I1": "2026-11-02", "I2": "2026-10-31"}
    assert house.bytes() == before


def test_a_month_of_which_nothing_is_kept_is_dropped_whole(house: House) -> None:
    pack(house)
    months = "SELECT relname::text FROM pg_class WHERE relname ~ '^(reading|packed)_2026_..$'"
    assert ("packed_2026_10",) in query(house.sql, months)
    retire(house, I1=2)
    assert ("packed_2026_10",) in query(house.sql, months)  # I2 is kept
    retire(house, I1=1, I2=2)
    assert ("packed_2026_10",) not in query(house.sql, months)
    assert first_days(house) == {"I1": "2026-11-02", "I2": "2026-11-01"}


def test_nothing_goes_before_it_is_computed(house: House) -> None:
    late = reading(10**6, FIRST + 5 * SECOND_US, 9.0)
    house.write(late)
    retire(house, I1=2, I2=2)
    assert first_days(house) == {"I1": "2026-10-28", "I2": "2026-11-01"}
    house.work()
    retire(house, I1=2)
    assert first_days(house)["I1"] == "2026-10-28"  # energy has not looked yet
    count_energy(house)
    retire(house, I1=2)
    assert first_days(house)["I1"] == "2026-11-01"


def test_what_is_late_for_readings_that_are_gone_changes_nothing(house: House) -> None:
    retire(house, I1=2, I2=2)
    before = house.bytes()
    edge = FIRST + 4 * DAY_US
    house.write(*(reading(10**6 + n, edge - n * MINUTE_US, 9.0) for n in range(-1, 3000)))
    house.work()
    assert house.bytes() == before
    house.write(reading(10**7, edge + 2 * HOUR_US, 9.0))
    house.work()
    ((count,),) = query(
        house.sql,
        "SELECT count FROM statistic_hour WHERE codifier = 'I1' AND timestamp = '2026-11-01 02:00'",
    )
    assert count == 7
    count_energy(house)
    retire(house, I1=2)
    assert first_days(house)["I1"] == "2026-11-01"


def test_rebuild_leaves_what_cannot_be_computed_any_more_and_says_so(house: House) -> None:
    retire(house, I1=3)
    before = house.bytes()
    house.write(reading(10**6, FIRST, 9.0))  # late: it is there until the next round
    with transaction(house.calculator.connection) as cursor:
        stayed = rebuild(cursor, ["I1", "I2"])
    assert stayed == {"I1": FIRST + 3 * DAY_US}
    assert len(house.bytes()) < len(before)
    house.work()
    assert house.bytes() == before


def test_gaps_do_not_call_retired_readings_missing(house: House) -> None:
    gap = Gap("I1", 7, 10**6, 3, Cause.GONE, FIRST // 1000, FIRST // 1000 + 5)
    house.write(gaps=(gap,))
    before = read_gaps(dsn(house.sql))
    house.work()
    count_energy(house)
    retire(house, I1=1, I2=1)
    assert read_gaps(dsn(house.sql)) == before


def test_the_housekeeper_packs_and_then_removes(
    house: House, network: Callable[..., Network]
) -> None:
    class Settings:
        pack_after_days = 2
        retention = RetentionSettings(default=5, codifiers={"I2": 0})

    keeper = Housekeeper(house.calculator.connection, network(CALCULATOR), Settings())
    now_ms = int(NOW.timestamp() * 1000)
    steps = 0
    while keeper.step(now_ms):
        steps += 1
    assert steps > 10
    assert first_days(house) == {"I1": "2026-10-29", "I2": "2026-10-28"}
    ((hot,),) = query(house.sql, "SELECT min(timestamp)::date::text FROM reading")
    assert hot == "2026-11-01"
    assert not keeper.step(now_ms + 60_000)
    assert keeper.step(now_ms + 3_600_000)


def test_who_is_kept_how_long(network: Callable[..., Network]) -> None:
    element = {"Codifier": "I1", "Type": "Proxy", "Sensor": {"Codifier": "TI"}}
    made = network({"Codifier": "TI", "Type": "Teleinfo"}, element, {**element, "Codifier": "I2"})
    days = days_kept(RetentionSettings(default=9, types={"Teleinfo": 5}, codifiers={"I2": 0}), made)
    assert [days(code) for code in ("I1", "TI", "I2", "ZZ")] == [5, 5, 0, 9]


@pytest.mark.parametrize(
    ("retention", "error_text"),
    [
        ({"Default": -1}, r"Default: expected 0 \(for ever\) to 36500 days, found -1"),
        ({"Types": {"Teleinfo": 1.5}}, "int"),
        ({"Codifiers": {"ZZ": 5}}, "codifier 'ZZ' is not in the config"),
        ({"Types": {"Meter": 5}}, "no node is of type 'Meter'; there are postgresCalcHandler"),
    ],
)
def test_mistakes_are_told(
    config_file: Callable[..., Path], retention: dict[str, Any], error_text: str
) -> None:
    path = config_file({**CALCULATOR, "Sensor": {"Retention": retention}})
    with pytest.raises(ConfigError) as caught:
        kinds.load(str(path))
    assert re.search(error_text, "\n".join(map(str, caught.value.problems)))
