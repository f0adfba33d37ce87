import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from collector.calc import PostgresCalcHandler
from collector.ingest.buffer import Batch
from collector.ingest.writer import Store
from jph.config.model import Network
from jph.errors import ConfigError
from jph.node import kinds
from tests.collector.ingest.test_writer import batch, dsn, query
from tests.collector.statistics.test_calculator import CHANGE
from tests.support import running, until

MakeNetwork = Callable[..., Network]
CALCULATOR = {"Codifier": "Q2", "Type": "postgresCalcHandler", "SensorInterval": 0.05}
METER = {"Codifier": "TI", "Type": "Teleinfo", "TimeoutWarning": 20}


@contextlib.asynccontextmanager
async def calculating(network: Network) -> AsyncIterator[PostgresCalcHandler]:
    node = PostgresCalcHandler("Q2", network)
    async with running(node):
        yield node


def rows(sql: dict[str, Any], statement: str) -> list[tuple[Any, ...]]:
    """Return what is there once the tables are."""
    with contextlib.suppress(psycopg2.errors.UndefinedTable):
        return query(sql, statement)
    return []


def write(sql: dict[str, Any], *sequences: int) -> None:
    with contextlib.closing(Store("Q1")) as store:
        store.open(dsn(sql), CHANGE // 1000)
        store.write(batch(*sequences, at_ms=CHANGE // 1000), CHANGE // 1000)


async def test_what_was_stored_while_nobody_computed_is_caught_up(
    network: MakeNetwork, sql: dict[str, Any]
) -> None:
    write(sql, 1, 2, 3)
    async with calculating(network(CALCULATOR, METER, SQL=sql)):
        await until(lambda: rows(sql, "SELECT count FROM statistic_day") == [(3,)])
        write(sql, 4)
        await until(lambda: rows(sql, "SELECT count FROM statistic_day") == [(4,)])
    assert rows(sql, "SELECT seconds FROM expected WHERE codifier = 'TI'") == [(20.0,)]


async def test_views_are_made_and_follow_the_config(
    network: MakeNetwork, sql: dict[str, Any]
) -> None:
    write(sql, 1)
    first = "SELECT relname FROM pg_class WHERE relkind = 'v' AND relname LIKE 'sensor%' ORDER BY 1"
    async with calculating(network(CALCULATOR, METER, SQL=sql)):
        await until(lambda: len(rows(sql, first)) == 8)
        assert rows(sql, "SELECT value FROM sensor_ti") == [(1.5,)]
    async with calculating(network(CALCULATOR, SQL=sql)):
        await until(lambda: len(rows(sql, first)) == 4)


async def test_another_one_takes_over(network: MakeNetwork, sql: dict[str, Any]) -> None:
    made = network(CALCULATOR, {**CALCULATOR, "Codifier": "Q3"}, METER, SQL=sql)
    write(sql, 1)
    other = PostgresCalcHandler("Q3", made)
    async with running(other):
        async with calculating(made):
            await until(lambda: rows(sql, "SELECT count FROM statistic_day") == [(1,)])
        write(sql, 2)
        await until(lambda: rows(sql, "SELECT count FROM statistic_day") == [(2,)])


async def test_it_waits_for_postgresql_and_says_so(
    network: MakeNetwork, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nowhere = {"Database": "jph", "User": "jph", "Host": str(tmp_path)}
    async with calculating(network(CALCULATOR, SQL=nowhere)):
        await until(lambda: "PostgreSQL: " in caplog.text)


def test_a_zone_that_does_not_exist_is_a_mistake(config_file: Callable[..., Path]) -> None:
    path = config_file({**CALCULATOR, "Sensor": {"TimeZone": "Europe/Lutece"}})
    with pytest.raises(ConfigError, match=r"expected a zone as Europe/Paris.*Lutece") as caught:
        kinds.load(str(path))
    assert json.dumps([problem.path for problem in caught.value.problems]).count("Q2") == 1


METER_WITH_INDEX = METER | {
    "Sensor": {"Device": "nowhere", "Proxy": [{"Codifier": "TI", "Field": "INDEX_BASE"}]}
}


async def test_energy_is_counted_too_and_again_for_late_readings(
    network: MakeNetwork, sql: dict[str, Any]
) -> None:
    def store(minutes: int, wh: int) -> None:
        at_ms = CHANGE // 1000 + minutes * 60_000
        each = batch(minutes + 1, at_ms=at_ms - minutes - 1).readings[0]
        with contextlib.closing(Store("Q1")) as store:
            store.open(dsn(sql), at_ms)
            store.write(Batch([each._replace(flag="q", value=wh)]), at_ms)

    energy = "SELECT wh FROM energy_hour ORDER BY timestamp"
    store(0, 1000)
    store(120, 3000)
    async with calculating(network(CALCULATOR, METER_WITH_INDEX, SQL=sql)):
        await until(lambda: rows(sql, energy) == [(1000,), (1000,)])
        store(60, 1500)
        await until(lambda: rows(sql, energy) == [(500,), (1500,)])


async def test_tariffs_with_mistakes_stop_no_statistics(
    network: MakeNetwork, sql: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    write(sql, 1, 2, 3)
    broken = network(CALCULATOR, METER_WITH_INDEX, SQL=sql, Tariffs=[{"Name": "broken"}])
    assert PostgresCalcHandler.check_network(broken) != ()
    async with calculating(broken):
        await until(lambda: "energy is not counted" in caplog.text)
        await until(lambda: rows(sql, "SELECT count FROM statistic_day") == [(3,)])
        write(sql, 4)
        await until(lambda: rows(sql, "SELECT count FROM statistic_day") == [(4,)])
