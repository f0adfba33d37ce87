"""Packed readings equal the stored ones bit by bit, after kills and late readings too."""

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.db.connecting import connect as connect_to
from collector.db.connecting import transaction
from collector.db.tables import CHUNK, COLUMNS
from collector.db.views import sync_views
from collector.history.export import write_csv
from collector.history.packing import pack_all, pack_day
from collector.history.query import Level, Range, read_history
from collector.history.stored import from_first_reading, read_changes
from collector.ingest.buffer import Batch
from collector.ingest.late import note_late
from collector.ingest.writer import Store, Stored
from collector.statistics.buckets import HOUR_US, SECOND_US
from collector.statistics.touched import rebuild
from jph.config.model import Network
from jph.errors import StoreError
from jph.wire.codec import Quality, Reading, Value
from tests.collector.ingest.test_writer import NOW_MS, dsn, ms, query
from tests.collector.statistics.test_calculator import CHANGE, WIDTHS, House
from tests.stores_fixtures import connect

DAY = date(2026, 11, 3)
DAY_MS = ms(2026, 11, 3)
LATER = datetime(2026, 11, 12, tzinfo=UTC)
EVERY = f"SELECT r::text FROM (SELECT {', '.join(COLUMNS)} FROM {{}}) r ORDER BY 1"
BITS = (
    "SELECT codifier, timestamp, epoch, sequence, quality, float8send(value_real), value_integer, "
    "value_text, value_json::text FROM {} ORDER BY 1, 2, 3, 4"
)


def reading(
    sequence: int, at_ms: int, value: Value = 1.5, source: str = "TI", **more: Any
) -> Reading:
    flag = more.get("flag") or ("d" if isinstance(value, float) else "q")
    quality, epoch = more.get("quality", Quality.GOOD), more.get("epoch", 7)
    return Reading(sequence, epoch, at_ms, flag, source, "@@", 1, quality, value)


def every(sql: dict[str, Any], table: str = "readings") -> list[tuple[Any, ...]]:
    return [
        tuple(bytes(each) if isinstance(each, memoryview) else each for each in row)
        for row in query(sql, BITS.format(table))
    ]


def pack(sql: dict[str, Any], until: datetime = LATER) -> None:
    with contextlib.closing(connect_to(dsn(sql), "test")) as connection:
        for _ in pack_all(connection, until):
            pass


@pytest.fixture
def store(sql: dict[str, Any]) -> Iterator[Store]:
    with contextlib.closing(Store("Q1")) as store:
        store.open(dsn(sql), NOW_MS)
        yield store


def write(store: Store, *readings: Reading) -> Stored:
    return store.write(Batch(list(readings), []), NOW_MS).stored


values = st.one_of(
    st.floats(),
    st.sampled_from([-0.0, 5e-324, float("inf"), float("nan")]),
    st.integers(-(2**63), 2**63 - 1).map(lambda n: (n, "q")),
    st.text().map(lambda text: (text, "s")),
    st.sampled_from(['{"value": -0.0}', '{ "value" :1e2 }', "[]"]).map(lambda text: (text, "j")),
)
readings = st.tuples(
    st.integers(0, 2**31 - 1),
    st.integers(-5, 86_400_005),
    values,
    st.sampled_from(["TI", "I1"]),
    st.sampled_from(list(Quality)),
    st.sampled_from([0, 7, 2**32 - 1]),
)


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(readings, max_size=40), st.lists(readings, max_size=10))
def test_any_readings_are_packed_bit_by_bit(
    store: Store, sql: dict[str, Any], drawn: list[Any], late: list[Any]
) -> None:
    query(sql, "TRUNCATE reading, packed, source, gap")
    query(sql, "UPDATE statistics_until SET packed = '1970-01-01 00:00+00'")
    for part in (drawn, late):
        write(
            store,
            *(
                reading(
                    n,
                    DAY_MS + at,
                    value[0] if isinstance(value, tuple) else value,
                    code,
                    flag=value[1] if isinstance(value, tuple) else "d",
                    quality=quality,
                    epoch=epoch,
                )
                for n, at, value, code, quality, epoch in part
            ),
        )
        before = every(sql)
        pack(sql)
        assert every(sql) == before
        assert every(sql, "reading") == []
        for code in ("TI", "I1"):
            found = query(
                sql, EVERY.format(f"readings('{code}', '2026-11-03', '2026-11-03 12:00')")
            )
            wanted = query(
                sql,
                EVERY.format("readings").replace(
                    "readings)",
                    f"readings WHERE codifier = '{code}' AND timestamp > "
                    "'2026-11-03' AND timestamp <= '2026-11-03 12:00')",
                ),
            )
            assert found == wanted


def test_a_day_of_many_readings_is_a_few_rows(store: Store, sql: dict[str, Any]) -> None:
    count = 2 * CHUNK + 1
    write(store, *(reading(n, DAY_MS + n * 7000, float(n % 7)) for n in range(1, count + 1)))
    before = every(sql)
    pack(sql)
    rows = query(sql, "SELECT part, count, sequences IS NULL, qualities IS NULL FROM packed")
    assert sorted(rows) == [(0, CHUNK, True, True), (1, CHUNK, True, True), (2, 1, True, True)]
    assert every(sql) == before


def test_a_reading_takes_little_of_the_disk(store: Store, sql: dict[str, Any]) -> None:
    """One in ten minutes too, of values that never repeat."""
    query(
        sql,
        "INSERT INTO reading SELECT timestamptz '2026-11-03' + n * interval '10 minutes', 7, n, "
        "random(), NULL, 0, code FROM generate_series(0, 719) n, unnest('{I1,I2,I3,I4}'::text[]) "
        "code",
    )
    pack(sql)
    ((taken, count),) = query(
        sql, "SELECT pg_total_relation_size('packed_2026_11')::float, sum(count) FROM packed"
    )
    assert count == 4 * 720
    assert taken / int(count) < 60


def test_what_is_late_is_stored_once(store: Store, sql: dict[str, Any]) -> None:
    """Of original programs too, which have no books; the key of `reading` cannot tell any more."""
    old = [reading(n, DAY_MS + n * 1000, epoch=epoch) for n in (1, 2, 4) for epoch in (0, 7)]
    write(store, *old)
    pack(sql)
    late = [reading(3, DAY_MS + 3000, epoch=epoch) for epoch in (0, 7)]
    live = reading(9, NOW_MS)
    assert write(store, *old, *late, live) == Stored(3, 6, 0)
    assert write(store, *late) == Stored(0, 2, 0)
    assert len(every(sql)) == 9
    assert len(every(sql, "reading")) == 3
    pack(sql)
    assert len(every(sql)) == 9
    assert write(store, *late, *old) == Stored(0, 8, 0)
    assert query(sql, "SELECT sum(count) FROM packed") == [(8,)]


def test_what_somebody_puts_in_by_hand_is_packed_once(store: Store, sql: dict[str, Any]) -> None:
    write(store, reading(1, DAY_MS))
    pack(sql)
    by_hand = "INSERT INTO reading VALUES ('2026-11-03 00:00+00', 7, {}, {}, NULL, 0, 'TI')"
    query(sql, by_hand.format(1, 99.0))
    query(sql, by_hand.format(-(2**63), 3.0))
    query(sql, by_hand.format(2**63 - 1, 3.0).replace("00:00+", "00:00:00.000001+"))
    pack(sql)
    found = query(sql, "SELECT sequence, value_real FROM readings ORDER BY sequence")
    assert found == [(-(2**63), 3.0), (1, 1.5), (2**63 - 1, 3.0)]


def test_what_is_new_and_clocks_that_were_never_set_stay(store: Store, sql: dict[str, Any]) -> None:
    write(store, reading(1, 5), reading(2, ms(2026, 11, 12)), reading(3, ms(2026, 11, 12) - 1))
    pack(sql)
    assert query(sql, "SELECT sequence FROM reading ORDER BY 1") == [(1,), (2,)]
    assert query(sql, "SELECT sequence FROM readings ORDER BY 1") == [(1,), (2,), (3,)]


def test_a_month_that_is_empty_goes_and_comes_back(store: Store, sql: dict[str, Any]) -> None:
    months = "SELECT relname::text FROM pg_class WHERE relname ~ '^reading_2026_..$' ORDER BY 1"
    write(store, reading(1, ms(2026, 9, 3)))
    assert query(sql, months) == [("reading_2026_09",), ("reading_2026_11",), ("reading_2026_12",)]
    pack(sql)
    assert query(sql, months) == [("reading_2026_11",), ("reading_2026_12",)]
    write(store, reading(2, ms(2026, 9, 4)))  # this store thinks that the month is there
    with contextlib.closing(Store("Q9")) as other:
        other.open(dsn(sql), NOW_MS)
        other.write(Batch([reading(3, ms(2026, 9, 5))], []), NOW_MS)
    assert query(sql, months)[0] == ("reading_2026_09",)
    pack(sql)
    assert query(sql, months)[0] == ("reading_2026_11",)
    assert query(sql, "SELECT sequence FROM readings ORDER BY 1") == [(1,), (2,), (3,)]


def test_a_month_in_use_is_left_for_another_time(store: Store, sql: dict[str, Any]) -> None:
    write(store, reading(1, ms(2026, 9, 3)))
    with contextlib.closing(connect(sql)) as somebody:
        somebody.cursor().execute("SELECT count(*) FROM reading WHERE timestamp < '2026-10-01'")
        pack(sql)
        assert query(sql, "SELECT to_regclass('reading_2026_09') IS NULL") == [(False,)]
    pack(sql)
    assert query(sql, "SELECT to_regclass('reading_2026_09') IS NULL") == [(True,)]


def test_nothing_is_lost_or_doubled_by_who_is_killed(store: Store, sql: dict[str, Any]) -> None:
    """Kill -9 at any instant, of the packer's statement or between two, while late ones come."""
    days = [DAY_MS + n * 86_400_000 for n in range(6)]
    write(
        store,
        *(
            reading(day * 5000 + n, at + n * 10_000, float(n), code)
            for code in ("I1", "TI")
            for day, at in enumerate(days)
            for n in range(5000)
        ),
    )
    count, killed = 60_000, 0
    program = (
        "import sys; from datetime import *\n"
        "from collector.db.connecting import connect\n"
        "from collector.history.packing import pack_all\n"
        "steps = pack_all(connect(sys.argv[1], 'test'), datetime(2026, 11, 12, tzinfo=UTC))\n"
        "for _ in steps: print(flush=True)"
    )
    while query(sql, "SELECT 1 FROM reading LIMIT 1"):
        command = [sys.executable, "-c", program, dsn(sql)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            # A line is a step that is done; the kill comes in the middle of the next.
            steps = [child.stdout.readline() for _ in range(2 if killed < 5 else 100)]
            child.kill()
        assert steps[0], "the packer does nothing"
        killed += 1
        if killed < 5:
            count += write(store, reading(10**6 + killed, days[killed % 6] + 1, 0.5, "I1")).new
        ((found, different),) = query(
            sql, "SELECT count(*), count(DISTINCT (codifier, sequence)) FROM readings"
        )
        assert (found, different) == (count, count)
    assert killed > 5
    assert query(sql, "SELECT sum(count) FROM packed") == [(count,)]


def test_who_writes_late_waits_for_the_day_that_is_packed(
    store: Store, sql: dict[str, Any]
) -> None:
    """Else both would find the reading new: one in the table, one in the packed day."""
    original = reading(1, DAY_MS, epoch=0)
    write(store, original)
    pack(sql)
    write(store, reading(2, DAY_MS + 1, epoch=0))
    query(sql, "ALTER ROLE jph SET lock_timeout = '50ms'")
    try:
        impatient = connect_to(dsn(sql), "test")
    finally:
        query(sql, "ALTER ROLE jph RESET lock_timeout")
    with contextlib.closing(impatient), contextlib.closing(connect(sql)) as writing:
        assert note_late(writing.cursor(), [original]) == []
        with pytest.raises(StoreError, match="lock timeout"):
            pack_day(impatient, "TI", DAY)
    pack(sql)
    assert query(sql, "SELECT sequence FROM readings ORDER BY 1") == [(1,), (2,)]


def everything_read(house: House) -> list[Any]:
    """Return what all readers of readings make of two days."""
    wanted = Range("I1", CHANGE // 1000, CHANGE // 1000 + 2 * 86_400_000)
    text = io.StringIO()
    with contextlib.closing(connect_to(dsn(house.sql), "test", read_only=True)) as connection:
        with transaction(connection) as cursor:
            begun = from_first_reading(cursor, wanted)
        found = [read_history(connection, wanted, every=every) for every in (None, Level.RAW)]
        changes = read_changes(connection, wanted)
        write_csv(connection, [begun, Range("I2", 0, NOW_MS)], text, lambda _, __: None)
    views = query(house.sql, "SELECT * FROM sensor_i1 ORDER BY 1")
    codifiers = query(house.sql, "SELECT codifiers_between('-infinity', 'infinity')")
    return [begun, *found, changes, text.getvalue(), views, codifiers, house.bytes()]


def test_who_reads_sees_no_difference(sql: dict[str, Any], network: Callable[..., Network]) -> None:
    with contextlib.closing(House(sql)) as house:
        sync_views(house.calculator.connection, network({"Codifier": "I1", "Type": "x"}).sensors)
        moments = range(CHANGE + 500_000, CHANGE + 48 * HOUR_US, 50 * SECOND_US)
        house.write(
            *(reading(n, at // 1000, float(n % 7) - 3, "I1") for n, at in enumerate(moments)),
            *(reading(n, at // 1000, n, "I2") for n, at in enumerate(moments[::100])),
        )
        house.calculate(CHANGE + 40 * HOUR_US)
        before = everything_read(house)
        pack(sql)
        assert query(sql, "SELECT count(*) FROM reading") == [(0,)]
        assert everything_read(house) == before
        with transaction(house.calculator.connection) as cursor:
            for table in WIDTHS:
                cursor.execute(f"TRUNCATE statistic_{table}")
            rebuild(cursor, ["I1", "I2"])
        house.work()
        assert everything_read(house) == before
