"""Writes batches into PostgreSQL, each reading once.

A batch and the accounts of its sources are one transaction. Readings that the accounts list as
stored (the answer to a commit was lost, a second collector) are left out, the rest is copied
straight into the table. If PostgreSQL finds a reading twice all the same (original programs have no
accounts), the batch is copied into a temporary table first, and the new rows are taken from there.
"""

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.db.connecting import connect, error_text
from collector.db.schema import create_months, migrate
from collector.ingest.accounting import read_accounts, settle_all, write_accounts
from collector.ingest.buffer import Batch, gap_of
from collector.ingest.late import note_late
from collector.ingest.ledger import Key, Settlement, SourceAccount, by_key, runs
from collector.ingest.rows import COLUMNS, DAY_MS, LAST_MS, encode_all, months, storable
from collector.ingest.runs import announcements, span_ms
from jph.errors import StoreError
from jph.retransmit import Cause
from jph.retransmit.gaps import IntervalSet
from jph.wire.codec import Reading
from jph.wire.sequence import position

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

STATEMENT_TIMEOUT_MS: Final = 60_000
_MONTHS_BACK: Final = 24
"""Older readings stay in `reading_other` until they are packed: a wrong clock makes no months."""
_CAREFUL_BATCHES: Final = 100
"""After a duplicate so many batches go through the temporary table: duplicates come in groups."""
_COLUMNS: Final = ", ".join(COLUMNS)
_INSERT: Final = f"""
    INSERT INTO reading ({_COLUMNS}) SELECT {_COLUMNS} FROM incoming
    ORDER BY codifier, timestamp, epoch, sequence  -- one order for all: no deadlocks
    ON CONFLICT DO NOTHING
"""
_POSITIONS: Final = (
    "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, pg_current_wal_flush_lsn() - '0/0'::pg_lsn"
)


class Stored(NamedTuple):
    """Counts of readings: new in the table, stored already, or refused."""

    new: int
    known: int
    refused: int


class Written(NamedTuple):
    """A commit: the readings stored, and positions in PostgreSQL's log in bytes.

    The commit survives a crash of PostgreSQL once `flushed` of a later one reaches its `log`.
    """

    stored: Stored
    log: int
    flushed: int


class _Refused(Exception):
    """PostgreSQL refuses something in this batch, and always will."""


class Store:
    """One connection to the history. Every method blocks: call them in a thread."""

    def __init__(self, codifier: str) -> None:
        self._codifier = codifier
        self._connection: connection | None = None
        self._months: set[int] = set()
        self._careful = 0
        self._durable = False

    def open(self, dsn: str, now_ms: int, synchronous_commit: str = "") -> None:
        """Connect, and create or update the tables.

        `synchronous_commit` is PostgreSQL's setting of that name, "" the server's own.

        Raises:
            StoreError: PostgreSQL is away or refuses, or a newer program has changed the schema.
        """
        self.close()
        settings: dict[str, object] = {"statement_timeout": STATEMENT_TIMEOUT_MS}
        if synchronous_commit:
            settings["synchronous_commit"] = synchronous_commit
        self.use(connect(dsn, self._codifier, settings=settings), now_ms)

    def use(self, connection: "connection", now_ms: int) -> None:
        """Use a connection, whose `search_path` says where; create or update the tables there.

        Raises:
            StoreError: PostgreSQL is away or refuses, or a newer program has changed the schema.
        """
        import psycopg2

        self._connection = connection
        try:
            migrate(self._connection)
            self._months.clear()
            self._make_months(set(), now_ms)
        except psycopg2.Error as error:
            self.close()
            raise StoreError(error_text(error)) from error

    def accounts(self) -> dict[Key, SourceAccount]:
        """Return the account of each source.

        Raises:
            StoreError: PostgreSQL is away.
        """
        with self._guarded() as connection, connection, connection.cursor() as cursor:
            return read_accounts(cursor)

    def write(self, batch: Batch, now_ms: int, *, durable: bool = False) -> Written:
        """Store and commit a batch; with `durable` it is on the disk when this returns.

        Raises:
            StoreError: PostgreSQL is away, or refuses everything; the batch may be written again.
        """
        days = _days(batch.readings)
        with self._guarded() as connection:
            self._make_months(days, now_ms)
            self._durable = durable
            stored = self._write(batch)
            with connection, connection.cursor() as cursor:
                cursor.execute(_POSITIONS)
                log, flushed = cursor.fetchone() or (0, 0)
        return Written(stored, int(log), int(flushed))

    def flushed(self) -> int:
        """Return how much of PostgreSQL's log is on its disk, bytes.

        Raises:
            StoreError: PostgreSQL is away.
        """
        with self._guarded() as connection, connection, connection.cursor() as cursor:
            cursor.execute(_POSITIONS)
            _, flushed = cursor.fetchone() or (0, 0)
            return int(flushed)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @contextlib.contextmanager
    def _guarded(self) -> "Iterator[connection]":
        """Yield the connection; close it if anything fails.

        Raises:
            StoreError: PostgreSQL is away, or refuses.
        """
        import psycopg2

        if self._connection is None:
            raise StoreError("PostgreSQL: not connected")
        try:
            yield self._connection
        except psycopg2.Error as error:
            self.close()
            raise StoreError(error_text(error)) from error
        except StoreError:
            self.close()
            raise

    def _write(self, batch: Batch) -> Stored:
        """Store a batch; a reading that PostgreSQL refuses becomes a gap."""
        try:
            return self._write_whole(batch)
        except _Refused:
            if len(batch.readings) == 1:
                gap = gap_of(batch.readings[0], Cause.REFUSED)
                return self._write_whole(Batch([], [*batch.gaps, gap]))._replace(refused=1)
        return _sum(map(self._write, batch.halves()))

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
            if not batch.readings:
                raise
            raise _Refused from error

    def _transact(self, batch: Batch, *, straight: bool) -> Stored:
        assert self._connection is not None
        kept, refused = _divided(batch.readings)
        gaps = [*batch.gaps, *(gap_of(each, Cause.REFUSED) for each in refused)]
        with self._connection, self._connection.cursor() as cursor:
            settled = settle_all(cursor, runs(kept), by_key(gaps))
            rows = note_late(cursor, _new(kept, settled))
            if straight:
                new = _copy(cursor, "reading", rows)
            else:
                cursor.execute(
                    "CREATE TEMPORARY TABLE IF NOT EXISTS incoming (LIKE reading) "
                    "ON COMMIT DELETE ROWS"
                )
                _copy(cursor, "incoming", rows)
                cursor.execute(_INSERT)
                new = cursor.rowcount
            write_accounts(cursor, settled)
            if self._durable:
                cursor.execute("SET LOCAL synchronous_commit = on")
        known = len(kept) - announcements(kept) - new
        return Stored(new, known, len(refused))

    def _make_months(self, days: set[int], now_ms: int) -> None:
        """Create the partitions for these days, for this month and the next."""
        (this,) = months([now_ms // DAY_MS])
        wanted = {month for month in months(days) if this - _MONTHS_BACK <= month <= this + 1}
        missing = (wanted | {this, this + 1}) - self._months
        if missing and self._connection is not None:
            create_months(self._connection, missing)
            self._months |= missing


def _divided(readings: Sequence[Reading]) -> tuple[Sequence[Reading], list[Reading]]:
    """Return the readings that PostgreSQL can take, and those it cannot."""
    if not readings or span_ms(readings)[1] <= LAST_MS:
        return readings, []
    refused = [each for each in readings if each.flag != "n" and not storable(each)]
    return [each for each in readings if each.flag == "n" or storable(each)], refused


def _days(readings: Sequence[Reading]) -> set[int]:
    """Return the days (since 1970) of readings, nearly always one."""
    kept, _ = _divided(readings)
    if not kept:
        return set()
    first, last = (ms // DAY_MS for ms in span_ms(kept))
    if last - first < 2:
        return {first, last}
    return {each.timestamp_ms // DAY_MS for each in kept if storable(each)}


def _new(readings: Sequence[Reading], settled: Mapping[Key, Settlement]) -> Sequence[Reading]:
    """Return the readings that are not stored yet."""
    stored = {
        key: (IntervalSet(settlement.stored), settlement.stored[0][0])
        for key, settlement in settled.items()
        if settlement.stored
    }
    if not stored:
        return readings
    left = []
    for reading in readings:
        known, base = stored.get((reading.source, reading.epoch), (None, 0))
        if known is None or position(reading.sequence, base) not in known:
            left.append(reading)
    return left


def _copy(cursor: "cursor", table: str, readings: Sequence[Reading]) -> int:
    """Copy readings into a table; return how many."""
    if not readings:
        return 0
    copy = f"COPY {table} ({_COLUMNS}) FROM STDIN (FORMAT binary)"
    cursor.copy_expert(copy, _File(encode_all(readings)))
    return int(cursor.rowcount)


class _File:
    """A file for COPY made of pieces of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _: int = -1) -> bytes:
        """Return the next piece, whatever its size; nothing at the end."""
        return next(self._pieces, b"")

    readline = read  # psycopg2 only checks that it exists


def _sum(stored: Iterable[Stored]) -> Stored:
    return Stored(*map(sum, zip(*stored, strict=True)))
