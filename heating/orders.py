"""What a pilot wire tells its heater, and how eight wires lie in the two ports of a chip.

The pilot wire carries mains half-waves (GIFAM "fil pilote", six orders; the four static ones
are here).  An order's value is the pair of output bits of its wire: bit 0 lets the positive
half-wave through, bit 1 the negative one.

    order     value  half-waves   heater
    COMFORT   0b00   none         its own thermostat
    OFF       0b01   positive     off
    FROST     0b10   negative     frost protection, about 7 °C
    ECO       0b11   full wave    about 3.5 °C below comfort
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

WIRES: Final = 8
"""Wires of one card: 1–4 on port A, 5–8 on port B."""

WIRES_PER_PORT: Final = 4


class Order(IntEnum):
    """What a heater is told; the value is its wire's two output bits and travels on the bus."""

    COMFORT = 0b00
    OFF = 0b01
    FROST = 0b10
    ECO = 0b11

    @classmethod
    def of(cls, number: float) -> "Order":
        """Return the order a number stands for; `ValueError` if it is none, 1.5 for instance."""
        if number not in (0, 1, 2, 3):
            raise ValueError(f"{number:g} is no order: 0 comfort, 1 off, 2 frost, 3 eco")
        return cls(int(number))


def effective(order: Order, shed: bool) -> Order:
    """Return what the wire carries: a shed heater is off, and keeps its order for later."""
    return Order.OFF if shed else order


def encode(orders: Mapping[int, Order]) -> tuple[int, int]:
    """Return (OLATA, OLATB) for orders by wire (1–8); a wire without an order gets COMFORT.

    Raises `ValueError` for a wire the chip does not have.
    """
    bits = 0
    for wire, order in orders.items():
        if not 1 <= wire <= WIRES:
            raise ValueError(f"wire {wire} is not one of 1 to {WIRES}")
        bits |= order << 2 * (wire - 1)
    return bits & 0xFF, bits >> 8


def decode(latches: Sequence[int]) -> dict[int, Order]:
    """Return the order of each wire (1–8) from (OLATA, OLATB)."""
    bits = latches[0] | latches[1] << 8
    return {wire: Order(bits >> 2 * (wire - 1) & 0b11) for wire in range(1, WIRES + 1)}
