"""Setting a codifier to a number, or stepping it by one, and the reading that follows."""

import asyncio
import math

import msgspec

from jph.client.client import Client
from jph.client.commands import NodeAnswer
from jph.client.replies import Heard
from jph.config.model import Sensor
from jph.errors import JphError
from jph.node import kinds
from jph.wire.codec import Flag, Quality, Reading


class SettingResult(msgspec.Struct, frozen=True):
    """What followed a number: the last reading, or without one the node's answer to a ping.

    `wanted` is the number that the codifier should take, within its bounds; None after a step.
    """

    sensor: Sensor
    asked: float
    wanted: float | None
    reading: Reading | None = None
    node: NodeAnswer | None = None

    @property
    def granted(self) -> bool:
        """Whether the codifier has taken the number."""
        return self.reading is not None and agrees(self.reading, self.wanted)

    @property
    def stale(self) -> bool:
        """Whether the node took the number, but cannot reach its device."""
        return self.reading is not None and self.reading.quality == Quality.STALE

    @property
    def clamped(self) -> bool:
        """Whether a bound of the configuration replaced the number."""
        return self.granted and self.wanted is not None and self.wanted != self.asked

    @property
    def done(self) -> bool:
        """Whether the device has taken the number."""
        return self.granted and not self.stale


async def change(client: Client, sensor: Sensor, flag: Flag, number: float) -> SettingResult:
    """Set `sensor` to the finite `number`, or step it by that, and wait for its reading."""
    code = sensor.codifier
    wanted = bounded(sensor, number) if flag is Flag.SET else None
    async with client.replies.hear([code]) as heard:
        client.send(flag, code, number)
        reading = await _reading(client, heard, code, wanted)
    if reading is not None:
        return SettingResult(sensor, number, wanted, reading)
    node = await client.commands.ping(sensor.parent or code)
    return SettingResult(sensor, number, wanted, node=node)


async def _reading(client: Client, heard: Heard, code: str, wanted: float | None) -> Reading | None:
    """Return the wished reading, else the last one; a stale one may be followed by a good one."""
    limits = client.limits

    def done() -> bool:
        reading = heard.readings.get(code)
        return reading is not None and agrees(reading, wanted) and reading.quality != Quality.STALE

    if wanted is not None:
        await heard.until(done, limits.setting_s)
    elif await heard.until(lambda: code in heard.readings, limits.setting_s):
        await asyncio.sleep(limits.settle_s)
    return heard.readings.get(code)


def bounded(sensor: Sensor, number: float) -> float:
    """Return the number that a node with bounds takes for `number`; `number` itself of others."""
    try:
        taken = getattr(kinds.find(sensor.type), "taken", None)
        return float(taken(sensor, number)) if taken else number
    except JphError:  # the kind, or its settings, belong to a program elsewhere
        return number


def agrees(reading: Reading, wanted: float | None) -> bool:
    """Return whether a reading has the wished number; original programs send single precision."""
    if wanted is None:
        return True
    return reading.number is not None and math.isclose(
        reading.number, wanted, rel_tol=1e-6, abs_tol=1e-9
    )
