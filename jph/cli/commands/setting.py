"""`set` and `step`: set a codifier to a number, and show the reading that follows."""

import math

import click

from jph.cli.terminal.context import App, codifier, complete_codifier, json_option, run_async
from jph.cli.terminal.output import echo_json, show_quality, show_value
from jph.client import setting
from jph.client.setting import SettingResult
from jph.config.model import Sensor
from jph.errors import ConfigError, JphError
from jph.wire.codec import Flag, Reading


@click.command("set", context_settings={"ignore_unknown_options": True})
@click.argument("code", type=codifier, shell_complete=complete_codifier)
@click.argument("number", type=float)
@json_option
@click.pass_obj
def set_value(app: App, code: str, number: float, as_json: bool) -> None:
    r"""Set CODE to NUMBER and show the reading that follows.

    \b
      control.py set SP 19.5      the wanted temperature
      control.py set 21 3         heater 21: 0 comfort, 1 off, 2 frost, 3 eco

    Exit status 1 if the node refuses it, or cannot reach its device; a number beyond the
    config's Min or Max becomes that bound, and the output says so.
    """
    _command(app, code, Flag.SET, number, as_json)


@click.command("step", context_settings={"ignore_unknown_options": True})
@click.argument("code", type=codifier, shell_complete=complete_codifier)
@click.argument("number", type=float)
@json_option
@click.pass_obj
def step(app: App, code: str, number: float, as_json: bool) -> None:
    """Change CODE by NUMBER and show the reading that follows: `step SP -0.5`."""
    _command(app, code, Flag.STEP, number, as_json)


def _command(app: App, code: str, flag: Flag, number: float, as_json: bool) -> None:
    if not math.isfinite(number):
        raise click.BadParameter(f"{number} is no value", param_hint="NUMBER")
    sensor = app.network.sensor(code)
    if sensor.control != "enabled":
        raise ConfigError(
            f"{code} ({sensor.name or sensor.type}) takes no numbers: its entry in the config has "
            'no "Control": "enabled"'
        )
    result = run_async(_change(app, sensor, flag, number))
    if result.reading is None:
        node = app.node_of(code).codifier
        if result.node is None or not result.node.answered:
            raise JphError(f"{node} does not answer")
        halted = "" if result.node.active else ": it is halted"
        raise JphError(f"{node} is there, but no reading of {code} followed{halted}")
    _show(result, result.reading, as_json)


async def _change(app: App, sensor: Sensor, flag: Flag, number: float) -> SettingResult:
    async with app.session(data=True) as session:
        return await setting.change(session.client, sensor, flag, number)


def _show(result: SettingResult, reading: Reading, as_json: bool) -> None:
    """Show the reading and judge it.

    Raises:
        JphError: it is not the number asked for, or has not reached the device.
    """
    sensor = result.sensor
    value, asked = (show_value(v, sensor.symbol) for v in (reading.value, result.asked))
    if as_json:
        echo_json(
            {
                "codifier": sensor.codifier,
                "asked": result.asked,
                "value": reading.value,
                "quality": show_quality(reading.quality),
                "done": result.done,
                "timestamp_ms": reading.timestamp_ms,
            }
        )
    elif result.granted:
        text = f"asked {asked}, took {value}" if result.clamped else value
        click.echo(f"{sensor.codifier} ({sensor.name or sensor.type}): {text}")
    if not result.granted:
        raise JphError(f"{sensor.codifier} refuses {asked}: it says {value}")
    if result.stale:
        raise JphError(
            f"{sensor.codifier}: the chip does not answer: the order is kept, the wire not set"
        )
