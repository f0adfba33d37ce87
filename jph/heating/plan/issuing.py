"""Orders for heaters: when to send one, and when a person's own order is left alone. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from jph.heating.orders.coding import Order

RETRY_S: Final = (2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
"""Pauses before an order that was not obeyed is sent again; then every ten minutes.

A card that was just started has not heard the first one.
"""
_LATER_S: Final = 600.0


class _Heater(NamedTuple):
    """The plan's order for a heater, and how far it is obeyed."""

    planned: Order
    obeyed: bool = False
    by_hand: bool = False
    tries: int = 0
    sent_s: float | None = None


class HeaterOrders:
    """Decides which orders to send; times are of a clock that is never stepped.

    A heater that has obeyed and then reports another order was set by a person: it is left alone
    until the plan changes.
    """

    def __init__(self) -> None:
        self._heaters: dict[str, _Heater] = {}

    def plan(self, codifier: str, order: Order) -> None:
        """Note the order that the plan has for a heater."""
        known = self._heaters.get(codifier)
        if known is None or known.planned is not order:
            self._heaters[codifier] = _Heater(order)

    def forget(self, codifier: str) -> None:
        """Leave a heater to others."""
        self._heaters.pop(codifier, None)

    def reported(self, codifier: str, order: Order) -> bool:
        """Take the order that a card reports; return whether a person's order is in the way."""
        known = self._heaters.get(codifier)
        if known is None:
            return False
        if order is known.planned:
            self._heaters[codifier] = known._replace(obeyed=True, by_hand=False, tries=0)
            return False
        begins = known.obeyed and not known.by_hand
        if begins:
            self._heaters[codifier] = known._replace(by_hand=True)
        return begins

    def due(self, now_s: float) -> dict[str, Order]:
        """Return the orders to send now."""
        found = {}
        for codifier, heater in self._heaters.items():
            if heater.obeyed or heater.by_hand:
                continue
            pause = RETRY_S[heater.tries - 1] if heater.tries <= len(RETRY_S) else _LATER_S
            if heater.sent_s is None or now_s - heater.sent_s >= pause:
                self._heaters[codifier] = heater._replace(tries=heater.tries + 1, sent_s=now_s)
                found[codifier] = heater.planned
        return found

    @property
    def by_hand(self) -> list[str]:
        """The heaters that have a person's order."""
        return [codifier for codifier, heater in self._heaters.items() if heater.by_hand]

    def as_stored(self) -> dict[str, list[int]]:
        """Return JSON that `restore` reads: the planned order, obeyed or not, by hand or not."""
        return {
            codifier: [int(heater.planned), int(heater.obeyed), int(heater.by_hand)]
            for codifier, heater in self._heaters.items()
        }

    def restore(self, stored: Mapping[str, object]) -> None:
        """Go on with what was stored; entries that cannot be read are left out."""
        for codifier, entry in stored.items():
            match entry:
                case [int(order), int(obeyed), int(by_hand)] if order in list(Order):
                    state = _Heater(Order(order), bool(obeyed), bool(by_hand))
                    self._heaters[codifier] = state

    def unconfirmed(self) -> list[str]:
        """Return the heaters that have not obeyed after all first tries."""
        return [
            codifier
            for codifier, heater in self._heaters.items()
            if not heater.obeyed and heater.tries > len(RETRY_S)
        ]
