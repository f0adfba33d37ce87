"""Updates the tables of energy (`energy_hour`, `energy_event`) for times that were touched.

Every row is a function of the stored readings and the config. `energy_state` keeps the state of an
index where an hour ends, so that only the touched part is computed again: from the last accepted
index before it, to where the state is the same as before.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from collector.energy.energy import NOTHING, Address, Amount, Event, Heard, Hours, Register, State
from collector.energy.meters import Index
from collector.energy.tariff import Tariff, on
from collector.statistics.local_days import ONE_DAY, Hour, LocalDays
from jph.devices.tic.plausibility import LARGEST_VA

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

LARGEST_WH: Final = 10**15
"""No index of a house reaches this; sums of a million such values still fit a bigint."""
MILLISECONDS: Final = "(extract(epoch FROM timestamp) * 1000)::bigint"
_READINGS: Final = f"""
    SELECT {MILLISECONDS}, codifier, quality, value_text,
        CASE WHEN value_real >= 0 AND value_real < {LARGEST_WH} THEN floor(value_real)::bigint
             WHEN value_integer >= 0 AND value_integer < {LARGEST_WH} THEN value_integer END
    FROM (
        -- as sent: the result of this must not be its input
        SELECT * FROM readings_as_sent(%(index)s, %(after)s, %(until)s) UNION ALL
        SELECT * FROM readings_as_sent(%(address)s, %(after)s, %(until)s)
    ) AS every
    WHERE quality <> 1  -- stale: an old value
    ORDER BY timestamp, codifier = %(index)s, epoch, sequence
"""
_TOUCH: Final = "INSERT INTO touched (codifier, from_time, to_time)"
_FORGET_DOUBT: Final = f"""
    WITH changed AS (
        DELETE FROM energy_doubt WHERE codifier = %s AND timestamp > %s AND timestamp <= %s
            AND timestamp <> ALL (%s::timestamptz[]) RETURNING *
    ) {_TOUCH} SELECT codifier, timestamp, timestamp FROM changed
"""
_NOTE_DOUBT: Final = f"""
    WITH changed AS (
        INSERT INTO energy_doubt SELECT %s, at FROM unnest(%s::timestamptz[]) AS at
        WHERE at <= %s ON CONFLICT DO NOTHING RETURNING *
    ) {_TOUCH} SELECT codifier, timestamp, timestamp FROM changed
"""
_STATE: Final = f"""
    SELECT {MILLISECONDS}, state FROM energy_state
    WHERE codifier = %s AND timestamp <= %s ORDER BY timestamp DESC LIMIT 1
"""
_NEXT: Final = f"SELECT {MILLISECONDS.replace('timestamp', 'next_reading(%s, %s, %s)')}"


class Touched(NamedTuple):
    """New or removed readings of a codifier between two moments in ms, both included."""

    codifier: str
    first_ms: int
    last_ms: int


class Redone(NamedTuple):
    """The result for an index after `after_ms`, up to `until_ms` (None: to the end)."""

    after_ms: int
    until_ms: int | None
    amounts: dict[int, Amount]
    events: list[Event]
    states: dict[int, State]
    doubted: list[int]


def update_index(
    cursor: "cursor",
    index: Index,
    days: LocalDays,
    tariffs: Iterable[Tariff],
    touched: Iterable[Touched],
    until_ms: int,
    floor_ms: int = 0,
) -> None:
    """Update an index for touched times, in the cursor's transaction.

    Readings after `until_ms` are left for later; hours that end by `floor_ms` stay as they are.
    """
    codes = (index.codifier, index.address)
    about = [each for each in touched if each.codifier in codes and each.first_ms <= until_ms]
    if about:
        first_ms = max(floor_ms + 1, min(each.first_ms for each in about))
        last_ms = max(each.last_ms for each in about)
        mine = [each for each in tariffs if each.meter in ("", index.meter)]
        following = _Following(cursor, index, days, mine, until_ms)
        _write(cursor, index, following.redo(first_ms, last_ms, floor_ms))


class _Following:
    """Follows an index through its stored readings."""

    def __init__(
        self,
        cursor: "cursor",
        index: Index,
        days: LocalDays,
        tariffs: Sequence[Tariff],
        until_ms: int,
    ) -> None:
        self._cursor = cursor
        self._index = index
        self._days = days
        self._tariffs = tariffs
        self._until_ms = until_ms

    def redo(self, first_ms: int, last_ms: int, floor_ms: int) -> Redone:
        """Compute again what readings between two moments may have changed."""
        before = self._state(self._days.hour_of(first_ms).start_ms)
        since = [first_ms]
        if before.believed:
            since.append(before.believed.at_ms)
        if before.doubt:
            since.append(before.doubt.first.at_ms)
        if before.pending:
            since.append(before.pending.at_ms)
        # Hours that end before the last accepted index depend on nothing after it.
        after_ms = max(floor_ms, self._days.hour_of(min(since)).start_ms)
        register = Register(self._state(after_ms))
        hours = Hours(self._days, after_ms)
        states: dict[int, State] = {}
        settled: int | None = None
        for hour, heard in self._hours(after_ms):
            for step in register.follow(heard, self._limit_va(hour)):
                hours.add(step)
            states[hour.end_ms] = register.state
            if settled is not None:
                if _crossed(register.state, settled):
                    break
            elif hour.end_ms > last_ms and self._stored(hour.end_ms) == register.state:
                settled = hour.end_ms
        else:
            settled = None  # the end came first
        return Redone(after_ms, settled, hours.amounts, register.events, states, register.doubted)

    def _hours(self, after_ms: int) -> Iterator[tuple[Hour, Iterable[Heard | Address]]]:
        """Yield the hours after a moment in which there are readings, with these."""
        while (next_ms := self._next(after_ms)) is not None:
            hour = self._days.hour_of(next_ms)
            until_ms = min(self._until_ms, self._days.midnight_ms(hour.day + ONE_DAY))
            heard = self._readings(hour.start_ms, until_ms)
            yield from groupby(heard, lambda each: self._days.hour_of(each.at_ms))
            after_ms = until_ms

    def _readings(self, after_ms: int, until_ms: int) -> Iterator[Heard | Address]:
        code, address = self._index.codifier, self._index.address
        span = {"after": moment(after_ms), "until": moment(until_ms)}
        self._cursor.execute(_READINGS, {"index": code, "address": address, **span})
        for at_ms, codifier, quality, text, wh in self._cursor.fetchall():
            if codifier == code:
                if wh is not None:
                    yield Heard(at_ms, wh, quality == 2)
            elif quality != 2:
                yield Address(at_ms, text or str(wh or ""))

    def _next(self, after_ms: int) -> int | None:
        both = (self._index.codifier, self._index.address)
        found = [next_reading(self._cursor, code, after_ms, self._until_ms) for code in both]
        return min((at_ms for at_ms in found if at_ms is not None), default=None)

    def _state(self, until_ms: int) -> State:
        """Return the state at the end of the last hour up to a moment."""
        self._cursor.execute(_STATE, (self._index.codifier, moment(until_ms)))
        row = self._cursor.fetchone()
        return msgspec.convert(row[1], State) if row else NOTHING

    def _stored(self, end_ms: int) -> State | None:
        self._cursor.execute(_STATE, (self._index.codifier, moment(end_ms)))
        row = self._cursor.fetchone()
        return msgspec.convert(row[1], State) if row and row[0] == end_ms else None

    def _limit_va(self, hour: Hour) -> int:
        tariff = on(self._tariffs, hour.day)
        return tariff.contract_va if tariff else LARGEST_VA


def forget(cursor: "cursor", index: Index, after_ms: int, until_ms: int | None = None) -> None:
    """Delete the rows of an index after one moment, up to another or the end."""
    until = "infinity" if until_ms is None else moment(until_ms)
    for table in ("energy_hour", "energy_event", "energy_state"):
        cursor.execute(
            f"DELETE FROM {table} WHERE codifier = %s AND timestamp > %s AND timestamp <= %s",
            (index.codifier, moment(after_ms), until),
        )


def _doubt(cursor: "cursor", index: Index, done: Redone) -> None:
    """Store rejected values; where they change, touch the statistics."""
    until = "infinity" if done.until_ms is None else moment(done.until_ms)
    doubted = [moment(at_ms) for at_ms in done.doubted]
    cursor.execute(_FORGET_DOUBT, (index.codifier, moment(done.after_ms), until, doubted))
    cursor.execute(_NOTE_DOUBT, (index.codifier, doubted, until))


def next_reading(cursor: "cursor", codifier: str, after_ms: int, until_ms: int) -> int | None:
    """Return the time of the first reading after one moment, up to another."""
    cursor.execute(_NEXT, (codifier, moment(after_ms), moment(until_ms)))
    return next((at_ms for (at_ms,) in cursor.fetchall()), None)


def moment(at_ms: int) -> datetime:
    """Return ms since 1970 as a moment."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)


def _crossed(state: State, edge_ms: int) -> bool:
    return state.believed is not None and state.believed.at_ms > edge_ms


def _write(cursor: "cursor", index: Index, done: Redone) -> None:
    from psycopg2.extras import execute_values

    code, until = index.codifier, done.until_ms
    _doubt(cursor, index, done)
    forget(cursor, index, done.after_ms, until)
    hours = [
        (code, moment(end), a.day, index.meter, index.period, a.wh, a.estimated, a.index, a.known_s)
        for end, a in sorted(done.amounts.items())
        if until is None or end <= until
    ]
    events = [
        (code, moment(e.at_ms), e.kind, e.from_wh, e.to_wh, e.meter)
        for e in done.events
        if until is None or e.at_ms <= until
    ]
    states = [
        (code, moment(end), msgspec.json.encode(state).decode())
        for end, state in done.states.items()
        if until is None or end <= until
    ]
    execute_values(cursor, "INSERT INTO energy_hour VALUES %s", hours)
    execute_values(cursor, "INSERT INTO energy_event VALUES %s ON CONFLICT DO NOTHING", events)
    execute_values(cursor, "INSERT INTO energy_state VALUES %s", states)
