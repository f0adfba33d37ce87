"""Shared parts of the pilot card's tests: a quick card, a whole house, and its state."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jph.config.model import Network
from nodes import pilotcard
from tests.i2cserver import I2CServer
from tests.nodes.heatinghouse import Probe, element, house, wire
from tests.support import LIMIT_S, until


class PilotCard(pilotcard.PilotCard):
    """A card that looks after its chip quickly enough for tests."""

    tick_s = 0.02
    settle_s = 0.005
    turns = 0

    async def tended(self) -> None:
        """Wait until the card has looked after its chip, all of it, once more."""
        began = self.turns
        await until(lambda: self.turns > began + 1)

    def _send_state(self, now_s: float) -> None:
        super()._send_state(now_s)
        self.turns += 1


def full_house(chip: I2CServer, *tables: dict[str, Any], **settings: Any) -> Network:
    """A house whose heater 11 tells everything; `tables` change its wires in their order."""
    wires = [wire(number, 1 if number < 5 else 2) for number in range(1, 9)]
    wires[0] |= {"Applied": "A1", "Verified": "V1", "SolidState": True}
    for table, more in zip(wires, tables, strict=False):
        table |= more
    network = house({"Bus": chip.bus, "Wires": wires, "State": "K1", **settings})
    network.sensors.extend(element(code, "P1") for code in ("A1", "V1", "K1"))
    return network


async def state_of(probe: Probe, code: str, **expected: Any) -> dict[str, Any]:
    """Wait until the card's `State` says this of a heater; return all of it."""
    await probe.until(lambda: probe.last("K1") and expected.items() <= told(probe)[code].items())
    state: dict[str, Any] = json.loads(str(last.value)) if (last := probe.last("K1")) else {}
    return state


def told(probe: Probe) -> dict[str, Any]:
    last = probe.last("K1")
    assert last is not None
    assert last.flag == "j"
    wires: dict[str, Any] = json.loads(str(last.value))["wires"]
    return wires


async def chip_shows(chip: I2CServer, condition: Callable[..., object]) -> None:
    """Wait for writes to the chip until it is as it shall be, a limited time."""

    def wait() -> bool:
        with chip.changed:
            return bool(chip.changed.wait_for(condition, LIMIT_S))

    assert await asyncio.to_thread(wait)


def orders_file(state: Path) -> dict[str, int]:
    stored = json.loads((state / "orders" / "P1.json").read_text())
    return {code: entry["order"] for code, entry in stored.items()}
