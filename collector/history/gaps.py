"""The table of gaps, read: what is lost for good, and what is still asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_CONNECT_TIMEOUT_S: Final = 5
_GAPS: Final = """
    SELECT codifier, epoch, first, messages, from_time, to_time, cause, noticed FROM gap
    WHERE (%(codifier)s IS NULL OR codifier = %(codifier)s)
        AND (%(since)s IS NULL OR coalesce(to_time, noticed) >= %(since)s)
    ORDER BY coalesce(from_time, to_time, noticed) DESC, codifier DESC, first DESC
    LIMIT %(newest)s
"""
_ASKED: Final = """
    SELECT codifier, sum(upper(part) - lower(part))::bigint FROM source, unnest(missing) part
    WHERE (%(codifier)s IS NULL OR codifier = %(codifier)s)
    GROUP BY codifier ORDER BY codifier
"""


class RecordedGap(NamedTuple):
    """A run of readings that are lost; None where it is not known."""

    codifier: str
    epoch: int
    first: int
    messages: int | None
    from_time: datetime | None
    to_time: datetime | None
    cause: str
    noticed: datetime


class Gaps(NamedTuple):
    """What is lost, oldest first, and how many readings are still asked for, by codifier."""

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
        StoreError: PostgreSQL is away, or no collector has been there.
    """
    wanted = {"codifier": codifier, "since": since, "newest": newest}
    with _cursor(dsn) as cursor:
        cursor.execute(_GAPS, wanted)
        recorded = [RecordedGap(*row) for row in reversed(cursor.fetchall())]
        cursor.execute(_ASKED, wanted)
        return Gaps(recorded, dict(cursor.fetchall()))


@contextmanager
def _cursor(dsn: str) -> "Iterator[cursor]":
    import psycopg2

    try:
        connection = psycopg2.connect(
            dsn,
            application_name="jph gaps",
            connect_timeout=_CONNECT_TIMEOUT_S,
            options="-c default_transaction_read_only=on",
        )
    except psycopg2.Error as error:
        raise StoreError(f"PostgreSQL: {' '.join(str(error).split())}") from error
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except psycopg2.errors.UndefinedTable as error:
        raise StoreError("no collector has stored anything in this database yet") from error
    except psycopg2.Error as error:
        raise StoreError(f"PostgreSQL: {' '.join(str(error).split())}") from error
    finally:
        connection.close()
