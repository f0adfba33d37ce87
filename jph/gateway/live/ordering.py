"""Orders for heaters, and what each heater answers."""

from typing import Final

import msgspec

from jph.config.house.loads import Load
from jph.config.model import Network
from jph.gateway.live.commands import Commander
from jph.gateway.live.replies import Replies
from jph.heating.answers import Outcome, refusals
from jph.heating.explain import Say, english
from jph.heating.holds import number_of
from jph.heating.orders import Order
from jph.wire.codec import Flag

PATIENCE_S: Final = (0.5, 0.5, 1.0)
"""How long to wait for answers each time; between, those that have not taken it
are told again."""


class HeaterAnswer(msgspec.Struct, frozen=True):
    """What a heater made of an order; orders are words, `text` is for people.

    `applied` is what its wire was given; `followed` is false where the card refused, does not
    answer, or cannot reach its chip.
    """

    codifier: str
    room: str
    name: str
    wanted: str
    ordered: str | None
    applied: str | None
    followed: bool
    text: str


class Orderer:
    """Gives orders by `commander`, and hears by `replies` what became of them."""

    def __init__(
        self,
        commander: Commander,
        replies: Replies,
        patience_s: tuple[float, ...] = PATIENCE_S,
    ) -> None:
        self._commander = commander
        self._replies = replies
        self._patience_s = patience_s

    async def give(
        self,
        network: Network,
        heaters: list[Load],
        wanted: Order,
        until_ms: float | None = None,
        say: Say = english,
    ) -> list[HeaterAnswer]:
        """Tell heaters an order, until a moment or for good; a lost message is sent again."""
        refused = dict(refusals(network, heaters, wanted, say))
        willing = [heater for heater in heaters if heater.codifier not in refused]
        number = number_of(wanted, until_ms)
        codes = {code for h in willing for code in (h.codifier, h.actuator.applied) if code}
        async with self._replies.hear(codes) as heard:
            outcomes = [
                Outcome(h, wanted, heard.readings, refused.get(h.codifier)) for h in heaters
            ]
            waiting = [each for each in outcomes if each.refusal is None]
            for patience_s in self._patience_s if willing else ():
                # One that says its old order may have a slow disk, or may not have heard.
                for outcome in waiting:
                    if outcome.ordered is not wanted:
                        self._commander.send(Flag.SET, outcome.heater.codifier, number)
                if await heard.until(lambda: all(o.complete for o in waiting), patience_s):
                    break
        return [_answer(outcome, say) for outcome in outcomes]


def _answer(outcome: Outcome, say: Say) -> HeaterAnswer:
    heater, ordered, applied = outcome.heater, outcome.ordered, outcome.applied
    return HeaterAnswer(
        heater.codifier,
        heater.room,
        heater.name,
        outcome.wanted.word,
        ordered.word if ordered is not None else None,
        applied.word if applied is not None else None,
        outcome.followed,
        outcome.words(say),
    )
