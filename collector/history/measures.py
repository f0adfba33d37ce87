"""The history as a SQLite file with one table for each kind of measure."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

from collector.history.export import Progress
from collector.history.query import Range
from collector.history.stored import as_sent, ordered_readings
from collector.statistics.buckets import to_datetime
from jph.config.house.house import DEGREES
from jph.config.model import Network, Sensor
from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_BY_UNIT: Final = {
    **dict.fromkeys(DEGREES, "temperature"),
    "%": "percent",
    **dict.fromkeys(("W", "kW", "VA", "var"), "power"),
    **dict.fromkeys(("Wh", "kWh", "MWh"), "energy"),
    **dict.fromkeys(("A", "mA"), "current"),
    **dict.fromkeys(("V", "mV"), "voltage"),
    **dict.fromkeys(("Pa", "hPa", "kPa", "mbar", "bar"), "pressure"),
    **dict.fromkeys(("lx", "lux"), "light"),
    **dict.fromkeys(("m", "cm", "mm"), "distance"),
    **dict.fromkeys(("m/s", "km/h", "rpm", "l/min"), "speed"),
    "ppm": "gas",
    "Hz": "frequency",
}
_TEXTS: Final = frozenset({"text", "string", "json"})


def measure_of(sensor: Sensor | None) -> str:
    """Return the kind of measure of a codifier, by its unit and type; `other` is any other."""
    if sensor is None:
        return "other"
    if sensor.data_type in _TEXTS:
        return "text"
    if sensor.data_type == "bool":
        return "state"
    found = _BY_UNIT.get(sensor.symbol, "other")
    if found == "percent":
        return "humidity" if "humid" in sensor.name.lower() else found
    return found


def write_measures(
    connection: "connection",
    wanted: Iterable[Range],
    network: Network,
    path: Path,
    progress: Progress,
) -> int:
    """Write readings into a new SQLite file, a table a kind of measure; return how many.

    Columns are the codifier, its name, the time (ISO 8601, UTC), and the value as it was sent.

    Raises:
        StoreError: PostgreSQL is away, or the file cannot be written.
    """
    known = {sensor.codifier: sensor for sensor in network.sensors}
    written, tables = 0, set[str]()
    try:
        with closing(sqlite3.connect(path)) as file, file:
            for each in wanted:
                sensor = known.get(each.codifier)
                table = measure_of(sensor)
                if table not in tables:
                    tables.add(table)
                    file.execute(
                        f"CREATE TABLE {table} (codifier TEXT, name TEXT, time TEXT, value)"
                    )
                    file.execute(f"CREATE INDEX {table}_time ON {table} (codifier, time)")
                name = sensor.name or sensor.short_name if sensor else ""
                for rows in ordered_readings(connection, each):
                    file.executemany(
                        f"INSERT INTO {table} VALUES (?, ?, ?, ?)",
                        (
                            (row[0], name, _moment(int(row[1])), row[2])
                            for row in map(as_sent, rows)
                        ),
                    )
                    written += len(rows)
                    progress(each, rows[-1][1])
                progress(each, each.end_ms)
    except sqlite3.Error as error:
        raise StoreError(f"cannot write {path}: {error}") from error
    return written


def _moment(ms: int) -> str:
    return to_datetime(1000 * ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
