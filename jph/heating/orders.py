"""What a pilot wire tells its heater, and how eight wires lie in the two ports of a chip.

The pilot wire carries mains half-waves (GIFAM "fil pilote", six orders).  The value of a static
order is the pair of output bits of its wire: bit 0 lets the positive half-wave through, bit 1
the negative one.  The other two are comfort with a short full wave every five minutes.

    order      value     wire                               heater
    COMFORT    0 (0b00)  nothing                            its own thermostat
    OFF        1 (0b01)  positive half-waves                off
    FROST      2 (0b10)  negative half-waves                frost protection, about 7 °C
    ECO        3 (0b11)  full wave                          about 3.5 °C below comfort
    COMFORT_1  4         full wave 3 s of each 300 s        1 °C below comfort
    COMFORT_2  5         full wave 7 s of each 300 s        2 °C below comfort
"""

import math
import unicodedata
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

WIRES: Final = 8
"""Wires of one card: 1–4 on port A, 5–8 on port B."""

WIRES_PER_PORT: Final = 4

PULSE_PERIOD_S: Final = 300.0
"""How often the full wave of comfort −1 and −2 comes."""


class Order(IntEnum):
    """What a heater is told; the value travels on the bus."""

    COMFORT = 0b00
    OFF = 0b01
    FROST = 0b10
    ECO = 0b11
    COMFORT_1 = 4
    COMFORT_2 = 5

    @classmethod
    def of(cls, number: float) -> "Order":
        """Return the order a number stands for; `ValueError` if it is none, 1.5 for instance."""
        if number not in (0, 1, 2, 3, 4, 5):
            raise ValueError(
                f"{number:g} is no order: 0 comfort, 1 off, 2 frost, 3 eco, "
                "4 comfort-1, 5 comfort-2"
            )
        return cls(int(number))

    @classmethod
    def named(cls, text: str) -> "Order":
        """Return the order a word stands for, English or French; `ValueError` if it is none."""
        order = _WORDS.get(plain(text))
        if order is None:
            known = ", ".join(order.word for order in cls)
            raise ValueError(f"{text!r} is no order; the orders are {known}")
        return order

    @property
    def word(self) -> str:
        """The order as people write it: `comfort-1`."""
        return self.name.lower().replace("_", "-")

    @property
    def pulsed(self) -> bool:
        """Whether the wire switches every few minutes, which would wear a relay out."""
        return self in _PULSES_S


_PULSES_S: Final = {Order.COMFORT_1: 3.0, Order.COMFORT_2: 7.0}

COLDEST_FIRST: Final = (
    Order.OFF,
    Order.FROST,
    Order.ECO,
    Order.COMFORT_2,
    Order.COMFORT_1,
    Order.COMFORT,
)

_WORDS: Final = {
    **{order.name.lower().replace("_", ""): order for order in Order},
    "confort": Order.COMFORT,
    "confort1": Order.COMFORT_1,
    "confort2": Order.COMFORT_2,
    "horsgel": Order.FROST,
    "arret": Order.OFF,
}


def plain(text: str) -> str:
    """Return a word without accents, capitals and everything that is no letter or digit."""
    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def lowest(*orders: Order) -> Order:
    """Return the coldest of some orders: it wins, whoever gave it."""
    return min(orders, key=COLDEST_FIRST.index)


def carried(order: Order, age_s: float) -> Order:
    """Return the static order on the wire when `order` has been in force for `age_s` seconds."""
    pulse_s = _PULSES_S.get(order)
    if pulse_s is None:
        return order
    return Order.ECO if age_s % PULSE_PERIOD_S < pulse_s else Order.COMFORT


def next_edge_s(order: Order, age_s: float) -> float:
    """Return the seconds until the wire of an order switches by itself; infinite if never."""
    pulse_s = _PULSES_S.get(order)
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
