"""The orders of a card's heaters, with who gave them and when, as they are kept on disk."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from heating.orders import Order
from heating.wiring import Heater


class Given(NamedTuple):
    """An order, the codifier it came from and when (ms since 1970); None where nobody gave it."""

    order: Order
    by: str | None = None
    at_ms: int | None = None


def first(heater: Heater) -> Given:
    """Return what a heater starts with that was never told anything."""
    return Given(Order.COMFORT if heater.power_on is None else heater.power_on)


def to_stored(given: Mapping[str, Given]) -> dict[str, object]:
    """Return orders as JSON can hold them."""
    return {
        code: {"order": int(each.order), "by": each.by, "at_ms": each.at_ms}
        for code, each in given.items()
    }


def from_stored(
    stored: Mapping[str, object], heaters: Iterable[Heater]
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
        if heater.takes(given.order):
            orders[code] = given
        else:
            mistakes.append(f"{code}: {given.order.word} needs a wire with SolidState")
    return orders, mistakes


def _given(entry: object) -> Given:
    if isinstance(entry, int):
        return Given(Order.of(entry))
    if not isinstance(entry, dict) or not isinstance(entry.get("order"), int):
        raise ValueError(f"{entry!r} holds no order")
    by, at_ms = entry.get("by"), entry.get("at_ms")
    return Given(
        Order.of(entry["order"]),
        by if isinstance(by, str) else None,
        at_ms if isinstance(at_ms, int) else None,
    )
