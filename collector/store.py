"""Batches into PostgreSQL, each once: the only module of the collector that speaks SQL to write.

A batch and the marks of its sources are one transaction. It is copied straight into the table; if
PostgreSQL then finds a reading that it has already (a commit whose answer was lost, a second
collector), the batch is copied into a table of its own first and what is new is taken from there.
"""

import io
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.rows import COLUMNS, DAY_MS, HEADER, TRAILER, Batch, months
from collector.schema import FIRST_MONTH, create_months, migrate
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

_CONNECT_TIMEOUT_S: Final = 5
_STATEMENT_TIMEOUT_MS: Final = 60_000
_CAREFUL_BATCHES: Final = 100
"""After a reading came twice, as many batches go the safe way at once: where one is, more are."""
_CHUNK: Final = 2**18
_COLUMNS: Final = ", ".join(COLUMNS)
_INSERT: Final = f"""
    INSERT INTO reading ({_COLUMNS}) SELECT {_COLUMNS} FROM incoming
    ORDER BY codifier, timestamp, epoch, sequence  -- one order for all: no deadlocks
    ON CONFLICT DO NOTHING
"""
# A mark moves forward only, by sequence within an epoch (see collector.rows.Batch.add): another
# collector may have stored more. Sorted, again against deadlocks.
_MARK: Final = f"""
    INSERT INTO source AS known (codifier, epoch, sequence, timestamp)
    SELECT codifier, epoch, sequence, to_timestamp(ms / 1000.0)
    FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[])
        AS new (codifier, epoch, sequence, ms) ORDER BY codifier
    ON CONFLICT (codifier) DO UPDATE
    SET epoch = excluded.epoch, sequence = excluded.sequence, timestamp = excluded.timestamp
    WHERE known.epoch <> excluded.epoch
        OR ((excluded.sequence - known.sequence) & {2**31 - 1}) < {2**30}
"""


class Stored(NamedTuple):
    """What became of a batch: readings that are new in the table, there already, or refused."""

    new: int
    known: int
    refused: int


class _Refused(Exception):
    """PostgreSQL will not take something in this batch, however often it is asked."""


class Store:
    """One connection to the history. Every method blocks: call them in a thread."""

    def __init__(self, codifier: str) -> None:
        self._name = f"jph {codifier}"
        self._connection: connection | None = None
        self._months: set[int] = set()
        self._careful = 0

    def open(self, dsn: str, now_ms: int) -> None:
        """Connect, and make the tables if they are not there.

        Raises:
            StoreError: PostgreSQL is away, refuses us, or has a newer schema.
        """
        import psycopg2

        self.close()
        try:
            self._connection = psycopg2.connect(
                dsn,
                application_name=self._name,
                connect_timeout=_CONNECT_TIMEOUT_S,
                tcp_user_timeout=2000 * _CONNECT_TIMEOUT_S,
                options=f"-c timezone=UTC -c statement_timeout={_STATEMENT_TIMEOUT_MS}",
            )
            migrate(self._connection)
            self._months.clear()
            self._make_months(set(), now_ms)
        except psycopg2.Error as error:
            self.close()
            raise StoreError(f"PostgreSQL: {_told(error)}") from error

    def write(self, batch: Batch, now_ms: int) -> Stored:
        """Store a batch; when this returns it is committed.

        Raises:
            StoreError: PostgreSQL is away, or refuses everything; the batch may be written again.
        """
        import psycopg2

        if self._connection is None:
            raise StoreError("PostgreSQL: not connected")
        try:
            self._make_months(batch.days, now_ms)
            return self._write(batch)
        except psycopg2.Error as error:
            self.close()
            raise StoreError(f"PostgreSQL: {_told(error)}") from error
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(self, batch: Batch) -> Stored:
        """Store a batch, or all of it but the readings that PostgreSQL refuses."""
        try:
            return self._write_whole(batch)
        except _Refused:
            if batch.rows == 1:
                return Stored(0, 0, 1)
        stored = map(self._write, batch.halves())
        return Stored(*map(sum, zip(*stored, strict=True)))

    def _write_whole(self, batch: Batch) -> Stored:
        from psycopg2 import DataError, IntegrityError, errors

        again = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)
        try:
            if not self._careful:
                try:
                    return self._transact(batch, straight=True)
                except again:
                    self._careful = _CAREFUL_BATCHES
            self._careful -= 1
            return self._transact(batch, straight=False)
        except (DataError, IntegrityError, errors.ProgramLimitExceeded) as error:
            raise _Refused from error

    def _transact(self, batch: Batch, *, straight: bool) -> Stored:
        assert self._connection is not None
        with self._connection, self._connection.cursor() as cursor:
            if straight:
                new = _copy(cursor, "reading", batch)
            else:
                cursor.execute(
                    "CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE reading) "
                    "ON COMMIT DELETE ROWS"
                )
                _copy(cursor, "incoming", batch)
                cursor.execute(_INSERT)
                new = cursor.rowcount
            if batch.marks:
                marks = batch.marks.values()
                columns = zip(*marks, strict=True)
                cursor.execute(_MARK, (list(batch.marks), *map(list, columns)))
        return Stored(new, batch.rows - new, 0)

    def _make_months(self, days: set[int], now_ms: int) -> None:
        """Make the partitions for these days, for this month and the next."""
        (this,) = months([now_ms // DAY_MS])
        wanted = {month for month in months(days) if FIRST_MONTH <= month <= this + 1}
        missing = (wanted | {this, this + 1}) - self._months
        if missing and self._connection is not None:
            create_months(self._connection, missing)
            self._months |= missing


def _copy(cursor: "cursor", table: str, batch: Batch) -> int:
    """Copy the rows of a batch into a table; return how many."""
    rows = io.BytesIO(b"".join((HEADER, batch.data, TRAILER)))
    cursor.copy_expert(f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT binary)", rows, _CHUNK)
    return int(cursor.rowcount)


def _told(error: Exception) -> str:
    """Return an error of PostgreSQL as one line."""
    return " ".join(str(error).split()) or type(error).__name__
