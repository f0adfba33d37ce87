"""Reads the table of gaps: readings that are lost, and readings that are still requested."""

from contextlib import closing
from datetime import datetime
from typing import Final, NamedTuple

from collector.db.connecting import connect, transaction

BEGAN: Final = "coalesce(from_time, to_time, noticed)"
"""A time before which a gap has no reading."""
LATEST: Final = "coalesce(to_time, noticed)"
"""A time after which a gap has no reading, without a look at the readings."""
ENDED: Final = """coalesce(to_time, next_reading(gap.codifier, from_time, noticed), noticed)"""
"""The same, exactly: a gap whose end was not heard lasts until the next reading."""
_GAPS: Final = f"""
    SELECT codifier, epoch, first, messages, from_time,
        coalesce(to_time, next_reading(codifier, from_time, noticed)), cause, noticed
    FROM gap
    WHERE (%(codifier)s IS NULL OR codifier = %(codifier)s)
        AND (%(since)s IS NULL OR {LATEST} >= %(since)s)
    ORDER BY {BEGAN} DESC, codifier DESC, first DESC
    LIMIT %(newest)s
"""
_REQUESTED: Final = """
    SELECT codifier, sum(upper(part) - lower(part))::bigint FROM source, unnest(missing) part
    WHERE (%(codifier)s IS NULL OR codifier = %(codifier)s)
    GROUP BY codifier ORDER BY codifier
"""


class RecordedGap(NamedTuple):
    """A run of lost readings; None where a fact is not known."""

    codifier: str
    epoch: int
    first: int
    messages: int | None
    from_time: datetime | None
    to_time: datetime | None
    cause: str
    noticed: datetime


class Gaps(NamedTuple):
    """Lost readings, oldest first, and the number still requested, by codifier."""

    recorded: list[RecordedGap]
    asked: dict[str, int]


def read_gaps(
    dsn: str,
    codifier: str | None = None,
    since: datetime | None = None,
    *,
    newest: int | None = None,
) -> Gaps:
    """Return the gaps of a codifier, or of all, that reach beyond `since`; at most the `newest`.

    Raises:
        StoreError: PostgreSQL is away, or holds no history.
    """
    wanted = {"codifier": codifier, "since": since, "newest": newest}
    with (
        closing(connect(dsn, "gaps", read_only=True)) as connection,
        transaction(connection) as cursor,
    ):
        cursor.execute(_GAPS, wanted)
        recorded = [RecordedGap(*row) for row in reversed(cursor.fetchall())]
        cursor.execute(_REQUESTED, wanted)
        return Gaps(recorded, dict(cursor.fetchall()))
