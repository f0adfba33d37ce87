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
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from jph.config.house.orders import COLDEST_FIRST, PULSES_S, WIRES, Order, lowest, plain

__all__ = [
    "COLDEST_FIRST",
    "PULSE_PERIOD_S",
    "WIRES",
    "Order",
    "carried",
    "decode",
    "encode",
    "lowest",
    "next_edge_s",
    "plain",
]

PULSE_PERIOD_S: Final = 300.0
"""Period of the full wave of comfort −1 and −2."""


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
