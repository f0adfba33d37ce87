"""Orders with an end: how one travels, and when it is over. Pure.

An order for a time travels as one number, as any order does: the order plus 8 times its end in
whole seconds since 1970. The card that takes it keeps it with what it replaces, on its disk, and
goes back by itself: neither a console, nor a gateway, nor the bus is needed for the end.
"""

from collections.abc import Mapping
from typing import Final

from jph.config.house.loads import Load
from jph.heating.orderbook import Given
from jph.heating.orders import Order

_STEP: Final = 8
_FIRST: Final = _STEP * 1_000_000_000  # the year 2001: below are no ends, and no orders either
LONGEST_S: Final = 7 * 86_400
"""Longest hold: a week of absence, not a forgotten winter."""


def number_of(order: Order, until_ms: float | None = None) -> float:
    """Return what to set a heater to for an order, until a moment or for good."""
    return float(order if until_ms is None else order + _STEP * (until_ms // 1000))


def asked(heater: Load, number: float, by: str, now_ms: int, current: Given) -> Given:
    """Return the order that a number asks of a heater which has `current`.

    A hold of a hold goes back to what was there before both.

    Raises:
        ValueError: it is no order, or none for this wire, or ends in the past or too far away.
    """
    until_ms: int | None = None
    if number >= _FIRST and number % 1 == 0:
        end_s, number = divmod(int(number), _STEP)
        until_ms = 1000 * end_s
        if not now_ms < until_ms <= now_ms + 1000 * LONGEST_S:
            raise ValueError("its end is not within the next 7 days")
    order = Order.of(number)
    if not heater.takes(order):
        raise ValueError(f"{order.word} would wear out a relay; the wire has no SolidState")
    before = (current.before or current) if until_ms is not None else None
    return Given(order, by, now_ms, until_ms, before)


class Ends:
    """Ends of holds, by the monotonic clock; only a start uses the wall clock once.

    A wall clock that is behind makes a hold no longer than it was asked for.
    """

    def __init__(self) -> None:
        self._ends: dict[tuple[str, int], float] = {}

    def due(self, orders: Mapping[str, Given], now_ms: int, now_s: float) -> dict[str, Given]:
        """Return the orders that come back now; wall clock in ms, and monotonic s."""
        known, self._ends = self._ends, {}
        over: dict[str, Given] = {}
        for code, given in orders.items():
            if given.until_ms is None or given.before is None:
                continue
            key = (code, given.until_ms)
            end_s = known.get(key)
            if end_s is None:
                start_ms = now_ms if given.at_ms is None else max(now_ms, given.at_ms)
                end_s = now_s + (given.until_ms - start_ms) / 1000
            if now_s >= end_s:
                over[code] = given.before
            else:
                self._ends[key] = end_s
        return over
