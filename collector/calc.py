"""The kind `postgresCalcHandler`: statistics of every codifier, the original's tables as views."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from collector.db.views import sync_views
from collector.energy import tariff
from collector.energy.meters import period_names
from collector.history.housekeeping import Housekeeper
from collector.history.packing import DEFAULT_AFTER_DAYS
from collector.history.retention import RetentionSettings, check
from collector.statistics.buckets import DEFAULT_ZONE, find_zone
from collector.statistics.calculator import Calculator
from jph.config.model import Network, Sql
from jph.config.settings import described
from jph.config.stores import postgres_dsn
from jph.errors import ConfigError, Problem, StoreError
from jph.node.node import Node, Settings, now_ms
from jph.util.logs import Throttle
from jph.util.worker import Worker

_RETRY_S: Final = 5.0
_MOST_DAYS: Final = 3650


class CalcSettings(Settings, frozen=True):
    """Settings of the calculator.

    `SQL` is the server of the history, instead of the config's; `TimeZone` the zone of local days;
    `PackAfterDays` the age in days at which readings are packed (0: never).
    """

    sql: Annotated[Sql | None, described("Server of the history, instead of the config's")] = (
        msgspec.field(default=None, name="SQL")
    )
    time_zone: Annotated[str, described("Time zone of the days")] = DEFAULT_ZONE
    pack_after_days: Annotated[
        int, described("Age from which readings are packed; 0 is never", "days")
    ] = DEFAULT_AFTER_DAYS
    retention: Annotated[RetentionSettings, described("How long readings are kept")] = (
        RetentionSettings()
    )

    def __post_init__(self) -> None:
        find_zone(self.time_zone)
        if not 0 <= self.pack_after_days <= _MOST_DAYS:
            raise ValueError(
                f"PackAfterDays: expected 0 (never) to {_MOST_DAYS}, found {self.pack_after_days}"
            )


class PostgresCalcHandler(
    Node, type=("postgresCalcHandler", "jphCalcHistory"), settings=CalcSettings
):
    """Compute statistics as buckets end and as late readings come.

    Several may run; one computes. The node's own value is buckets computed per minute.
    """

    halts = False
    settings: CalcSettings

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Check the tariffs, which no other kind does, and the names in the retention settings."""
        problems = list(tariff.check(network.tariffs, period_names(network)))
        for entry in network.sensors:
            if entry.type in cls.types:
                with contextlib.suppress(msgspec.ValidationError):  # reported elsewhere
                    settings = msgspec.convert(entry.sensor, CalcSettings)
                    path = f"Sensors[{entry.codifier}].Sensor.Retention"
                    problems += check(settings.retention, network, path)
        return problems

    async def open(self) -> None:
        """Start to compute; PostgreSQL may come later."""
        self._worker = Worker(f"{self.codifier} statistics")
        self._throttle = Throttle()
        self._computed = 0
        self._counted: tuple[float, int] | None = None
        self._task = self.spawn(self._compute(), "statistics")

    def on_reload(self) -> None:
        """Connect again: server, zone and codifiers may be others now."""
        self._task.cancel()
        self._task = self.spawn(self._compute(), "statistics")

    async def close(self) -> None:
        """Stop after the piece that is being computed."""
        self._worker.stop()

    async def on_timer(self, now_ms: int) -> None:
        """Publish the buckets computed per minute."""
        now_s = time.monotonic()
        if self._counted is not None:
            since_s, count = self._counted
            self.send(round((self._computed - count) * 60 / (now_s - since_s)))
        self._counted = now_s, self._computed

    async def _compute(self) -> None:
        """Compute for ever, through as many connections as it takes."""
        while True:
            calculator: Calculator | None = None
            try:
                calculator = await self._worker.run(self._connect)
                housekeeper = Housekeeper(calculator.connection, self.network, self.settings)
                while True:
                    next_s = time.monotonic() + self.entry.sensor_interval
                    if await self._worker.run(calculator.alone):
                        await self._catch_up(calculator)
                        await self._keep_house(housekeeper, next_s)
                    await asyncio.sleep(max(0.0, next_s - time.monotonic()))
            except StoreError as error:
                if self._throttle.allow(str(error), time.monotonic()):
                    self.log.error("%s; trying again", error)
            finally:  # a reload ends this task too
                if calculator is not None:
                    self._worker.post(calculator.close)  # it may still be working
            await asyncio.sleep(_RETRY_S)

    async def _catch_up(self, calculator: Calculator) -> None:
        await self._worker.run(calculator.advance, now_ms() * 1000)
        while (changed := await self._worker.run(calculator.work)) is not None:
            self._computed += changed
        try:
            await self._worker.run(calculator.count_energy, self.network, now_ms() * 1000)
        except ConfigError as error:
            if self._throttle.allow("energy", time.monotonic()):
                self.log.error("energy is not counted: %s", error)

    async def _keep_house(self, housekeeper: Housekeeper, until_s: float) -> None:
        """Pack and remove old readings until the next round, with pauses as long for writers."""
        now_s = time.monotonic()
        while now_s < until_s and await self._worker.run(housekeeper.step, now_ms()):
            took_s = time.monotonic() - now_s
            await asyncio.sleep(took_s)
            now_s = time.monotonic()

    def _connect(self) -> Calculator:
        """Connect, and store the settings of the config in PostgreSQL.

        Raises:
            StoreError: PostgreSQL is away.
        """
        dsn = postgres_dsn(self.network, self.settings.sql)
        calculator = Calculator(dsn, self.codifier, find_zone(self.settings.time_zone))
        sensors = self.network.sensors
        try:
            late_s = {sensor.codifier: sensor.timeout_warning for sensor in sensors}
            calculator.expect(late_s, now_ms() * 1000)
            for problem in sync_views(calculator.connection, sensors):
                self.log.warning("%s", problem)
        except BaseException:
            calculator.close()
            raise
        self.log.info("computing in days of %s", self.settings.time_zone)
        return calculator
