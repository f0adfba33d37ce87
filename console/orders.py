"""Telling nodes what to do: start, halt, reload, set, step. Each looks whether it was done."""

import asyncio
import contextlib
import math
from typing import Final, NamedTuple

import click

from console.context import App, codifier, codifier_argument, json_option, run_async
from console.output import echo_json, show_value
from console.ping import Answer, Pinger
from jph.config import Sensor
from jph.errors import ConfigError, JphError
from jph.wire import EVERYBODY, Control, Flag, Reading
from nodes.controlprogram import on_bus

READING_LIMIT_S: Final = 2.0
RELOAD_LIMIT_S: Final = 3.0
_SETTLE_S: Final = 0.3
"""A reading that was on its way when the order came may be the first one heard."""


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def start(app: App, code: str, as_json: bool) -> None:
    """Let CODE send and receive data again; @@ is everybody."""
    _switch(app, code, Flag.START, True, as_json)


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def halt(app: App, code: str, as_json: bool) -> None:
    """Let CODE send and receive no data, until `start`; @@ is everybody.

    Consoles, gateways, caches and collectors ignore it. Exit status 1 if CODE does.
    """
    _switch(app, code, Flag.HALT, False, as_json)


@click.command()
@codifier_argument
@json_option
@click.pass_obj
def reload(app: App, code: str, as_json: bool) -> None:
    """Let CODE read its configuration again; @@ is everybody.

    A node refuses a broken configuration and goes on with the old one. Exit status 1 then.
    """
    nodes = set() if code == EVERYBODY else {app.node_of(code).codifier}
    renewed = run_async(_reload(app, nodes))
    if as_json:
        echo_json({"reloaded": sorted(renewed)})
    elif renewed:
        click.echo(f"{' '.join(sorted(renewed))} read the configuration again")
    if not renewed or not nodes <= renewed:
        who = " ".join(sorted(nodes)) or "anybody"
        raise JphError(
            f"no sign within {RELOAD_LIMIT_S:g} s that {who} took the configuration: "
            "it is away, or has refused it (its log says why)"
        )


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


class _Outcome(NamedTuple):
    """What came of a command: the reading that followed, or whether the node is there at all."""

    reading: Reading | None
    answer: Answer | None


def _switch(app: App, code: str, flag: Flag, wanted: bool, as_json: bool) -> None:
    everybody = code == EVERYBODY
    node = EVERYBODY if everybody else app.node_of(code).codifier
    answers = run_async(_order_and_ask(app, node, flag))
    if as_json:
        echo_json([{"codifier": a.codifier, "active": a.active} for a in answers])
    else:
        for answer in answers:
            click.echo(f"{answer.codifier} {'sends data' if answer.active else 'is halted'}")
    if not answers:
        raise JphError("nobody answers" if everybody else f"{node} does not answer")
    if not everybody and answers[0].active is not wanted:
        raise JphError(f"{node} does not obey {'start' if wanted else 'halt'}")


async def _order_and_ask(app: App, node: str, flag: Flag) -> list[Answer]:
    """Send `flag`, then ask by ping what state that has led to (in order: one sender, one bus)."""
    async with on_bus(app.make_console()) as console:
        pinger = Pinger(console)
        console.send_control(flag, node)
        if node != EVERYBODY:
            answer = await pinger.ping(node)
            return [answer] if answer else []
        return await pinger.ping_all(app.expected_nodes)


async def _reload(app: App, nodes: set[str]) -> set[str]:
    """Send `C`; return who announced a new sequence afterwards, which is how a reload ends."""
    renewed: set[str] = set()
    done = asyncio.Event()

    def heard(message: Control) -> None:
        if message.flag == Flag.NEW:
            renewed.add(message.source)
            if (nodes or app.expected_nodes) <= renewed:
                done.set()

    async with on_bus(app.make_console()) as console:
        console.heard = heard
        console.send_control(Flag.RELOAD, nodes.copy().pop() if nodes else EVERYBODY)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), RELOAD_LIMIT_S)
    return renewed


def _command(app: App, code: str, flag: Flag, number: float, as_json: bool) -> None:
    if not math.isfinite(number):
        raise click.BadParameter(f"{number} is no value", param_hint="NUMBER")
    sensor = app.network.sensor(code)
    if sensor.control != "enabled":
        raise ConfigError(
            f"{code} ({sensor.name or sensor.type}) takes no numbers: its entry in the config has "
            'no "Control": "enabled"'
        )
    outcome = run_async(_order_and_hear(app, sensor, flag, number))
    if outcome.reading is None:
        node = app.node_of(code).codifier
        if outcome.answer is None:
            raise JphError(f"{node} does not answer")
        halted = "" if outcome.answer.active else ": it is halted"
        raise JphError(f"{node} is there, but no reading of {code} followed{halted}")
    reading, value = outcome.reading, show_value(outcome.reading.value, sensor.symbol)
    if as_json:
        echo_json({"codifier": code, "value": reading.value, "timestamp_ms": reading.timestamp_ms})
    else:
        click.echo(f"{code} ({sensor.name or sensor.type}): {value}")


async def _order_and_hear(app: App, sensor: Sensor, flag: Flag, number: float) -> _Outcome:
    """Send the order and wait for the reading it leads to; without one, ask for the node."""
    said: list[Reading] = []
    first, wished = asyncio.Event(), asyncio.Event()

    def read(readings: list[Reading]) -> None:
        for reading in readings:
            if reading.source == sensor.codifier and reading.flag != "n":
                said.append(reading)
                first.set()
                if flag == Flag.SET and reading.number == number:
                    wished.set()

    async with on_bus(app.make_listener()) as console:
        console.read = read
        console.send_control(flag, sensor.codifier, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(first.wait(), READING_LIMIT_S)
            await asyncio.wait_for(wished.wait(), _SETTLE_S)
        if said:
            return _Outcome(said[-1], None)
        return _Outcome(None, await Pinger(console).ping(app.node_of(sensor.codifier).codifier))
