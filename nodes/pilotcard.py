"""One pilot card: eight heaters' orders on the outputs of one MCP23017."""

import asyncio
import time
from collections.abc import Sequence
from typing import ClassVar, Final

import msgspec

from devices.i2c import open_bus
from devices.mcp23017 import Mcp23017
from heating import durable
from heating.card import Card
from heating.orders import Order
from heating.wiring import Wire, wiring
from jph.config import Network, expand, state_dir
from jph.errors import ConfigError, DeviceError, Problem, StoreError
from jph.logs import Throttle
from jph.node import Node, Settings
from jph.wire import Control, Quality, Reading

LONGEST_DELAY_S: Final = 60.0
MASK_LIMIT: Final = 2**32


class PilotCardSettings(Settings, frozen=True):
    """Where the chip is, and what hangs on its wires; durations in seconds.

    `shed` maps a phase to the codifier of its shed mask.
    """

    bus: int | str
    address: int = 0x20
    wires: tuple[Wire, ...] = ()
    shed: dict[str, str] = msgspec.field(default_factory=dict)
    hold: float = 60.0
    release_interval: float = 5.0

    def __post_init__(self) -> None:
        if not 0x20 <= self.address <= 0x27:
            raise ValueError(f"Address: expected 32 to 39 (0x20 + module), found {self.address}")
        if wrong := [phase for phase in self.shed if phase not in ("1", "2", "3")]:
            raise ValueError(f"Shed: expected phases 1, 2 or 3, found {wrong[0]!r}")
        if self.hold < 0 or self.release_interval < 0:
            raise ValueError("Hold and ReleaseInterval: expected seconds, 0 or more")


class PilotCard(Node, type="PilotCard", settings=PilotCardSettings):
    """Keep the orders of a chip's heaters, carry them out, and let shedding have the last word.

    Sends each heater's order (0 comfort, 1 off, 2 frost, 3 eco; STALE while the chip does not
    answer) and, under its own codifier, the faults counted since its start.  When the shedder
    falls silent its last masks are held for `Hold`, then heaters return one by one.
    """

    settings: PilotCardSettings
    tick_s: ClassVar[float] = 1.0
    """How often leases, retries and checks are looked at; masks and orders do not wait for it."""

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Two heaters on a wire, two cards on a chip, a phase without a mask."""
        try:
            wiring(network)
        except ConfigError as error:
            return error.problems
        return ()

    async def open(self) -> None:
        """Restore the orders and go looking for the chip."""
        self._throttle = Throttle()
        self._faults = 0
        self._chip: Mcp23017 | None = None
        self._known = False  # the chip has been seen since the start of this program
        self._away = False  # it does not answer, and that has been told
        self._retry_s = 0.0
        self._delay_s = self.tick_s
        self._check_s = 0.0
        self._card = self._wire_up()
        self._card.orders.update(self._stored_orders())
        self._wanted = dict(self._card.orders)
        self._answers: set[str] = set()
        self._asked = asyncio.Event()
        self.spawn(self._keep_orders(), "orders")
        self.spawn(self._tend(), "chip")

    async def close(self) -> None:
        """Let go of the bus; the chip goes on carrying its latches."""
        if self._chip is not None:
            self._chip.close()

    def on_reload(self) -> None:
        """Wire up again with the same orders; wiring that contradicts itself is refused."""
        try:
            card = self._wire_up()
        except ConfigError as error:
            self.log.error("%s; the old wiring is kept", error)
            return
        card.take_over(self._card)
        self._card = card
        self._wanted = dict(card.orders)
        if self._chip is not None:
            self._chip.close()
            self._chip = None
        self._retry_s = 0.0

    async def on_timer(self, now_ms: int) -> None:
        """Send every order, and the faults."""
        self._publish(self._card.orders)

    def on_data(self, readings: list[Reading]) -> None:
        """Apply the shedder's masks before anything else is done."""
        heard = False
        for reading in readings:
            phase = self._masks.get(reading.source)
            if phase is None or reading.flag == "n":
                continue
            number = reading.number
            if number is None or not 0 <= number < MASK_LIMIT or number % 1:
                self._say_once(f"{reading.source} is no mask: {reading.value!r}")
                continue
            self._card.hear(phase, int(number), time.monotonic())
            heard = True
        if heard:
            self._apply()

    def on_control(self, message: Control) -> None:
        """Take an order for a heater: `A` sets it, `E` steps from what was last asked for."""
        codifier = message.to
        if message.flag not in ("A", "E") or codifier not in self._card.orders:
            return
        start = self._wanted[codifier] if message.flag == "E" else 0
        try:
            self._wanted[codifier] = Order.of(start + message.number)
        except ValueError as error:
            self.log.warning("order for %s from %s refused: %s", codifier, message.source, error)
            return
        self._answers.add(codifier)
        self._asked.set()

    def _wire_up(self) -> Card:
        card = Card(
            wiring(self.network), self.codifier, self.settings.hold, self.settings.release_interval
        )
        self._masks = {codifier: int(phase) for phase, codifier in self.settings.shed.items()}
        self._path = state_dir() / "orders" / f"{self.codifier}.json"
        return card

    def _stored_orders(self) -> dict[str, Order]:
        try:
            stored = durable.load(self._path)
        except StoreError as error:
            self._faults += 1
            aside = durable.set_aside(self._path)
            self.log.error("%s; kept as %s, all heaters start at comfort", error, aside.name)
            return {}
        orders = {}
        for codifier in self._card.orders.keys() & stored.keys():
            try:
                orders[codifier] = Order.of(float(str(stored[codifier])))
            except ValueError as error:
                self._faults += 1
                self.log.error(
                    "stored order of %s left out, it is comfort now: %s", codifier, error
                )
        return orders

    async def _keep_orders(self) -> None:
        """Make orders durable, then carry them out and say so, in this order."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            answers, self._answers = self._answers, set()
            saving = dict(self._wanted)
            try:
                # The disk may take its time; masks must not wait for it.
                await asyncio.to_thread(durable.save, self._path, saving)
            except StoreError as error:
                self._faults += 1
                self.log.error("orders refused, they would be lost at the next start: %s", error)
                self._wanted.update(
                    {c: o for c, o in self._card.orders.items() if self._wanted[c] == saving.get(c)}
                )
            else:
                self._card.orders.update({c: saving[c] for c in self._card.orders if c in saving})
                self._apply()
            self._publish(answers)

    async def _tend(self) -> None:
        """Keep the chip as it shall be: find it, check it, release what a silent shedder left."""
        while True:
            now_s = time.monotonic()
            if self._chip is None and now_s >= self._retry_s:
                self._connect(now_s)
            elif now_s >= self._check_s:
                self._check(now_s)
            self._apply()
            await asyncio.sleep(self.tick_s)

    def _connect(self, now_s: float) -> None:
        bus = self.settings.bus
        try:
            opened = open_bus(expand(bus) if isinstance(bus, str) else bus)
        except DeviceError as error:
            self._lost(error)
            return
        chip = Mcp23017(opened, self.settings.address, bus)
        try:
            seen = chip.read_back()
            if seen.drives and not self._known:
                self._card.adopt(seen.latches, now_s)
            chip.initialise(self._card.latches(now_s))
        except DeviceError as error:
            chip.close()
            self._lost(error)
            return
        self._chip, self._known, self._delay_s = chip, True, self.tick_s
        self._check_s = now_s + self.entry.sensor_interval
        if self._away:
            self.log.info("the chip answers again")
        self._away = False
        self._publish(self._card.orders)

    def _check(self, now_s: float) -> None:
        if self._chip is None:
            return
        self._check_s = now_s + self.entry.sensor_interval
        try:
            seen = self._chip.read_back()
            if not seen.drives or seen.latches != self._chip.latches:
                self._fault(f"the chip had lost its state ({seen}), it is set up again")
                self._chip.initialise(self._card.latches(now_s))
            elif seen.pins != seen.latches:
                self._fault(f"pins do not follow their latches, is a wire shorted? {seen}")
        except DeviceError as error:
            self._lost(error)

    def _apply(self) -> None:
        if self._chip is None:
            return
        try:
            self._chip.write(self._card.latches(time.monotonic()))
        except DeviceError as error:
            self._lost(error)

    def _lost(self, error: DeviceError) -> None:
        """Let go of a chip that does not answer, and wait longer each time before the next try."""
        if self._chip is not None:
            self._chip.close()
            self._chip = None
        self._retry_s = time.monotonic() + self._delay_s
        self._delay_s = min(2 * self._delay_s, LONGEST_DELAY_S)
        if not self._away:
            self._away = True
            self._faults += 1
            self.log.error("%s; it is tried again", error)
            self._publish(self._card.orders)

    def _fault(self, text: str) -> None:
        self._faults += 1
        self._say_once(text)

    def _say_once(self, text: str) -> None:
        if self._throttle.allow(text, time.monotonic()):
            self.log.warning("%s", text)

    def _publish(self, codifiers: "set[str] | dict[str, Order]") -> None:
        orders = [(c, int(self._card.orders[c])) for c in codifiers if c in self._card.orders]
        quality = Quality.GOOD if self._chip is not None else Quality.STALE
        self.send_many(orders, quality=quality)
        self.send(self._faults)
