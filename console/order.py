"""`order`: what a heater, a room, a phase or all shall do; each heater's answer is shown."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import click

from console.context import App, json_option, run_async
from console.drill import Duration
from console.output import echo_json
from heating.holds import LONGEST_S, number_of
from heating.orders import Order
from heating.targets import choose, split
from heating.wiring import Heater, wiring
from jph.config import Network
from jph.errors import ConfigError, JphError
from jph.outbox import now_ms
from jph.wire import Flag, Quality, Reading
from nodes.controlprogram import on_bus

PATIENCE_S: Final = (0.5, 0.5, 1.0)
"""How long to wait for answers each time; between, those that said nothing are told again."""


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, metavar="TARGET ORDER")
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    help="End by itself after this time, 1h or 90m; at most 7 days.",
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
    refusals = dict(_refusals(app.network, heaters, wanted))
    willing = [heater for heater in heaters if heater.codifier not in refusals]
    if not willing:
        raise ConfigError("; ".join(f"{code}: {why}" for code, why in refusals.items()))
    until_ms = None if seconds is None else now_ms() + 1000 * seconds
    answers = run_async(_give(app, willing, wanted, number_of(wanted, until_ms)))
    results = [_Result(h, wanted, answers, refusals.get(h.codifier)) for h in heaters]
    if as_json:
        echo_json([result.as_json() for result in results])
    else:
        for result in results:
            click.echo(f"{result.heater}: {result.words()}")
    if missed := [result.heater.codifier for result in results if not result.followed]:
        raise JphError(f"not done: {' '.join(missed)}")


class _Answers:
    """The newest reading of each heater, and of the element that tells what its wire was given."""

    def __init__(self, heaters: Iterable[Heater], wanted: Order) -> None:
        self._heaters = list(heaters)
        self._wanted = wanted
        self._codes = {h.codifier for h in self._heaters} | {h.applied for h in self._heaters}
        self.readings: dict[str, Reading] = {}
        self.complete = asyncio.Event()

    def read(self, readings: list[Reading]) -> None:
        """Take what comes on the bus."""
        for reading in readings:
            if reading.source in self._codes and reading.flag != "n":
                self.readings[reading.source] = reading
        if all(self._done(heater) for heater in self._heaters):
            self.complete.set()

    def silent(self) -> list[Heater]:
        """Return the heaters that have said nothing."""
        return [h for h in self._heaters if h.codifier not in self.readings]

    def order(self, codifier: str) -> Order | None:
        """Return the order that a codifier told."""
        reading = self.readings.get(codifier)
        with contextlib.suppress(ValueError):
            if reading is not None and reading.number is not None:
                return Order.of(reading.number)
        return None

    def _done(self, heater: Heater) -> bool:
        told = self.order(heater.codifier) is self._wanted
        return told and (not heater.applied or heater.applied in self.readings)


class _Result(NamedTuple):
    """What became of the order for one heater."""

    heater: Heater
    wanted: Order
    answers: _Answers
    refusal: str | None

    @property
    def ordered(self) -> Order | None:
        """The order the heater says it has."""
        return self.answers.order(self.heater.codifier)

    @property
    def applied(self) -> Order | None:
        """The order its wire was given, None if nobody tells."""
        return self.answers.order(self.heater.applied)

    @property
    def stale(self) -> bool:
        """Whether the card cannot reach its chip."""
        reading = self.answers.readings.get(self.heater.codifier)
        return reading is not None and reading.quality == Quality.STALE

    @property
    def followed(self) -> bool:
        """Whether the heater has taken the order."""
        return self.ordered is self.wanted and not self.stale

    def words(self) -> str:
        """Tell it to a person."""
        if self.refusal is not None:
            return f"refused, {self.refusal}"
        if self.ordered is None:
            return "no answer"
        if self.ordered is not self.wanted:
            return f"{self.ordered.word}, not {self.wanted.word}: its card refused the order"
        if self.stale:
            return f"{self.ordered.word} from when its card finds its chip again"
        if self.applied is not None and self.applied is not self.ordered:
            return f"{self.ordered.word}, but {self.applied.word} for now: it is shed"
        return self.ordered.word

    def as_json(self) -> dict[str, Any]:
        """Tell it to a program."""
        reading = self.answers.readings.get(self.heater.codifier)
        return {
            "codifier": self.heater.codifier,
            "room": self.heater.room,
            "name": self.heater.name,
            "wanted": self.wanted.word,
            "ordered": self.ordered.word if self.ordered is not None else None,
            "applied": self.applied.word if self.applied is not None else None,
            "stale": self.stale,
            "followed": self.followed,
            "refused": self.refusal,
            "timestamp_ms": reading.timestamp_ms if reading else None,
        }


def _refusals(
    network: Network, heaters: Iterable[Heater], wanted: Order
) -> Iterable[tuple[str, str]]:
    for heater in heaters:
        if not heater.takes(wanted):
            relay = f"{wanted.word} would wear out its relay: its wire is not declared SolidState"
            yield heater.codifier, relay
        elif network.sensor(heater.codifier).control != "enabled":
            yield heater.codifier, 'its entry in the config has no "Control": "enabled"'


async def _give(app: App, heaters: list[Heater], wanted: Order, number: float) -> _Answers:
    """Send the order and collect what the heaters say; a lost message is sent again."""
    async with on_bus(app.make_listener()) as console:
        answers = _Answers(heaters, wanted)
        console.read = answers.read
        for patience_s in PATIENCE_S:
            for heater in answers.silent():
                console.send_control(Flag.SET, heater.codifier, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(patience_s):
                    await answers.complete.wait()
            if not answers.silent():
                break
    return answers
