"""Keeps every phase under its limit: takes the meter's currents, sends shed masks."""

import asyncio
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from jph.config.house.house import House, shedder_problems
from jph.config.house.loads import mask_of, wiring
from jph.config.house.rooms import rooms_of
from jph.config.house.shedder import SheddingSettings
from jph.config.model import Network, state_dir
from jph.errors import ConfigError, Problem, StoreError
from jph.heating.orders.coding import Order
from jph.heating.shedding import Decision, Readings, SheddingPolicy, Urgent
from jph.heating.shedding.bus.inputs import InputSorter
from jph.heating.shedding.bus.leadership import Leadership
from jph.heating.shedding.bus.load_bus import LoadSorter, local_time, state_of, steering_of
from jph.heating.shedding.bus.reasons import reasons_of
from jph.heating.shedding.bus.rooms import RoomSensors
from jph.heating.shedding.estimates.peaks import TOLERANCE
from jph.heating.shedding.memory import Memory, from_stored, to_stored
from jph.heating.shedding.rules import rules_of
from jph.node.node import Node, now_ms
from jph.util import durable
from jph.util.logs import Throttle
from jph.wire.codec import Flag, Json, Reading

BEAT_S: Final = 0.25
"""Interval of looking for silence: the meter's, and that of a better shedder."""

FROZEN_S: Final = 1.0
"""A beat that is late by more than this means that the program stood still.  It first reads what
waits in its sockets: the meter was not silent."""

UNHEARD_S: Final = 8.0
"""A phase without any current for this long after the start is reported."""

URGENT_S: Final = 300.0
"""Urgent heaters are forgotten when the Schedule names none for so long."""

EXPLAIN_INTERVALS: Final = 5
MEMORY_S: Final = 60.0
"""Interval of writing what was learned: a kill loses a minute of it."""


class Shedding(Node, type="Shedding", settings=SheddingSettings):
    """Publish one shed mask a phase, at once when it changes and each `SensorInterval`.

    A mask's bit i forces the phase's i-th heater (by codifier) off.  Under its own codifier the
    node sends how many heaters are shed.  While a shedder of lower rank is heard, this one only
    watches, and takes over that one's masks.  While the meter is silent, first nothing is
    restored, then headroom is made for what may be switched on unseen; after `BlindAfter` only a
    declared share of the limit stays switched on.
    """

    settings: SheddingSettings

    async def open(self) -> None:
        """Go on from the masks and the memory of the last run."""
        self._throttle = Throttle()
        self._save = asyncio.Event()
        folder = state_dir() / "shedding"
        self._path = folder / f"{self.codifier}.json"
        self._memory_path = folder / f"{self.codifier}-learned.json"
        self._orders: dict[str, Order] = {}
        self._urgent_s = math.inf
        self._rooms = RoomSensors(())
        self._explained: dict[int, Mapping[str, object]] = {}
        self._beats = 0
        self._beats_to_skip = 0
        self._opened_s = self._looked_s = self._kept_s = time.monotonic()
        self._disk = asyncio.Lock()
        self._set_up(self._stored_masks(), from_stored(self._load(self._memory_path, "learned")))
        self._leadership = Leadership(
            self.codifier, self.settings.rank, self._others, self._opened_s
        )
        self._leadership.leading |= self.settings.shadow
        self.spawn(self._keep_masks(), "masks")
        self.spawn(self._beat(), "beat")

    async def close(self) -> None:
        """Keep what was learned; loads have their fallback while no shedder decides."""
        if self._steers and self._leading:
            for load in self.settings.loads:
                self.send_control(Flag.SET, load.codifier, load.fallback)
        await self._keep_memory()

    def on_reload(self) -> None:
        """Go on with the masks in force and what was learned; contradictory wiring is refused."""
        memory = self._policy.memory(time.monotonic(), now_ms())
        try:
            self._set_up(self._masks, memory)
        except ConfigError as error:
            self.log.error("%s; the old wiring is kept", error)
            return
        self._leadership.set_others(self._others)

    @classmethod
    def check_network(cls, network: Network) -> list[Problem]:
        """Find steered loads that cannot be ordered."""
        return list(shedder_problems(network))

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Decide as soon as a current arrives, and send the masks before anything else."""
        self._listen_to_others(readings)
        inputs = self._inputs.sort(readings)
        if rooms := self._rooms.take(readings, time.monotonic()):
            inputs = inputs._replace(readings=inputs.readings._replace(rooms=rooms))
        if self._loads is not None and (loads := self._loads.sort(readings)) is not None:
            inputs = inputs._replace(readings=inputs.readings._replace(loads=loads))
        self._orders.update(inputs.readings.orders)
        if inputs.readings.urgent is not None:
            self._urgent_s = time.monotonic()
        for number, peak_va in inputs.peaks:
            self._compare_peaks(number, peak_va)
        for reading in inputs.implausible:
            self._warn(
                reading.source,
                f"{reading.source} is {reading.value!r:.40}: no such current or limit, left out",
            )
        if not inputs.empty:
            self._unheard -= inputs.readings.currents.keys()
            self._decide(inputs.readings)

    async def on_timer(self, now_ms: int) -> None:
        """Send every mask again, the cards count on it, and now and then the reasons."""
        silent = time.monotonic() - self._urgent_s > URGENT_S
        self._urgent_s = math.inf if silent else self._urgent_s
        if not self._stood_still():
            rooms = self._rooms.look(time.monotonic())
            self._decide(Readings(urgent=Urgent() if silent else None, rooms=rooms))
        if self._leading:
            self._send(self._masks)
        self._beats += 1
        self._explain(every=self._beats % EXPLAIN_INTERVALS == 0)
        if self._beats % EXPLAIN_INTERVALS == 0:
            self._send_state()

    @property
    def _steers(self) -> bool:
        """Whether it has loads to order: a shadow orders none."""
        return bool(self.settings.loads) and not self.settings.shadow

    @property
    def _leading(self) -> bool:
        return self._leadership.leading

    def _set_up(self, masks: Mapping[int, int], memory: Memory) -> None:
        wires = wiring(self.network)
        phases = {phase.phase: phase for phase in self.settings.phases}
        for number in wires.phases.keys() - phases.keys():
            self.log.warning("phase %d has heaters, but Phases does not protect it", number)
        self._wiring = wires
        self._inputs = InputSorter(self.settings, wires)
        rooms = RoomSensors(rooms_of(self.network, wires.heaters))
        rooms.recall(self._rooms)
        self._rooms = rooms
        self._codifiers = {number: phase.codifier for number, phase in phases.items()}
        self._explains = {n: phase.explain for n, phase in phases.items() if phase.explain}
        self._unheard, self._listens_s = set(phases), time.monotonic()
        self._others = {
            shedder.codifier: shedder.rank
            for shedder in House(self.network).shedders
            if shedder.active and shedder.codifier != self.codifier
        }
        rules = rules_of(self.settings)
        self._loads = LoadSorter(self.settings) if self._steers else None
        steering = steering_of(self.settings) if self._steers else None
        self._policy = SheddingPolicy(wires, phases, rules, steering)
        now_s = time.monotonic()
        self._policy.adopt(now_s, masks)
        self._policy.recall(memory, now_s, now_ms())
        start = Readings(limits=self._inputs.declared, orders=self._orders, rooms=rooms.look(now_s))
        self._masks = self._policy.step(now_s, start).masks

    # Leadership

    def _listen_to_others(self, readings: Sequence[Reading]) -> None:
        """Notice a better shedder; while it decides, take its masks as they come."""
        if not self._others or self.settings.shadow:
            return
        now_s = time.monotonic()
        if self._leadership.hear((r.source for r in readings), now_s):
            self.log.info("a shedder of lower rank is back: it decides again")
        if self._leading:
            return
        masks = {
            number: mask_of(reading.number) for number, reading in self._inputs.others(readings)
        }
        changed = {n: m for n, m in masks.items() if m is not None and m != self._masks[n]}
        if changed:
            self._policy.adopt(now_s, changed)
            self._masks = {**self._masks, **changed}
            self._save.set()

    async def _beat(self) -> None:
        """Look for silence more often than masks are sent."""
        while True:
            self.deadlines.expect("beat", time.monotonic())
            await asyncio.sleep(BEAT_S)
            late_s = time.monotonic() - self._looked_s - BEAT_S
            self._looked_s += late_s + BEAT_S
            self._beats_to_skip = max(0, self._beats_to_skip - 1)
            if late_s > FROZEN_S:
                self.log.warning("stood still for %.1f s: reading what waits first", late_s)
                self._beats_to_skip = 1
            if not self.active or self._beats_to_skip:
                continue
            if self._leadership.look(time.monotonic()):
                self.log.info("no other shedder is heard: this one decides from now on")
                self._send(self._masks)
            self._decide(Readings())
            self._report_unheard()
            if time.monotonic() - self._kept_s > MEMORY_S:
                await self._keep_memory()

    def _stood_still(self) -> bool:
        """Return whether the program was frozen a moment ago and has readings to take first."""
        late_s = time.monotonic() - self._looked_s - BEAT_S
        return self._beats_to_skip > 0 or late_s > FROZEN_S

    # The decision

    def _compare_peaks(self, number: int, peak_va: float) -> None:
        """Compare a day's currents and the trip model with the meter's own highest power."""
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

    def _decide(self, news: Readings) -> None:
        if self.settings.shadow and news.currents:
            # No card obeys: the heaters that would be off are subtracted from the currents.
            without = {n: max(0.0, a - self._policy.shed_a(n)) for n, a in news.currents.items()}
            news = news._replace(currents=without)
        now_s, local = time.monotonic(), local_time(now_ms())
        decision = self._policy.step(now_s, news, decide=self._leading, local=local)
        if self._steers and self._leading:
            self._order_loads(now_s)
        changed = {n: mask for n, mask in decision.masks.items() if mask != self._masks[n]}
        self._masks = decision.masks
        if changed:
            if self._leading:
                self._send(changed)
            self._save.set()
            self._explain(every=False)
        self._log_decision(decision)

    def _send(self, masks: Mapping[int, int]) -> None:
        shed = sum(mask.bit_count() for mask in self._masks.values())
        shadow = self.settings.shadow
        batch = [] if shadow else [(self._codifiers[n], mask) for n, mask in masks.items()]
        self.send_many([*batch, (self.codifier, shed)])

    def _order_loads(self, now_s: float) -> None:
        """Order the loads what they shall do, again until they report it."""
        for codifier, value in self._policy.steering.orders(now_s):
            self.send_control(Flag.SET, codifier, value)
        for load in self._policy.steering.unanswered(now_s):
            text = f"load {load.settings} does not report that it obeys: is its node alive?"
            self._warn(load.settings.codifier, text)

    def _send_state(self) -> None:
        """Send what the loads do and why, and the energy of the day."""
        if self._leading and self.settings.state:
            content = state_of(self._policy)
            self.send_many([(self.settings.state, Json(msgspec.json.encode(content).decode()))])

    def _explain(self, *, every: bool) -> None:
        """Send the reasons of all phases, or of those whose sheds have changed."""
        if not self._leading or self.settings.shadow or not self._explains:
            return
        now_s, wall_ms = time.monotonic(), now_ms()
        reports = self._policy.report(now_s)
        batch = []
        for number, codifier in self._explains.items():
            shed = {code: held.since_s for code, held in reports[number].shed.items()}
            if every or self._explained.get(number) != shed:
                self._explained[number] = dict(shed)
                start_ms = wall_ms - now_s * 1000
                reasons = reasons_of(reports[number], start_ms, self.settings.voltage)
                batch.append((codifier, Json(msgspec.json.encode(reasons).decode())))
        if batch:
            self.send_many(batch)

    def _log_decision(self, decision: Decision) -> None:
        for reason in decision.reasons:
            self.log.info("%s%s", "(shadow) " if self.settings.shadow else "", reason)
        for change in decision.changes:
            self.log.info("%s", change)
        if decision.changes:
            self._send_state()
        for warning in decision.warnings:
            self.log.warning("%s", warning)
        for phase in decision.helpless:
            self._warn(phase, f"phase {phase} is over its limit with nothing left to shed")

    def _report_unheard(self) -> None:
        """Report the phases without a current since the start or the last reload."""
        if self._unheard and time.monotonic() - self._listens_s > UNHEARD_S:
            for phase in self.settings.phases:
                if phase.phase in self._unheard:
                    self._warn(
                        f"unheard {phase.phase}",
                        f"phase {phase.phase}: no current of {phase.current} was ever heard; "
                        "is its Current right, and does its meter run?",
                    )

    def _warn(self, key: object, text: str) -> None:
        if self._throttle.allow(key, time.monotonic()):
            self.log.warning("%s", text)

    # What survives a restart

    def _load(self, path: Path, what: str) -> dict[str, object]:
        try:
            return durable.load(path)
        except StoreError as error:
            aside = durable.set_aside(path)
            self.log.error("%s; kept as %s, starting with nothing %s", error, aside.name, what)
            return {}

    def _stored_masks(self) -> dict[int, int]:
        stored = self._load(self._path, "shed")
        masks = {phase.phase: mask_of(stored.get(phase.codifier)) for phase in self.settings.phases}
        return {number: mask for number, mask in masks.items() if mask is not None}

    async def _keep_masks(self) -> None:
        """Write the masks when they change, after they were sent."""
        while True:
            await self._save.wait()
            self._save.clear()
            masks = {self._codifiers[phase]: mask for phase, mask in self._masks.items()}
            await self._store(self._path, masks, "what is shed")
            await self._keep_memory()

    async def _keep_memory(self) -> None:
        """Write what was learned."""
        self._kept_s = time.monotonic()
        memory = self._policy.memory(self._kept_s, now_ms())
        await self._store(self._memory_path, to_stored(memory), "what was learned")

    async def _store(self, path: Path, content: Mapping[str, object], what: str) -> None:
        try:
            async with self._disk:
                await asyncio.to_thread(durable.save, path, content)
        except StoreError as error:
            self._warn(path.name, f"a restart would forget {what}: {error}")
