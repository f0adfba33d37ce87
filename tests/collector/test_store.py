import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from collector import schema
from collector.rows import Batch
from collector.store import Store, Stored
from jph.errors import StoreError
from jph.wire import Quality, Reading, Value
from tests.stores_fixtures import connect
from tests.support import LIMIT_S


def ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


NOW_MS = ms(2026, 11, 20)


def batch(*sequences: int, value: Value = 1.5, at_ms: int = NOW_MS, epoch: int = 7) -> Batch:
    made = Batch()
    flag = "d" if isinstance(value, float) else "s"
    for n in sequences:
        made.add(Reading(n, epoch, at_ms + n, flag, "TI", "@@", 1, Quality.GOOD, value))
    return made


def dsn(sql: dict[str, Any]) -> str:
    return f"host={sql['Host']} user={sql['User']} dbname={sql['Database']}"


@contextlib.contextmanager
def opened(sql: dict[str, Any], now_ms: int = NOW_MS) -> Iterator[Store]:
    store = Store("Q1")
    store.open(dsn(sql), now_ms)
    try:
        yield store
    finally:
        store.close()


@pytest.fixture
def store(sql: dict[str, Any]) -> Iterator[Store]:
    with opened(sql) as store:
        yield store


def query(sql: dict[str, Any], statement: str) -> list[tuple[Any, ...]]:
    with contextlib.closing(connect(sql)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def sequences(sql: dict[str, Any], table: str = "reading") -> list[int]:
    return [n for (n,) in query(sql, f"SELECT sequence FROM {table} ORDER BY sequence")]


def test_readings_and_marks_are_stored(store: Store, sql: dict[str, Any]) -> None:
    assert store.write(batch(1, 2), NOW_MS) == Stored(2, 0, 0)
    assert sequences(sql) == [1, 2]
    ((when,),) = query(sql, "SELECT timestamp FROM reading WHERE sequence = 2")
    assert when == datetime(2026, 11, 20, 0, 0, 0, 2000, tzinfo=UTC)
    assert query(sql, "SELECT * FROM source") == [("TI", 7, 2, when)]


def test_readings_that_come_twice_are_stored_once(store: Store, sql: dict[str, Any]) -> None:
    store.write(batch(1, 2), NOW_MS)
    assert store.write(batch(2, 3, 3), NOW_MS) == Stored(1, 2, 0)
    assert store.write(batch(4), NOW_MS) == Stored(1, 0, 0)
    assert sequences(sql) == [1, 2, 3, 4]


def test_a_source_that_started_anew_is_told_apart(store: Store, sql: dict[str, Any]) -> None:
    store.write(batch(1), NOW_MS)
    assert store.write(batch(1, epoch=8), NOW_MS).new == 1
    assert sequences(sql) == [1, 1]


def test_marks_move_forward_only(store: Store, sql: dict[str, Any]) -> None:
    def mark() -> tuple[Any, ...]:
        return query(sql, "SELECT epoch, sequence FROM source")[0]

    store.write(batch(2**31 - 1), NOW_MS)
    store.write(batch(2**31 - 5), NOW_MS)
    assert mark() == (7, 2**31 - 1)
    store.write(batch(3), NOW_MS)
    assert mark() == (7, 3)
    store.write(batch(1, epoch=8), NOW_MS)
    assert mark() == (8, 1)


def test_two_collectors_store_each_reading_once(sql: dict[str, Any]) -> None:
    with opened(sql) as one, opened(sql) as other:
        upward = [batch(*range(n, n + 50)) for n in range(0, 1000, 25)]
        downward = [batch(*reversed(range(n, n + 50))) for n in range(0, 1000, 25)]
        stored = list[Stored]()

        def collect(store: Store, batches: list[Batch]) -> None:
            stored.extend(store.write(each, NOW_MS) for each in batches)

        threads = [
            threading.Thread(target=collect, args=(one, upward)),
            threading.Thread(target=collect, args=(other, downward)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
    assert sequences(sql) == list(range(1025))
    assert sum(each.new for each in stored) == 1025


def test_what_postgresql_refuses_costs_that_reading(store: Store, sql: dict[str, Any]) -> None:
    query(sql, "ALTER TABLE reading ADD CHECK (value_text <> 'unwelcome')")
    good, bad = batch(*range(10), value="fine"), batch(10, value="unwelcome")
    good.data += bad.data + batch(11, value="fine").data
    good.rows += 2
    assert store.write(good, NOW_MS) == Stored(11, 0, 1)
    assert sequences(sql) == [*range(10), 11]


def test_months_are_made_ahead_and_as_needed(store: Store, sql: dict[str, Any]) -> None:
    partitions = (
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'reading'::regclass ORDER BY 1"
    )
    start = ["reading_2026_11", "reading_2026_12", "reading_other"]
    assert [name for (name,) in query(sql, partitions)] == start
    store.write(batch(1, at_ms=ms(2007, 2, 1)), NOW_MS)
    assert ("reading_2007_02",) in query(sql, partitions)
    store.write(batch(2), ms(2026, 12, 1))
    assert ("reading_2027_01",) in query(sql, partitions)
    assert sequences(sql, "reading_2007_02") == [1]
    assert sequences(sql, "reading_2026_11") == [2]


@pytest.mark.parametrize(
    "when", [ms(1970, 1, 1), ms(1999, 12, 31), ms(2027, 5, 5), ms(9999, 12, 30)]
)
def test_times_far_away_are_kept(store: Store, sql: dict[str, Any], when: int) -> None:
    assert store.write(batch(1, at_ms=when), NOW_MS).new == 1
    assert sequences(sql, "reading_other") == [1]
    assert len(query(sql, "SELECT 1 FROM reading")) == 1


def test_a_future_that_comes_moves_into_its_month(store: Store, sql: dict[str, Any]) -> None:
    store.write(batch(1, 2, at_ms=ms(2027, 5, 5)), NOW_MS)
    with opened(sql, ms(2027, 4, 30)):
        assert sequences(sql, "reading_2027_05") == [1, 2]
    assert sequences(sql, "reading_other") == []
    assert store.write(batch(1, at_ms=ms(2027, 5, 5)), NOW_MS) == Stored(0, 1, 0)


def test_many_may_make_the_schema_at_once(sql: dict[str, Any]) -> None:
    failures = list[Exception]()

    def start() -> None:
        try:
            with opened(sql):
                pass
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
    assert not failures
    assert query(sql, "SELECT version FROM jph_schema") == [(1,)]


def test_a_newer_schema_is_left_alone(store: Store, sql: dict[str, Any]) -> None:
    newer = len(schema.MIGRATIONS) + 1
    query(sql, f"INSERT INTO jph_schema (version) VALUES ({newer})")
    with pytest.raises(StoreError, match=f"schema {newer}.+update this program"):
        store.open(dsn(sql), NOW_MS)


def test_a_lost_connection_is_told_and_made_anew(store: Store, sql: dict[str, Any]) -> None:
    query(
        sql,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE application_name = 'jph Q1' AND datname = '{sql['Database']}'",
    )
    with pytest.raises(StoreError, match="PostgreSQL: "):
        store.write(batch(1), NOW_MS)
    with pytest.raises(StoreError, match="not connected"):
        store.write(batch(1), NOW_MS)
    store.open(dsn(sql), NOW_MS)
    assert store.write(batch(1), NOW_MS).new == 1


def test_who_may_not_come_in_is_told(sql: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=r"PostgreSQL: .+stranger"):
        Store("Q1").open(f"host={sql['Host']} user=stranger dbname={sql['Database']}", NOW_MS)


def test_a_batch_is_stored_with_its_mark_or_not_at_all(store: Store, sql: dict[str, Any]) -> None:
    query(sql, "ALTER TABLE source RENAME TO elsewhere")
    with pytest.raises(StoreError):
        store.write(batch(1), NOW_MS)
    assert sequences(sql) == []
    query(sql, "ALTER TABLE elsewhere RENAME TO source")
    store.open(dsn(sql), NOW_MS)
    assert store.write(batch(1), NOW_MS).new == 1
