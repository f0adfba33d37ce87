r"""Rate at which readings become committed rows, beside other ways to write the same rows.

All ways write the table `reading` of the history, in a PostgreSQL of this measurement
(`synchronous_commit` off, as in the embedded one). They take turns; the figure is the median of
the rounds.

    jph, codifiers mixed    64 codifiers in each batch from the network, one reading of each
    jph, runs               each batch one source's, without a gap
                            both: from the batch of the bus to the commit, with accounting
    psql \copy              the same rows, from a file
    execute_values          1,000 rows a statement
    the original's way      INSERT and COMMIT for each reading

Then the bytes of a reading on disk, as a row and packed, and the time for the statistics and the
packing of a day of 100 codifiers with a reading each 10 s.

    python -m bench.store [--readings N] [--rounds N] [--json FILE]
"""

import argparse
import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from bench.harness import report
from bench.harness.processes import postgres, short_directory
from bench.harness.timing import median
from collector.history.packing import pack_day
from collector.ingest.buffer import Buffer
from collector.ingest.rows import COLUMNS
from collector.ingest.writer import Store
from collector.statistics.calculator import Calculator
from jph.cli.supervise.pgprograms import find_programs
from jph.wire.codec import Quality, Reading, encode_data
from jph.wire.columns import decode_readings

if TYPE_CHECKING:
    from psycopg2.extensions import connection

READINGS: Final = 400_000
ROUNDS: Final = 3
CODIFIERS: Final = 100
TOGETHER: Final = 64
SLOW_ROWS: Final = 3_000
VALUES_ROWS: Final = 100_000
DAY_EVERY_S: Final = 10
START_MS: Final = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp() * 1000)
NOW_MS: Final = START_MS + 86_400_000
_COLUMNS: Final = ", ".join(COLUMNS)
_KEY: Final = "codifier, timestamp, epoch, sequence"
_EMPTY: Final = "TRUNCATE reading, source, gap, touched"
_MANY: Final = 10**12
JPH, RUNS, PSQL = "jph, codifiers mixed", "jph, runs", r"psql \copy"
VALUES, ORIGINAL = "execute_values", "INSERT and COMMIT each"
AIM_COPY: Final = 0.7
AIM_ORIGINAL: Final = 50

Batches = list[Sequence[Reading]]
Way = Callable[[], int]


def measure(options: argparse.Namespace) -> list[report.Row]:
    """Measure the ways with and without the key, the disk and a day; print the tables."""
    count, rounds = options.readings, options.rounds
    with short_directory() as directory, postgres(directory) as dsn:
        keyed = write_rates(dsn, directory, count, rounds)
        rows = show("with its key", keyed, key=True)
        sizes = disk(dsn, count)
        execute(dsn, "ALTER TABLE reading DROP CONSTRAINT reading_pkey")
        bare = write_rates(dsn, directory, count, rounds, (JPH, RUNS, PSQL))
        rows += show("without its key", bare, key=False)
        execute(dsn, f"{_EMPTY}; ALTER TABLE reading ADD PRIMARY KEY ({_KEY})")
        sizes |= day(dsn)
    rows += [report.figure(name, value, ",.1f") for name, value in sizes.items()]
    worst = min(keyed[JPH], keyed[RUNS])
    copy, original = worst / keyed[PSQL], worst / keyed[ORIGINAL]
    print(
        rf"{copy:.2f} × \copy (aim {AIM_COPY:g}), {original:.0f} × the original's way (aim "
        f"{AIM_ORIGINAL}): {report.met(copy >= AIM_COPY and original >= AIM_ORIGINAL)}"
    )
    return rows


def write_rates(
    dsn: str, directory: Path, count: int, rounds: int, names: Sequence[str] = ()
) -> dict[str, float]:
    """Return the rows a second of each way: the median of the rounds, in which they take turns."""
    mixed, alone = batches(count, TOGETHER), batches(count, 1)
    text = directory / "rows.text"
    text.write_text("".join(map(_line, (each for part in mixed for each in part))))
    text.chmod(0o644)
    store = Store("Q1")
    store.open(dsn, NOW_MS)
    ways: dict[str, Way] = {
        JPH: lambda: stored(store, mixed),
        RUNS: lambda: stored(store, alone),
        PSQL: lambda: copied(dsn, text, count),
        VALUES: lambda: inserted(dsn, mixed[: VALUES_ROWS // TOGETHER], 1000),
        ORIGINAL: lambda: inserted(dsn, mixed[: SLOW_ROWS // TOGETHER], 1),
    }
    rates: dict[str, list[float]] = {name: [] for name in names or ways}
    for _ in range(rounds):
        for name, found in rates.items():
            execute(dsn, f"{_EMPTY}; CHECKPOINT")
            begin = time.perf_counter()
            rows = ways[name]()
            found.append(rows / (time.perf_counter() - begin))
    store.close()
    return {name: median(found) for name, found in rates.items()}


# The ways


def stored(store: Store, batches: Batches) -> int:
    """Write as the collector does; return the number of rows."""
    buffer, rows = Buffer(_MANY), 0
    for each in batches:
        buffer.add(each)
        while buffer.full_batch and (batch := buffer.take()):
            rows += store.write(batch, NOW_MS).stored.new
    while batch := buffer.take():
        rows += store.write(batch, NOW_MS).stored.new
    return rows


def copied(dsn: str, text: Path, count: int) -> int:
    """Copy a file with psql."""
    psql = find_programs(18) / "psql"
    command = rf"\copy reading ({_COLUMNS}) FROM '{text}'"
    subprocess.run([psql, "-q", "-X", "-d", dsn, "-c", command], check=True)
    return count


def inserted(dsn: str, batches: Batches, page: int) -> int:
    """INSERT and COMMIT `page` rows at a time."""
    from psycopg2.extras import execute_values

    rows = [_row(each) for part in batches for each in part]
    into = f"INSERT INTO reading ({_COLUMNS}) VALUES %s"
    with connect(dsn) as connection, connection.cursor() as cursor:
        for start in range(0, len(rows), page):
            execute_values(cursor, into, rows[start : start + page], page_size=page)
            connection.commit()
    return len(rows)


# What is written


def codifiers() -> list[str]:
    """Return the codifiers."""
    return [f"{number // 10}{'ABCDEFGHIJ'[number % 10]}" for number in range(CODIFIERS)]


def batches(count: int, together: int) -> Batches:
    """Return batches of 64 as the bus delivers them, of `together` codifiers each."""
    found: Batches = []
    codes = codifiers()
    next_one = dict.fromkeys(codes, 0)
    for number in range(count // TOGETHER):
        datagrams = []
        for place in range(TOGETHER):
            code = codes[(number * together + place % together) % CODIFIERS]
            datagrams.append(encode_data(_reading(code, next_one[code])))
            next_one[code] += 1
        found.append(decode_readings(b"".join(datagrams), len(datagrams[0]), _refuse))
    return found


def _reading(code: str, number: int, every_ms: int = 10) -> Reading:
    value = (number * 7919 % 40_000) / 4
    when = START_MS + every_ms * number
    return Reading(number, 7, when, "d", code, "@@", 1, Quality.GOOD, value)


def _refuse(error: Exception) -> None:
    raise error


def _row(reading: Reading) -> tuple[Any, ...]:
    when = datetime.fromtimestamp(reading.timestamp_ms / 1000, UTC)
    key = (reading.source, when, reading.epoch, reading.sequence, reading.quality)
    return (*key, reading.value, None, None, None)


def _line(reading: Reading) -> str:
    words = (r"\N" if each is None else str(each) for each in _row(reading))
    return "\t".join(words) + "\n"


# Disk and statistics


def disk(dsn: str, count: int) -> dict[str, float]:
    """Return the bytes of a reading, loaded in the order of time."""
    execute(dsn, _EMPTY)
    store = Store("Q1")
    store.open(dsn, NOW_MS)
    rows = stored(store, batches(count, TOGETHER))
    store.close()
    return {
        "bytes a reading, row": _size(dsn, "pg_table_size", "reading") / rows,
        "bytes a reading, key": _size(dsn, "pg_indexes_size", "reading") / rows,
    }


def _size(dsn: str, function: str, table: str) -> int:
    with connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT sum({function}(relid)) FROM pg_partition_tree('{table}')")
        (size,) = cursor.fetchone() or (0,)
        return int(size)


def day(dsn: str) -> dict[str, float]:
    """Return the seconds for the statistics of a day of 100 codifiers, and for packing it."""
    store = Store("Q1")
    store.open(dsn, NOW_MS)
    rows = stored(store, list(_day()))
    store.close()
    calculator = Calculator(dsn, "bench", ZoneInfo("UTC"))
    begin = time.perf_counter()
    calculator.advance((NOW_MS + 60_000) * 1000)
    while calculator.work() is not None:
        pass
    took_s = time.perf_counter() - begin
    begin = time.perf_counter()
    for code in codifiers():
        pack_day(calculator.connection, code, datetime.fromtimestamp(START_MS / 1000, UTC).date())
    packed_s = time.perf_counter() - begin
    calculator.close()
    return {
        "readings of a day": rows,
        "seconds, its statistics": took_s,
        "seconds, packing it": packed_s,
        "bytes a reading, packed": _size(dsn, "pg_total_relation_size", "packed") / rows,
    }


def _day() -> Iterator[Sequence[Reading]]:
    """Yield a day of every codifier, an hour at a time."""
    hour = 3600 // DAY_EVERY_S
    for start in range(0, 24 * hour, hour):
        for code in codifiers():
            yield [_reading(code, start + n, DAY_EVERY_S * 1000) for n in range(hour)]


def connect(dsn: str) -> "connection":
    """Connect in UTC."""
    import psycopg2

    return psycopg2.connect(dsn, options="-c timezone=UTC")


def execute(dsn: str, statements: str) -> None:
    """Execute statements one by one."""
    with contextlib.closing(connect(dsn)) as connection:
        connection.autocommit = True
        for statement in statements.split(";"):
            connection.cursor().execute(statement)


# The report


def show(what: str, rates: dict[str, float], *, key: bool) -> list[report.Row]:
    """Print and return the rates of all ways."""
    rows: list[report.Row] = [
        {"name": name, "key": key, "rows_a_second": rate} for name, rate in rates.items()
    ]
    shown = [{**row, "ratio": row["rows_a_second"] / rates[PSQL]} for row in rows]
    columns = (("rows_a_second", "rows/s", "12,.0f"), ("ratio", r"× \copy", "10.2f"))
    report.table(shown, columns, 36, f"into the table {what}")
    return rows


if __name__ == "__main__":
    options = {"readings": (READINGS, "in each trial"), "rounds": (ROUNDS, "of all ways")}
    report.run("store", __doc__, measure, options)
