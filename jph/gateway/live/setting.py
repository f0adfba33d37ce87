"""Setting a codifier to a number, or stepping it, and what its node made of it."""

import asyncio
import contextlib
import math
from typing import Final

import msgspec

from jph.config.model import Sensor
from jph.errors import JphError
from jph.gateway.live.commands import Commander
from jph.gateway.live.replies import Heard, Replies
from jph.gateway.view.figures import shown
from jph.heating.sentences import Say, english
from jph.node import kinds
from jph.wire.codec import Flag, Quality, Reading

LIMIT_S: Final = 2.0
"""How long the wished reading may take; what is then said last is the answer."""
SETTLE_S: Final = 0.3
"""A reading that was on its way when the command came may be the first one heard."""


class Taken(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a number: `value` is what the codifier says now, `text` is for people."""

    codifier: str
    asked: float
    done: bool
    text: str
    value: float | str | None = None


class Setter:
    """Sets numbers by `commander`, and hears by `replies` what became of them."""

    def __init__(
        self,
        commander: Commander,
        replies: Replies,
        *,
        limit_s: float = LIMIT_S,
        settle_s: float = SETTLE_S,
    ) -> None:
        self._commander = commander
        self._replies = replies
        self._limit_s = limit_s
        self._settle_s = settle_s

    async def change(self, sensor: Sensor, flag: Flag, number: float, say: Say = english) -> Taken:
        """Set `sensor` to the finite `number`, or step it by that, and wait for its reading."""
        code = sensor.codifier
        wanted = taken(sensor, number) if flag is Flag.SET else None
        async with self._replies.hear([code]) as heard:
            self._commander.send(flag, code, number)
            reading = await self._reading(heard, code, wanted)
        if reading is None:
            return Taken(code, number, False, await self._silence(sensor, say))
        return _told(sensor, number, wanted, reading, say)

    async def _reading(self, heard: Heard, code: str, wanted: float | None) -> Reading | None:
        def granted() -> bool:
            reading = heard.readings.get(code)
            return reading is not None and _is(reading, wanted)

        if wanted is not None:
            await heard.until(granted, self._limit_s)
        elif await heard.until(lambda: code in heard.readings, self._limit_s):
            await asyncio.sleep(self._settle_s)
        return heard.readings.get(code)

    async def _silence(self, sensor: Sensor, say: Say) -> str:
        """Say whether the node is there at all."""
        node, code = sensor.parent or sensor.codifier, sensor.codifier
        with contextlib.suppress(JphError):
            answer = await self._commander.ask(node, Flag.PING, node)
            if not answer.answered:
                return say("{node} does not answer", node=node)
            if not answer.active:
                text = "{node} is there, but no reading of {code} followed: it is halted"
                return say(text, node=node, code=code)
        return say("{node} is there, but no reading of {code} followed", node=node, code=code)


def taken(sensor: Sensor, number: float) -> float:
    """Return what a node that keeps to bounds makes of `number`; of others, `number` itself."""
    try:
        bounded = getattr(kinds.find(sensor.type), "taken", None)
        return float(bounded(sensor, number)) if bounded else number
    except JphError:  # a kind, or settings, of a program elsewhere
        return number


def _is(reading: Reading, wanted: float | None) -> bool:
    """Whether a reading is the wished one; original programs send single precision."""
    if wanted is None:
        return True
    return reading.number is not None and math.isclose(
        reading.number, wanted, rel_tol=1e-6, abs_tol=1e-9
    )


def _told(sensor: Sensor, number: float, wanted: float | None, reading: Reading, say: Say) -> Taken:
    code, granted = sensor.codifier, _is(reading, wanted)
    value = _shown(sensor, reading.value)
    named = {"code": code, "value": value, "asked": _shown(sensor, number)}
    stale = reading.quality == Quality.STALE
    if not granted:
        text = say("{code} refuses {asked}: it says {value}", **named)
    elif stale:
        text = say("{code} took {value}, but its device does not answer", **named)
    elif wanted is not None and wanted != number:
        text = say("{code} was asked for {asked} and took {value}", **named)
    else:
        text = say("{code} says {value}", **named)
    plain = reading.number if reading.number is not None else str(reading.value)
    return Taken(code, number, granted and not stale, text, plain)


def _shown(sensor: Sensor, value: float | str) -> str:
    return " ".join(filter(None, shown(str(value), sensor.symbol, sensor.data_type)))
