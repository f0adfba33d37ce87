"""A pilot card: the orders of eight heaters on the outputs of one MCP23017."""

import asyncio
import contextlib
import json
import logging
import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from jph.config.house.card import PilotCardSettings
from jph.config.house.loads import wiring
from jph.config.model import Network, expand, state_dir
from jph.devices.i2c.bus import open_bus
from jph.devices.i2c.bus_thread import BusThread
from jph.devices.i2c.mcp23017 import Mcp23017, ReadBack
from jph.errors import ConfigError, DeviceError, Problem, StoreError
from jph.heating.card.fallback_log import FallbackLog
from jph.heating.card.leases import fallback_of
from jph.heating.card.mask_source import MaskInputs
from jph.heating.card.outputs import Card
from jph.heating.card.report import Report
from jph.heating.orders.coding import Order, decode, encode
from jph.heating.orders.holds import Ends, asked
from jph.heating.orders.orderbook import Given, from_stored, to_stored
from jph.node.node import Node, now_ms
from jph.util import durable
from jph.util.backoff import Backoff
from jph.util.logs import Throttle
from jph.wire.codec import Control, Json, Quality, Reading

LONGEST_DELAY_S: Final = 60.0
STATE_INTERVAL_S: Final = 30.0
BLIND: Final = (Quality.STALE, Quality.IMPLAUSIBLE)


class PilotCard(Node, type="PilotCard", settings=PilotCardSettings):
    """Store the orders of a chip's heaters and put the coldest of order and shed on each wire.

    Sends each heater's order, what its wire was given (`Applied`) and what the chip's latches and
    pins say (`Verified`), STALE while the chip does not answer; under its own codifier the faults
    counted since its start; and all of it as JSON (`State`).
    """

    settings: PilotCardSettings
    tick_s: ClassVar[float] = 1.0
    """Interval of the check of leases and retries; masks and orders do not wait for it."""
    settle_s: ClassVar[float] = 0.2
    """Time between a write and the read-back: another mask may follow at once."""

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Two heaters on a wire, two cards on a chip, a phase without a mask."""
        try:
            wiring(network)
        except ConfigError as error:
            return error.problems
        return ()

    async def open(self) -> None:
        """Restore the orders and start to connect the chip."""
        self._throttle = Throttle()
        self._faults: Counter[str] = Counter()
        self._inputs = MaskInputs({}, {}, 0.0)
        self._fallback_log = FallbackLog()
        self._bus = BusThread(f"{self.codifier} I2C")
        self._chip: Mcp23017 | None = None
        self._rewired = False  # a reload changed the bus, the address or the wires
        self._known = False  # the chip has been seen since the start of this program
        self._away = False  # it does not answer, and that is logged
        self._retry_s = self._check_s = 0.0
        self._backoff = Backoff(self.tick_s / 5, LONGEST_DELAY_S)
        self._card = self._wire_up()
        self._card.given.update(self._stored_orders())
        self._ends = Ends()
        self._card.given.update(self._ends.due(self._card.given, now_ms(), time.monotonic()))
        self._out = self._written = self._card.step(time.monotonic())
        self._restored = dict(self._card.given)
        self._wanted = dict(self._card.given)
        self._report = Report()
        self._state_sent = ""
        self._state_sent_s = -math.inf
        self._answers: set[str] = set()
        self._unsent: set[str] = set()  # heaters whose orders are sent once the chip has them
        self._asked = asyncio.Event()
        self._poke = asyncio.Event()
        self.spawn(self._keep_orders(), "orders")
        self.spawn(self._tend(), "chip")

    async def close(self) -> None:
        """Close the bus; the chip keeps its latches."""
        self._leave_chip()
        self._bus.stop()

    def on_reload(self) -> None:
        """Apply the new wiring with the same orders; refuse wiring that contradicts itself."""
        try:
            card = self._wire_up()
        except ConfigError as error:
            self.log.error("%s; the old wiring stays in force", error)
            return
        card.take_over(self._card)
        self._card = card
        # Orders that wait for the disk stay requested.
        asked = {c: g for c, g in self._wanted.items() if self._may_carry(c, g.order)}
        self._wanted = {**card.given, **asked}
        self._out = card.step(time.monotonic())
        self._rewired = True
        self._poke.set()

    async def on_timer(self, now_ms: int) -> None:
        """Send everything."""
        self._publish(self._card.heaters)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Apply the shedder's masks before anything else is done."""
        heard = False
        now_s = time.monotonic()
        for reading in readings:
            if reading.source in self._inputs.meters:
                if reading.number is not None and reading.quality not in BLIND:
                    self._card.see(self._inputs.meters[reading.source], now_s)
            elif reading.source in self._inputs:
                heard = self._take_mask(reading, now_s) or heard
        if heard:
            self._apply()

    def on_control(self, message: Control) -> None:
        """Take an order for a heater: `A` sets it, `E` steps from what was last asked for.

        What `A` sets may have an end, see `jph.heating.orders.holds`. A ping to the card brings its
        `State`.
        """
        codifier = message.to
        if message.flag == "P" and codifier == self.codifier:
            self._state_sent_s = -math.inf  # the answer to a ping includes the whole state
            self._poke.set()
        if message.flag not in ("A", "E") or codifier not in self._wanted:
            return
        current, heater = self._wanted[codifier], self._card.heaters[codifier]
        start = current.order if message.flag == "E" else 0
        try:
            given = asked(heater, start + message.number, message.source, now_ms(), current)
        except ValueError as error:
            who = f"{codifier} from {message.source}"
            self._log_once(f"order {who}", f"order for {who} refused: {error}")
            self._publish({codifier})  # the sender must see the order in force
            return
        self._wanted[codifier] = given
        self._answers.add(codifier)
        self._asked.set()

    def _wire_up(self) -> Card:
        settings, now_s = self.settings, time.monotonic()
        house = wiring(self.network)
        phases = [int(phase) for phase in settings.shed]
        card = Card(house, self.codifier, fallback_of(settings), phases, now_s)
        self._inputs = MaskInputs(settings.shed, settings.meter, settings.hold, self._inputs)
        self._path = state_dir() / "orders" / f"{self.codifier}.json"
        return card

    def _may_carry(self, codifier: str, order: Order) -> bool:
        heater = self._card.heaters.get(codifier)
        return heater is not None and heater.takes(order)

    def _take_mask(self, reading: Reading, now_s: float) -> bool:
        taken = self._inputs.take(reading, now_s)
        if isinstance(taken, str):
            self._log_once((reading.source, reading.epoch), taken)
            return False
        if taken.owned:
            self._card.hear(taken.phase, taken.mask, now_s)
            if not self._inputs.measured(taken.phase) and reading.quality not in BLIND:
                self._card.see(taken.phase, now_s)
        else:
            self._log_once((reading.source, reading.epoch), taken.doubt)
            self._card.hear_more(taken.phase, taken.mask)
        return True

    def _stored_orders(self) -> dict[str, Given]:
        try:
            stored = durable.load(self._path)
        except StoreError as error:
            self._faults["store"] += 1
            aside = durable.set_aside(self._path)
            self.log.error(
                "%s; kept as %s, all heaters start with their first orders", error, aside.name
            )
            return {}
        orders, mistakes = from_stored(stored, self._card.heaters.values())
        for mistake in mistakes:
            self._faults["store"] += 1
            self.log.error(
                "stored order left out, the heater starts with its first order: %s", mistake
            )
        return orders

    async def _keep_orders(self) -> None:
        """Write orders to the disk, then apply them, then publish them."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            answers, self._answers = self._answers, set()
            saving = dict(self._wanted)
            try:
                # The disk may be slow; masks must not wait for it.
                await asyncio.to_thread(durable.save, self._path, to_stored(saving))
            except StoreError as error:
                self._faults["store"] += 1
                self.log.error("orders refused because they cannot be stored: %s", error)
                self._wanted.update(
                    {c: g for c, g in self._card.given.items() if self._wanted[c] == saving.get(c)}
                )
            else:
                # A reload or a chip after power-on may have changed the orders meanwhile.
                for code in answers & saving.keys():
                    if self._may_carry(code, saving[code].order):
                        self._card.given[code] = saving[code]
                self._apply()
            self._unsent |= answers
            self._poke.set()

    async def _tend(self) -> None:
        """Connect the chip, write it, check it, and switch what time alone switches.

        Each transfer runs in the thread of the bus: while one hangs, the node hears masks and
        orders, and the newest outputs are written after it.
        """
        while True:
            self._poke.clear()
            now_s = time.monotonic()
            self.deadlines.expect("chip", now_s)
            self._end_holds(now_s)
            unsent, self._unsent = self._unsent, set()
            self._apply()
            if self._rewired:
                self._rewired, self._retry_s = False, 0.0
                self._leave_chip()
            if self._chip is not None:
                await self._write(self._chip)
            if self._chip is None and now_s >= self._retry_s:
                await self._connect(now_s)
            elif self._chip is not None and now_s >= self._check_s:
                await self._check(self._chip, now_s)
            if unsent:
                self._publish(unsent)
            self._log_fallback(now_s)
            self._send_state(now_s)
            now_s = time.monotonic()
            wait_s = min(self.tick_s, self._card.next_edge_s(now_s))
            next_s = self._check_s if self._chip is not None else self._retry_s
            wait_s = max(0.0, min(wait_s, next_s - now_s))
            with contextlib.suppress(TimeoutError):
                # wait_for would lose a cancellation that comes together with a poke.
                async with asyncio.timeout(wait_s):
                    await self._poke.wait()

    def _end_holds(self, now_s: float) -> None:
        """End orders that had an end; a start does the same, so the disk need not have it first."""
        for code, given in self._ends.due(self._card.given, now_ms(), now_s).items():
            if self._wanted[code] == self._card.given[code]:  # else a newer order is on its way
                self._wanted[code] = given
            self._card.given[code] = given
            self._answers.add(code)
            self._asked.set()

    async def _connect(self, now_s: float) -> None:
        bus, address = self.settings.bus, self.settings.address
        inverted = encode(dict.fromkeys(self.settings.active_low_wires, Order.ECO))
        try:
            opened = await self._bus.transfer(
                open_bus, expand(bus) if isinstance(bus, str) else bus
            )
        except DeviceError as error:
            self._lost(error)
            return
        chip = Mcp23017(opened, address, bus, inverted)
        try:
            self._meet(await self._bus.transfer(chip.read_back))
            out = self._out = self._card.step(time.monotonic())
            await self._bus.transfer(chip.initialise, out.latches)
        except (DeviceError, asyncio.CancelledError) as error:
            self._bus.post(chip.close)
            if not isinstance(error, DeviceError):
                raise
            self._lost(error)
            return
        if self._rewired:
            self._bus.post(chip.close)
            return
        self._chip, self._written, self._check_s = chip, out, now_s
        self._backoff.reset()
        self._poke.set()
        if self._away:
            self.log.info("the chip answers again")
        self._away = False
        self._report.applied(out)
        self._publish(self._card.heaters)

    def _meet(self, seen: ReadBack) -> None:
        """Take over the sheds of a chip that kept its power; else give power-on orders."""
        if self._known:
            return
        self._known = True
        if seen.drives:
            self._card.adopt(seen.latches)
            return
        for code, heater in self._card.heaters.items():
            untouched = self._wanted[code] == self._restored.get(code)
            if heater.actuator.power_on is not None and untouched:
                given = Given(heater.actuator.power_on, self.codifier, now_ms())
                self._card.given[code] = self._wanted[code] = given
        self._asked.set()  # to be stored, after what is being written now

    async def _check(self, chip: Mcp23017, now_s: float) -> None:
        """Read the chip back; set it up again if anything differs."""
        self._check_s = now_s + self.entry.sensor_interval
        try:
            seen = await self._bus.transfer(chip.read_back)
            if not seen.drives or seen.latches != chip.latches:
                self._fault("state", f"the chip had lost its state ({seen}), it is set up again")
            elif seen.pins != seen.latches:
                self._fault("pins", f"pins do not follow their latches, is a wire shorted? {seen}")
            else:
                self._verify(seen)
                return
            await self._bus.transfer(chip.initialise, self._written.latches)
            self._verify(await self._bus.transfer(chip.read_back))
        except DeviceError as error:
            self._lost(error)

    def _verify(self, seen: ReadBack) -> None:
        """Send what the pins carry: the heater's order where the pins are as written."""
        if not self._rewired:
            written, pins = self._written, decode(seen.pins)
            self._send_wires(self._report.verified(self._card, written, pins))

    def _apply(self) -> None:
        """Decide the outputs; the chip gets changed ones at once."""
        before, self._out = self._out, self._card.step(time.monotonic())
        if self._out != before:
            self._poke.set()

    async def _write(self, chip: Mcp23017) -> None:
        """Write the present outputs to the chip, and send what changed."""
        out = self._out
        wrote = out.latches != chip.latches
        try:
            if wrote:
                await self._bus.transfer(chip.write, out.latches)
        except DeviceError as error:
            self._lost(error)
            return
        if self._rewired:
            return
        self._written = out
        changed = self._report.applied(out)
        if wrote or changed:
            self._check_s = min(self._check_s, time.monotonic() + self.settle_s)
        self._send_wires(changed)

    def _leave_chip(self) -> None:
        """Close the bus, after the transfer that is under way."""
        if self._chip is not None:
            self._bus.post(self._chip.close)
            self._chip = None

    def _lost(self, error: DeviceError) -> None:
        """Close a chip that does not answer, and wait longer before each next attempt."""
        self._leave_chip()
        self._retry_s = time.monotonic() + self._backoff.next_s()
        if not self._away:
            self._away = True
            self._faults["chip"] += 1
            self.log.error("%s; trying again", error)
            self._publish(self._card.heaters)

    def _log_fallback(self, now_s: float) -> None:
        fallback = fallback_of(self.settings)
        card = self._card
        for warns, text in self._fallback_log.changes(
            card.stages(now_s), card.silent(now_s), fallback
        ):
            self.log.log(logging.WARNING if warns else logging.INFO, "%s", text)

    def _fault(self, kind: str, text: str) -> None:
        self._faults[kind] += 1
        self._log_once(kind, text)
        self.send(self._faults.total())

    def _log_once(self, key: object, text: str) -> None:
        if self._throttle.allow(key, time.monotonic()):
            self.log.warning("%s", text)

    def _publish(self, codifiers: Iterable[str]) -> None:
        self._send_wires(codifiers, orders=True)
        self.send(self._faults.total())

    def _send_wires(self, codifiers: Iterable[str], *, orders: bool = False) -> None:
        """Send the known state of some heaters' wires, with or without their orders."""
        quality = Quality.GOOD if self._chip is not None else Quality.STALE
        batch = self._report.readings(self._card, codifiers, orders=orders)
        self.send_many(batch, quality=quality)

    def _send_state(self, now_s: float) -> None:
        """Send the `State` element when it changes, after a ping and every half minute."""
        if not self.settings.state or (self._chip is not None and not self._report.complete):
            return
        leases = {str(phase): str(stage) for phase, stage in self._card.stages(now_s).items()}
        state = {
            "value": self._faults.total(),
            "faults": dict(self._faults),
            "chip": self._chip is not None,
            "leases": leases,
            "silent": {str(phase): what for phase, what in self._card.silent(now_s).items()},
            "wires": self._report.wires(self._card, self._out),
        }
        text = json.dumps(state, separators=(",", ":"))
        if text != self._state_sent or now_s - self._state_sent_s >= STATE_INTERVAL_S:
            self._state_sent, self._state_sent_s = text, now_s
            self.send(Json(text), codifier=self.settings.state)
