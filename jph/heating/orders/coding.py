"""The coding of orders on pilot wires, and the place of eight wires in a chip's two ports. Pure.

The pilot wire carries mains half-waves (GIFAM "fil pilote", six orders).  The value of a static
order is the pair of output bits of its wire: bit 0 lets the positive half-wave through, bit 1
the negative one.  The other two orders are comfort with a short full wave every five minutes.

    order      value     wire
    COMFORT    0 (0b00)  nothing
    OFF        1 (0b01)  positive half-waves
    FROST      2 (0b10)  negative half-waves
    ECO        3 (0b11)  full wave
    COMFORT_1  4         full wave 3 s of each 300 s
    COMFORT_2  5         full wave 7 s of each 300 s

On the bus an order is one number. Below 8 it is the order. With an end it is the order plus 8 times
the end, in whole seconds since 1970. With an end and the order that follows it is

    order + 8 · (follower + 1) + 64 · end

No end lies before 2001, so the three ranges do not meet until the year 2223.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from jph.config.house.orders import COLDEST_FIRST, PULSES_S, WIRES, Order, lowest, plain

__all__ = [
    "COLDEST_FIRST",
    "PULSE_PERIOD_S",
    "WIRES",
    "Order",
    "TimedOrder",
    "carried",
    "decode",
    "encode",
    "lowest",
    "next_edge_s",
    "number_of",
    "plain",
    "timed_order",
]

PULSE_PERIOD_S: Final = 300.0
"""Period of the full wave of comfort −1 and −2."""

_FIRST_END_S: Final = 1_000_000_000  # the year 2001
_WITH_END: Final = 8
_WITH_FOLLOWER: Final = 64


class TimedOrder(NamedTuple):
    """An order, its end in seconds since 1970, and the order that follows; None where it has none.

    Without a follower the heater goes back to the order that it had.
    """

    order: Order
    end_s: int | None = None
    follower: Order | None = None


def number_of(order: Order, until_ms: float | None = None, follower: Order | None = None) -> float:
    """Return the number of an order, until a moment or for good; `timed_order` reads it.

    Raises:
        ValueError: an order without an end has no follower.
    """
    if until_ms is None:
        if follower is not None:
            raise ValueError("an order without an end has no follower")
        return float(order)
    end_s = int(until_ms // 1000)
    if follower is None:
        return float(order + _WITH_END * end_s)
    return float(order + _WITH_END * (follower + 1) + _WITH_FOLLOWER * end_s)


def timed_order(number: float) -> TimedOrder:
    """Return the order that a number stands for, with its end and its follower.

    Raises:
        ValueError: it is no order.
    """
    if number < _WITH_END * _FIRST_END_S or number % 1 != 0:
        return TimedOrder(Order.of(number))
    if number < _WITH_FOLLOWER * _FIRST_END_S:
        end_s, rest = divmod(int(number), _WITH_END)
        return TimedOrder(Order.of(rest), end_s)
    end_s, rest = divmod(int(number), _WITH_FOLLOWER)
    then, order = divmod(rest, _WITH_END)
    return TimedOrder(Order.of(order), end_s, Order.of(then - 1) if then else None)


def carried(order: Order, age_s: float) -> Order:
    """Return the static order on the wire when `order` has been in force for `age_s` seconds."""
    pulse_s = PULSES_S.get(order)
    if pulse_s is None:
        return order
    return Order.ECO if age_s % PULSE_PERIOD_S < pulse_s else Order.COMFORT


def next_edge_s(order: Order, age_s: float) -> float:
    """Return the seconds until the wire of an order switches by itself; infinite if never."""
    pulse_s = PULSES_S.get(order)
    if pulse_s is None:
        return math.inf
    into_s = age_s % PULSE_PERIOD_S
    return (pulse_s if into_s < pulse_s else PULSE_PERIOD_S) - into_s


def encode(orders: Mapping[int, Order]) -> tuple[int, int]:
    """Return (OLATA, OLATB) for static orders by wire (1–8); a wire without one gets COMFORT.

    Raises `ValueError` for a wire the chip does not have, and for an order that is not static.
    """
    bits = 0
    for wire, order in orders.items():
        if not 1 <= wire <= WIRES:
            raise ValueError(f"wire {wire} is not one of 1 to {WIRES}")
        if order.pulsed:
            raise ValueError(f"{order.word} of wire {wire} is not static")
        bits |= order << 2 * (wire - 1)
    return bits & 0xFF, bits >> 8


def decode(latches: Sequence[int]) -> dict[int, Order]:
    """Return the order of each wire (1–8) from (OLATA, OLATB)."""
    bits = latches[0] | latches[1] << 8
    return {wire: Order(bits >> 2 * (wire - 1) & 0b11) for wire in range(1, WIRES + 1)}
