"""The wish of a room: the first of hand, absence, schedule and default, then its limits. Pure.

A wish is a temperature, °C, or the word of an order. Limits compare temperatures, so each order
has one: `Degrees` of the Schedule node. The shed mask is not a part of this: the breaker decides
last and never changes the wish.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

Degrees = Mapping[str, float]
"""Order → the temperature that it stands for, °C."""
DEGREES: Final[Degrees] = {
    "comfort": 19.0,
    "comfort-1": 18.0,
    "comfort-2": 17.0,
    "eco": 15.5,
    "frost": 7.0,
    "off": 5.0,
}


class Layer(StrEnum):
    """Where a wish or a limit comes from, in order of rank."""

    HAND = "hand"
    ABSENCE = "absence"
    SCHEDULE = "schedule"
    DEFAULT = "default"
    RANGE = "range"
    AT_MOST = "at most"
    WINDOW = "window"
    FROST = "frost floor"


class Wish(msgspec.Struct, frozen=True):
    """One wish for a room.

    Attributes:
        value: °C, or the word of an order.
        author: the user, page, console, app or rule that made it.
        start_ms: since when, ms since 1970.
        end_ms: until when, ms since 1970; None: until it is replaced.
        boost: whether it raises the room's rank in the shedder too.
        source: further words for people, such as the schedule and its set.
    """

    value: float | str
    author: str = ""
    start_ms: int = 0
    end_ms: int | None = None
    boost: bool = False
    source: str = ""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What caps and lifts a wish.

    Attributes:
        at_most: the limit of a rule, and the rule's name.
        window_open: an open window; None: not known, which caps nothing.
        window_c: the temperature while a window is open.
        frost_c: the frost floor.
        lowest_c: the room's minimum for wishes.
        highest_c: the room's maximum for wishes.
    """

    at_most: tuple[float | str, str] | None = None
    window_open: bool | None = False
    window_c: float = 7.0
    frost_c: float = 7.0
    lowest_c: float = 5.0
    highest_c: float = 30.0


class Step(msgspec.Struct, frozen=True):
    """One layer of a decision: what it wants and whether it changed the result."""

    layer: Layer
    wish: Wish
    decides: bool


class Decision(msgspec.Struct, frozen=True):
    """The wish in force.

    Attributes:
        value: °C, or the word of an order.
        steps: every layer that exists, in order of rank.
    """

    value: float | str
    steps: tuple[Step, ...]

    @property
    def decided_by(self) -> Step:
        """The layer that the value comes from."""
        return next(step for step in reversed(self.steps) if step.decides)


def degrees_of(value: float | str, degrees: Degrees = DEGREES) -> float:
    """Return the temperature of a wish, °C."""
    return degrees.get(value, DEGREES[value]) if isinstance(value, str) else value


def order_for(value: float | str, degrees: Degrees, orders: Sequence[str]) -> str:
    """Return the warmest of `orders` whose temperature is not above the wish, else the coldest."""
    if isinstance(value, str) and value in orders:
        return value
    wanted = degrees_of(value, degrees)
    ranked = sorted(orders, key=lambda order: degrees_of(order, degrees))
    fitting = [order for order in ranked if degrees_of(order, degrees) <= wanted]
    return fitting[-1] if fitting else ranked[0]


def hand_wish_at(wishes: Sequence[Wish], now_ms: int) -> Wish | None:
    """Return the newest hand wish that has begun and not ended; `wishes` are in order of making.

    The order counts and not the start: two wishes may be of one millisecond, and a clock may have
    been set back between them.
    """
    running = (
        wish
        for wish in reversed(wishes)
        if wish.start_ms <= now_ms and (wish.end_ms is None or now_ms < wish.end_ms)
    )
    return next(running, None)


def decide(
    hand: Wish | None,
    absence: Wish | None,
    schedule: Wish | None,
    default: Wish,
    limits: Limits,
    degrees: Degrees = DEGREES,
) -> Decision:
    """Rank the layers and apply the limits."""
    ranked = (
        (Layer.HAND, hand),
        (Layer.ABSENCE, absence),
        (Layer.SCHEDULE, schedule),
        (Layer.DEFAULT, default),
    )
    wishes = [(layer, wish) for layer, wish in ranked if wish is not None]
    chosen_layer, chosen = wishes[0]
    value = _within(chosen.value, limits, degrees)
    steps = [Step(layer, wish, wish is chosen) for layer, wish in wishes]
    if value != chosen.value:  # the wish decides within the range of the room
        steps.append(Step(Layer.RANGE, Wish(value), decides=False))
    caps: list[tuple[Layer, float | str, str]] = []
    if limits.at_most is not None and chosen_layer is not Layer.HAND:
        caps.append((Layer.AT_MOST, *limits.at_most))
    if limits.window_open:
        caps.append((Layer.WINDOW, limits.window_c, "window open"))
    for layer, cap, source in caps:
        lower = degrees_of(cap, degrees) < degrees_of(value, degrees)
        steps.append(Step(layer, Wish(cap, source=source), lower))
        value = cap if lower else value
    lifts = degrees_of(value, degrees) < limits.frost_c
    if lifts:
        value = limits.frost_c
        steps.append(Step(Layer.FROST, Wish(limits.frost_c), decides=True))
    return Decision(value, tuple(steps))


def _within(value: float | str, limits: Limits, degrees: Degrees) -> float | str:
    """Keep a wish between the room's minimum and maximum."""
    wanted = degrees_of(value, degrees)
    kept = min(max(wanted, limits.lowest_c), limits.highest_c)
    return value if kept == wanted else kept
