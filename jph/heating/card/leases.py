"""Holds a phase's heaters off: by the shedder's mask while it comes, else by a fallback.

Every mask is a lease.  When no mask comes for a while, or the meter behind the shedder is silent,
the cards go by themselves through declared stages:

    live     the mask counts, the last one for `hold_s` after it was heard
    share    only a safe share of the phase's rated watts may heat, most important first
    after    for as long as it takes: the share as ordered and the others at frost, or all orders

What is more cold than before counts at once.  What is less cold because of a stage, or because
masks come again, returns one heater at a time: what else is switched on is not known yet.  Every
card computes the turns of the whole phase, so that cards which never speak to each other still
release one heater at a time.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from jph.config.house.card import PilotCardSettings
from jph.config.house.loads import Load, ceilings
from jph.heating.orders.coding import Order, lowest

ASSUMED_W: Final = 1150.0
"""What a heater without rated watts counts for: 5 A."""


class Stage(StrEnum):
    """How far a lease has come without its owner."""

    LIVE = "live"
    SHARE = "share"
    FROST = "frost"
    ORDERS = "orders"


class Fallback(NamedTuple):
    """What happens without masks; seconds, and `share` of the phase's rated watts (0–1).

    `hold_s` counts from the last mask, `meter_hold_s` from the last sign of the meter; `after` is
    the last stage, FROST or ORDERS.
    """

    hold_s: float = 60.0
    meter_hold_s: float = 120.0
    share: float = 0.5
    share_s: float = 1800.0
    after: Stage = Stage.FROST
    release_interval_s: float = 5.0


def fallback_of(settings: PilotCardSettings) -> Fallback:
    """Return the fallback that a card's settings declare."""
    return Fallback(
        hold_s=settings.hold,
        meter_hold_s=settings.meter_hold,
        share=settings.share,
        share_s=settings.share_for,
        after=Stage(settings.then),
        release_interval_s=settings.release_interval,
    )


class Lease:
    """The ceilings of one phase's heaters; all times are seconds of a monotonic clock.

    Silence counts from the start: a card without a shedder falls back too.
    """

    def __init__(self, heaters: Sequence[Load], fallback: Fallback, now_s: float) -> None:
        self._heaters = sorted(heaters, key=lambda heater: (-heater.priority, heater.codifier))
        self._fallback = fallback
        self._safe = safe_share(self._heaters, fallback.share)
        self._mask: int | None = None  # none heard since the start
        self._heard_s = self._seen_s = self._release_s = now_s
        self._held: dict[str, Order] = {}
        self._orphans: set[str] = set()  # held by a stage, or by a mask whose owner fell silent

    def take_over(self, old: "Lease") -> None:
        """Go on from the lease of an older wiring."""
        known = {heater.codifier for heater in self._heaters}
        self._mask, self._heard_s, self._seen_s = old._mask, old._heard_s, old._seen_s
        self._release_s = old._release_s
        self._held = {code: order for code, order in old._held.items() if code in known}
        self._orphans = old._orphans & known

    def hear(self, mask: int, now_s: float) -> None:
        """Take the shedder's mask."""
        self._mask, self._heard_s = mask, now_s

    def hear_more(self, mask: int) -> None:
        """Take what another program sheds beside the shedder; it does not prolong the lease."""
        self._mask = mask

    def adopt(self, seen: Mapping[str, Order]) -> None:
        """Take over what a chip still holds: ceilings of its card's heaters, comfort for none.

        They are held like those of a silent shedder: until masks come or the hold is over.
        Then they return in turns.  For the turns, heaters of other cards are taken to be off
        if they are not in the safe share: the other cards may have been started again too.
        """
        if not any(seen.values()):
            return
        unsafe = (h.codifier for h in self._heaters if h.codifier not in self._safe)
        for code, order in {**dict.fromkeys(unsafe, Order.OFF), **seen}.items():
            if order is not Order.COMFORT:
                self._held[code] = lowest(order, self._held.get(code, order))
                self._orphans.add(code)

    def see(self, now_s: float) -> None:
        """Take a sign that the shedder knows what the meter says."""
        self._seen_s = now_s

    def silent(self, now_s: float) -> str:
        """Return what ended it: `masks`, `meter` (though masks come), or nothing."""
        masks_s, meter_s = self._late_s(now_s)
        if masks_s >= 0:
            return "masks"
        return "meter" if meter_s >= 0 else ""

    def stage(self, now_s: float) -> Stage:
        """Return how far it has come."""
        fallback = self._fallback
        late_s = max(self._late_s(now_s))
        if late_s < 0:
            return Stage.LIVE
        return Stage.SHARE if late_s < fallback.share_s else fallback.after

    def step(self, now_s: float) -> Mapping[str, Order]:
        """Return the ceiling of each heater of the phase that has one."""
        stage = self.stage(now_s)
        mask: Mapping[str, Order] = {}
        if now_s - self._heard_s < self._fallback.hold_s:
            # until the shedder speaks, what was adopted stays as it is
            mask = self._held if self._mask is None else ceilings(self._heaters, self._mask)
        if stage is not Stage.LIVE:
            self._orphans = {heater.codifier for heater in self._heaters}
        elif self._mask is not None:
            self._orphans -= mask.keys()
        wanted = self._stage_ceilings(stage)
        for code, order in mask.items():
            wanted[code] = lowest(order, wanted.get(code, order))
        returning = []
        for heater in self._heaters:
            code = heater.codifier
            old = self._held.get(code, Order.COMFORT)
            new = wanted.get(code, Order.COMFORT)
            if lowest(old, new) is new or code not in self._orphans:
                self._hold(code, new)
            else:
                returning.append((code, new))
        self._release(returning, now_s)
        return self._held

    def _late_s(self, now_s: float) -> tuple[float, float]:
        """Return how long masks, and signs of the meter, have been overdue."""
        hold_s, meter_hold_s = self._fallback.hold_s, self._fallback.meter_hold_s
        return now_s - self._heard_s - hold_s, now_s - self._seen_s - meter_hold_s

    def _stage_ceilings(self, stage: Stage) -> dict[str, Order]:
        if stage in (Stage.LIVE, Stage.ORDERS):
            return {}
        ceiling = Order.OFF if stage is Stage.SHARE else Order.FROST
        return {h.codifier: ceiling for h in self._heaters if h.codifier not in self._safe}

    def _release(self, returning: Iterable[tuple[str, Order]], now_s: float) -> None:
        for code, order in returning:
            if now_s < self._release_s:
                return
            self._hold(code, order)
            self._release_s = now_s + self._fallback.release_interval_s

    def _hold(self, code: str, order: Order) -> None:
        if order is Order.COMFORT:
            self._held.pop(code, None)
            self._orphans.discard(code)
        else:
            self._held[code] = order


def safe_share(heaters: Iterable[Load], share: float) -> frozenset[str]:
    """Return the heaters that draw together at most a share of what all would.

    The order of `heaters` is kept; one that does not fit lets smaller ones behind it try.
    """
    watts = [(h.codifier, ASSUMED_W if h.watts is None else h.watts) for h in heaters]
    left_w = share * sum(each for _, each in watts)
    safe = set()
    for codifier, each_w in watts:
        if each_w <= left_w:
            left_w -= each_w
            safe.add(codifier)
    return frozenset(safe)
