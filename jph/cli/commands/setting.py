"""`set` and `step`: a number for a codifier, and what the node made of it."""

import asyncio
import contextlib
import math
from typing import Final, NamedTuple

import click

from jph.cli.commands.ping import Answer, Pinger
from jph.cli.terminal.context import App, codifier, json_option, run_async
from jph.cli.terminal.output import echo_json, show_quality, show_value
from jph.config.model import Sensor
from jph.errors import ConfigError, JphError
from jph.node import kinds
from jph.wire.codec import Flag, Quality, Reading
from nodes.controlprogram import on_bus
from nodes.setpoint import Setpoint

LIMIT_S: Final = 2.0
"""How long the wished reading may take; what is then said last is the answer."""
_SETTLE_S: Final = 0.3
"""A reading that was on its way when the order came may be the first one heard."""


@click.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("code", type=codifier)
@click.argument("number", type=float)
@json_option
@click.pass_obj
def set_value(app: App, code: str, number: float, as_json: bool) -> None:
    r"""Set CODE to NUMBER and show the reading that follows.

    \b
      control.py set SP 19.5      the wished temperature
      control.py set 21 3         heater 21: 0 comfort, 1 off, 2 frost, 3 eco

    Exit status 1 if the node refuses it, or cannot reach its device; a number beyond the config's
    Min or Max is taken as that, and said.
    """
    _command(app, code, Flag.SET, number, as_json)


@click.command("step", context_settings={"ignore_unknown_options": True})
@click.argument("code", type=codifier)
@click.argument("number", type=float)
@json_option
@click.pass_obj
def step(app: App, code: str, number: float, as_json: bool) -> None:
    """Change CODE by NUMBER and show the reading that follows: `step SP -0.5`."""
    _command(app, code, Flag.STEP, number, as_json)


class _Wish(NamedTuple):
    """What was asked of `sensor`; `wanted` is the number that it should take, None for a step."""

    sensor: Sensor
    flag: Flag
    number: float
    wanted: float | None

    def granted(self, reading: Reading) -> bool:
        """Whether `reading` is the wished one; original's programs send single precision."""
        if self.wanted is None:
            return True
        return reading.number is not None and math.isclose(
            reading.number, self.wanted, rel_tol=1e-6, abs_tol=1e-9
        )


class _Outcome(NamedTuple):
    """What came of a command: the reading that followed, or whether the node is there at all."""

    reading: Reading | None
    answer: Answer | None


def _command(app: App, code: str, flag: Flag, number: float, as_json: bool) -> None:
    if not math.isfinite(number):
        raise click.BadParameter(f"{number} is no value", param_hint="NUMBER")
    sensor = app.network.sensor(code)
    if sensor.control != "enabled":
        raise ConfigError(
            f"{code} ({sensor.name or sensor.type}) takes no numbers: its entry in the config has "
            'no "Control": "enabled"'
        )
    wish = _Wish(sensor, flag, number, _taken(sensor, number) if flag == Flag.SET else None)
    outcome = run_async(_order_and_hear(app, wish))
    if outcome.reading is None:
        node = app.node_of(code).codifier
        if outcome.answer is None:
            raise JphError(f"{node} does not answer")
        halted = "" if outcome.answer.active else ": it is halted"
        raise JphError(f"{node} is there, but no reading of {code} followed{halted}")
    _tell(wish, outcome.reading, as_json)


def _taken(sensor: Sensor, number: float) -> float:
    """Return what a node that keeps to bounds makes of `number`; of others, `number` itself."""
    try:
        if kinds.find(sensor.type) is Setpoint:
            return float(Setpoint.taken(sensor, number))
    except JphError:  # a kind, or settings, of a program elsewhere
        pass
    return number


async def _order_and_hear(app: App, wish: _Wish) -> _Outcome:
    """Send the order and wait for the reading it leads to; without one, ask for the node."""
    said: list[Reading] = []
    first, done = asyncio.Event(), asyncio.Event()

    def read(readings: list[Reading]) -> None:
        for reading in readings:
            if reading.source == wish.sensor.codifier and reading.flag != "n":
                said.append(reading)
                first.set()
                good = wish.granted(reading) and reading.quality != Quality.STALE
                if wish.flag == Flag.SET and good:
                    done.set()

    async with on_bus(app.make_listener()) as console:
        console.read = read
        console.send_control(wish.flag, wish.sensor.codifier, wish.number)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIMIT_S * app.patience):
                await first.wait()
                settle_s = _SETTLE_S * app.patience if wish.flag == Flag.STEP else None
                async with asyncio.timeout(settle_s):
                    await done.wait()
        if said:
            return _Outcome(said[-1], None)
        node = app.node_of(wish.sensor.codifier).codifier
        return _Outcome(None, await Pinger(console, app.patience).ping(node))


def _tell(wish: _Wish, reading: Reading, as_json: bool) -> None:
    """Show the reading and judge it.

    Raises:
        JphError: it is not what was asked for, or has not reached the device.
    """
    sensor, granted = wish.sensor, wish.granted(reading)
    value, asked = (show_value(v, sensor.symbol) for v in (reading.value, wish.number))
    quality = show_quality(reading.quality)
    stale = reading.quality == Quality.STALE
    clamped = granted and wish.wanted is not None and wish.wanted != wish.number
    if as_json:
        echo_json(
            {
                "codifier": sensor.codifier,
                "asked": wish.number,
                "value": reading.value,
                "quality": quality,
                "done": granted and not stale,
                "timestamp_ms": reading.timestamp_ms,
            }
        )
    elif granted:
        told = f"asked {asked}, took {value}" if clamped else value
        click.echo(f"{sensor.codifier} ({sensor.name or sensor.type}): {told}")
    if not granted:
        raise JphError(f"{sensor.codifier} refuses {asked}: it says {value}")
    if stale:
        raise JphError(
            f"{sensor.codifier}: the chip does not answer: the order is kept, the wire not set"
        )
