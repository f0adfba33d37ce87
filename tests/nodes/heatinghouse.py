"""A small house for the heating nodes: real loopback multicast, and a chip on a Unix socket."""

import asyncio
import atexit
import functools
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from types import ModuleType
from typing import Any

import pytest

from jph.config.model import Endpoint, Multicast, Network, Sensor
from jph.node.node import Node
from jph.wire.codec import Control, Quality, Reading
from tests.support import LIMIT_S, ended, udp_port


@functools.cache
def ports() -> tuple[int, int]:
    """Return two UDP ports for the houses of this process, one after the other; held to its end."""
    held = ExitStack()
    atexit.register(held.close)
    return held.enter_context(udp_port()), held.enter_context(udp_port())


def wire(number: int, phase: int, **more: Any) -> dict[str, Any]:
    return {"Codifier": f"1{number}", "Wire": number, "Phase": phase, "Watts": 1150, **more}


def house(card: dict[str, Any], shedding: dict[str, Any] | None = None) -> Network:
    """A meter TI, a card P1 with heaters 11–14 on phase 1 and 15–18 on phase 2, a shedder SH."""
    wires = [wire(number, 1 if number < 5 else 2) for number in range(1, 9)]
    table = {"Wires": wires, "Shed": {"1": "S1", "2": "S2"}, **card}
    phases = [
        {"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30},
        {"Phase": 2, "Codifier": "S2", "Current": "I2", "Warning": "W2"},
    ]
    shed = {"Phases": phases, "Subscribed": "IS", **(shedding or {})}
    fast: dict[str, Any] = {"keep_alive_interval": 0.2, "sensor_interval": 0.2}
    sensors = [
        Sensor(codifier="TI", type="Probe", **fast),
        Sensor(codifier="P1", type="PilotCard", sensor=table, **fast),
        Sensor(codifier="SH", type="Shedding", sensor=shed, **fast),
        *(element(code, "TI") for code in ("I1", "I2", "IS", "W2")),
        *(element(f"1{number}", "P1", "enabled") for number in range(1, 9)),
        *(element(code, "SH") for code in ("S1", "S2")),
    ]
    control, data = ports()
    multicast = Multicast(
        control=Endpoint(address="239.255.77.1", port=control),
        data=Endpoint(address="239.255.77.2", port=data),
        interfaces={"*": "lo"},
        ttl=0,
    )
    return Network(multicast=multicast, sensors=sensors)


def element(codifier: str, parent: str, control: str = "") -> Sensor:
    return Sensor(codifier=codifier, type="Proxy", control=control, sensor={"Codifier": parent})


class Probe(Node):
    """Stands in for the meter, and for a person: hears everything and can wait for it."""

    hears_itself = True

    async def open(self) -> None:
        self.heard: list[Reading] = []
        self.controls: list[Control] = []
        self._news = asyncio.Event()

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.heard += [reading for reading in readings if reading.flag != "n"]
        self._news.set()

    def on_control(self, message: Control) -> None:
        self.controls.append(message)
        self._news.set()

    def last(self, codifier: str) -> Reading | None:
        return next((r for r in reversed(self.heard) if r.source == codifier), None)

    def says(self, codifier: str, value: float, quality: Quality = Quality.GOOD) -> bool:
        last = self.last(codifier)
        return last is not None and last.value == value and last.quality == quality

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something heard makes the condition true, a limited time."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until_heard(
        self, codifier: str, value: float, quality: Quality = Quality.GOOD
    ) -> None:
        await self.until(lambda: self.says(codifier, value, quality))


class Clock:
    """Stands in for the module `time` of a node's: monotonic time passes when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
        self.now_s = time.monotonic()
        self.time_ns = time.time_ns
        monkeypatch.setattr(module, "time", self)

    def monotonic(self) -> float:
        return self.now_s


@asynccontextmanager
async def living(*nodes: Node) -> AsyncIterator[None]:
    """Run nodes; one that fails fails the test."""
    tasks = [asyncio.create_task(node.run()) for node in nodes]
    try:
        async with asyncio.timeout(LIMIT_S):
            while not all(node.bus.data.is_open for node in nodes):
                for task in tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.005)
        yield
    finally:
        await ended(nodes, tasks)
