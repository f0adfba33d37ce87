"""A pool's pump: its running time today by the water's temperature, and whether it runs now.

The program that switches the pump listens to this node: 1 is run, 0 is stop. The state of the day
is in `$JPH_STATE/pool/XX.json`: a restart neither filters twice nor forgets a forced switch.
"""

import math
import time
from collections.abc import Sequence
from datetime import time as TimeOfDay  # noqa: N812
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from jph.config.model import Network, state_dir
from jph.config.settings import described
from jph.devices.filtration import (
    DAY_H,
    Filtration,
    FiltrationMemory,
    FiltrationPlan,
    FiltrationRule,
)
from jph.errors import Problem, StoreError
from jph.node.node import Node, Settings, now_ms
from jph.util import durable
from jph.wire.codec import Control, Flag, Json, Quality, Reading, Value

SAVE_EVERY_S: Final = 300.0
_MOST_TICK_S: Final = 600.0
"""A longer time between two timers is no running time: the machine slept."""


class Mode(IntEnum):
    """Positions of the switch."""

    OFF = 0
    ON = 1
    AUTO = 2


class PoolSettings(Settings, frozen=True, kw_only=True):
    """`temperature` is the codifier of the water's thermometer; the rest has usual defaults.

    `mode`, `planned`, `done` and `state` are elements of this node that are sent if they are named:
    the switch (0 off, 1 on, 2 auto), hours planned and done today, and everything as JSON.
    `settle_minutes`: only after so long with the pump running a temperature counts, for a
    thermometer in the pipe.
    """

    temperature: Annotated[str, described("Element with the water's temperature")]
    mode: Annotated[str, described("Element of this node: 0 off, 1 on, 2 automatic")] = ""
    planned: Annotated[str, described("Element of this node: hours planned today")] = ""
    done: Annotated[str, described("Element of this node: hours run today")] = ""
    state: Annotated[str, described("Element of this node: everything as JSON")] = ""
    divisor: Annotated[float, described("Hours of a day are the temperature divided by this")] = 2.0
    least: Annotated[float, described("Shortest running time of a day", "h")] = 2.0
    most: Annotated[float, described("Longest running time of a day", "h")] = DAY_H
    winter_below: Annotated[
        float, described("Water temperature below which it is winter", "°C")
    ] = 10.0
    winter: Annotated[float, described("Running time of a winter day", "h")] = 2.0
    hot_from: Annotated[
        float, described("Water temperature from which the pump runs all day", "°C")
    ] = 30.0
    frost_below: Annotated[
        float, described("Water temperature below which the pump runs", "°C")
    ] = 1.0
    unknown: Annotated[float, described("Running time of a day without a temperature", "h")] = 8.0
    middle: Annotated[str, described("Time of day in the middle of the running time")] = "14:00"
    settle_minutes: Annotated[
        float, described("Running time after which a temperature counts", "min")
    ] = 0.0
    time_zone: Annotated[str, described("Time zone of the day")] = "Europe/Paris"

    def __post_init__(self) -> None:
        try:
            self.rule()
        except ValueError:
            raise ValueError(f"Middle: expected a time like 14:00, found {self.middle!r}") from None
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"TimeZone: there is no zone {self.time_zone!r}") from None
        if self.least > self.most:
            raise ValueError(f"Least {self.least} is above Most {self.most}")
        if not 0.1 <= self.divisor <= 10:
            raise ValueError(f"Divisor: expected 0.1 to 10, found {self.divisor}")
        hours = (self.least, self.most, self.winter, self.unknown)
        if not all(0 <= each <= DAY_H for each in hours):
            raise ValueError("Least, Most, Winter, Unknown: expected 0 to 24 h")
        if not 0 <= self.settle_minutes <= 120:
            raise ValueError(f"SettleMinutes: expected 0 to 120, found {self.settle_minutes}")

    def rule(self) -> FiltrationRule:
        """Return the numbers of the rule."""
        return FiltrationRule(
            divisor=self.divisor,
            least_h=self.least,
            most_h=self.most,
            winter_below_c=self.winter_below,
            winter_h=self.winter,
            hot_from_c=self.hot_from,
            frost_below_c=self.frost_below,
            unknown_h=self.unknown,
            middle=TimeOfDay.fromisoformat(self.middle),
        )


class StoredPool(msgspec.Struct, frozen=True):
    """The content of the file."""

    mode: int
    memory: FiltrationMemory


class Pool(Node, type="Pool", settings=PoolSettings):
    """Plan the day's filtration and publish whether the pump runs now.

    When the thermometer falls silent, its last value counts for today and tomorrow; then the pump
    runs `Unknown` hours a day. A forced pump stays on or off until the switch changes.
    """

    settings: PoolSettings
    mode = Mode.AUTO

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Find codifiers that are named and are not there, or are not this node's."""
        problems = []
        for sensor in network.sensors:
            if sensor.type not in cls.types:
                continue
            path = f"Sensors[{sensor.codifier}].Sensor"
            known = {each.codifier for each in network.sensors}
            own = {each.codifier for each in network.elements(sensor.codifier)}
            for key, among in (("Temperature", known), *((k, own) for k in _ELEMENTS)):
                code = sensor.sensor.get(key, "")
                if code and code not in among:
                    what = "no such codifier" if among is known else "no element of this node"
                    problems.append(Problem(f"{path}.{key}", f"{what}: {code!r}"))
        return problems

    async def open(self) -> None:
        """Continue the day of the last run."""
        kept = restore(self._path)
        memory = kept.memory if kept else FiltrationMemory()
        self.mode = Mode(kept.mode) if kept else Mode.AUTO
        self._filtration = self._made(memory)
        self._running_s = 0.0
        self._looked_s: float | None = None
        self._saved_s = time.monotonic()
        self._runs = False
        self.temperature_c: float | None = None

    async def close(self) -> None:
        """Store the state of the day."""
        self._save()

    def on_reload(self) -> None:
        """Use the new settings."""
        self._filtration = self._made(self._filtration.memory)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Take the water's temperature; a doubtful or implausible one does not count."""
        for each in readings:
            if each.source != self.settings.temperature or each.quality not in _GOOD:
                continue
            value = each.number
            if value is not None and math.isfinite(value) and -20 <= value <= 60:
                self.temperature_c = value
                counts = self._running_s >= 60 * self.settings.settle_minutes
                self._filtration.hear(value, now_ms(), counts=counts)

    async def on_timer(self, now_ms: int) -> None:
        """Count the running time and publish the plan."""
        self._count(now_ms)
        self._publish(now_ms)
        if time.monotonic() - self._saved_s >= SAVE_EVERY_S:
            self._save()

    def on_control(self, message: Control) -> None:
        """Obey the switch: `A` with 0 off, 1 on, 2 auto."""
        if message.flag != Flag.SET or not self.settings.mode or message.to != self.settings.mode:
            return
        if message.number not in tuple(Mode):
            self.log.warning("%s asks for %g: 0 off, 1 on, 2 auto", message.source, message.number)
            return
        self._count(now_ms())
        self.mode = Mode(int(message.number))
        self.log.info("%s switches the pump to %s", message.source, self.mode.name.lower())
        self._save()
        self._publish(now_ms())

    def _made(self, memory: FiltrationMemory) -> Filtration:
        settings = self.settings
        return Filtration(settings.rule(), ZoneInfo(settings.time_zone), memory)

    def _count(self, now_ms: int) -> None:
        """Add the time since the last look, if the pump ran in it."""
        now_s = time.monotonic()
        elapsed_s = now_s - self._looked_s if self._looked_s is not None else 0.0
        self._looked_s = now_s
        if self._runs and elapsed_s <= _MOST_TICK_S:
            self._running_s += elapsed_s
            self._filtration.ran(now_ms, round(1000 * elapsed_s))

    def _publish(self, now_ms: int) -> None:
        plan = self._filtration.plan(now_ms)
        runs = plan.run if self.mode == Mode.AUTO else self.mode == Mode.ON
        if runs != self._runs:
            self.log.info("the pump must %s", "run" if runs else "stop")
            self._running_s = 0.0
        self._runs = runs
        done_h = round(self._filtration.memory.done_ms / 3_600_000, 2)
        values: list[tuple[str, Value]] = [
            (self.settings.mode, int(self.mode)),
            (self.settings.planned, round(plan.hours, 2)),
            (self.settings.done, done_h),
            (self.settings.state, Json(msgspec.json.encode(self._state(plan, done_h)).decode())),
        ]
        self.send_many([(self.codifier, int(runs)), *(each for each in values if each[0])])

    def _state(self, plan: FiltrationPlan, done_h: float) -> dict[str, Any]:
        memory = self._filtration.memory
        return {
            "value": int(self._runs),
            "mode": self.mode.name.lower(),
            "why": plan.why.value,
            "temperature": self.temperature_c,
            "warmest": self._filtration.counting_c,
            "planned": round(plan.hours, 2),
            "done": done_h,
            "runs": [list(run) for run in memory.runs],
            "ahead": list(plan.ahead) if plan.ahead and self.mode == Mode.AUTO else None,
        }

    def _save(self) -> None:
        self._saved_s = time.monotonic()
        try:
            store(self._path, StoredPool(int(self.mode), self._filtration.memory))
        except StoreError as error:
            self.log.error("today's hours will not survive a restart: %s", error)

    @property
    def _path(self) -> Path:
        return state_dir() / "pool" / f"{self.codifier}.json"


_ELEMENTS: Final = ("Mode", "Planned", "Done", "State")
_GOOD: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})


def store(path: Path, kept: StoredPool) -> None:
    """Replace the file; `StoreError` if the disk refuses."""
    durable.replace(path, [msgspec.json.encode(kept)])


def restore(path: Path) -> StoredPool | None:
    """Return what is stored; None if there is nothing, or nothing that can be used."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=StoredPool)
        Mode(kept.mode)
        return kept
    except (OSError, ValueError, msgspec.ValidationError):
        return None
