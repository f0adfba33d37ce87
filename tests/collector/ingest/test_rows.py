import contextlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg2.extensions
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.db.schema import migrate
from collector.db.tables import LARGEST
from collector.ingest.rows import DAY_MS, LAST_MS, months, storable
from collector.ingest.runs import MixedReadings, announcements
from collector.ingest.writer import _copy
from jph.wire.codec import Quality, Reading, Value, encode_data
from jph.wire.columns import Readings, decode_readings
from tests.stores_fixtures import connect
from tests.support import fail


def reading(value: Value, flag: str = "d", **fields: Any) -> Reading:
    plain = Reading(1, 7, 1_795_147_435_683, flag, "TI", "@@", 1, Quality.GOOD, value)
    return plain._replace(**fields)


@pytest.fixture
def history(sql: dict[str, Any]) -> Iterator["psycopg2.extensions.connection"]:
    with contextlib.closing(connect(sql)) as connection:
        migrate(connection)
        yield connection


COLUMNS = (
    "codifier, extract(epoch FROM timestamp) * 1000, epoch, sequence, quality, "
    "value_real, value_integer, value_text, value_json::text"
)


def read_back(
    connection: "psycopg2.extensions.connection", sent: Sequence[Reading]
) -> list[tuple[Any, ...]]:
    """Copy readings into a table of its own, and read that: numbers come first."""
    with connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS copied")
        cursor.execute("CREATE TEMPORARY TABLE copied (LIKE reading, number serial)")
        assert _copy(cursor, "copied", sent) == len(sent) - announcements(sent)
        cursor.execute(f"SELECT {COLUMNS} FROM copied ORDER BY number")
        return cursor.fetchall()


def expected(sent: Reading) -> tuple[Any, ...]:
    start = (sent.source, sent.timestamp_ms, sent.epoch, sent.sequence)
    quality, value = int(sent.quality), sent.value
    if isinstance(value, float):
        quality = quality if abs(value) < LARGEST else int(Quality.IMPLAUSIBLE)
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
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(readings, max_size=20))
def test_postgresql_reads_what_was_sent(
    history: "psycopg2.extensions.connection", sent: list[Reading]
) -> None:
    assert Counter(read_back(history, sent)) == Counter(map(expected, sent))


@pytest.mark.parametrize("flag", ["i", "q", "f", "d"])
def test_runs_are_rows_like_any(history: "psycopg2.extensions.connection", flag: str) -> None:
    sent = [
        reading(n * (1 if flag in "iq" else 0.5), flag, sequence=n, timestamp_ms=n * n, quality=9)
        for n in range(300)
    ]
    run = decode_readings(b"".join(map(encode_data, sent)), len(encode_data(sent[0])), fail)
    assert isinstance(run, Readings)
    parts = MixedReadings()
    for each in ([reading("a", "s")], run, [reading(1, "n"), reading(2.5)]):
        parts.add(each)
    found = [expected(each) for each in (*sent, reading(2.5), reading("a", "s"))]
    assert Counter(read_back(history, parts)) == Counter(found)


def test_what_is_no_number_is_kept(history: "psycopg2.extensions.connection") -> None:
    sent = [reading(float(word)) for word in ("nan", "inf", "-inf", "-0.0")]
    found = [row[5] for row in read_back(history, sent)]
    assert list(map(str, found)) == ["nan", "inf", "-inf", "-0.0"]


def test_an_extreme_number_is_stored_as_implausible(
    history: "psycopg2.extensions.connection",
) -> None:
    sent = [
        reading(value) for value in (1e308, -1e308, math.nan, math.inf, LARGEST, 1e101, -5e-324)
    ]
    rows = read_back(history, sent)
    assert [row[4] for row in rows] == [2, 2, 2, 2, 2, 0, 0]
    assert [str(row[5]) for row in rows] == [str(each.value) for each in sent]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (reading(1.5), True),
        (reading(5, "n"), False),
        (reading(1.5, timestamp_ms=LAST_MS), True),
        (reading(1.5, timestamp_ms=LAST_MS + 1), False),
        (reading(1.5, timestamp_ms=2**64 - 1), False),
    ],
)
def test_only_readings_with_a_time_that_can_be_read_are_rows(sent: Reading, expected: bool) -> None:
    assert storable(sent) is expected


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31)))
def test_days_have_months(when: datetime) -> None:
    day = (when.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(days=1)
    assert day == int(when.replace(tzinfo=UTC).timestamp() * 1000) // DAY_MS
    assert [*months([day])] == [when.year * 12 + when.month - 1]
