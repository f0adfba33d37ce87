"""Computes statistics in PostgreSQL. Every method blocks: call them in a thread.

`advance` moves the time up to which buckets are computed and touches those of every codifier since;
late readings have touched theirs themselves. `work` computes touched times, a codifier and a local
day at a time, each in a transaction that also removes the note: a kill at any instant does no harm.
A bucket depends on the readings alone, not on when or how often this ran.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final, NamedTuple
from zoneinfo import ZoneInfo

from collector.db.connecting import connect, query, transaction
from collector.db.schema import migrate
from collector.db.tables import WIDTHS, schema_key
from collector.energy import money
from collector.history.numbers import fetch_numbers
from collector.statistics.buckets import SECOND_US, Bucket, Width, bucket_of, buckets
from collector.statistics.statistics import COLUMN_NAMES, Series, merged
from collector.statistics.touched import (
    DEFAULT_HOLD_S,
    US,
    as_text,
    move_until,
    read_retired,
    read_until,
    touch,
    touch_each_codifier,
)
from jph.config.model import Network
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

ALONE_LOCK: Final = 0x6A706802
"""Advisory lock of a session: one program computes, others wait."""
_GRACE_US: Final = 5 * SECOND_US
"""Time after the end of a bucket for readings that are on their way."""
_COLUMNS: Final = ", ".join(("codifier", "timestamp", *COLUMN_NAMES))
_OLD: Final = ", ".join(f"old.{column}" for column in COLUMN_NAMES)
_NEW: Final = ", ".join(f"excluded.{column}" for column in COLUMN_NAMES)
_DOUBTED: Final = """(
        SELECT count(*) FROM energy_doubt AS doubt
        WHERE doubt.codifier = {0}.codifier AND doubt.timestamp <= {0}.timestamp
            AND doubt.timestamp > {0}.timestamp - interval '{{length}}'
    )"""
_CLEAR: Final = f"""
    DELETE FROM statistic_{{width}} AS old WHERE codifier = %s
        AND timestamp = ANY (%s::timestamptz[]) AND count <= {_DOUBTED.format("old")}
"""
_UPSERT: Final = f"""
    INSERT INTO statistic_{{width}} AS old ({_COLUMNS}) VALUES %s
    ON CONFLICT (codifier, timestamp) DO UPDATE SET ({", ".join(COLUMN_NAMES)}) = ROW({_NEW})
    -- the old row may count readings that are no longer kept: only rejected ones may leave a bucket
    WHERE excluded.count + {_DOUBTED.format("excluded")} >= old.count
        AND ROW({_OLD}) IS DISTINCT FROM ROW({_NEW})
"""
_NEXT: Final = f"""
    SELECT codifier, array_agg(id), array_agg({US.format("from_time")}),
        array_agg({US.format("to_time")})
    FROM touched WHERE codifier =
        (SELECT codifier FROM touched WHERE codifier IS NOT NULL ORDER BY id LIMIT 1)
    GROUP BY codifier
"""
_FIRST: Final = f"""
    SELECT {US.format("next_reading(%s, %s, %s)")}
"""
_GAPS: Final = f"""
    SELECT {US.format("from_time")}, {US.format("to_time")} FROM gap
    WHERE codifier = %s AND from_time < %s AND to_time > %s
"""


class Piece(NamedTuple):
    """Touched times of one codifier in µs: first and last."""

    codifier: str
    first: int
    last: int


class Calculator:
    """One connection that computes statistics; days are those of `zone`."""

    def __init__(self, place: "str | connection", name: str, zone: ZoneInfo) -> None:
        """Connect, or use a connection, and update the tables.

        Raises:
            StoreError: PostgreSQL is away, or has a newer schema.
        """
        import psycopg2

        self._zone = zone
        self.connection = connect(place, name) if isinstance(place, str) else place
        self._holds: dict[str, list[tuple[int, int]]] = {}
        self._alone = False
        try:
            migrate(self.connection)
            self._read_holds()
        except (StoreError, psycopg2.Error) as error:
            self.close()
            raise StoreError(str(error)) from error

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def alone(self) -> bool:
        """Become the program that computes; return False while another one is.

        Raises:
            StoreError: PostgreSQL is away.
        """
        if not self._alone:
            lock = f"SELECT pg_try_advisory_lock({schema_key(ALONE_LOCK)})"
            ((self._alone,),) = query(self.connection, lock)
        return self._alone

    def expect(self, seconds: Mapping[str, float], now: int) -> None:
        """Store the seconds after which a value of each codifier is late; changes hold from `now`.

        Raises:
            StoreError: PostgreSQL is away.
        """
        with self._transaction() as cursor:
            cursor.execute("SELECT codifier, seconds FROM expected ORDER BY since")
            known = dict(cursor.fetchall())
            for codifier, each in seconds.items():
                if known.get(codifier) != each:
                    since = as_text(now if codifier in known else 0)
                    cursor.execute(
                        "INSERT INTO expected VALUES (%s, %s, %s) ON CONFLICT (codifier, since) "
                        "DO UPDATE SET seconds = excluded.seconds",
                        (codifier, since, each),
                    )
        self._read_holds()

    def advance(self, now: int) -> None:
        """Touch buckets up to `now` (µs), without the running one.

        The time may also go back, after a clock that was ahead.

        Raises:
            StoreError: PostgreSQL is away.
        """
        until = bucket_of(Width.TEN_MINUTES, now - _GRACE_US, self._zone).start
        with self._transaction() as cursor:
            if until != read_until(cursor):
                move_until(cursor, until)
        with self._transaction() as cursor:
            touch_each_codifier(cursor)
        self._read_holds()  # an import of the past changes them

    def work(self) -> int | None:
        """Compute the next piece; return the number of changed buckets, None if nothing is left.

        Raises:
            StoreError: PostgreSQL is away.
        """
        with self._transaction() as cursor:
            until = read_until(cursor)
            cursor.execute(_NEXT)
            row = cursor.fetchone()
            if row is None:
                return None
            codifier, ids, starts, ends = row
            cursor.execute("DELETE FROM touched WHERE id = ANY(%s)", (ids,))
            retired = read_retired(cursor).get(codifier)
            kept = 0 if retired is None else retired + self._longest_hold(codifier)
            # half-open for `merged`; times are whole µs
            pieces = zip(starts, ends, strict=True)
            touched = merged((max(kept, start), end + 1) for start, end in pieces)
            piece, rest = self._cut(cursor, codifier, touched)
            touch(cursor, [(codifier, start, end - 1) for start, end in rest])
            if piece:
                money.note(cursor, codifier, piece.first // 1000, -(-piece.last // 1000))
            return self._compute(cursor, piece, until, kept) if piece else 0

    def count_energy(self, network: Network, now: int) -> None:
        """Update the tables of energy and hours for the computed pieces, up to `now`.

        Raises:
            ConfigError: the tariffs have mistakes.
            StoreError: PostgreSQL is away.
        """
        with self._transaction() as cursor:
            money.work(cursor, network, now // 1000)

    # Internal

    def _cut(
        self, cursor: "cursor", codifier: str, touched: list[tuple[int, int]]
    ) -> tuple[Piece | None, list[tuple[int, int]]]:
        """Return the first touched local day that has readings, and the rest."""
        reach = self._longest_hold(codifier)
        for number, (start, end) in enumerate(touched):
            last = end - 1
            # the buckets of `start` began earlier, those of `last` end later
            begin = min(bucket_of(width, start, self._zone).start for width in Width)
            stop = max(bucket_of(width, last + reach, self._zone).end for width in Width)
            cursor.execute(_FIRST, (codifier, as_text(begin), as_text(stop)))
            ((found,),) = cursor.fetchall()
            if found is None:
                continue
            first = min(max(found, start), last)
            day_end = bucket_of(Width.DAY, first, self._zone).end
            rest = [(day_end + 1, end)] if day_end < last else []
            return Piece(codifier, first, min(last, day_end)), rest + touched[number + 1 :]
        return None, []

    def _compute(self, cursor: "cursor", piece: Piece, until: int, kept: int) -> int:
        """Compute the closed buckets of a piece; return the number of changed ones.

        Buckets that begin before `kept` need readings that are no longer kept: they stay.
        """
        reach = self._longest_hold(piece.codifier)
        last = min(piece.last + reach, until)
        due = {
            width: [
                bucket
                for bucket in buckets(width, piece.first, last, self._zone)
                if bucket.end <= until and bucket.start >= kept
            ]
            for width in Width
        }
        every = [bucket for each in due.values() for bucket in each]
        if not every:
            return 0
        start, end = min(bucket.start for bucket in every), max(bucket.end for bucket in every)
        times, values = fetch_numbers(cursor, piece.codifier, start - reach, end)
        cursor.execute(_GAPS, (piece.codifier, as_text(end), as_text(start)))
        series = Series(times, values, cursor.fetchall())
        return sum(
            self._write(cursor, piece.codifier, width, series, due[width]) for width in Width
        )

    def _write(
        self, cursor: "cursor", codifier: str, width: Width, series: Series, due: list[Bucket]
    ) -> int:
        from psycopg2.extras import execute_values

        rows, empty, changed = [], [], 0
        for bucket in due:
            found = series.summarise(bucket, self._hold(codifier, bucket.end))
            if found is not None:
                rows.append((codifier, as_text(bucket.end), *found.values()))
            else:
                empty.append(as_text(bucket.end))
        sql = {"width": width, "length": WIDTHS[width]}
        if empty:
            cursor.execute(_CLEAR.format(**sql), (codifier, empty))
            changed += cursor.rowcount
        if rows:
            execute_values(cursor, _UPSERT.format(**sql), rows, page_size=len(rows))
            changed += cursor.rowcount
        return changed

    def _read_holds(self) -> None:
        rows = query(
            self.connection, f"SELECT codifier, {US.format('since')}, seconds FROM expected"
        )
        self._holds = {}
        for codifier, since, seconds in sorted(rows):
            self._holds.setdefault(codifier, []).append((since, round(seconds * SECOND_US)))

    def _hold(self, codifier: str, moment: int) -> int:
        """Return the time for which a value was in force at a moment, µs."""
        known = [hold for since, hold in self._holds.get(codifier, ()) if since <= moment]
        return known[-1] if known else round(DEFAULT_HOLD_S * SECOND_US)

    def _longest_hold(self, codifier: str) -> int:
        known = [hold for _, hold in self._holds.get(codifier, ())]
        return max(known, default=round(DEFAULT_HOLD_S * SECOND_US))

    def _transaction(self) -> "AbstractContextManager[cursor]":
        return transaction(self.connection)


def release_alone(connection: "connection") -> None:
    """Let another program compute what is in the connection's schema.

    Raises:
        StoreError: PostgreSQL is away.
    """
    query(connection, f"SELECT pg_advisory_unlock({schema_key(ALONE_LOCK)})")
