import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from collector.db import schema
from collector.ingest.buffer import Batch
from collector.ingest.ledger import SourceAccount
from collector.ingest.rows import LAST_MS
from collector.ingest.writer import Store, Stored
from jph.errors import StoreError
from jph.retransmit import Cause, Gap
from jph.wire.codec import Quality, Reading, Value
from tests.stores_fixtures import connect
from tests.support import LIMIT_S


def ms(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp() * 1000)  # type: ignore[misc,arg-type]


NOW_MS = ms(2026, 11, 20)


def batch(
    *sequences: int, value: Value = 1.5, at_ms: int = NOW_MS, epoch: int = 7, source: str = "TI"
) -> Batch:
    flag = "d" if isinstance(value, float) else "s"
    return Batch(
        [
            Reading(n, epoch, at_ms + n, flag, source, "@@", 1, Quality.GOOD, value)
            for n in sequences
        ]
    )


def lost(first: int, count: int, cause: Cause = Cause.GONE, epoch: int = 7) -> Batch:
    return Batch([], [Gap("TI", epoch, first, count, cause, NOW_MS, NOW_MS + 1)])


def write(store: Store, batch: Batch, now_ms: int = NOW_MS) -> Stored:
    return store.write(batch, now_ms).stored


def gaps(sql: dict[str, Any]) -> list[tuple[Any, ...]]:
    return query(sql, "SELECT first, messages, cause FROM gap ORDER BY first")


def missing(sql: dict[str, Any]) -> list[Any]:
    return [text for (text,) in query(sql, "SELECT missing::text FROM source ORDER BY epoch")]


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
    assert write(store, batch(1, 2)) == Stored(2, 0, 0)
    assert sequences(sql) == [1, 2]
    ((when,),) = query(sql, "SELECT timestamp FROM reading WHERE sequence = 2")
    assert when == datetime(2026, 11, 20, 0, 0, 0, 2000, tzinfo=UTC)
    assert store.accounts() == {("TI", 7): SourceAccount(1, 2, NOW_MS + 2, ())}


@pytest.mark.parametrize(("wanted", "used"), [("", "off"), ("on", "on"), ("local", "local")])
def test_how_commits_wait_for_the_disk_is_a_setting(
    sql: dict[str, Any], wanted: str, used: str
) -> None:
    """Without it, it is the server's own: the embedded one has it off."""
    with contextlib.closing(Store("Q1")) as store:
        store.open(dsn(sql), NOW_MS, wanted)
        query(
            sql,
            "CREATE TABLE seen (setting text);"
            "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "INSERT INTO seen VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;"
            "CREATE TRIGGER see AFTER INSERT ON reading EXECUTE FUNCTION see()",
        )
        write(store, batch(1))
    assert query(sql, "SELECT setting FROM seen") == [(used,)]


def test_readings_that_come_twice_are_stored_once(store: Store, sql: dict[str, Any]) -> None:
    write(store, batch(1, 2))
    assert write(store, batch(2, 3, 3)) == Stored(1, 2, 0)
    assert write(store, batch(4)) == Stored(1, 0, 0)
    assert sequences(sql) == [1, 2, 3, 4]


def test_a_source_that_started_anew_is_told_apart(store: Store, sql: dict[str, Any]) -> None:
    write(store, batch(1))
    assert write(store, batch(1, epoch=8)).new == 1
    assert sequences(sql) == [1, 1]


def test_what_is_left_out_is_missing_until_it_comes(store: Store, sql: dict[str, Any]) -> None:
    write(store, batch(2**31 - 5, 2**31 - 1))
    write(store, batch(3))
    assert missing(sql) == [
        "{[2147483644,2147483647),[2147483648,2147483651)}",
    ]
    assert store.accounts()["TI", 7].last == 2**31 + 3
    write(store, batch(1, 2**31 - 4, 2**31 - 3))
    assert missing(sql) == [
        "{[2147483646,2147483647),[2147483648,2147483649),[2147483650,2147483651)}"
    ]
    write(store, batch(1, epoch=8))
    assert missing(sql)[1] == "{}"


def test_what_is_lost_is_a_gap_until_it_comes_after_all(store: Store, sql: dict[str, Any]) -> None:
    write(store, batch(1, 9))
    write(store, lost(1, 8))
    assert gaps(sql) == [(2, 7, "gone")]
    assert missing(sql) == ["{}"]
    assert write(store, batch(1, 4)) == Stored(1, 1, 0)
    assert gaps(sql) == [(2, 2, "gone"), (5, 4, "gone")]
    assert sequences(sql) == [1, 4, 9]
    write(store, batch(2, 3, 5, 6, 7, 8))
    assert gaps(sql) == []


def test_a_gap_knows_between_which_times_it_is(store: Store, sql: dict[str, Any]) -> None:
    write(store, lost(5, 1, Cause.NETWORK))
    write(store, Batch([], [Gap("TI", 7, 6, 1, Cause.OVERFLOW, 0, 2**63)]))
    times = "SELECT cause, from_time, date_trunc('second', to_time)::text FROM gap ORDER BY first"
    start = datetime(2026, 11, 20, tzinfo=UTC)
    assert query(sql, times) == [
        ("network", start, "2026-11-20 00:00:00+00"),
        ("overflow", None, "9999-12-31 23:59:59+00"),
    ]


def test_a_loss_that_nobody_could_count_is_told_once(store: Store, sql: dict[str, Any]) -> None:
    write(store, batch(1, 4))
    for _ in range(2):
        write(store, lost(5, 0, Cause.SOURCE_GONE))
    assert gaps(sql) == [(5, None, "source gone")]


def test_gaps_that_adjoin_for_one_cause_are_one_row(store: Store, sql: dict[str, Any]) -> None:
    write(store, batch(1, 9))
    for first in (2, 6, 4):
        write(store, lost(first, 2))
    assert gaps(sql) == [(2, 6, "gone")]


def test_an_announcement_takes_a_sequence_but_is_no_reading(
    store: Store, sql: dict[str, Any]
) -> None:
    announcement = Reading(1, 7, NOW_MS, "n", "TI", "@@", 1, Quality.GOOD, 1)
    first = batch(2, 3)
    first.readings = [announcement, *first.readings]
    assert write(store, first) == Stored(2, 0, 0)
    assert store.accounts()["TI", 7] == SourceAccount(1, 3, NOW_MS + 3, ())
    assert sequences(sql) == [2, 3]


def test_an_original_program_that_starts_anew_misses_nothing(
    store: Store, sql: dict[str, Any]
) -> None:
    write(store, batch(5, 6, epoch=0))
    assert write(store, batch(6, 1000, epoch=0)) == Stored(1, 1, 0)
    write(store, batch(7, epoch=0))
    assert (sequences(sql), gaps(sql), missing(sql)) == ([5, 6, 7, 1000], [], ["{}"])


def test_two_collectors_do_not_contradict_each_other(sql: dict[str, Any]) -> None:
    with opened(sql) as one, opened(sql) as other:
        write(one, batch(1, 2, 5))
        write(other, batch(*range(1, 9)))
        write(one, lost(3, 4))  # one heard neither 3, 4 nor 6, and gave up; the other has them
        assert gaps(sql) == []
        write(one, lost(9, 3))
        write(other, batch(10))
        assert gaps(sql) == [(9, 1, "gone"), (11, 1, "gone")]
        write(one, batch(8, 10, 12))
    assert sequences(sql) == [*range(1, 9), 10, 12]
    assert missing(sql) == ["{}"]


def test_what_an_older_schema_stored_is_not_stored_twice(sql: dict[str, Any]) -> None:
    query(sql, ";".join(schema.migrations()[0].statements))
    query(sql, "CREATE TABLE jph_schema (version integer, applied timestamptz DEFAULT now())")
    query(sql, "INSERT INTO jph_schema VALUES (1)")
    query(
        sql,
        "INSERT INTO reading (codifier, timestamp, epoch, sequence, quality, value_real) "
        f"SELECT 'TI', to_timestamp(({NOW_MS} + n) / 1000.0), 7, n, 0, 1.5 "
        "FROM generate_series(1, 5) n",
    )
    query(sql, f"INSERT INTO source VALUES ('TI', 7, 5, to_timestamp({NOW_MS + 5} / 1000.0))")
    with opened(sql) as store:
        assert write(store, batch(3, 4, 5, 6)) == Stored(1, 3, 0)
    assert sequences(sql) == [1, 2, 3, 4, 5, 6]


def test_a_commit_is_on_the_disk_some_time(store: Store) -> None:
    written = store.write(batch(1), NOW_MS)
    assert written.log > 0
    deadline_s = time.monotonic() + LIMIT_S
    while store.flushed() < written.log and time.monotonic() < deadline_s:
        store.write(batch(*range(2, 9)), NOW_MS)
    assert store.flushed() >= written.log


def test_a_commit_may_be_on_the_disk_at_once(store: Store) -> None:
    for number in range(0, 10, 2):
        before = store.write(batch(number), NOW_MS)
        assert store.write(batch(number + 1), NOW_MS, durable=True).flushed >= before.log


def test_two_collectors_store_each_reading_once(sql: dict[str, Any]) -> None:
    with opened(sql) as one, opened(sql) as other:
        upward = [batch(*range(n, n + 50)) for n in range(0, 1000, 25)]
        downward = [batch(*reversed(range(n, n + 50))) for n in range(0, 1000, 25)]
        stored = list[Stored]()

        def collect(store: Store, batches: list[Batch]) -> None:
            stored.extend(write(store, each) for each in batches)

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


def test_what_postgresql_refuses_is_a_gap(store: Store, sql: dict[str, Any]) -> None:
    query(sql, "ALTER TABLE reading ADD CHECK (value_text <> 'unwelcome')")
    mixed = batch(*range(10), value="fine")
    others = [batch(10, value="unwelcome"), batch(11, value="fine")]
    mixed.readings = [each for part in (mixed, *others) for each in part.readings]
    assert write(store, mixed) == Stored(11, 0, 1)
    assert sequences(sql) == [*range(10), 11]
    assert gaps(sql) == [(10, 1, "refused")]


def test_times_nobody_could_read_are_gaps(store: Store, sql: dict[str, Any]) -> None:
    late = batch(1, at_ms=LAST_MS), batch(2, at_ms=2**64 - 9), batch(3)
    announcement = Reading(4, 7, 2**64 - 1, "n", "TI", "@@", 1, Quality.GOOD, 4)
    whole = Batch([*(each.readings[0] for each in late), announcement])
    assert write(store, whole) == Stored(1, 0, 2)
    assert sequences(sql) == [3]
    assert gaps(sql) == [(1, 2, "refused")]


def test_months_are_made_ahead_and_as_needed(store: Store, sql: dict[str, Any]) -> None:
    partitions = (
        "SELECT inhrelid::regclass::text FROM pg_inherits "
        "WHERE inhparent = 'reading'::regclass ORDER BY 1"
    )
    start = ["reading_2026_11", "reading_2026_12", "reading_other"]
    assert [name for (name,) in query(sql, partitions)] == start
    write(store, batch(1, at_ms=ms(2007, 2, 1)))
    assert ("reading_2007_02",) in query(sql, partitions)
    write(store, batch(2), ms(2026, 12, 1))
    assert ("reading_2027_01",) in query(sql, partitions)
    assert sequences(sql, "reading_2007_02") == [1]
    assert sequences(sql, "reading_2026_11") == [2]


@pytest.mark.parametrize(
    "when", [ms(1970, 1, 1), ms(1999, 12, 31), ms(2027, 5, 5), ms(9999, 12, 30)]
)
def test_times_far_away_are_kept(store: Store, sql: dict[str, Any], when: int) -> None:
    assert write(store, batch(1, at_ms=when)).new == 1
    assert sequences(sql, "reading_other") == [1]
    assert len(query(sql, "SELECT 1 FROM reading")) == 1


def test_a_future_that_comes_moves_into_its_month(store: Store, sql: dict[str, Any]) -> None:
    write(store, batch(1, 2, at_ms=ms(2027, 5, 5)))
    with opened(sql, ms(2027, 4, 30)):
        assert sequences(sql, "reading_2027_05") == [1, 2]
    assert sequences(sql, "reading_other") == []
    assert write(store, batch(1, at_ms=ms(2027, 5, 5))) == Stored(0, 1, 0)


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
    assert query(sql, "SELECT max(version) FROM jph_schema") == [(schema.migrations()[-1].version,)]


def test_a_newer_schema_is_left_alone(store: Store, sql: dict[str, Any]) -> None:
    newer = schema.migrations()[-1].version + 1
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
        write(store, batch(1))
    with pytest.raises(StoreError, match="not connected"):
        write(store, batch(1))
    store.open(dsn(sql), NOW_MS)
    assert write(store, batch(1)).new == 1


def test_who_may_not_come_in_is_told(sql: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=r"PostgreSQL: .+stranger"):
        Store("Q1").open(f"host={sql['Host']} user=stranger dbname={sql['Database']}", NOW_MS)


def test_a_batch_is_stored_with_its_mark_or_not_at_all(store: Store, sql: dict[str, Any]) -> None:
    query(sql, "ALTER TABLE source RENAME TO elsewhere")
    with pytest.raises(StoreError):
        write(store, batch(1))
    assert sequences(sql) == []
    query(sql, "ALTER TABLE elsewhere RENAME TO source")
    store.open(dsn(sql), NOW_MS)
    assert write(store, batch(1)).new == 1
