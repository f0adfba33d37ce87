"""The history of one house at a hub: stores and computes as the house's own programs do.

A lane is one connection to PostgreSQL and its thread; many houses share it, each in its schema.
"""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, ParamSpec, TypeVar

from collector.calc import CalcSettings, PostgresCalcHandler
from collector.db.connecting import connect, query, transaction
from collector.db.location import zone_of
from collector.db.views import sync_views
from collector.energy import money
from collector.energy.account import choose_meter
from collector.energy.cost import INJECTED
from collector.energy.meters import has_periods, read_tariffs
from collector.history.housekeeping import Housekeeper
from collector.hub.blocks import schema_of
from collector.hub.registry import HouseState
from collector.ingest.buffer import Batch
from collector.ingest.writer import STATEMENT_TIMEOUT_MS, Store, Written
from collector.statistics.buckets import to_datetime
from collector.statistics.calculator import Calculator, release_alone
from jph.config.model import Network
from jph.errors import ConfigError, StoreError
from jph.util.worker import Worker

if TYPE_CHECKING:
    from psycopg2.extensions import connection

P = ParamSpec("P")
T = TypeVar("T")
_HOUSEKEEPING_S: Final = 1.0
"""Old readings are packed for at most so long in a round."""
_NEWEST: Final = """
    SELECT codifier, (extract(epoch FROM max(timestamp)) * 1000)::bigint FROM source
    WHERE timestamp IS NOT NULL GROUP BY codifier
"""


class HouseHistory:
    """The history of a house. Every method but the first blocks, and runs in a lane."""

    def __init__(self, name: str, *, citus: bool = False) -> None:
        self.name = name
        self.network: Network | None = None
        self.alerts: int | None = None
        self._citus = citus
        self._schema = schema_of(name)
        self._store = Store(f"hub {name}")
        self._connection: connection | None = None
        self._calculator: Calculator | None = None
        self._known: Network | None = None
        self._keeper: Housekeeper | None = None

    def use(self, opened: "connection", now_ms: int, *, fresh: bool) -> None:
        """Use a connection; `fresh` says that it was in another schema before.

        Raises:
            StoreError: PostgreSQL is away or refuses.
        """
        new = self._connection is not opened
        if new:
            with transaction(opened) as cursor:
                if self._citus:
                    cursor.execute("SET citus.enable_schema_based_sharding = on")
                cursor.execute("SELECT FROM pg_namespace WHERE nspname = %s", (self._schema,))
                if not cursor.rowcount:
                    cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {self._schema}")
        if fresh:
            with transaction(opened) as cursor:
                cursor.execute(f"SET search_path = {self._schema}")
        if new:
            self._store.use(opened, now_ms)
            self._connection, self._calculator = opened, None

    def write(self, batch: Batch, now_ms: int) -> Written:
        """Store and commit a batch; it is on PostgreSQL's disk when this returns.

        Raises:
            StoreError: PostgreSQL is away, or refuses everything.
        """
        return self._store.write(batch, now_ms, durable=True)

    def compute(self, now_ms: int) -> Iterator[None]:
        """Compute statistics and energy and pack old readings, a transaction at a time.

        Raises:
            StoreError: PostgreSQL is away.
            ConfigError: the tariffs have mistakes.
        """
        if self.network is None or self._connection is None:
            return
        calculator = self._prepare(self.network, self._connection, now_ms)
        if not calculator.alone():
            return
        calculator.advance(1000 * now_ms)
        yield
        while calculator.work() is not None:
            yield
        calculator.count_energy(self.network, 1000 * now_ms)
        yield
        until_s = time.monotonic() + _HOUSEKEEPING_S
        assert self._keeper is not None
        while time.monotonic() < until_s and self._keeper.step(now_ms):
            yield

    def state(self, now_ms: int) -> HouseState:
        """Return how the house is.

        Raises:
            StoreError: PostgreSQL is away.
        """
        assert self._connection is not None
        newest = dict(query(self._connection, _NEWEST))
        late = None
        if self.network is not None:
            late = sum(
                now_ms - newest[each.codifier] > 1000 * each.timeout_warning > 0
                for each in self.network.sensors
                if each.codifier in newest
            )
        last = max(newest.values(), default=None)
        when = None if last is None else to_datetime(1000 * last)
        return HouseState(self.name, when, late, self.alerts, self._kwh(now_ms))

    def release(self) -> None:
        """Let another collector compute.

        Raises:
            StoreError: PostgreSQL is away.
        """
        if self._calculator is not None and self._connection is not None:
            release_alone(self._connection)
        self._calculator = None

    def _prepare(self, network: Network, opened: "connection", now_ms: int) -> Calculator:
        if self._calculator is None or self._known is not network:
            calculator = Calculator(opened, f"hub {self.name}", zone_of(network))
            late_s = {each.codifier: each.timeout_warning for each in network.sensors}
            calculator.expect(late_s, 1000 * now_ms)
            sync_views(opened, network.sensors)
            self._keeper = Housekeeper(opened, network, _settings(network))
            self._calculator, self._known = calculator, network
        return self._calculator

    def _kwh(self, now_ms: int) -> float | None:
        """Return the energy that the meter has counted today; None without one meter."""
        network = self.network
        if network is None or self._connection is None:
            return None
        try:
            meter, _ = choose_meter(network, read_tariffs(network), None)
            zone = zone_of(network)
        except ConfigError:
            return None
        today = to_datetime(1000 * now_ms).astimezone(zone).date()
        total = not has_periods(network, meter)
        with transaction(self._connection) as cursor:
            drawn = money.read_energy(cursor, meter, today, today + timedelta(days=1), total=total)
        periods = drawn.energy.get(today, {})
        return sum(wh for name, wh in periods.items() if name != INJECTED) / 1000


class Lane:
    """One connection and its thread, for many houses."""

    def __init__(self, dsn: str, name: str) -> None:
        self._dsn, self._name = dsn, name
        self._worker = Worker(f"{name} lane")
        self._connection: connection | None = None
        self._last: HouseHistory | None = None

    async def run(
        self, house: HouseHistory, now_ms: int, work: Callable[P, T], *args: P.args, **kw: P.kwargs
    ) -> T:
        """Call `work` while the connection is in the schema of a house.

        Raises:
            StoreError: PostgreSQL is away.
        """

        def job() -> T:
            self._enter(house, now_ms)
            return work(*args, **kw)

        return await self._worker.run(job)

    def stop(self) -> None:
        """End the thread and the connection after the work under way."""
        self._worker.post(self._end)
        self._worker.stop()

    def _enter(self, house: HouseHistory, now_ms: int) -> None:
        if self._connection is None or self._connection.closed:
            settings = {"statement_timeout": STATEMENT_TIMEOUT_MS}
            self._connection = connect(self._dsn, self._name, settings=settings)
            self._last = None
        try:
            house.use(self._connection, now_ms, fresh=self._last is not house)
        except StoreError:
            self._end()
            raise
        self._last = house

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = self._last = None


def _settings(network: Network) -> CalcSettings:
    """Return the settings of the house's calculator."""
    for entry in network.sensors:
        if entry.type in PostgresCalcHandler.types:
            settings: Any = PostgresCalcHandler.check_settings(entry)
            assert isinstance(settings, CalcSettings)
            return settings
    return CalcSettings()
