"""A house in real time, with its meter and its chips where programs can reach them."""

import asyncio
import json
import logging
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from jph.errors import StoreError
from jph.sim.blueprint import Blueprint
from jph.sim.chips.i2cbus import I2cBus, Outputs
from jph.sim.chips.server import I2cServer
from jph.sim.evening import evening
from jph.sim.meter.frames import with_parity
from jph.sim.meter.line import MeterLine, duration_s
from jph.sim.meter.port import MeterPort
from jph.sim.meter.register import Register
from jph.sim.physics.house import SimulatedHouse
from jph.sim.steered import SimulatedStore, StoreSettings
from jph.util import durable

METER_ADDRESS: Final = "021875000042"
SAVE_INTERVAL_S: Final = 1.0

LONGEST_STEP_S: Final = 5.0
"""Longest step: after the machine slept, the house does not run through the night at once."""

LONGEST_DELAY_S: Final = 1.0
"""A line that is later than this does not catch up."""

Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


class LiveHouse:
    """A house that advances from `open` to `close`, while `run` runs.

    It resumes from the state file of an earlier run: house, meter, and the outputs of the chips,
    which keep their power while programs restart.
    """

    def __init__(
        self,
        plan: Blueprint,
        state: Path,
        *,
        seed: int,
        thermal_speed: float,
        log: Log,
        stores: Iterable[StoreSettings] = (),
    ) -> None:
        self.bus = I2cBus(plan.chips, self._outputs_changed)
        self.register = Register(METER_ADDRESS, plan.house.subscribed_a)
        self._plan = plan
        self._state = state
        self._log = log
        self.stores = {each.codifier: SimulatedStore(each) for each in stores}
        self.house = self._resume(seed, thermal_speed)
        self._apply_outputs()
        self._joules = 0.0
        self._stepped_s = time.monotonic()
        self._parts = ExitStack()

    def open(self, meter: Path, i2c: Path) -> None:
        """Create the port of the meter and the socket of the chips; `DeviceError` if impossible."""
        self._loop = asyncio.get_running_loop()
        with ExitStack() as parts:
            self._port = MeterPort(meter)
            parts.callback(self._port.close)
            server = I2cServer(i2c, self.bus)
            server.start()
            parts.callback(server.close)
            self._parts = parts.pop_all()

    def close(self) -> None:
        """Remove port and socket, and save the house for the next start."""
        self._parts.close()
        self.save()

    async def run(self) -> None:
        """Send group after group, each at the time of its last bit on a real line."""
        line = MeterLine(self.register)
        due_s = saved_s = time.monotonic()
        while True:
            self.advance()
            now_s = time.monotonic()
            characters = line.next(now_s)
            due_s = max(due_s, now_s - LONGEST_DELAY_S) + duration_s(characters)
            await asyncio.sleep(due_s - now_s)
            self._port.write(with_parity(characters))
            if now_s - saved_s > SAVE_INTERVAL_S:
                saved_s = now_s
                self.save(ahead_s=SAVE_INTERVAL_S)

    def advance(self) -> None:
        """Advance house and meter to now."""
        now_s = time.monotonic()
        seconds = min(now_s - self._stepped_s, LONGEST_STEP_S)
        self.house.step(seconds)
        for store in self.stores.values():
            store.advance(seconds)
            self._steer(store)
        self._stepped_s = now_s
        before, self._joules = self._joules, sum(self.house.joules())
        self.register.observe(self.house.time_s, self.house.amps, self._joules - before)

    def order(self, codifier: str, value: float) -> None:
        """Order a load beside the heaters: 0 and 1, or A."""
        self.advance()
        self.stores[codifier].ordered = value
        self._steer(self.stores[codifier])

    def _steer(self, store: SimulatedStore) -> None:
        self.house.steer(store.settings.codifier, store.settings.phases, store.watts)

    def save(self, ahead_s: float = 0.0) -> None:
        """Save the state; without it the next start only lacks the continuation.

        `ahead_s` is the time for which the saved state must be valid.
        """
        kept = {
            "house": self.house.snapshot(),
            "meter": self.register.snapshot(ahead_s),
            "chips": self.bus.snapshot(),
            "stores": {c: [each.ordered, each.stored_kwh] for c, each in self.stores.items()},
        }
        try:
            durable.replace(self._state, [json.dumps(kept).encode()])
        except StoreError as error:
            self._log.warning("%s", error)

    def _apply_outputs(self) -> None:
        """Give all heaters the orders of the chips."""
        for address, chip in self.bus.chips.items():
            for codifier, order in self._plan.orders(address, chip.outputs):
                self.house.order(codifier, order)

    def _outputs_changed(self, address: int, outputs: Outputs) -> None:
        """Run in the thread that serves the chips."""
        self._loop.call_soon_threadsafe(self._obey, address, outputs)

    def _obey(self, address: int, outputs: Outputs) -> None:
        self.advance()
        for codifier, order in self._plan.orders(address, outputs):
            self.house.order(codifier, order)

    def _resume(self, seed: int, thermal_speed: float) -> SimulatedHouse:
        spec = self._plan.house
        try:
            kept: dict[str, Any] = json.loads(self._state.read_bytes())
            house = SimulatedHouse.resume(
                spec, kept["house"], seed=seed, thermal_speed=thermal_speed
            )
            self.register.resume(kept["meter"])
            self.bus.resume(kept.get("chips", {}))
            for code, (ordered, stored_kwh) in kept.get("stores", {}).items():
                if code in self.stores:
                    store = self.stores[code]
                    store.ordered, store.stored_kwh = float(ordered), float(stored_kwh)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._log.warning("%s cannot be used (%r): the house starts anew", self._state, error)
        else:
            return house
        return evening(spec, seed=seed, thermal_speed=thermal_speed)
