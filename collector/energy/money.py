"""Keeps energy, sheds and overruns up to date in PostgreSQL, and reads energy for bills."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.db.tables import lock_statement
from collector.energy import energy_table, hour_table
from collector.energy.energy_table import MILLISECONDS, Touched, moment
from collector.energy.meters import INJECTED, TOTAL, indexes, phases, read_tariffs
from collector.statistics.buckets import DEFAULT_ZONE, find_zone
from collector.statistics.local_days import ONE_DAY, LocalDays
from collector.statistics.touched import read_retired
from jph.config.model import Network
from jph.errors import ConfigError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

CALCULATORS: Final = frozenset({"postgresCalcHandler", "jphCalcHistory"})
_WORK: Final = f"""
    DELETE FROM energy_touched
    RETURNING codifier, {MILLISECONDS.replace("timestamp", "from_time")},
        {MILLISECONDS.replace("timestamp", "to_time")}
"""
_LOCK: Final = 0x6A706803
"""Advisory lock of a transaction: one program computes the tables at a time."""
_ENERGY: Final = """
    SELECT day, period, sum(wh)::bigint, sum(estimated_wh)::bigint
    FROM energy_hour
    WHERE meter = %(meter)s AND day >= %(first)s AND day < %(after)s
    GROUP BY day, period ORDER BY day, period
"""
_HOURS: Final = """
    SELECT timestamp, max(known_s),
        -- the last value that was believed by the end of the hour
        to_timestamp(max((state -> 0 ->> 0)::bigint) / 1000.0)
    FROM energy_hour LEFT JOIN energy_state USING (codifier, timestamp)
    WHERE meter = %(meter)s AND day >= %(first)s AND day < %(after)s AND period <> %(injected)s
    GROUP BY timestamp ORDER BY timestamp
"""
_FIRST_DAY: Final = """
    SELECT min(day) FROM energy_hour WHERE meter = %(meter)s AND period <> %(injected)s
"""
_WHOLE_S: Final = 3600.0


class Drawn(NamedTuple):
    """The energy that a meter measured on some days: Wh by day and period.

    `estimated` of it was interpolated; `since` and `until` are the ends of the known time, None if
    nothing is known. `total` is the energy of the index of all periods where it stands beside
    others, `injected` the energy fed in, both by day. `first_day` is the first day ever known.
    """

    energy: dict[date, dict[str, int]]
    estimated: int
    since: datetime | None
    until: datetime | None
    total: Mapping[date, int] = MappingProxyType({})
    injected: Mapping[date, int] = MappingProxyType({})
    first_day: date | None = None

    def within(self, zone: tzinfo) -> "Drawn":
        """Return the same with its times in a zone."""
        since, until = (each and each.astimezone(zone) for each in (self.since, self.until))
        return self._replace(since=since, until=until)


def local_days(network: Network) -> LocalDays:
    """Return the local days of the network: those of its calculator's `TimeZone`.

    Raises:
        ConfigError: there is no such zone.
    """
    for sensor in network.sensors:
        if sensor.type in CALCULATORS:
            try:
                return LocalDays(find_zone(str(sensor.sensor.get("TimeZone", DEFAULT_ZONE))))
            except ValueError as error:
                raise ConfigError(f"Sensors[{sensor.codifier}].Sensor.{error}") from error
    return LocalDays(find_zone(DEFAULT_ZONE))


def update(cursor: "cursor", network: Network, touched: Iterable[Touched], until_ms: int) -> None:
    """Compute touched times again, in the cursor's transaction.

    Readings after `until_ms`, now, are left for later: a clock may be ahead by years.

    Raises:
        ConfigError: the time zone or the tariffs have mistakes.
    """
    touched, days = list(touched), local_days(network)
    tariffs, floors = read_tariffs(network), _Floors(cursor, days)
    for index in indexes(network):
        floor_ms = floors.of((index.codifier, index.address))
        energy_table.update_index(cursor, index, days, tariffs, touched, until_ms, floor_ms)
    for phase in phases(network):
        floor_ms = floors.of(phase.codifiers)
        hour_table.update_phase(cursor, network, days, phase, touched, until_ms, floor_ms)


def note(cursor: "cursor", codifier: str, first_ms: int, last_ms: int) -> None:
    """Note that readings of a codifier between two moments changed, for `work`."""
    cursor.execute(
        "INSERT INTO energy_touched VALUES (%s, %s, %s)",
        (codifier, moment(first_ms), moment(last_ms)),
    )


def work(cursor: "cursor", network: Network, until_ms: int) -> bool:
    """Compute the noted times, in the cursor's transaction; return whether there were any.

    Readings after `until_ms`, now, are left for later.

    Raises:
        ConfigError: the time zone or the tariffs have mistakes.
    """
    cursor.execute(lock_statement(_LOCK))
    cursor.execute(_WORK)
    touched = [Touched(*row) for row in cursor.fetchall()]
    update(cursor, network, touched, until_ms)
    return bool(touched)


def codifiers(network: Network) -> set[str]:
    """Return every codifier that the tables depend on."""
    found = {code for phase in phases(network) for code in phase.codifiers}
    found |= {code for each in indexes(network) for code in (each.codifier, each.address)}
    return found - {""}


def rebuild(cursor: "cursor", network: Network, until_ms: int) -> None:
    """Compute the tables again as far as the readings are kept, in the cursor's transaction.

    Readings after `until_ms`, now, are left out. Rows of readings that are no longer kept stay.

    Raises:
        ConfigError: the time zone or the tariffs have mistakes.
    """
    cursor.execute("SET LOCAL statement_timeout = 0")
    cursor.execute(lock_statement(_LOCK))
    days, tariffs = local_days(network), read_tariffs(network)
    floors = _Floors(cursor, days)
    kept = {code: _kept(cursor, code, days, until_ms) for code in sorted(codifiers(network))}
    for index in indexes(network):
        touched = [*kept[index.codifier], *kept.get(index.address, ())]
        floor_ms = floors.of((index.codifier, index.address))
        if touched:
            start_ms = max(floor_ms, days.hour_of(touched[0].first_ms).start_ms)
            energy_table.forget(cursor, index, start_ms)
            energy_table.update_index(cursor, index, days, tariffs, touched, until_ms, start_ms)
    for phase in phases(network):
        of_phase = [kept[code] for code in phase.codifiers if kept.get(code)]
        # before the last of these some readings may be no longer kept
        since_ms = max((each[0].first_ms for each in of_phase), default=0)
        again = [day for each in of_phase for day in each if day.last_ms >= since_ms]
        again = [day._replace(first_ms=max(since_ms, day.first_ms)) for day in again]
        floor_ms = floors.of(phase.codifiers)
        hour_table.update_phase(cursor, network, days, phase, again, until_ms, floor_ms)


class _Floors:
    """Times up to which readings are no longer kept: their rows stay as they are."""

    def __init__(self, cursor: "cursor", days: LocalDays) -> None:
        self._retired = read_retired(cursor)
        self._days = days

    def of(self, codifiers: Iterable[str]) -> int:
        """Return the end of the last hour of which not all readings are kept, ms; 0 if all are."""
        last = max((self._retired.get(code, 0) for code in codifiers), default=0)
        return self._days.hour_of(last // 1000).end_ms if last else 0


def _kept(cursor: "cursor", codifier: str, days: LocalDays, until_ms: int) -> list[Touched]:
    """Return the days of which readings of a codifier are kept, each from its first reading on."""
    found: list[Touched] = []
    after_ms = -1
    while (first_ms := energy_table.next_reading(cursor, codifier, after_ms, until_ms)) is not None:
        after_ms = min(until_ms, days.midnight_ms(days.day_of(first_ms) + ONE_DAY))
        found.append(Touched(codifier, first_ms, after_ms))
    return found


def read_energy(cursor: "cursor", meter: str, first: date, after: date, *, total: bool) -> Drawn:
    """Return the energy that a meter measured from one day to before another.

    `total` takes the index of all periods together for that of BASE, else each period has its own.
    """
    wanted = {"meter": meter, "first": first, "after": after, "injected": INJECTED}
    cursor.execute(_ENERGY, wanted)
    energy: dict[date, dict[str, int]] = {}
    beside: dict[str, dict[date, int]] = {TOTAL: {}, INJECTED: {}}
    estimated = 0
    for day, period, wh, estimated_wh in cursor.fetchall():
        if period == INJECTED or (period == TOTAL) != total:
            beside.get(period, {})[day] = wh
        else:
            energy.setdefault(day, {})["BASE" if total else period] = wh
            estimated += estimated_wh
    cursor.execute(_HOURS, wanted)
    since, until = _ends(cursor.fetchall())
    cursor.execute(_FIRST_DAY, wanted)
    (first_day,) = cursor.fetchone() or (None,)
    return Drawn(energy, estimated, since, until, beside[TOTAL], beside[INJECTED], first_day)


def _ends(
    hours: Sequence[tuple[datetime, float, datetime | None]],
) -> tuple[datetime | None, datetime | None]:
    """Return from when to when hours are known; the first and the last may be in part."""
    if not hours:
        return None, None
    (first, first_s, _), (last, last_s, believed) = hours[0], hours[-1]
    until = last if last_s >= _WHOLE_S or believed is None else believed
    return min(first, until) - timedelta(seconds=first_s), until
