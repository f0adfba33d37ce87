import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg2.extensions
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.rows import BATCH_ROWS, DAY_MS, LAST_MS, Batch, Buffer, Mark, months
from collector.schema import migrate
from collector.store import _copy
from jph.wire import Quality, Reading, Value
from tests.stores_fixtures import connect


def reading(value: Value, flag: str = "d", **fields: Any) -> Reading:
    plain = Reading(1, 7, 1_795_147_435_683, flag, "TI", "@@", 1, Quality.GOOD, value)
    return plain._replace(**fields)


def batch_of(*readings: Reading) -> Batch:
    batch = Batch()
    for each in readings:
        batch.add(each)
    return batch


@pytest.fixture
def history(sql: dict[str, Any]) -> Iterator["psycopg2.extensions.connection"]:
    with contextlib.closing(connect(sql)) as connection:
        migrate(connection)
        yield connection


COLUMNS = (
    "codifier, extract(epoch FROM timestamp) * 1000, epoch, sequence, quality, "
    "value_real, value_integer, value_text, value_json::text"
)


def read_back(connection: "psycopg2.extensions.connection", batch: Batch) -> list[tuple[Any, ...]]:
    """Copy a batch into a table of its own, in its own order, and read that."""
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS copied")
        cursor.execute("CREATE TEMPORARY TABLE copied (LIKE reading, number serial)")
        assert _copy(cursor, "copied", batch) == batch.rows
        cursor.execute(f"SELECT {COLUMNS} FROM copied ORDER BY number")
        return cursor.fetchall()


def expected(sent: Reading) -> tuple[Any, ...]:
    start = (sent.source, sent.timestamp_ms, sent.epoch, sent.sequence)
    quality, value = int(sent.quality), sent.value
    if isinstance(value, float):
        return (*start, quality, value, None, None, None)
    if isinstance(value, int):
        return (*start, quality, None, value, None, None)
    if sent.flag == "j":
        with contextlib.suppress(msgspec.DecodeError):
            msgspec.json.decode(value)
            return (*start, quality, None, None, None, value)
    if sent.flag == "j" or "\0" in value:
        quality = Quality.IMPLAUSIBLE
    return (*start, quality, None, None, value.replace("\0", "\u2400"), None)


text = st.text(st.characters(codec="utf-8"))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text,
    lambda inner: st.lists(inner) | st.dictionaries(text, inner),
    max_leaves=8,
)
values = st.one_of(
    st.tuples(st.just("i"), st.integers(0, 2**32 - 1)),
    st.tuples(st.just("q"), st.integers(-(2**63), 2**63 - 1)),
    st.tuples(st.just("d"), st.floats(allow_nan=False)),
    st.tuples(st.just("f"), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just("s"), text | st.sampled_from(["\\.", "\\N", "\t\r\n", "''", "\\x00", "\0"])),
    st.tuples(st.just("j"), json_values.map(json.dumps) | text | st.just('{"value": NaN}')),
)
readings = st.builds(
    lambda value, **fields: reading(value[1], value[0], **fields),
    values,
    source=st.sampled_from(["TI", "00", "ZZ"]),
    sequence=st.integers(0, 2**31 - 1),
    epoch=st.integers(0, 2**32 - 1),
    timestamp_ms=st.integers(0, LAST_MS),
    quality=st.integers(0, 255),
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(readings, max_size=20))
def test_postgresql_reads_what_was_sent(
    history: "psycopg2.extensions.connection", sent: list[Reading]
) -> None:
    assert read_back(history, batch_of(*sent)) == [expected(each) for each in sent]


def test_what_is_no_number_is_kept(history: "psycopg2.extensions.connection") -> None:
    sent = [reading(float(word)) for word in ("nan", "inf", "-inf", "-0.0")]
    found = [row[5] for row in read_back(history, batch_of(*sent))]
    assert list(map(str, found)) == ["nan", "inf", "-inf", "-0.0"]


def test_halves_are_whole_rows(history: "psycopg2.extensions.connection") -> None:
    sent = [reading("text" * n, "s", sequence=n) for n in range(5)]
    first, second = batch_of(*sent).halves()
    assert (first.rows, second.rows) == (2, 3)
    rows = read_back(history, first) + read_back(history, second)
    assert [row[3] for row in rows] == [0, 1, 2, 3, 4]
    assert (first.marks, second.marks) == ({}, {"TI": Mark(7, 4, sent[4].timestamp_ms)})


def test_a_mark_is_the_newest_of_the_newest_epoch() -> None:
    batch = batch_of(*(reading(1, sequence=n) for n in (2**31 - 1, 0, 2**31 - 2)))
    assert batch.marks["TI"].sequence == 0
    batch.add(reading(1, sequence=9, epoch=8))
    assert batch.marks["TI"][:2] == (8, 9)


def test_full_batches_are_closed() -> None:
    buffer = Buffer(2**20)
    buffer.add(reading(1.0, sequence=n) for n in range(BATCH_ROWS + 1))
    assert buffer.full_batch
    first, second = buffer.take(), buffer.take()
    assert first is not None
    assert second is not None
    assert (first.rows, second.rows) == (BATCH_ROWS, 1)
    assert buffer.take() is None


def test_announcements_are_no_readings() -> None:
    buffer = Buffer(2**20)
    buffer.add([reading(5, "n")])
    assert (buffer.rows, buffer.take()) == (0, None)


def test_a_batch_that_was_put_back_comes_first_and_grows_no_more() -> None:
    buffer = Buffer(2**20)
    buffer.add([reading(1, sequence=1)])
    batch = buffer.take()
    assert batch is not None
    buffer.put_back(batch)
    buffer.add([reading(1, sequence=2)])
    assert buffer.take() is batch
    assert batch.rows == 1
    assert buffer.rows == 1


def test_a_full_buffer_drops_the_oldest() -> None:
    row = len(batch_of(reading(1.0)).data)
    buffer = Buffer(row * BATCH_ROWS * 2)
    buffer.add(reading(1.0, sequence=n) for n in range(BATCH_ROWS * 3))
    assert (buffer.dropped, buffer.rows) == (BATCH_ROWS, 2 * BATCH_ROWS)
    oldest = buffer.take()
    assert oldest is not None
    assert oldest.marks["TI"].sequence == 2 * BATCH_ROWS - 1


def test_times_nobody_could_read_are_refused() -> None:
    buffer = Buffer(2**20)
    buffer.add([reading(1, timestamp_ms=LAST_MS + 1), reading(1, timestamp_ms=2**64 - 1)])
    assert (buffer.rows, buffer.refused) == (0, 2)


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))
def test_days_have_months(when: datetime) -> None:
    day = (when.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(days=1)
    assert day == int(when.replace(tzinfo=UTC).timestamp() * 1000) // DAY_MS
    assert [*months([day])] == [when.year * 12 + when.month - 1]
