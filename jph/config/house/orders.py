"""The orders of a heater, and which of two is colder. Pure.

The value of an order travels on the bus. `jph.heating.orders.coding` says how a pilot wire
carries it.

    order      value  heater
    COMFORT    0      its own thermostat
    OFF        1      off
    FROST      2      frost protection, about 7 °C
    ECO        3      about 3.5 °C below comfort
    COMFORT_1  4      1 °C below comfort
    COMFORT_2  5      2 °C below comfort
"""

from enum import IntEnum
from typing import Final

WIRES: Final = 8
"""Wires of one pilot card."""


class Order(IntEnum):
    """One order; its value travels on the bus."""

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
        """Whether the wire switches every few minutes, which wears out a relay."""
        return self in PULSES_S


PULSES_S: Final = {Order.COMFORT_1: 3.0, Order.COMFORT_2: 7.0}
"""Length of the full wave of the pulsed orders, s."""

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
    """Return letters and digits of a text, without accents and capitals."""
    import unicodedata  # nodes read no orders of people: half a megabyte

    letters = unicodedata.normalize("NFKD", text).casefold()
    return "".join(letter for letter in letters if letter.isalnum())


def lowest(*orders: Order) -> Order:
    """Return the coldest of some orders: it wins over all others."""
    return min(orders, key=COLDEST_FIRST.index)
