"""Keep every phase under its limit: the meter's currents in, shed masks out."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from jph.config.house.house import House
from jph.config.house.loads import mask_of, wiring
from jph.config.house.shedder import SheddingSettings
from jph.config.model import state_dir
from jph.errors import ConfigError, StoreError
from jph.heating.orders import Order
from jph.heating.shedding import Decision, Readings, Report, SheddingPolicy
from jph.heating.shedding.peaks import TOLERANCE
from jph.heating.shedding.rules import rules_of
from jph.node.node import Node, now_ms
from jph.util import durable
from jph.util.logs import Throttle
from jph.wire.codec import Json, Quality, Reading

TRUSTED: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})

BEAT_S: Final = 0.25
"""How often silence is looked for: the meter's, and that of a better shedder."""

LEADER_SILENCE_S: Final = 2.2
"""A shedder that has said nothing for so long is taken over from; it speaks every second."""

START_S: Final = 2.0
"""Started together, the better shedder is the first to speak."""

EXPLAIN_INTERVALS: Final = 5
NO_TRIP: Final = -1
STGE_OVERRUN: Final = 1 << 7


class Shedding(Node, type="Shedding", settings=SheddingSettings):
    """Publish one shed mask a phase, at once when it changes and each `SensorInterval`.

    A mask's bit i forces the phase's i-th heater (by codifier) off.  Under its own codifier the
    node sends how many heaters are shed.  While a shedder of lower rank number speaks, this one
    only watches, and keeps that one's masks as its own.  A meter that falls silent: first nothing
    is restored, then room is made for what nobody sees, after `BlindAfter` only a declared share
    of the limit stays switched on.
    """

    settings: SheddingSettings

    async def open(self) -> None:
        """Go on from the masks of the last run: what was shed then may have to stay so."""
        self._throttle = Throttle()
        self._save = asyncio.Event()
        self._path = state_dir() / "shedding" / f"{self.codifier}.json"
        self._orders: dict[str, Order] = {}
        self._told: dict[int, Mapping[str, object]] = {}
        self._beats = 0
        self._set_up(self._stored_masks())
        # Somebody else may be leading: listen before the first word, longer to who goes before.
        patience_s = START_S if any(map(self._better, self._others)) else 0.0
        self._heard_better_s = time.monotonic() + patience_s
        self._leading = not self._others or self.settings.shadow
        self.spawn(self._keep_masks(), "masks")
        self.spawn(self._beat(), "beat")

    def on_reload(self) -> None:
        """Start the policy anew with the masks in force; contradictory wiring is refused."""
        try:
            self._set_up(self._masks)
        except ConfigError as error:
            self.log.error("%s; the old wiring is kept", error)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Decide as soon as the meter speaks, and say so before anything else."""
        self._listen_to_others(readings)
        if news := self._news(readings):
            self._decide(news)

    async def on_timer(self, now_ms: int) -> None:
        """Say every mask again, the cards count on it, and now and then why."""
        self._decide(Readings())
        if self._leading:
            self._send(self._masks)
        self._beats += 1
        self._explain(every=self._beats % EXPLAIN_INTERVALS == 0)

    def _set_up(self, masks: Mapping[int, int]) -> None:
        house = wiring(self.network)
        phases = {phase.phase: phase for phase in self.settings.phases}
        for phase in house.phases.keys() - phases.keys():
            self.log.warning("nobody watches phase %d here, though it has heaters", phase)
        self._wiring = house
        self._codifiers = {number: phase.codifier for number, phase in phases.items()}
        self._numbers = {codifier: number for number, codifier in self._codifiers.items()}
        self._currents = {phase.current: number for number, phase in phases.items()}
        self._warnings = {phase.warning: n for n, phase in phases.items() if phase.warning}
        self._explains = {n: phase.explain for n, phase in phases.items() if phase.explain}
        self._peaks = {phase.peak: number for number, phase in phases.items() if phase.peak}
        self._declared = {n: phase.limit for n, phase in phases.items() if phase.limit is not None}
        self._others = {
            shedder.codifier: shedder.rank
            for shedder in House(self.network).shedders
            if shedder.active and shedder.codifier != self.codifier
        }
        self._policy = SheddingPolicy(house, phases, rules_of(self.settings))
        now_s = time.monotonic()
        self._policy.adopt(now_s, masks)
        start = Readings(limits=self._declared, orders=self._orders)
        self._masks = self._policy.step(now_s, start).masks

    # Who decides

    def _better(self, codifier: str) -> bool:
        """Return whether another shedder goes before this one; between equals by codifier."""
        rank = self._others.get(codifier)
        mine = (self.settings.rank, self.codifier)
        return isinstance(rank, int) and (rank, codifier) < mine

    def _listen_to_others(self, readings: Sequence[Reading]) -> None:
        """Notice who leads; while this one does not, take its masks as they come."""
        if not self._others or self.settings.shadow:
            return
        now_s = time.monotonic()
        if any(self._better(r.source) for r in readings):
            self._heard_better_s = now_s
            if self._leading:
                self._leading = False
                self.log.info("a shedder of lower rank is back: it decides again")
        if self._leading:
            return
        masks = {
            self._numbers[r.source]: mask
            for r in readings
            if r.source in self._numbers and (mask := mask_of(r.number)) is not None
        }
        changed = {n: mask for n, mask in masks.items() if mask != self._masks[n]}
        if changed:
            self._policy.adopt(now_s, changed)
            self._masks = {**self._masks, **changed}
            self._save.set()

    async def _beat(self) -> None:
        """Look for silence more often than readings are sent."""
        while True:
            await asyncio.sleep(BEAT_S)
            if not self.active:
                continue
            silent_s = time.monotonic() - self._heard_better_s
            if not self._leading and silent_s > LEADER_SILENCE_S:
                self._leading = True
                self.log.info("no other shedder is heard: this one decides from now on")
                self._send(self._masks)
            self._decide(Readings())

    # The decision

    def _news(self, readings: Sequence[Reading]) -> Readings | None:
        """Sort readings by what they mean here; None if nothing does."""
        currents: dict[int, float] = {}
        warnings: dict[int, float] = {}
        limits: dict[int, float] = {}
        orders: dict[str, Order] = {}
        overrun: bool | None = None
        for reading in readings:
            if reading.quality not in TRUSTED:
                continue
            source, number = reading.source, reading.number
            if source == self.settings.status:
                overrun = _overrun(reading.value)
            elif number is None:
                continue
            elif source in self._currents:
                currents[self._currents[source]] = number
            elif source in self._warnings:
                warnings[self._warnings[source]] = number
            elif source in self._peaks:
                self._compare_peaks(self._peaks[source], number)
            elif source == self.settings.subscribed:
                limits = self._limits(number)
            elif source in self._wiring.heaters and number in tuple(Order):
                orders[source] = Order(int(number))
        self._orders.update(orders)
        if not (currents or warnings or limits or orders or overrun is not None):
            return None
        return Readings(currents, limits, warnings, orders, overrun)

    def _compare_peaks(self, number: int, peak_va: float) -> None:
        """Hold a day's currents and the trip model against the meter's own highest power."""
        if not 0 <= peak_va < math.inf:
            return
        off = self._policy.peak(number, peak_va)
        if off is None:
            return
        if abs(off) <= TOLERANCE:
            self.log.info("phase %d: the meter's highest power of the day agrees", number)
        elif off > 0:
            text = "phase %d: the meter saw %.0f %% more than was heard here: are readings lost?"
            self.log.warning(text, number, 100 * off)
        else:
            text = "phase %d: the meter saw %.0f %% less than the trip model: is the limit right?"
            self.log.warning(text, number, -100 * off)

    def _limits(self, subscribed_a: float) -> dict[int, float]:
        if not 1 <= subscribed_a < 1000:
            return {}
        return {n: min(subscribed_a, self._declared.get(n, subscribed_a)) for n in self._codifiers}

    def _decide(self, news: Readings) -> None:
        if self.settings.shadow and news.currents:
            # Nobody obeys: the heaters that would be off are taken out of what is measured.
            without = {n: max(0.0, a - self._policy.shed_a(n)) for n, a in news.currents.items()}
            news = news._replace(currents=without)
        decision = self._policy.step(time.monotonic(), news, decide=self._leading)
        changed = {n: mask for n, mask in decision.masks.items() if mask != self._masks[n]}
        self._masks = decision.masks
        if changed:
            if self._leading:
                self._send(changed)
            self._save.set()
            self._explain(every=False)
        self._tell(decision)

    def _send(self, masks: Mapping[int, int]) -> None:
        shed = sum(mask.bit_count() for mask in self._masks.values())
        told = [] if self.settings.shadow else [(self._codifiers[n], m) for n, m in masks.items()]
        self.send_many([*told, (self.codifier, shed)])

    def _explain(self, *, every: bool) -> None:
        """Send per phase why it is as it is: all of them, or those whose sheds have changed."""
        if not self._leading or self.settings.shadow or not self._explains:
            return
        now_s, wall_ms = time.monotonic(), now_ms()
        reports = self._policy.report(now_s)
        stories = []
        for number, codifier in self._explains.items():
            shed = {code: held.since_s for code, held in reports[number].shed.items()}
            if every or self._told.get(number) != shed:
                self._told[number] = dict(shed)
                story = _story(reports[number], wall_ms - now_s * 1000, self.settings.voltage)
                stories.append((codifier, Json(msgspec.json.encode(story).decode())))
        if stories:
            self.send_many(stories)

    def _tell(self, decision: Decision) -> None:
        for reason in decision.reasons:
            self.log.info("%s%s", "(shadow) " if self.settings.shadow else "", reason)
        for warning in decision.warnings:
            self.log.warning("%s", warning)
        for phase in decision.helpless:
            if self._throttle.allow(phase, time.monotonic()):
                self.log.warning("phase %d is over its limit with nothing left to shed", phase)

    # What survives a restart

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


def _overrun(value: object) -> bool | None:
    """Return bit 7 of the meter's status (STGE), given as a number or as its eight hex digits."""
    try:
        status = int(value, 16) if isinstance(value, str) else int(float(str(value)))
    except (ValueError, OverflowError):
        return None
    return bool(status & STGE_OVERRUN)


def _story(report: Report, start_ms: float, volts: float) -> dict[str, object]:
    """Return a report as it travels; `start_ms` is the wall clock at monotonic zero."""
    return {
        "value": NO_TRIP if math.isinf(report.trip_s) else round(report.trip_s, 1),
        "current": report.current_a,
        "limit": report.limit_a,
        "shed": {
            codifier: {
                "since_ms": round(start_ms + held.since_s * 1000),
                "current": held.current_a,
                "limit": held.limit_a,
                "reason": held.cause,
                "watts": _watts(report.amperes.get(codifier), volts),
                "restore_s": round(held.restore_s),
            }
            for codifier, held in report.shed.items()
        },
        "watts": {code: _watts(amperes, volts) for code, amperes in report.amperes.items()},
    }


def _watts(amperes: float | None, volts: float) -> int | None:
    return None if amperes is None else round(amperes * volts)
