"""`order`: what a heater, a room, a phase or all shall do; each heater's answer is shown."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final

import click

from jph.cli.context import App, json_option, run_async
from jph.cli.drill import Duration
from jph.cli.output import echo_json
from jph.config.house.loads import Load, wiring
from jph.errors import ConfigError, JphError
from jph.heating.answers import Outcome, refusals
from jph.heating.holds import LONGEST_S, number_of
from jph.heating.orders import Order
from jph.heating.targets import choose, split
from jph.node.outbox import now_ms
from jph.wire.codec import Flag, Reading
from nodes.controlprogram import on_bus

PATIENCE_S: Final = (0.5, 0.5, 1.0)
"""How long to wait for answers each time; between, those that have not taken it
are told again."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, metavar="TARGET ORDER")
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    help="End by itself after this time, 1h or 90min; at most 7 days.",
)
@json_option
@click.pass_obj
def order(app: App, words: tuple[str, ...], seconds: float | None, as_json: bool) -> None:
    r"""Give an order to a heater, a room, a phase or all, and show each heater's answer.

    \b
      control.py order 21 eco               a heater
      control.py order living room frost    a room; capitals and accents do not matter
      control.py order phase 2 comfort-1    the heaters of a phase
      control.py order all off
      control.py order bathroom comfort --for 1h    then as before

    Orders: comfort, comfort-1, comfort-2, eco, frost, off; confort, hors-gel, arret. What is shed
    stays so, and follows its order afterwards. Exit status 1 if a heater did not answer or does
    not follow, 2 if nothing is called TARGET.
    """
    try:
        target, wanted = split(list(words))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if seconds is not None and not 1 <= seconds <= LONGEST_S:
        raise click.UsageError("--for: expected 1 second to 7 days")
    if not target:
        raise click.UsageError("say for whom: a heater, a room, 'phase 2' or 'all'")
    house = wiring(app.network)
    heaters = choose(house, target)
    refused = dict(refusals(app.network, heaters, wanted))
    willing = [heater for heater in heaters if heater.codifier not in refused]
    if not willing:
        raise ConfigError("; ".join(f"{code}: {why}" for code, why in refused.items()))
    until_ms = None if seconds is None else now_ms() + 1000 * seconds
    answers = run_async(_give(app, willing, wanted, number_of(wanted, until_ms)))
    readings = answers.readings
    results = [Outcome(h, wanted, readings, refused.get(h.codifier)) for h in heaters]
    if as_json:
        echo_json([result.as_json() for result in results])
    else:
        for result in results:
            click.echo(f"{result.heater}: {result.words()}")
    if missed := [result.heater.codifier for result in results if not result.followed]:
        raise JphError(f"not done: {' '.join(missed)}")


class _Answers:
    """What heaters say, and when it is all that was waited for."""

    def __init__(self, heaters: Iterable[Load], wanted: Order) -> None:
        self.readings: dict[str, Reading] = {}
        self.complete = asyncio.Event()
        self._outcomes = [Outcome(heater, wanted, self.readings) for heater in heaters]
        heard = [outcome.heater for outcome in self._outcomes]
        self._codes = {h.codifier for h in heard} | {h.actuator.applied for h in heard}

    def read(self, readings: list[Reading]) -> None:
        """Take what comes on the bus."""
        for reading in readings:
            if reading.source in self._codes and reading.flag != "n":
                self.readings[reading.source] = reading
        if all(outcome.complete for outcome in self._outcomes):
            self.complete.set()

    def waiting(self) -> list[Load]:
        """Return the heaters that have not said that they took the order."""
        return [o.heater for o in self._outcomes if o.ordered is not o.wanted]


async def _give(app: App, heaters: list[Load], wanted: Order, number: float) -> _Answers:
    """Send the order and collect what the heaters say; a lost message is sent again."""
    async with on_bus(app.make_listener()) as console:
        answers = _Answers(heaters, wanted)
        console.read = answers.read
        for patience_s in PATIENCE_S:
            # One that says its old order may have a slow disk, or may not have heard.
            for heater in answers.waiting():
                console.send_control(Flag.SET, heater.codifier, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s * app.patience):
                    await answers.complete.wait()
            if answers.complete.is_set():
                break
    return answers
