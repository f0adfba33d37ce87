"""`order`: gives an order to a heater, a room, a phase or all, and shows each heater's answer."""

import click

from jph.cli.commands.drill import Duration
from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.output import echo_json
from jph.client import orders
from jph.config.house.loads import Load, wiring
from jph.errors import ConfigError, JphError
from jph.heating.explain.answers import Outcome, refusals
from jph.heating.orders.coding import Order
from jph.heating.orders.holds import LONGEST_S
from jph.heating.orders.targets import choose, split
from jph.node.outbox import now_ms


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, required=True, metavar="TARGET ORDER")
@click.option(
    "--for",
    "seconds",
    type=Duration(),
    help="End the order after this time, 1h or 90min; at most 7 days.",
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
      control.py order bathroom comfort --for 1h    then the order before

    Orders: comfort, comfort-1, comfort-2, eco, frost, off; confort, hors-gel, arret. A heater that
    is shed stays off, and follows its order afterwards. Exit status 1 if a heater did not answer
    or does not follow, 2 if TARGET does not exist.
    """
    try:
        target, wanted = split(list(words))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if seconds is not None and not 1 <= seconds <= LONGEST_S:
        raise click.UsageError("--for: expected 1 second to 7 days")
    if not target:
        raise click.UsageError("name a target: a heater, a room, 'phase 2' or 'all'")
    house = wiring(app.network)
    heaters = choose(house, target)
    refused = dict(refusals(app.network, heaters, wanted))
    if all(heater.codifier in refused for heater in heaters):
        raise ConfigError("; ".join(f"{code}: {why}" for code, why in refused.items()))
    until_ms = None if seconds is None else now_ms() + 1000 * seconds
    results = run_async(_give(app, heaters, wanted, until_ms))
    if as_json:
        echo_json([result.as_json() for result in results])
    else:
        for result in results:
            click.echo(f"{result.heater}: {result.words()}")
    if missed := [result.heater.codifier for result in results if not result.followed]:
        raise JphError(f"not done: {' '.join(missed)}")


async def _give(
    app: App, heaters: list[Load], wanted: Order, until_ms: float | None
) -> list[Outcome]:
    async with app.session(data=True) as session:
        return await orders.give(session.client, app.network, heaters, wanted, until_ms)
