"""Keep every phase under its limit: the meter's currents in, shed masks out."""

import asyncio
import time
from collections.abc import Mapping
from typing import Final

import msgspec

from heating import durable
from heating.orders import Order
from heating.shedding import Decision, Readings, Rules, SheddingPolicy
from heating.wiring import wiring
from jph.config import state_dir
from jph.errors import ConfigError, StoreError
from jph.logs import Throttle
from jph.node import Node, Settings
from jph.wire import Quality, Reading

TRUSTED: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})


class PhaseSettings(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """One phase: its mask's codifier, that of its current, and what is declared.

    `limit` is in amperes; `warning` is the element that carries the meter's overrun warning.
    """

    phase: int
    codifier: str
    current: str
    limit: float | None = None
    warning: str = ""

    def __post_init__(self) -> None:
        if self.phase not in (1, 2, 3):
            raise ValueError(f"Phase: expected 1, 2 or 3, found {self.phase}")
        if self.limit is not None and not 0 < self.limit < 1000:
            raise ValueError(f"Limit: expected amperes above 0, found {self.limit:g}")


class SheddingSettings(Settings, frozen=True):
    """What to watch and how; amperes, watts, volts, and seconds for all that is a time.

    `subscribed` is the element with the contract's amperes; of it and a phase's own `Limit` the
    smaller one counts.
    """

    phases: tuple[PhaseSettings, ...]
    subscribed: str = ""
    margin: float = 1.0
    settle: float = 5.0
    minimum_off: float = 60.0
    minimum_on: float = 60.0
    restore_interval: float = 10.0
    silence: float = 15.0
    blind_after: float = 300.0
    blind_share: float = 0.5
    assumed_watts: float = 1150.0
    voltage: float = 230.0

    def __post_init__(self) -> None:
        numbers = [phase.phase for phase in self.phases]
        if len(set(numbers)) < len(numbers):
            raise ValueError("Phases: a phase is there twice")
        if self.voltage <= 0 or not 0 <= self.blind_share <= 1:
            raise ValueError("Voltage: expected volts above 0; BlindShare: expected 0 to 1")
        unlimited = [phase.phase for phase in self.phases if phase.limit is None]
        if unlimited and not self.subscribed:
            raise ValueError(f"Phases: phase {unlimited[0]} has no Limit, and no Subscribed is set")

    def rules(self) -> Rules:
        """Return the policy's numbers."""
        return Rules(
            margin_a=self.margin,
            settle_s=self.settle,
            minimum_off_s=self.minimum_off,
            minimum_on_s=self.minimum_on,
            restore_interval_s=self.restore_interval,
            silence_s=self.silence,
            blind_after_s=self.blind_after,
            blind_share=self.blind_share,
            assumed_a=self.assumed_watts / self.voltage,
            volts=self.voltage,
        )


class Shedding(Node, type="Shedding", settings=SheddingSettings):
    """Publish one shed mask a phase, at once when it changes and each `SensorInterval`.

    A mask's bit i forces the phase's i-th heater (by codifier) off.  Under its own codifier the
    node sends how many heaters are shed.  A meter that falls silent leaves the masks as they are;
    after `BlindAfter` only a declared share of the limit stays switched on.
    """

    settings: SheddingSettings

    async def open(self) -> None:
        """Go on from the masks of the last run: what was shed then may have to stay so."""
        self._throttle = Throttle()
        self._save = asyncio.Event()
        self._path = state_dir() / "shedding" / f"{self.codifier}.json"
        self._set_up(self._stored_masks())
        self.spawn(self._keep_masks(), "masks")

    def on_reload(self) -> None:
        """Start the policy anew with the masks in force; contradictory wiring is refused."""
        try:
            self._set_up(self._masks)
        except ConfigError as error:
            self.log.error("%s; the old wiring is kept", error)

    def on_data(self, readings: list[Reading]) -> None:
        """Decide as soon as the meter speaks, and say so before anything else."""
        if news := self._news(readings):
            self._decide(news)

    async def on_timer(self, now_ms: int) -> None:
        """Decide what needs no reading, and say every mask again: the cards count on it."""
        self._decide(Readings())
        self._send(self._masks)

    def _set_up(self, masks: Mapping[int, int]) -> None:
        house = wiring(self.network)
        phases = {phase.phase: phase for phase in self.settings.phases}
        for phase in house.phases.keys() - phases.keys():
            self.log.warning("nobody watches phase %d here, though it has heaters", phase)
        self._wiring = house
        self._codifiers = {number: phase.codifier for number, phase in phases.items()}
        self._currents = {phase.current: number for number, phase in phases.items()}
        self._warnings = {phase.warning: n for n, phase in phases.items() if phase.warning}
        self._declared = {n: phase.limit for n, phase in phases.items() if phase.limit is not None}
        self._policy = SheddingPolicy(house, phases, self.settings.rules())
        now_s = time.monotonic()
        self._policy.adopt(now_s, masks)
        self._masks = self._policy.step(now_s, Readings(limits=self._declared)).masks

    def _news(self, readings: list[Reading]) -> Readings | None:
        """Sort readings by what they mean here; None if nothing does."""
        currents: dict[int, float] = {}
        warnings: dict[int, float] = {}
        limits: dict[int, float] = {}
        orders: dict[str, Order] = {}
        for reading in readings:
            number = reading.number
            if number is None or reading.flag == "n" or reading.quality not in TRUSTED:
                continue
            source = reading.source
            if source in self._currents:
                currents[self._currents[source]] = number
            elif source in self._warnings:
                warnings[self._warnings[source]] = number
            elif source == self.settings.subscribed:
                limits = self._limits(number)
            elif source in self._wiring.heaters and number in (0, 1, 2, 3):
                orders[source] = Order(int(number))
        if not (currents or warnings or limits or orders):
            return None
        return Readings(currents, limits, warnings, orders)

    def _limits(self, subscribed_a: float) -> dict[int, float]:
        if not 1 <= subscribed_a < 1000:
            return {}
        return {n: min(subscribed_a, self._declared.get(n, subscribed_a)) for n in self._codifiers}

    def _decide(self, news: Readings) -> None:
        decision = self._policy.step(time.monotonic(), news)
        changed = {n: mask for n, mask in decision.masks.items() if mask != self._masks[n]}
        self._masks = decision.masks
        if changed:
            self._send(changed)
            self._save.set()
        self._tell(decision)

    def _send(self, masks: Mapping[int, int]) -> None:
        shed = sum(mask.bit_count() for mask in self._masks.values())
        self.send_many(
            [*((self._codifiers[n], m) for n, m in masks.items()), (self.codifier, shed)]
        )

    def _tell(self, decision: Decision) -> None:
        for reason in decision.reasons:
            self.log.info("%s", reason)
        for phase in decision.helpless:
            if self._throttle.allow(phase, time.monotonic()):
                self.log.warning("phase %d is over its limit with nothing left to shed", phase)

    def _stored_masks(self) -> dict[int, int]:
        try:
            stored = durable.load(self._path)
        except StoreError as error:
            aside = durable.set_aside(self._path)
            self.log.error("%s; kept as %s, starting with nothing shed", error, aside.name)
            return {}
        return {
            phase.phase: mask
            for phase in self.settings.phases
            if isinstance(mask := stored.get(phase.codifier), int) and mask >= 0
        }

    async def _keep_masks(self) -> None:
        """Write the masks down when they change, beside the decisions and never before them."""
        while True:
            await self._save.wait()
            self._save.clear()
            masks = {self._codifiers[phase]: mask for phase, mask in self._masks.items()}
            try:
                await asyncio.to_thread(durable.save, self._path, masks)
            except StoreError as error:
                if self._throttle.allow("store", time.monotonic()):
                    self.log.error("a restart would forget what is shed: %s", error)
