"""Report of a card's wires: ordered, applied and verified. Pure."""

from collections.abc import Iterable, Mapping

from jph.heating.card.outputs import Card, Outputs
from jph.heating.orders.coding import Order


class Report:
    """What was written to the chip, and what was read back, by heater.

    A heater whose wire has changed has no verified order until the chip was read again.
    """

    def __init__(self) -> None:
        self._applied: dict[str, Order] = {}
        self._verified: dict[str, Order] = {}

    @property
    def complete(self) -> bool:
        """Whether every wire that was written was read back."""
        return self._applied.keys() == self._verified.keys()

    def applied(self, out: Outputs) -> list[str]:
        """Take what the chip was given; return the heaters for which that is new."""
        changed = [code for code, order in out.orders.items() if self._applied.get(code) != order]
        self._applied = dict(out.orders)
        for code in changed:
            self._verified.pop(code, None)
        return changed

    def verified(self, card: Card, out: Outputs, pins: Mapping[int, Order]) -> list[str]:
        """Take what the pins carry, by wire; return the heaters for which that is new.

        A wire that carries what it shall verifies its heater's order, a pulsed one too; any
        other shows what it carries.
        """
        seen = {
            code: out.orders[code] if pins[wire] is out.wires[wire] else pins[wire]
            for code, heater in card.heaters.items()
            for wire in [heater.actuator.wire]
        }
        changed = [code for code, order in seen.items() if self._verified.get(code) != order]
        self._verified = seen
        return changed

    def readings(self, card: Card, codes: Iterable[str], *, orders: bool) -> list[tuple[str, int]]:
        """Return (codifier, value) of all that is known, with or without the orders themselves."""
        batch: list[tuple[str, int]] = []
        for code in codes:
            heater = card.heaters.get(code)
            if heater is None:
                continue
            if orders:
                batch.append((code, int(card.given[code].order)))
            wire = heater.actuator
            if wire.applied and code in self._applied:
                batch.append((wire.applied, int(self._applied[code])))
            if wire.verified and code in self._verified:
                batch.append((wire.verified, int(self._verified[code])))
        return batch

    def wires(self, card: Card, out: Outputs) -> dict[str, dict[str, object]]:
        """Return everything about every heater, as JSON can hold it."""
        return {
            code: {
                "ordered": given.order,
                "by": given.by,
                "at_ms": given.at_ms,
                "until_ms": given.until_ms,
                "then": given.before and given.before.order,
                "applied": self._applied.get(code),
                "verified": self._verified.get(code),
                "shed": code in out.held,
            }
            for code, given in card.given.items()
        }
