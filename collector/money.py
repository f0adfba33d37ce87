"""Energy, sheds and overruns kept up to date in PostgreSQL, and read back for bills."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from collector import energytable, hourtable, tariff
from collector.buckets import DEFAULT_ZONE, find_zone
from collector.energytable import MILLISECONDS, Touched, moment
from collector.localdays import LocalDays
from collector.meters import INJECTED, TOTAL, indexes, phases
from jph.config import Network
from jph.errors import ConfigError, StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

CALCULATOR: Final = "postgresCalcHandler"
_WORK: Final = f"""
    DELETE FROM energy_touched
    RETURNING codifier, {MILLISECONDS.replace("timestamp", "from_time")},
        {MILLISECONDS.replace("timestamp", "to_time")}
"""
TABLES: Final = ("energy_hour", "energy_event", "energy_state", "phase_hour", "heater_hour")
_CONNECT_TIMEOUT_S: Final = 5
_ENDS: Final = f"""
    SELECT min({MILLISECONDS}), max({MILLISECONDS}) FROM reading WHERE codifier = %s
"""
_ENERGY: Final = """
    SELECT day, period, sum(wh)::bigint, sum(estimated_wh)::bigint,
        min(timestamp - make_interval(secs => known_s)),
        max(timestamp - interval '1 hour' + make_interval(secs => known_s))
    FROM energy_hour WHERE meter = %s AND day >= %s AND day < %s AND period <> %s
    GROUP BY day, period ORDER BY day, period
"""


class Drawn(NamedTuple):
    """What a meter measured on some days: Wh by day and period.

    `estimated` of them were interpolated; `since` and `until` are about when the first and the
    last of it was drawn, None if nothing was.
    """

    energy: dict[date, dict[str, int]]
    estimated: int
    since: datetime | None
    until: datetime | None


def local_days(network: Network) -> LocalDays:
    """Return the local days of the network: those of its calculator's `TimeZone`.

    Raises:
        ConfigError: there is no such zone.
    """
    for sensor in network.sensors:
        if sensor.type == CALCULATOR:
            try:
                return LocalDays(find_zone(str(sensor.sensor.get("TimeZone", DEFAULT_ZONE))))
            except ValueError as error:
                raise ConfigError(f"Sensors[{sensor.codifier}].Sensor.{error}") from error
    return LocalDays(find_zone(DEFAULT_ZONE))


def update(cursor: "cursor", network: Network, touched: Iterable[Touched]) -> None:
    """Do again what was touched, in the cursor's transaction.

    Raises:
        ConfigError: the time zone or the tariffs have mistakes.
    """
    touched, days = list(touched), local_days(network)
    energytable.update(cursor, network, days, tariff.read(network.tariffs), touched)
    hourtable.update(cursor, network, days, touched)


def note(cursor: "cursor", codifier: str, first_ms: int, last_ms: int) -> None:
    """Have `work` do what readings of a codifier between two moments touch."""
    cursor.execute(
        "INSERT INTO energy_touched VALUES (%s, %s, %s)",
        (codifier, moment(first_ms), moment(last_ms)),
    )


def work(cursor: "cursor", network: Network) -> bool:
    """Do what was noted, in the cursor's transaction; return whether there was anything.

    Raises:
        ConfigError: the time zone or the tariffs have mistakes.
    """
    cursor.execute(_WORK)
    touched = [Touched(*row) for row in cursor.fetchall()]
    update(cursor, network, touched)
    return bool(touched)


def codifiers(network: Network) -> set[str]:
    """Return every codifier that the tables are made of."""
    found = {code for phase in phases(network) for code in phase.codifiers}
    found |= {code for each in indexes(network) for code in (each.codifier, each.address)}
    return found - {""}


def rebuild(connection: "connection", network: Network) -> None:
    """Make the tables anew from all the readings that are stored, in one transaction."""
    with connection, connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        for table in TABLES:
            cursor.execute(f"DELETE FROM {table}")
        touched = []
        for code in sorted(codifiers(network)):
            cursor.execute(_ENDS, (code,))
            first_ms, last_ms = cursor.fetchone() or (None, None)
            if first_ms is not None:
                touched.append(Touched(code, first_ms, last_ms))
        update(cursor, network, touched)


def read_energy(cursor: "cursor", meter: str, first: date, after: date, *, total: bool) -> Drawn:
    """Return what a meter measured from one day to before another.

    `total` takes the index of all periods together, else those of each period.
    """
    cursor.execute(_ENERGY, (meter, first, after, INJECTED))
    rows = [row for row in cursor.fetchall() if (row[1] == TOTAL) == total]
    energy: dict[date, dict[str, int]] = {}
    for day, period, wh, *_ in rows:
        energy.setdefault(day, {})["BASE" if total else period] = wh
    since = min((row[4] for row in rows), default=None)
    until = max((row[5] for row in rows), default=None)
    return Drawn(energy, sum(row[3] for row in rows), since, until)


@contextmanager
def opened(dsn: str) -> "Iterator[connection]":
    """Open a connection for reading bills or for `rebuild`.

    Raises:
        StoreError: PostgreSQL is away or refuses, or no collector has been there.
    """
    import psycopg2

    try:
        connection = psycopg2.connect(
            dsn,
            application_name="jph cost",
            connect_timeout=_CONNECT_TIMEOUT_S,
            options="-c timezone=UTC",
        )
    except psycopg2.Error as error:
        raise StoreError(f"PostgreSQL: {' '.join(str(error).split())}") from error
    try:
        yield connection
    except psycopg2.errors.UndefinedTable as error:
        raise StoreError("no collector that counts energy has been in this database yet") from error
    except psycopg2.Error as error:
        raise StoreError(f"PostgreSQL: {' '.join(str(error).split())}") from error
    finally:
        connection.close()
