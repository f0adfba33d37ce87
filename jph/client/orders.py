"""Orders for heaters, and the answer of each heater."""

from jph.client.client import Client
from jph.config.house.loads import Load
from jph.config.model import Network
from jph.heating.explain.answers import Outcome, refusals
from jph.heating.explain.sentences import Say, english
from jph.heating.orders.coding import Order, number_of
from jph.wire.codec import Flag


async def give(
    client: Client,
    network: Network,
    heaters: list[Load],
    wanted: Order,
    until_ms: float | None = None,
    say: Say = english,
) -> list[Outcome]:
    """Send an order to heaters, until a moment or for good, and wait for their answers.

    A heater that has not confirmed the order gets it again: its message may be lost, or its card
    may wait for a slow disk. `say` translates the reasons of refusals.
    """
    refused = dict(refusals(network, heaters, wanted, say))
    willing = [heater for heater in heaters if heater.codifier not in refused]
    number = number_of(wanted, until_ms)
    codes = {code for h in willing for code in (h.codifier, h.actuator.applied) if code}
    async with client.replies.hear(codes) as heard:
        outcomes = [Outcome(h, wanted, heard.readings, refused.get(h.codifier)) for h in heaters]
        waiting = [each for each in outcomes if each.refusal is None]
        for limit_s in client.limits.order_s if willing else ():
            for outcome in waiting:
                if outcome.ordered is not wanted:
                    client.send(Flag.SET, outcome.heater.codifier, number)
            if await heard.until(lambda: all(o.complete for o in waiting), limit_s):
                break
    return outcomes
