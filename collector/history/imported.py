"""Imports the past of a simulated house into an empty history. Blocks.

    python -m collector.history.imported CONFIG COMMAND…

COMMAND prints the past (`jph.sim.tell_past`); it only runs if the history is empty so far. Readings
are stored with quality SIMULATED and an epoch of their own; then statistics and energy are made.
The hours of phases and heaters follow at the end: readings each five minutes are too rare for them.
"""

import io
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from collector.db.connecting import connect, query, transaction
from collector.db.schema import create_months
from collector.energy.meters import phases
from collector.energy.money import local_days
from collector.ingest.rows import COLUMNS
from collector.statistics.calculator import Calculator
from collector.statistics.touched import touch
from jph.config import model
from jph.config.model import Network
from jph.config.stores import postgres_dsn
from jph.errors import JphError
from jph.wire.codec import Quality

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

EPOCH: Final = 1
"""Epoch of the imported readings; a program has it only if its clock shows the year 1970."""
HOLD_S: Final = 400
"""A value of the past counts for this time: its readings are five minutes apart."""
OLD_MS: Final = 3_600_000
LINES_AT_ONCE: Final = 5_000
START_LIMIT_S: Final = 600.0
LOOK_S: Final = 2.0
_TABLES: Final = "SELECT to_regclass('reading'), to_regclass('expected'), to_regclass('phase_hour')"
_OLDER: Final = "SELECT 1 FROM reading WHERE timestamp < %s LIMIT 1"
_STARTED: Final = """
    SELECT 1 FROM statistics_until WHERE timestamp > now() - interval '1 day'
"""
_NO_HOURS: Final = "DELETE FROM energy_touched WHERE codifier = ANY (%s) AND to_time <= %s"
_KEEP_HOLD: Final = """
    INSERT INTO expected SELECT codifier, %s, seconds FROM expected
    WHERE codifier = %s ORDER BY since DESC LIMIT 1 ON CONFLICT DO NOTHING
"""
_HOLD: Final = """
    INSERT INTO expected VALUES (%s, to_timestamp(0), %s)
    ON CONFLICT (codifier, since) DO UPDATE SET seconds = excluded.seconds
"""
_PHASE: Final = """
    INSERT INTO phase_hour VALUES (%s, %s, %s, 3600, %s, NULL, %s, %s, 0, 0, %s)
    ON CONFLICT (phase, timestamp) DO UPDATE SET (known_s, mean_a, peak_a, peak_time, overruns,
        overrun_s, shed_s) = (excluded.known_s, excluded.mean_a, excluded.peak_a,
        excluded.peak_time, excluded.overruns, excluded.overrun_s, excluded.shed_s)
"""
_HEATER: Final = """
    INSERT INTO heater_hour VALUES (%s, %s, %s, %s, 3600, %s, 0)
    ON CONFLICT (codifier, timestamp) DO UPDATE SET (known_s, shed_s) =
        (excluded.known_s, excluded.shed_s)
"""

Line = list[Any]


def end_with_parent() -> None:
    """End this process when the one that started it has ended."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def main(url: str, command: Sequence[str]) -> None:
    """Import the lines that a command prints, if the history is empty so far."""
    network = model.load(url)
    dsn = postgres_dsn(network)
    with closing(connected(dsn, START_LIMIT_S)) as connection:
        if has_older(connection, time.time_ns() // 10**6 - OLD_MS):
            return
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            lines = [json.loads(line) for line in child.stdout]
        if child.returncode or not lines:
            raise JphError(f"the past cannot be made: exit status {child.returncode}")
        readings = [line[1:] for line in lines if line[0] == "readings"]
        import_readings(connection, readings)
        compute(dsn, network, readings[-1][0])
        import_hours(connection, network, [line[1:] for line in lines if line[0] == "hour"])


def connected(dsn: str, limit_s: float) -> "connection":
    """Connect when PostgreSQL answers and has its tables.

    Raises:
        JphError: it does not in time.
    """
    end_s = time.monotonic() + limit_s
    while True:
        try:
            connection = connect(dsn, "past")
            if None not in query(connection, _TABLES)[0]:
                return connection
            connection.close()
        except JphError:
            if time.monotonic() > end_s:
                raise
        time.sleep(LOOK_S)


def has_older(connection: "connection", ms: int) -> bool:
    """Return whether the history has readings from before a moment."""
    return bool(query(connection, _OLDER, (moment(ms),)))


def import_readings(connection: "connection", readings: Sequence[Line]) -> set[str]:
    """Store readings in one transaction, and have them computed; return their codifiers."""
    first_ms, last_ms = readings[0][0], readings[-1][0]
    codes = {code for _, values in readings for code in values}
    create_months(connection, {month(ms) for ms, _ in readings})
    with transaction(connection) as cursor:
        for code in sorted(codes):
            hold(cursor, code, last_ms)
        for start in range(0, len(readings), LINES_AT_ONCE):
            rows = io.StringIO()
            for number, (ms, values) in enumerate(readings[start : start + LINES_AT_ONCE], start):
                rows.writelines(row(code, ms, number, value) for code, value in values.items())
            rows.seek(0)
            cursor.copy_expert(f"COPY reading ({', '.join(COLUMNS)}) FROM STDIN", rows)
        touch(cursor, [(code, 1000 * first_ms, 1000 * last_ms) for code in sorted(codes)])
    return codes


def hold(cursor: "cursor", code: str, until_ms: int) -> None:
    """Let a value of a codifier count for `HOLD_S` until a time, and as long as before after it."""
    cursor.execute(_KEEP_HOLD, (moment(until_ms), code))
    cursor.execute(_HOLD, (code, HOLD_S))


def row(code: str, ms: int, number: int, value: float | str) -> str:
    """Return a reading as a line of COPY's text format."""
    kinds = [r"\N"] * 4
    kinds[2 if isinstance(value, str) else 1 if isinstance(value, int) else 0] = str(value)
    fields = (code, moment(ms).isoformat(), EPOCH, number, int(Quality.SIMULATED), *kinds)
    return "\t".join(map(str, fields)) + "\n"


def moment(ms: int) -> datetime:
    """Return a time of Unix ms."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def month(ms: int) -> int:
    """Return the month of a time, since the year 0."""
    when = moment(ms)
    return when.year * 12 + when.month - 1


def compute(dsn: str, network: Network, last_ms: int) -> None:
    """Compute statistics and energy up to a time; the calculator's turn may be ten minutes away.

    The hours of phases and heaters are left out: they are imported.
    """
    codes = sorted({code for phase in phases(network) for code in phase.codifiers})
    zone = local_days(network).zone
    assert isinstance(zone, ZoneInfo)
    with closing(Calculator(dsn, "past", zone)) as calculator:
        wait_for_start(calculator.connection)
        while calculator.work() is not None:
            pass
        with transaction(calculator.connection) as cursor:
            cursor.execute(_NO_HOURS, (codes, moment(last_ms)))
        calculator.count_energy(network, time.time_ns() // 1000)


def wait_for_start(connection: "connection") -> None:
    """Wait until the calculator of the house has said up to when buckets are computed."""
    end_s = time.monotonic() + START_LIMIT_S
    while not query(connection, _STARTED) and time.monotonic() < end_s:
        time.sleep(LOOK_S)


def import_hours(connection: "connection", network: Network, hours: Iterable[Line]) -> None:
    """Store the hours of phases and heaters."""
    days = local_days(network)
    with transaction(connection) as cursor:
        for end_ms, phase, mean_a, peak_a, peak_ms, shed_s, heaters in hours:
            end, day = moment(end_ms), days.hour_of(end_ms).day
            cursor.execute(_PHASE, (phase, end, day, mean_a, peak_a, moment(peak_ms), shed_s))
            for code, heater_s in heaters.items():
                cursor.execute(_HEATER, (code, end, day, phase, heater_s))


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    end_with_parent()
    main(sys.argv[1], sys.argv[2:])
