"""Orders with an end: how one travels, and when it is over. Pure.

An order for a time travels as one number, as any order does (`jph.heating.orders.coding`). The card
that takes it keeps it on its disk with the order that follows, or else with the one that it
replaces, and goes on by itself: the end needs neither a console, nor a gateway, nor the bus.
"""

from collections.abc import Mapping
from typing import Final

from jph.config.house.loads import Load
from jph.heating.orders.coding import timed_order
from jph.heating.orders.orderbook import Given

LONGEST_S: Final = 7 * 86_400
"""Longest hold: a week of absence, not a forgotten winter."""


def asked(heater: Load, number: float, by: str, now_ms: int, current: Given) -> Given:
    """Return the order that a number asks of a heater which has `current`.

    A hold of a hold goes back to what was there before both. One with a follower goes on to that.

    Raises:
        ValueError: it is no order, or none for this wire, or ends in the past or too far away.
    """
    order, end_s, follower = timed_order(number)
    until_ms = None if end_s is None else 1000 * end_s
    if until_ms is not None and not now_ms < until_ms <= now_ms + 1000 * LONGEST_S:
        raise ValueError("its end is not within the next 7 days")
    for each in (order, follower):
        if each is not None and not heater.takes(each):
            raise ValueError(f"{each.word} would wear out a relay; the wire has no SolidState")
    if until_ms is None:
        return Given(order, by, now_ms)
    before = current.before or current if follower is None else Given(follower, by, now_ms)
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
