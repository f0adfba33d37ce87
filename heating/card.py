"""What one pilot card's chip shall carry: the orders of its heaters, with shedding on top."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from heating.leases import remaining
from heating.orders import Order, decode, effective, encode
from heating.wiring import Heater, Wiring


class _Lease(NamedTuple):
    mask: int
    heard_s: float


class Card:
    """Orders and sheds of one card in, the two latches of its chip out.

    All times are seconds of a monotonic clock.
    """

    def __init__(
        self, wiring: Wiring, codifier: str, hold_s: float, release_interval_s: float
    ) -> None:
        self._wiring = wiring
        self._hold_s = hold_s
        self._release_interval_s = release_interval_s
        self._leases: dict[int, _Lease] = {}
        self.heaters: Mapping[str, Heater] = {
            heater.codifier: heater for heater in wiring.card(codifier)
        }
        self.orders: dict[str, Order] = dict.fromkeys(self.heaters, Order.COMFORT)

    def take_over(self, old: "Card") -> None:
        """Go on with the orders and sheds of a card that was wired otherwise."""
        self._leases.update(old._leases)
        self.orders.update({c: old.orders[c] for c in self.orders.keys() & old.orders.keys()})

    def hear(self, phase: int, mask: int, now_s: float) -> None:
        """Take the shedder's mask of a phase; bits of other cards' heaters are kept too."""
        self._leases[phase] = _Lease(mask, now_s)

    def adopt(self, latches: Sequence[int], now_s: float) -> None:
        """Take over what a chip that kept its latches still sheds.

        A card that is started again must not let everything back at once: a heater whose wire
        says OFF against its order is held like one whose shedder has just spoken.
        """
        wires = decode(latches)
        masks: dict[int, int] = {}
        for codifier, heater in self.heaters.items():
            if wires[heater.wire] is Order.OFF and self.orders[codifier] is not Order.OFF:
                masks[heater.phase] = masks.get(heater.phase, 0) | 1 << heater.bit
        for phase, mask in masks.items():
            self._leases.setdefault(phase, _Lease(mask, now_s))

    def shed(self, now_s: float) -> frozenset[str]:
        """Return the codifiers of this card's heaters that are shed now."""
        return frozenset(
            heater.codifier
            for phase, lease in self._leases.items()
            for heater in self._wiring.shed(phase, self._in_force(phase, lease, now_s))
            if heater.codifier in self.heaters
        )

    def latches(self, now_s: float) -> tuple[int, int]:
        """Return (OLATA, OLATB) as they shall be now."""
        shed = self.shed(now_s)
        return encode(
            {
                heater.wire: effective(self.orders[codifier], codifier in shed)
                for codifier, heater in self.heaters.items()
            }
        )

    def _in_force(self, phase: int, lease: _Lease, now_s: float) -> int:
        return remaining(
            lease.mask,
            self._wiring.phases.get(phase, ()),
            now_s - lease.heard_s,
            self._hold_s,
            self._release_interval_s,
        )
