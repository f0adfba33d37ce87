"""The orders of a card's heaters, with who gave them and when, as they are kept on disk."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from jph.config.house.loads import Load
from jph.heating.orders.coding import Order


class Given(NamedTuple):
    """An order, the codifier it came from and when (ms since 1970); None where it was not given.

    One that has an end, `until_ms`, keeps the order that comes then: the one that was there
    `before`, or its follower. That one has no end.
    """

    order: Order
    by: str | None = None
    at_ms: int | None = None
    until_ms: int | None = None
    before: "Given | None" = None


def first(heater: Load) -> Given:
    """Return the order of a heater that never got one."""
    power_on = heater.actuator.power_on
    return Given(Order.COMFORT if power_on is None else power_on)


def to_stored(given: Mapping[str, Given]) -> dict[str, object]:
    """Return orders as JSON can hold them."""
    return {code: _stored(each) for code, each in given.items()}


def from_stored(
    stored: Mapping[str, object], heaters: Iterable[Load]
) -> tuple[dict[str, Given], list[str]]:
    """Return what was kept for these heaters, and what is wrong with the rest.

    A bare number, as older versions wrote it, is an order too.  A pulsed order for a wire that is
    no longer solid-state is wrong.
    """
    orders: dict[str, Given] = {}
    mistakes = []
    for heater in heaters:
        code = heater.codifier
        if code not in stored:
            continue
        try:
            given = _given(stored[code])
        except ValueError as error:
            mistakes.append(f"{code}: {error}")
            continue
        if heater.takes(given.order) and heater.takes((given.before or given).order):
            orders[code] = given
        else:
            mistakes.append(f"{code}: {given.order.word} needs a wire with SolidState")
    return orders, mistakes


def _stored(given: Given) -> dict[str, object]:
    stored: dict[str, object] = {
        "order": int(given.order),
        "by": given.by,
        "at_ms": given.at_ms,
    }
    if given.until_ms is not None and given.before is not None:
        stored |= {"until_ms": given.until_ms, "before": _stored(given.before)}
    return stored


def _given(entry: object, *, ends: bool = True) -> Given:
    if isinstance(entry, int):
        return Given(Order.of(entry))
    if not isinstance(entry, dict) or not isinstance(entry.get("order"), int):
        raise ValueError(f"{entry!r} holds no order")
    by, at_ms, until_ms = (entry.get(key) for key in ("by", "at_ms", "until_ms"))
    held = ends and isinstance(until_ms, int) and "before" in entry
    return Given(
        Order.of(entry["order"]),
        by if isinstance(by, str) else None,
        at_ms if isinstance(at_ms, int) else None,
        until_ms if held else None,
        _given(entry["before"], ends=False) if held else None,
    )
