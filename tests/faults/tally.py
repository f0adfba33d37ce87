"""Compares sent with stored readings, one by one."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2

from tests.faults.source import RECORD
from tests.stores_fixtures import connect

LIMIT = 2**31
Name = tuple[str, int, int]
"""Codifier, epoch, sequence."""


class Tally(NamedTuple):
    """Readings: sent, neither stored nor in a gap, stored more than once or with another value,
    in a gap, in a gap although stored; stored but never sent."""

    sent: int
    missing: int
    doubled: int
    wrong: int
    lost: int
    contradictory: int
    foreign: int

    @property
    def perfect(self) -> bool:
        """Whether every reading is stored once and nothing else is."""
        return not any(self[1:])

    @property
    def honest(self) -> bool:
        """Whether every reading is stored once or in a gap, and none in both."""
        return not any((*self[1:4], *self[5:]))


def sent(logs: Iterable[Path]) -> dict[Name, int]:
    """Return every reading of these logs: what it was called, and its value."""
    found = {}
    for log in logs:
        data = log.read_bytes()
        whole = len(data) - len(data) % RECORD.size
        for code, epoch, sequence, value in RECORD.iter_unpack(data[:whole]):
            if value >= 0:
                found[code.decode(), epoch, sequence] = value
    return found


def count(sql: dict[str, Any], codes: Iterable[str]) -> int:
    """Return how many readings of these codifiers are stored; 0 without PostgreSQL."""
    with contextlib.suppress(psycopg2.Error):
        ((rows,),) = _query(
            sql, "SELECT count(*) FROM reading WHERE codifier = ANY(%s)", list(codes)
        )
        return int(rows)
    return 0


def compare(sql: dict[str, Any], logs: Iterable[Path]) -> Tally:
    """Compare the database with what was sent."""
    expected = sent(logs)
    codes = sorted({code for code, _, _ in expected})
    rows = _query(
        sql,
        "SELECT codifier, epoch, sequence, value_integer FROM reading WHERE codifier = ANY(%s)",
        codes,
    )
    times = Counter(row[:3] for row in rows)
    values = {row[:3]: row[3] for row in rows}
    gaps = {
        (code, epoch, position % LIMIT)
        for code, epoch, first, messages in _query(
            sql,
            "SELECT codifier, epoch, first, messages FROM gap "
            "WHERE codifier = ANY(%s) AND messages IS NOT NULL",
            codes,
        )
        for position in range(first, first + messages)
    }
    return Tally(
        sent=len(expected),
        missing=sum(name not in times and name not in gaps for name in expected),
        doubled=sum(number > 1 for number in times.values()),
        wrong=sum(values.get(name, value) != value for name, value in expected.items()),
        lost=sum(name in gaps for name in expected),
        contradictory=sum(name in times for name in gaps),
        foreign=sum(name not in expected for name in times),
    )


def unaccounted(sql: dict[str, Any], logs: Iterable[Path]) -> list[Name]:
    """Return what was sent and is neither stored nor in a gap, of known or unknown size.

    A gap of unknown size stands for what its epoch sent after the last reading heard. An epoch that
    was never heard lies in the gap of unknown size of the epoch heard before it.
    """
    expected = sent(logs)
    codes = sorted({code for code, _, _ in expected})
    stored = set(
        _query(sql, "SELECT codifier, epoch, sequence FROM reading WHERE codifier = ANY(%s)", codes)
    )
    books = {
        (code, epoch): last
        for code, epoch, last in _query(sql, "SELECT codifier, epoch, last FROM source")
        if last is not None
    }
    unknown, counted = set(), set()
    for code, epoch, first, messages in _query(
        sql, "SELECT codifier, epoch, first, messages FROM gap WHERE codifier = ANY(%s)", codes
    ):
        if messages is None:
            unknown.add((code, epoch))
        else:
            places = range(first, first + messages)
            counted |= {(code, epoch, place % LIMIT) for place in places}
    missing, open_end = [], dict[str, bool]()
    for name in expected:  # in the order of sending
        code, epoch, sequence = name
        key = code, epoch
        heard = key in books
        if heard:
            open_end[code] = key in unknown
        if name in stored or name in counted:
            continue
        after = heard and (sequence - books[key] + LIMIT // 2) % LIMIT > LIMIT // 2
        if not ((after or not heard) and open_end.get(code, False)):
            missing.append(name)
    return missing


def explain(sql: dict[str, Any]) -> str:
    """Return what the books say, for a test that fails."""
    books = _query(sql, "SELECT codifier, epoch, first, last, missing::text FROM source ORDER BY 1")
    gaps = _query(sql, "SELECT codifier, cause, count(*), sum(messages) FROM gap GROUP BY 1, 2")
    return "\n".join(str(row)[:500] for row in (*books, *gaps))


def settled(sql: dict[str, Any], logs: list[Path], limit_s: float) -> Tally:
    """Wait until every reading is stored or in a gap; return the tally, good or not."""
    expected = sent(logs)
    codes = {code for code, _, _ in expected}
    deadline_s = time.monotonic() + limit_s
    while True:
        tally = None
        if count(sql, codes) + _lost(sql, codes) >= len(expected):
            tally = compare(sql, logs)
            if not tally.missing:
                return tally
        if time.monotonic() > deadline_s:
            return tally or compare(sql, logs)
        time.sleep(0.1)


def wait_for(condition: Callable[..., object], limit_s: float, what: str) -> None:
    """Wait until `condition` holds; fail after `limit_s`."""
    deadline_s = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{what}: not within {limit_s:g} s")
        time.sleep(0.02)


def _lost(sql: dict[str, Any], codes: Iterable[str]) -> int:
    with contextlib.suppress(psycopg2.Error):
        ((messages,),) = _query(
            sql, "SELECT coalesce(sum(messages), 0) FROM gap WHERE codifier = ANY(%s)", list(codes)
        )
        return int(messages)
    return 0


def _query(sql: dict[str, Any], statement: str, *arguments: Any) -> list[Any]:
    with contextlib.closing(connect(sql)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        return cursor.fetchall()
