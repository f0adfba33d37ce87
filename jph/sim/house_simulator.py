"""The node kind "HouseSimulator": a house, its meter and its chips, in real time.

Other nodes use two files, as with real hardware: a serial device (`Meter`) and an I2C bus (`I2C`).
On the data bus it sends temperatures (outdoors, each room), and loads that take orders.
"""

import asyncio
import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from jph.config.model import expand
from jph.config.settings import described
from jph.node.node import Node, Settings
from jph.sim.blueprint import blueprint
from jph.sim.gadgets import Gadgets
from jph.sim.live import LiveHouse
from jph.sim.physics.spec import VOLTS
from jph.sim.steered import StoreSettings
from jph.wire.codec import Control, Flag, Quality, Reading

MOST_A: Final = 32.0
SETPOINT_RANGE_C: Final = (5.0, 30.0)
PYTHON: Final = (sys.executable, "-m")
ZONE: Final = "Europe/Paris"


class RoomSettings(Settings, frozen=True, kw_only=True):
    """A room of the wiring table: the element of its temperature, and its floor area in m²."""

    codifier: Annotated[str, described("Element that carries the room's temperature")]
    name: Annotated[str, described("Room of the wiring table")]
    area: Annotated[float, described("Floor area", "m²", gt=0)]


class HouseSimulatorSettings(Settings, frozen=True, kw_only=True):
    """Paths, elements and the house.

    `Subscribed` is A per phase. `ThermalSpeed` above 1 lets rooms warm up and cool down faster than
    real ones. `Silent` lists addresses of chips that do not answer. `Past` is the number of
    days before the first start that are simulated and stored in an empty history.
    """

    meter: Annotated[str, described("Path of the simulated serial port")] = "$JPH_STATE/house/meter"
    i2c: Annotated[str, described("Path of the simulated I2C bus")] = msgspec.field(
        default="$JPH_STATE/house/i2c.sock", name="I2C"
    )
    state: Annotated[str, described("Path of the file that keeps the house")] = (
        "$JPH_STATE/house/state.json"
    )
    devices: Annotated[
        str, described("Folder of a simulated weather station, meter, fan and badge; empty: none")
    ] = ""
    outdoor: Annotated[str, described("Element that carries the outdoor temperature")] = "TO"
    setpoint: Annotated[str, described("Element with the comfort setpoint")] = "SP"
    rooms: Annotated[tuple[RoomSettings, ...], described("Rooms with a thermometer")] = ()
    loads: Annotated[
        tuple[StoreSettings, ...], described("Water heater and car that take orders")
    ] = ()
    subscribed: Annotated[int, described("Contract's current of each phase", "A", ge=10, le=60)] = (
        30
    )
    seed: Annotated[int, described("Seed of weather and people")] = 0
    thermal_speed: Annotated[
        float, described("Factor by which rooms warm up and cool down faster", ge=1, le=100)
    ] = 1.0
    silent: Annotated[tuple[int, ...], described("I2C addresses of chips that do not answer")] = ()
    past: Annotated[
        int, described("Days before the first start that are simulated", "days", ge=0, le=400)
    ] = 0


class HouseSimulator(Node, type="HouseSimulator", settings=HouseSimulatorSettings):
    """Runs the house and publishes its temperatures each `SensorInterval`.

    If the comfort setpoint falls silent, the thermostats keep the last one, as real ones do.
    """

    settings: HouseSimulatorSettings
    live: LiveHouse | None = None
    """The house, from `open` to `close`."""
    _gadgets: Gadgets | None = None

    async def open(self) -> None:
        """Build the house, or resume it where the last run ended, and connect meter and chips."""
        settings = self.settings
        plan = blueprint(
            self.network,
            f"unix:{settings.i2c}",
            {room.name: room.area for room in settings.rooms},
            seed=settings.seed,
            subscribed_a=settings.subscribed,
            habits=all(load.watts is None for load in settings.loads),
        )
        live = LiveHouse(
            plan,
            Path(expand(settings.state)),
            seed=settings.seed,
            thermal_speed=settings.thermal_speed,
            log=self.log,
            stores=settings.loads,
        )
        live.open(Path(expand(settings.meter)), Path(expand(settings.i2c)))
        self.live = live
        self.on_reload()
        self.spawn(live.run(), "meter")
        if settings.devices:
            await self._open_devices(Path(expand(settings.devices)), live)
        if settings.past and (url := os.environ.get("JPH_CONFIG")):  # `up` sets it
            self.spawn(self._import_past(url, settings.past), "past")

    async def _open_devices(self, folder: Path, live: LiveHouse) -> None:
        house = live.house
        gadgets = Gadgets(
            folder,
            lambda: house.outdoor_c,
            lambda: VOLTS * house.appliance_amps(1),
            self.settings.seed,
        )
        await gadgets.open()
        self._gadgets = gadgets
        self.spawn(gadgets.run(), "devices")

    async def close(self) -> None:
        """Remove meter and chips, and save the house for the next start."""
        if self._gadgets is not None:
            await self._gadgets.close()
            self._gadgets = None
        if self.live is not None:
            self.live.close()
            self.live = None

    def on_reload(self) -> None:
        """Apply the list of silent chips; the house itself is not rebuilt."""
        if self.live is not None:
            self.live.bus.silent = frozenset(self.settings.silent)

    async def _import_past(self, url: str, days: int) -> None:
        """Run the import of the past, at low priority; the history decides whether it needs one."""
        calculators = [s for s in self.network.sensors if s.type == "postgresCalcHandler"]
        zone = str(calculators[0].sensor.get("TimeZone", ZONE)) if calculators else ZONE
        now_ms = time.time_ns() // 10**6
        past = (*PYTHON, "jph.sim.tell_past", url, self.codifier, str(now_ms), str(days), zone)
        child = await asyncio.create_subprocess_exec(
            *("nice", *PYTHON, "collector.history.imported", url, *past),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        try:
            if status := await child.wait():
                self.log.warning("the past is not stored: exit status %d", status)
        finally:
            if child.returncode is None:
                child.terminate()

    async def on_timer(self, now_ms: int) -> None:
        """Publish the temperatures, °C."""
        if self.live is None:
            return
        self.live.advance()
        house = self.live.house
        temperatures = {self.settings.outdoor: house.outdoor_c}
        for room in self.settings.rooms:
            if room.name in house.rooms:
                temperatures[room.codifier] = house.rooms[room.name].air_c
        readings = [
            (code, round(c, 2)) for code, c in temperatures.items() if code in self.elements
        ]
        self.send_many(readings, timestamp_ms=now_ms, quality=Quality.SIMULATED)
        for code in self.live.stores:
            self._report(code)

    def on_control(self, message: Control) -> None:
        """Let a water heater or a car obey, and report what it has."""
        live, code = self.live, message.to
        if live is None or message.flag != Flag.SET or code not in live.stores:
            return
        if math.isfinite(message.number) and 0 <= message.number <= MOST_A:
            live.order(code, message.number)
            self._report(code)

    def _report(self, codifier: str) -> None:
        if self.live is not None and codifier in self.elements:
            value = self.live.stores[codifier].ordered
            self.send(value, codifier=codifier, quality=Quality.SIMULATED)

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Apply the comfort setpoint."""
        lowest, highest = SETPOINT_RANGE_C
        for reading in readings:
            if reading.source != self.settings.setpoint or self.live is None:
                continue
            celsius = reading.number
            if celsius is not None and lowest <= celsius <= highest:
                self.live.house.comfort_c = celsius
