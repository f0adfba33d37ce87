"""Delay of a history for a page, and the disk space of years of readings.

Three currents, a reading a second each, in a PostgreSQL of this measurement; all but the last two
days are packed: some by the calculator, to measure its rate, the others by SQL. The calculator
computes their statistics. Then the function that pages call,
`collector.history.query.read_history`, for a day, a month and a year up to now, in turns
with a plain SELECT of as many readings by the key of `reading`; with one year stored, and five.

    python -m bench.history [--days 10 | --full] [--json FILE]

`--full` makes the whole year, 94.6 million readings. With fewer days, and for the years before,
rows of statistics are invented where none were computed, and rows of `packed` are copies of those
of the last days, 30 a year at most: no measured query opens them.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from bench.harness import report
from bench.harness.processes import postgres, short_directory
from bench.harness.timing import in_turns, percentile
from collector.db.connecting import connect, query, transaction
from collector.db.schema import create_months, create_packed, migrate
from collector.db.tables import CHUNK
from collector.history.packing import pack_day, vacuum
from collector.history.query import Range, read_history
from collector.statistics.buckets import to_us
from collector.statistics.calculator import Calculator

if TYPE_CHECKING:
    from psycopg2.extensions import connection

CODES: Final = ("I1", "I2", "I3")
ZONE: Final = ZoneInfo("Europe/Paris")
NOW: Final = datetime(2026, 11, 20, 11, tzinfo=UTC)  # noon there
RUNNING: Final = timedelta(minutes=4)
"""Readings exist up to this time after NOW, without statistics."""
TODAY: Final = NOW.date()
DAY: Final = timedelta(days=1)
YEAR: Final = 365 * DAY
HOT_DAYS: Final = 2
BY_HAND_DAYS: Final = 1
"""Days that are loaded and packed as those of a house are."""
DEFAULT_DAYS: Final = 10
COPIED_DAYS: Final = 30
YEARS: Final = 5
ROUNDS: Final = 200
SPANS: Final = {"a day": DAY, "a month": 30 * DAY, "a year": YEAR}
UP_TO_DATE: Final = "a day and what runs"
"""Readings without statistics are summed up by the query: the same work for any span, outside the
aim."""
AIM: Final = 1.5
AIM_BYTES: Final = 60
WORKERS: Final = 2

_SECONDS: Final = """
    SELECT second, %(day)s::timestamptz + second * interval '1 second'
            + floor(random() * 30) * interval '1 ms' AS timestamp,
        -- hundredths of an A, by the time of day, with steps and noise
        round((8 + 5 * sin(second / 9000.0) + second / 700 %% 7 + random() * 0.6)::numeric, 2)
            ::double precision AS value
    FROM generate_series(0, %(seconds)s - 1) AS second
"""
_HOT: Final = f"""
    INSERT INTO reading SELECT timestamp, 7, %(first)s + second, value, NULL, 0, %(code)s
    FROM ({_SECONDS}) AS made
"""
_PACKED: Final = f"""
    INSERT INTO packed SELECT min(timestamp), max(timestamp), 7, %(first)s + min(second), %(day)s,
        second / {CHUNK}, count(*), 0, %(code)s,
        array_agg(timestamp ORDER BY second), NULL, NULL, array_agg(value ORDER BY second)
    FROM ({_SECONDS}) AS made GROUP BY second / {CHUNK}
"""
_EARLIER: Final = """
    INSERT INTO packed SELECT first_time - %(back)s, last_time - %(back)s, epoch, first_sequence,
        (day - %(back)s)::date, part, count, quality, codifier, timestamps, sequences, qualities,
        reals, integers, texts, jsons
    FROM packed WHERE codifier = %(code)s AND day > %(after)s AND day <= %(until)s
"""
_STATISTICS: Final = """
    INSERT INTO statistic_{width} (codifier, timestamp, mean, median, max, min, stdev, coverage,
        time_mean, count)
    SELECT %(code)s, timestamp, 9, 9, 14, 3, 2, 100, 9, 600
    FROM generate_series(%(first)s::timestamptz, %(last)s, '{step}') AS timestamp
    ON CONFLICT DO NOTHING
"""
_STEPS: Final = {"10min": "10 minutes", "hour": "1 hour", "day": "1 day"}
_BARE: Final = """
    SELECT timestamp, value_real FROM reading
    WHERE codifier = %s AND timestamp > %s AND timestamp <= %s ORDER BY timestamp
"""
_SIZE: Final = "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree(%s)"


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Fill the history, measure with one year and with five, and print the tables."""
    days = YEAR.days if options.full else max(HOT_DAYS + BY_HAND_DAYS + 1, options.days)
    with short_directory() as directory, postgres(directory) as dsn:
        rows = prepare(dsn, days)
        rows += compared(dsn, years=1)
        rows += [{"name": "readings of an hour, packed", **packed_hour(dsn)}]
        print(f"adding the {YEARS - 1} years before", flush=True)
        add_years(dsn, days)
        rows += compared(dsn, years=YEARS)
    judge(rows)
    return rows


# The stored data


def prepare(dsn: str, days: int) -> list[report.Row]:
    """Store days up to now with their statistics; return rates and sizes."""
    rows: list[report.Row] = []
    with closing(connect(dsn, "bench")) as connection:
        migrate(connection)
        months = {day.year * 12 + day.month - 1 for day in back(TODAY, days * DAY)}
        create_months(connection, months)
        with transaction(connection) as cursor:
            for month in months:
                create_packed(cursor, month)
        listed = list(back(TODAY, days * DAY))
        hot, by_hand = listed[:HOT_DAYS], listed[HOT_DAYS : HOT_DAYS + BY_HAND_DAYS]
        with transaction(connection) as cursor:
            for day in (*hot, *by_hand):
                for code in CODES:
                    cursor.execute(_HOT, made(code, day))
        rows += [
            report.figure("bytes a reading, hot, with its key", size(connection, "reading"), ".1f")
        ]
        rows += packed(connection, by_hand)
        with report.timed("making packed days"), ThreadPoolExecutor(WORKERS) as workers:
            many = listed[HOT_DAYS + BY_HAND_DAYS :]
            list(workers.map(lambda day: make_packed(dsn, day), many))
        rows += [
            report.figure(
                "bytes a reading, packed, with its key", size(connection, "packed"), ".1f"
            )
        ]
        rows += computed(dsn)
        make_statistics(connection, NOW - YEAR, NOW)
        vacuum(connection, "(ANALYZE)")
    return rows


def made(code: str, day: date) -> dict[str, Any]:
    """Return the parameters of the SQL that makes a day of a codifier; today ends now."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    seconds = min(86_400, int((NOW + RUNNING - start).total_seconds()))
    return {"code": code, "day": start, "seconds": seconds, "first": day.toordinal() * 86_400}


def back(last: date, length: timedelta) -> Iterator[date]:
    """Yield the days from `last` backward."""
    for number in range(length.days):
        yield last - number * DAY


def packed(connection: "connection", days: Iterable[date]) -> list[report.Row]:
    """Pack days as the calculator does; return the rate."""
    begin_s, count = time.perf_counter(), 0
    for day in days:
        for code in CODES:
            pack_day(connection, code, day)
            count += 86_400
    return [report.figure("packing, readings a second", count / (time.perf_counter() - begin_s))]


def make_packed(dsn: str, day: date) -> None:
    """Make a packed day of all codifiers."""
    with closing(connect(dsn, "bench")) as connection, transaction(connection) as cursor:
        for code in CODES:
            cursor.execute(_PACKED, made(code, day))


def computed(dsn: str) -> list[report.Row]:
    """Compute the statistics; return the rate."""
    with (
        report.timed("computing statistics"),
        closing(Calculator(dsn, "bench", ZONE)) as calculator,
    ):
        begin_s = time.perf_counter()
        calculator.advance(to_us(NOW + RUNNING))
        while calculator.work() is not None:
            pass
        took_s = time.perf_counter() - begin_s
        ((count,),) = query(calculator.connection, "SELECT sum(count) FROM statistic_10min")
    return [
        report.figure("statistics, readings a second", int(count) / took_s),
        report.figure("readings", int(count)),
    ]


def make_statistics(connection: "connection", start: datetime, end: datetime) -> None:
    """Invent rows of statistics where there are none."""
    with transaction(connection) as cursor:
        cursor.execute(f"SET LOCAL timezone = '{ZONE.key}'")
        midnight = start.astimezone(ZONE).replace(hour=0)
        for width, step in _STEPS.items():
            statement = _STATISTICS.format(width=width, step=step)
            for code in CODES:
                cursor.execute(statement, {"code": code, "first": midnight, "last": end})


def add_years(dsn: str, days: int) -> None:
    """Store the years before the last."""
    days = min(days, COPIED_DAYS)
    after = TODAY - days * DAY
    with closing(connect(dsn, "bench")) as connection:
        for year in range(1, YEARS):
            make_statistics(connection, NOW - (year + 1) * YEAR, NOW - year * YEAR)
            for code in CODES:
                with transaction(connection) as cursor:
                    for day in back(TODAY - year * YEAR, days * DAY):
                        create_packed(cursor, day.year * 12 + day.month - 1)
                    span = {"code": code, "after": after, "until": TODAY}
                    cursor.execute(_EARLIER, {**span, "back": year * YEAR})
        vacuum(connection, "(ANALYZE)")


def size(connection: "connection", table: str) -> float:
    """Return the bytes of a reading in a table, with its indexes."""
    ((taken,),) = query(connection, _SIZE, (table,))
    count = "count(*)" if table == "reading" else "sum(count)"
    ((rows,),) = query(connection, f"SELECT {count} FROM {table}")
    return float(taken) / int(rows)


# The queries


def compared(dsn: str, years: int) -> list[report.Row]:
    """Return the times of the function beside a plain SELECT of as many readings."""
    rows = []
    print(f"\n{f'{years} years stored':28}{'rows':>6}{'function':>11}{'SELECT':>11}{'ratio':>7}")
    with reading(dsn) as connection:
        for name, span in (*SPANS.items(), (UP_TO_DATE, DAY)):
            end = NOW + RUNNING * (name == UP_TO_DATE)
            wanted = Range(CODES[0], to_ms(end - span), to_ms(end))
            found = read_history(connection, wanted, zone=ZONE)
            count = len(found.points)
            bare = (CODES[0], NOW - timedelta(seconds=count, milliseconds=500), NOW)
            assert abs(len(query(connection, _BARE, bare)) - count) <= 1
            one_ms, other_ms = fast_ms(
                partial(read_history, connection, wanted, zone=ZONE),
                partial(query, connection, _BARE, bare),
            )
            ratio = one_ms / other_ms
            level = f"{name}, {found.level.value}"
            print(f"{level:28}{count:6}{one_ms:8.2f} ms{other_ms:8.2f} ms{ratio:7.2f}", flush=True)
            row = {"name": name, "years": years, "level": found.level.value, "rows": count}
            rows.append({**row, "function_ms": one_ms, "select_ms": other_ms, "ratio": ratio})
    return rows


def packed_hour(dsn: str) -> dict[str, Any]:
    """Return the times for an hour of packed readings beside an hour of others."""
    start = datetime(TODAY.year, TODAY.month, TODAY.day, 6, tzinfo=UTC)
    old = start - (HOT_DAYS + BY_HAND_DAYS) * DAY
    with reading(dsn) as connection:
        spans = [(CODES[0], each, each + DAY / 24) for each in (old, start)]
        statement = _BARE.replace(
            "FROM reading\n    WHERE codifier = %s AND timestamp > %s AND timestamp <= %s",
            "FROM readings(%s, %s, %s)",
        )
        assert len(query(connection, statement, spans[0])) >= 3599
        one_ms, other_ms = fast_ms(
            lambda: query(connection, statement, spans[0]),
            lambda: query(connection, _BARE, spans[1]),
        )
    name = "readings of an hour, packed"
    print(f"{name:28}{3600:6}{one_ms:8.2f} ms{other_ms:8.2f} ms{one_ms / other_ms:7.2f}")
    return {"rows": 3600, "function_ms": one_ms, "select_ms": other_ms, "ratio": one_ms / other_ms}


@contextmanager
def reading(dsn: str) -> "Iterator[connection]":
    """Yield a connection as pages have it."""
    with closing(connect(dsn, "bench", read_only=True)) as connection:
        connection.autocommit = True
        yield connection


def fast_ms(one: Callable[[], object], other: Callable[[], object]) -> tuple[float, float]:
    """Return the time of each of two calls, ms: the 10th percentile of calls in turns.

    A busy machine slows the others down.
    """
    one_ms, other_ms = (1000 * percentile(t, 10) for t in in_turns((one, other), ROUNDS))
    return one_ms, other_ms


def to_ms(moment: datetime) -> int:
    """Return ms since 1970."""
    return to_us(moment) // 1000


def judge(rows: Iterable[report.Row]) -> None:
    """Print whether the aims are met."""
    rows = list(rows)
    worst = max(row["ratio"] for row in rows if row["name"] in SPANS)
    grown = max(
        row["function_ms"] / before["function_ms"]
        for row in rows
        for before in rows
        if row["name"] == before["name"] and row.get("years") == YEARS and before["years"] == 1
    )
    taken = next(row["figure"] for row in rows if "packed, with" in row["name"])
    print(
        f"\n{worst:.2f} × a plain SELECT (aim {AIM}), {taken:.1f} bytes a reading "
        f"(aim {AIM_BYTES}): {report.met(worst <= AIM and taken <= AIM_BYTES)}; "
        f"{grown:.2f} × with {YEARS} years stored"
    )


if __name__ == "__main__":
    options = {"days": (DEFAULT_DAYS, "of readings made"), "full": (False, "a year of readings")}
    report.run("history", __doc__, measure, options)
