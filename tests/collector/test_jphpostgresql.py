import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from collector.ingest import keeper
from collector.ingest.restoring import RECORD, REMEMBER
from collector.jphpostgresql import JphPostgreSQL, PostgresSettings, SpoolSettings
from jph.cli.supervise.servers import PostgresServer
from jph.config import model as config
from jph.config.model import Network
from jph.errors import ConfigError
from jph.node.node import Node, now_ms
from jph.retransmit import Cause, Gap
from jph.util.worker import Worker
from jph.wire.codec import Json, Quality, Reading
from tests.stores_fixtures import connect
from tests.support import LIMIT_S, running, until

MakeNetwork = Callable[..., Network]
COLLECTOR = {
    "Codifier": "Q1",
    "Type": "jphPostgreSQL",
    "SensorInterval": 0.1,
    "Sensor": {"BatchInterval": 0.01},
}
SOURCE = {"Codifier": "TI", "Type": "Teleinfo"}


class Source(Node):
    """A node that sends what the test asks for."""


@contextlib.asynccontextmanager
async def house(network: Network) -> AsyncIterator[tuple[JphPostgreSQL, Source]]:
    collector, source = JphPostgreSQL("Q1", network), Source("TI", network)
    async with running(collector, source):
        yield collector, source


def stored(sql: dict[str, Any]) -> list[Any]:
    """Return the values of TI in the order they were sent."""
    with contextlib.closing(connect(sql)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(value_real::text, value_integer::text, value_text, value_json::text) "
            "FROM reading WHERE codifier = 'TI' ORDER BY sequence"
        )
        return [value for (value,) in cursor.fetchall()]


async def stores(sql: dict[str, Any], values: list[str]) -> None:
    """Wait until exactly these values are stored."""

    def reached() -> bool:
        with contextlib.suppress(psycopg2.OperationalError, psycopg2.errors.UndefinedTable):
            return stored(sql) == values
        return False

    await until(reached)


async def test_every_kind_of_value_is_stored(network: MakeNetwork, sql: dict[str, Any]) -> None:
    async with house(network(COLLECTOR, SOURCE, SQL=sql)) as (_, source):
        for value in (1.5, 7, -(2**40), "HP..", Json('{"value": 2}')):
            source.send(value)
        await stores(sql, ["1.5", "7", str(-(2**40)), "HP..", '{"value": 2}'])


async def test_it_tells_how_much_it_stores(network: MakeNetwork, sql: dict[str, Any]) -> None:
    async with house(network(COLLECTOR, SOURCE, SQL=sql)):
        with contextlib.closing(connect(sql)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            async with asyncio.timeout(LIMIT_S):
                found = None
                while not found:
                    with contextlib.suppress(psycopg2.errors.UndefinedTable):
                        cursor.execute("SELECT value_integer FROM reading WHERE codifier = 'Q1'")
                        found = cursor.fetchone()
                    await asyncio.sleep(0.01)


async def test_what_is_left_is_stored_at_the_end(
    network: MakeNetwork, sql: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_LAST_FLUSH_S", LIMIT_S)
    slow = {**COLLECTOR, "Sensor": {"BatchInterval": 60}}
    async with house(network(slow, SOURCE, SQL=sql)) as (collector, source):
        source.send(1)
        await until(lambda: collector.keeper.buffer.rows)
    assert stored(sql) == ["1"]


async def test_it_does_not_halt(network: MakeNetwork, sql: dict[str, Any]) -> None:
    async with house(network(COLLECTOR, SOURCE, SQL=sql)) as (collector, source):
        source.send_control("H", "Q1")
        await until(lambda: "TI" in collector.control_sequences.sources)
        source.send(1)
        await stores(sql, ["1"])


@pytest.mark.parametrize("gently", [True, False])
async def test_postgresql_may_come_late_go_and_come_back(
    network: MakeNetwork, store_state: Path, gently: bool
) -> None:
    server = PostgresServer(store_state)
    server.settings = {**server.settings, "synchronous_commit": "on"}  # type: ignore[misc]
    sql = {"Host": str(server.socket.parent), "User": "jph", "Database": "jph"}
    async with house(network(COLLECTOR, SOURCE)) as (collector, source):
        source.send(0)
        try:
            await server.start()
            await server.wait_ready(LIMIT_S)
            await stores(sql, ["0"])
            if gently:
                await server.stop()
            else:
                os.kill(server.pid or 0, signal.SIGKILL)
                await server.wait()
            for number in range(1, 4):
                source.send(number)
            await until(lambda: collector.data_sequences.sources["TI"].received >= 4)
            await server.start()
            await stores(sql, ["0", "1", "2", "3"])
        finally:
            collector.stop()
            await server.stop()


async def test_a_missing_password_file_does_not_end_it(
    network: MakeNetwork, sql: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    password = tmp_path / "password"
    async with house(network(COLLECTOR, SOURCE, SQL={**sql, "Password": str(password)})) as (
        _,
        source,
    ):
        await until(lambda: "cannot read PostgreSQL's password" in caplog.text)
        source.send(1)
        password.write_text("secret")
        await stores(sql, ["1"])


@contextlib.asynccontextmanager
async def postgres(state: Path) -> AsyncIterator[tuple[PostgresServer, dict[str, Any]]]:
    """Give a server of this test's own, not started yet."""
    server = PostgresServer(state)
    try:
        yield server, {"Host": str(server.socket.parent), "User": "jph", "Database": "jph"}
    finally:
        await server.stop()


FULL = """
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON reading FOR EACH ROW EXECUTE FUNCTION full_disk()
"""


def execute(sql: dict[str, Any], statement: str) -> None:
    with contextlib.closing(connect(sql)) as connection:
        connection.autocommit = True
        connection.cursor().execute(statement)


class Listener(Node):
    """Collects the readings of the collector itself."""

    def __init__(self, codifier: str, network: Network) -> None:
        super().__init__(codifier, network)
        self.seen: list[Reading] = []

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.seen += [each for each in readings if each.source == "Q1"]


@pytest.mark.parametrize(
    ("refuse", "accept"),
    [
        (FULL, "DROP TRIGGER full_disk ON reading"),
        ("REVOKE INSERT ON reading FROM {}", "GRANT INSERT ON reading TO {}"),
    ],
    ids=["disk full", "INSERT revoked"],
)
async def test_readings_are_spooled_while_postgresql_refuses_them(
    network: MakeNetwork,
    sql: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    refuse: str,
    accept: str,
) -> None:
    """Connecting works all the time; only a write that succeeds ends the trouble."""
    limited, database = f"limited_{sql['Database']}", sql["Database"]
    execute(sql, f"CREATE ROLE {limited}; GRANT ALL ON SCHEMA public TO {limited}")
    execute(sql, f"ALTER ROLE {sql['User']} IN DATABASE {database} SET role = '{limited}'")
    home = network(COLLECTOR, SOURCE, {**SOURCE, "Codifier": "LI"}, SQL=sql)
    collector, source = JphPostgreSQL("Q1", home), Source("TI", home)
    listener = Listener("LI", home)
    opened: list[float] = []
    async with running(collector, source, listener):
        source.send(0)
        await stores(sql, ["0"])
        connect_again = collector.keeper._store.open

        def count(*arguments: Any) -> None:
            opened.append(time.monotonic())
            connect_again(*arguments)

        monkeypatch.setattr(collector.keeper._store, "open", count)
        execute(sql, refuse.format(limited))
        before_ms = listener.seen[-1].timestamp_ms if listener.seen else 0
        source.send(1)
        await until(lambda: collector.keeper.spooled)
        source.send(2)
        await until(lambda: any(each.quality == Quality.STALE for each in listener.seen))
        stale = next(each for each in listener.seen if each.quality == Quality.STALE)
        assert collector.keeper.not_stored_since_ms == stale.timestamp_ms
        assert before_ms - 2000 < stale.timestamp_ms <= now_ms()
        await until(lambda: len(opened) >= 4)
        assert opened[3] - opened[0] > 2, "each attempt waits twice as long"
        assert stored(sql) == ["0"]
        execute(sql, accept.format(limited))
        await stores(sql, ["0", "1", "2"])
        await until(lambda: listener.seen[-1].quality == Quality.GOOD)
        assert collector.keeper.not_stored_since_ms is None
    execute(sql, f"SET ROLE NONE; DROP OWNED BY {limited} CASCADE")
    execute(sql, f"SET ROLE NONE; ALTER ROLE {sql['User']} IN DATABASE {database} RESET role")
    execute(sql, f"DROP ROLE {limited}")


async def test_what_was_spooled_survives_the_collector(
    network: MakeNetwork, store_state: Path
) -> None:
    async with postgres(store_state) as (server, sql):
        async with house(network(COLLECTOR, SOURCE)) as (collector, source):
            source.send(1)
            await until(lambda: collector.keeper.spooled)
            source.send(2)
            await until(lambda: collector.keeper.buffer.rows)
        assert list((store_state / "spool" / "Q1").iterdir())
        await server.start()
        await server.wait_ready(LIMIT_S)
        async with house(network(COLLECTOR, SOURCE)) as (collector, source):
            await stores(sql, ["1", "2"])
            await until(lambda: not list((store_state / "spool" / "Q1").iterdir()))


async def test_a_commit_that_postgresql_forgot_is_made_again(
    network: MakeNetwork, store_state: Path
) -> None:
    """With `synchronous_commit` off a server that is killed loses its last commits."""
    async with postgres(store_state) as (server, sql):
        never = {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}
        server.settings = {**server.settings, **never}  # type: ignore[misc]
        await server.start()
        await server.wait_ready(LIMIT_S)
        async with house(network(COLLECTOR, SOURCE)) as (collector, source):
            source.send(0)
            await stores(sql, ["0"])
            await until(lambda: not collector.keeper.buffer)
            for number in range(1, 50):
                source.send(number)
            await until(lambda: collector.keeper.total.new >= 50)
            os.kill(server.pid or 0, signal.SIGKILL)
            await server.wait()
            await server.start()
            await server.wait_ready(LIMIT_S)
            await stores(sql, [str(number) for number in range(50)])


async def test_a_reload_loses_nothing(
    document: Callable[..., dict[str, Any]], sql: dict[str, Any]
) -> None:
    read = config.parse(json.dumps(document(COLLECTOR, SOURCE, SQL=sql)).encode())

    async def again() -> Network:
        return read

    collector, source = JphPostgreSQL("Q1", read, again), Source("TI", read)
    async with running(collector, source):
        for number in range(30):
            source.send(number)
            if number == 15:
                source.send_control("C", "Q1")
                await asyncio.sleep(0)
        await stores(sql, [str(number) for number in range(30)])


async def test_codifiers_that_are_not_in_the_config_are_not_stored(
    network: MakeNetwork, sql: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with house(network(COLLECTOR, SOURCE, SQL=sql)) as (collector, source):
        source.send(7, codifier="ZZ")
        source.send(1)
        await stores(sql, ["1"])
        await until(lambda: collector.unknown)
        collector.on_gaps([Gap("ZZ", 5, 7, 3, Cause.OVERFLOW, 0, 0)])
        source.send(2)
        await stores(sql, ["1", "2"])
    assert "ZZ is not in the config" in caplog.text
    with contextlib.closing(connect(sql)) as connection, connection.cursor() as cursor:
        for table in ("source", "gap"):
            cursor.execute(f"SELECT FROM {table} WHERE codifier = 'ZZ'")
            assert cursor.rowcount == 0


async def test_a_live_reading_is_of_now(
    network: MakeNetwork,
    sql: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A reading of another time is stored with a mark, and counts nowhere."""
    own = {**SOURCE, "Codifier": "OT", "OwnTime": True}
    day_ms = 86_400_000
    async with house(network(COLLECTOR, SOURCE, own, SQL=sql)) as (collector, source):
        now = now_ms()
        assert not collector.requested
        old = Reading(1, 5, now - 3 * day_ms, "i", "OT", "@@", 1, Quality.GOOD, 6)
        assert collector._of_now([old, old._replace(source="TI")]) == [
            old,
            old._replace(source="TI", quality=Quality.IMPLAUSIBLE),
        ]
        monkeypatch.setattr(JphPostgreSQL, "requested", True)
        assert collector._of_now([old._replace(source="TI")])[0].quality == Quality.GOOD
        monkeypatch.undo()
        for number, away_ms in enumerate((0, -day_ms + 60_000, -2 * day_ms, 30_000, 3_600_000)):
            source.send(number, timestamp_ms=now + away_ms)
        source.send(5, codifier="OT", timestamp_ms=now - 400 * day_ms)
        await stores(sql, ["0", "1", "2", "3", "4"])
        with contextlib.closing(connect(sql)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT value_integer, quality FROM reading WHERE codifier <> 'Q1'")
            assert sorted(cursor.fetchall()) == [(0, 0), (1, 0), (2, 2), (3, 0), (4, 2), (5, 0)]
    assert "TI sends times that are" in caplog.text


async def test_gaps_are_recorded(network: MakeNetwork, sql: dict[str, Any]) -> None:
    other = {**SOURCE, "Codifier": "HO"}
    async with house(network(COLLECTOR, SOURCE, other, SQL=sql)) as (collector, source):
        source.send(0)
        await stores(sql, ["0"])
        collector.on_gaps([Gap("HO", 5, 7, 3, Cause.OVERFLOW, 0, 0)])
        with contextlib.closing(connect(sql)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            found: list[Any] = []
            async with asyncio.timeout(LIMIT_S):
                while not found:
                    cursor.execute("SELECT codifier, first, messages, cause FROM gap")
                    found = cursor.fetchall()
                    await asyncio.sleep(0.01)
    assert found == [("HO", 7, 3, "overflow")]


async def test_what_a_backup_lacks_is_asked_for_again(
    network: MakeNetwork, sql: dict[str, Any]
) -> None:
    home, numbers = network(COLLECTOR, SOURCE, SQL=sql), [str(number) for number in range(10)]
    source = Source("TI", home)
    async with running(source):
        async with running(JphPostgreSQL("Q1", home)):
            for number in range(10):
                source.send(number)
            await stores(sql, numbers)
        with contextlib.closing(connect(sql)) as connection, connection, connection.cursor() as db:
            db.execute(REMEMBER)
            db.execute("DELETE FROM reading WHERE codifier = 'TI' AND value_integer > 5")
            db.execute("UPDATE source SET last = last - 4 WHERE codifier = 'TI'")
            db.execute(RECORD)
            db.execute("SELECT messages, cause FROM gap WHERE codifier = 'TI'")
            assert db.fetchall() == [(4, "restored")]
        async with running(JphPostgreSQL("Q1", home)):
            source.send(10)
            await stores(sql, [*numbers, "10"])
    with contextlib.closing(connect(sql)) as connection, connection.cursor() as db:
        db.execute("SELECT FROM gap WHERE codifier = 'TI'")
        assert db.rowcount == 0


def test_settings_of_the_original_are_taken(network: MakeNetwork) -> None:
    entry = {"Database": "sensors", "User": "jphadmin", "Password": "~/.p", "Host": "127.0.0.1"}
    node = JphPostgreSQL("Q1", network({**COLLECTOR, "Sensor": {"SQL": entry}}))
    assert node.settings.sql is not None
    assert (node.settings.sql.database, node.settings.sql.port) == ("sensors", 5432)


async def test_how_commits_wait_for_the_disk_is_handed_on(
    network: MakeNetwork, sql: dict[str, Any]
) -> None:
    patient = {**COLLECTOR, "Sensor": {"SynchronousCommit": "remote_write"}}
    async with house(network(patient, SOURCE, SQL=sql)) as (collector, source):
        assert collector.keeper.synchronous_commit == "remote_write"
        source.send(1)
        await stores(sql, ["1"])
    with pytest.raises(ConfigError, match=r"SynchronousCommit: expected 'on' or .*, found .fast"):
        JphPostgreSQL("Q1", network({**COLLECTOR, "Sensor": {"SynchronousCommit": "fast"}}))


def test_settings_have_bounds() -> None:
    with pytest.raises(ValueError, match="BatchInterval"):
        PostgresSettings(batch_interval=-1)
    with pytest.raises(ValueError, match="BufferMiB"):
        PostgresSettings(buffer_mib=0)
    with pytest.raises(ValueError, match="Spool"):
        PostgresSettings(spool=SpoolSettings(megabytes=0))


async def test_the_worker_hands_over_results_and_errors() -> None:
    worker = Worker("test")
    try:
        assert await worker.run(max, 1, 2) == 2
        with pytest.raises(ZeroDivisionError):
            await worker.run(divmod, 1, 0)
    finally:
        worker.stop()
