"""Reads and writes the accounts of the ledger, in the transaction of the readings.

A transaction locks its accounts, always in the same order, before it writes anything: two
collectors take turns source by source and never contradict each other.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from collector.db.tables import LATE_LOCK, lock_statement
from collector.ingest.ledger import (
    GapRow,
    Key,
    Positions,
    ReadingRun,
    Settlement,
    SourceAccount,
    positions_to_check,
    settle,
)
from collector.ingest.rows import LAST_MS
from jph.retransmit import Cause, Gap
from jph.retransmit.gaps import IntervalSet

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_KEYS: Final = "unnest(%s::text[], %s::bigint[]) AS wanted (codifier, epoch)"
_OPEN: Final = f"""
    INSERT INTO source (codifier, epoch) SELECT codifier, epoch FROM {_KEYS}
    ORDER BY codifier, epoch ON CONFLICT DO NOTHING
"""
_FIELDS: Final = (
    "codifier, epoch, first, last, (extract(epoch FROM timestamp) * 1000)::bigint, missing::text"
)
_LOCK: Final = f"""
    SELECT {_FIELDS} FROM source JOIN {_KEYS} USING (codifier, epoch)
    ORDER BY codifier, epoch FOR UPDATE OF source
"""
_WRITE: Final = """
    UPDATE source SET first = new.first, last = new.last, missing = new.missing::int8multirange,
        timestamp = to_timestamp(new.ms / 1000.0)
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
        AS new (codifier, epoch, first, last, ms, missing)
    WHERE source.codifier = new.codifier AND source.epoch = new.epoch
"""
_GAPS: Final = """
    SELECT id, first, first + messages,
        (extract(epoch FROM from_time) * 1000)::bigint,
        (extract(epoch FROM to_time) * 1000)::bigint, cause
    FROM gap WHERE codifier = %s AND epoch = %s AND first < %s AND first + messages > %s
"""
_RESTORED: Final = """
    SELECT codifier, epoch, first, first + messages FROM gap
    WHERE cause = %s AND messages IS NOT NULL
"""
_NEW_GAPS: Final = """
    unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
        %s::text[]) AS new (codifier, epoch, first, messages, from_ms, to_ms, cause)
"""
_LOSE: Final = f"""
    INSERT INTO gap (codifier, epoch, first, messages, from_time, to_time, cause)
    SELECT codifier, epoch, first, messages, to_timestamp(from_ms / 1000.0),
        to_timestamp(to_ms / 1000.0), cause
    FROM {_NEW_GAPS}
    RETURNING codifier, from_time, to_time
"""
# Each collector reports these again, at each start.
_LOSE_UNCOUNTED: Final = f"""
    INSERT INTO gap (codifier, epoch, first, from_time, to_time, cause)
    SELECT DISTINCT ON (codifier, epoch, cause) codifier, epoch, first,
        to_timestamp(from_ms / 1000.0), to_timestamp(to_ms / 1000.0), cause
    FROM {_NEW_GAPS}
    WHERE NOT EXISTS (SELECT FROM gap WHERE gap.codifier = new.codifier AND gap.epoch = new.epoch
        AND gap.messages IS NULL AND gap.cause = new.cause)
    RETURNING codifier, from_time, to_time
"""
_HEAL: Final = "DELETE FROM gap WHERE id = ANY(%s) RETURNING codifier, from_time, to_time"
# Times up to which nothing is computed yet are touched when they are over.
_TOUCH: Final = """
    INSERT INTO touched (codifier, from_time, to_time)
    SELECT codifier, from_time, to_time
    FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[])
        AS changed (codifier, from_time, to_time), statistics_until
    WHERE from_time <= statistics_until.timestamp
"""


def settle_all(
    cursor: "cursor",
    heard: Mapping[Key, Sequence[ReadingRun]],
    gaps: Mapping[Key, Sequence[Gap]],
) -> dict[Key, Settlement]:
    """Lock the accounts of all sources in a batch, and settle them."""
    keys = sorted({*heard, *gaps})
    columns = [source for source, _ in keys], [epoch for _, epoch in keys]
    cursor.execute(_LOCK, columns)
    accounts = dict(map(_account, cursor.fetchall()))
    if len(accounts) < len(keys):
        cursor.execute(_OPEN, columns)
        cursor.execute(_LOCK, columns)
        accounts = dict(map(_account, cursor.fetchall()))
    settled = {}
    for key in keys:
        account, came, given_up = accounts[key], heard.get(key, ()), gaps.get(key, ())
        recorded = _recorded(cursor, key, positions_to_check(key, account, came, given_up))
        settled[key] = settle(key, account, came, given_up, recorded)
    return settled


def write_accounts(cursor: "cursor", settled: Mapping[Key, Settlement]) -> None:
    """Write settled accounts and gaps."""
    rows = [
        (*key, new.first, new.last, _time(new.timestamp_ms), _multirange(new.missing))
        for key, (new, old, *_) in settled.items()
        if new is not None and new != old
    ]
    if rows:
        cursor.execute(_WRITE, tuple(map(list, zip(*rows, strict=True))))
    healed = [row for settlement in settled.values() for row in settlement.healed]
    if healed:
        cursor.execute(_HEAL, (healed,))
        _touch(cursor, cursor.fetchall())
    lost = [
        (*key, gap.first, gap.stop - gap.first, _time(gap.from_ms), _time(gap.to_ms), gap.cause)
        for key, settlement in settled.items()
        for gap in settlement.lost
    ]
    for statement, rows_of_gaps in (
        (_LOSE, [row for row in lost if row[3]]),
        (_LOSE_UNCOUNTED, [row for row in lost if not row[3]]),
    ):
        if rows_of_gaps:
            cursor.execute(statement, tuple(map(list, zip(*rows_of_gaps, strict=True))))
            _touch(cursor, cursor.fetchall())


def _touch(cursor: "cursor", gaps: Iterable[tuple[str, object, object]]) -> None:
    """Note the times of changed gaps: the coverage of their buckets is computed again."""
    known = [gap for gap in gaps if gap[1] is not None and gap[2] is not None]
    if known:
        cursor.execute(lock_statement(LATE_LOCK, shared=True))
        cursor.execute(_TOUCH, tuple(map(list, zip(*known, strict=True))))


def read_accounts(cursor: "cursor") -> dict[Key, SourceAccount]:
    """Return every account; gaps of a restored backup count as missing, to be requested again."""
    cursor.execute(f"SELECT {_FIELDS} FROM source WHERE last IS NOT NULL")
    found = map(_account, cursor.fetchall())
    accounts = {key: account for key, account in found if account is not None}
    cursor.execute(_RESTORED, (Cause.RESTORED,))
    for codifier, epoch, first, stop in cursor.fetchall():
        if account := accounts.get((codifier, epoch)):
            missing = tuple(IntervalSet([*account.missing, (first, stop)]))
            accounts[codifier, epoch] = account._replace(missing=missing)
    return accounts


def _account(
    row: tuple[str, int, int | None, int | None, int | None, str],
) -> tuple[Key, SourceAccount | None]:
    codifier, epoch, first, last, timestamp_ms, missing = row
    if first is None or last is None:
        return (codifier, epoch), None
    return (codifier, epoch), SourceAccount(first, last, timestamp_ms, _ranges(missing))


def _time(ms: int | None) -> int | None:
    """Return a time within the range of `timestamptz` and its readers."""
    return None if ms is None else min(ms, LAST_MS)


def _recorded(cursor: "cursor", key: Key, parts: Positions) -> list[GapRow]:
    """Return the recorded gaps that overlap `parts`."""
    if not parts:
        return []
    cursor.execute(_GAPS, (*key, parts[-1][1], parts[0][0]))
    return [
        GapRow(first, stop, from_ms, to_ms, cause, row)
        for row, first, stop, from_ms, to_ms, cause in cursor.fetchall()
    ]


def _ranges(text: str) -> Positions:
    """Read PostgreSQL's text of an int8multirange: `{[1,3),[7,9)}`."""
    if text == "{}":
        return ()
    numbers: Iterable[int] = map(int, re.findall(r"-?\d+", text))
    each = iter(numbers)
    return tuple(zip(each, each, strict=True))


def _multirange(parts: Positions) -> str:
    return "{" + ",".join(f"[{start},{stop})" for start, stop in parts) + "}"
