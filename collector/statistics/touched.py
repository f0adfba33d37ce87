"""Notes the times whose statistics must be computed. Times are µs since 1970."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from collector.db.tables import LATE_LOCK, WIDTHS, lock_statement
from collector.statistics.buckets import SECOND_US, to_datetime

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

DEFAULT_HOLD_S: Final = 60.0
"""Time after which a value counts as late for codifiers outside the config."""
_FIRST: Final = "next_reading(%s, '-infinity', 'infinity')"
US: Final = "(extract(epoch FROM {}) * 1000000)::bigint"
"""A timestamptz in SQL as µs since 1970."""


def as_text(moment: int) -> str:
    """Return a moment as PostgreSQL reads it exactly."""
    return to_datetime(moment).isoformat()


def read_until(cursor: "cursor") -> int:
    """Return the time up to which buckets are computed."""
    cursor.execute(f"SELECT {US.format('timestamp')} FROM statistics_until")
    ((until,),) = cursor.fetchall()
    return int(until)


def move_until(cursor: "cursor", until: int) -> None:
    """Touch every bucket up to `until`, of every codifier.

    Waits for transactions that add readings: their readings are visible then, and those of later
    transactions for times up to `until` are late.
    """
    cursor.execute(lock_statement(LATE_LOCK))
    before = read_until(cursor)
    cursor.execute("UPDATE statistics_until SET timestamp = %s", (as_text(until),))
    if until > before:
        touch(cursor, [(None, before + 1, until)])


def touch(cursor: "cursor", pieces: Iterable[tuple[str | None, int, int]]) -> None:
    """Note codifiers (None: every one), first and last moments."""
    for codifier, first, last in pieces:
        cursor.execute(
            "INSERT INTO touched (codifier, from_time, to_time) VALUES (%s, %s, %s)",
            (codifier, as_text(first), as_text(last)),
        )


def touch_each_codifier(cursor: "cursor") -> None:
    """Replace notes for every codifier by notes for each one."""
    cursor.execute(
        "DELETE FROM touched WHERE codifier IS NULL "
        f"RETURNING {US.format('from_time')}, {US.format('to_time')}"
    )
    for first, last in cursor.fetchall():
        touch(cursor, [(code, first, last) for code in codifiers_between(cursor, first, last)])


def codifiers_between(cursor: "cursor", first: int, last: int) -> list[str]:
    """Return the codifiers that have readings in the months of these moments.

    Or two days before: a bucket that ends between these moments may have begun then.
    """
    since = _month(to_datetime(first) - timedelta(days=2))
    until = _month(_month(to_datetime(last)) + timedelta(days=32))
    return _codifiers(cursor, since.isoformat(), until.isoformat())


def all_codifiers(cursor: "cursor") -> list[str]:
    """Return the codifiers that have any reading."""
    return _codifiers(cursor, "-infinity", "infinity")


def _codifiers(cursor: "cursor", since: str, until: str) -> list[str]:
    cursor.execute("SELECT codifiers_between(%s, %s)", (since, until))
    return [codifier for (codifier,) in cursor.fetchall()]


def _month(moment: datetime) -> datetime:
    return moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def read_retired(cursor: "cursor") -> dict[str, int]:
    """Return the times up to which readings are no longer kept, by codifier."""
    cursor.execute(f"SELECT codifier, {US.format('timestamp')} FROM retired")
    return dict(cursor.fetchall())


def rebuild(cursor: "cursor", codifiers: Iterable[str]) -> dict[str, int]:
    """Delete the statistics of codifiers as far as their readings are kept, and touch them.

    Statistics of readings that are no longer kept stay: return up to which time, by codifier.
    """
    retired = read_retired(cursor)
    cursor.execute("SELECT codifier, max(seconds) FROM expected GROUP BY codifier")
    holds = dict(cursor.fetchall())
    stayed = {}
    cursor.execute(lock_statement(LATE_LOCK))
    until = read_until(cursor)
    for codifier in codifiers:
        cursor.execute(f"SELECT {US.format(_FIRST)}", (codifier,))
        ((first,),) = cursor.fetchall()
        if codifier in retired:
            stayed[codifier] = retired[codifier]
        if first is None:
            continue
        if codifier in retired:  # a bucket depends on the value before it
            hold_s = holds.get(codifier, DEFAULT_HOLD_S)
            first = max(first, retired[codifier] + round(hold_s * SECOND_US))
        for width, length in WIDTHS.items():
            cursor.execute(
                f"DELETE FROM statistic_{width} WHERE codifier = %s "
                "AND timestamp >= %s::timestamptz + %s::interval",
                (codifier, as_text(first), length),
            )
        touch(cursor, [(codifier, first, max(first, until))])
    return stayed
