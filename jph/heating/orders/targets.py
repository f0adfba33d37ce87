"""Resolves the target of an order: a heater, a room, a phase or all."""

import difflib
from typing import Final

from jph.config.house.loads import Load, Wiring
from jph.errors import ConfigError
from jph.heating.orders.coding import Order, plain

_ALL: Final = frozenset({"all", "tout", "tous"})


def split(words: list[str]) -> tuple[str, Order]:
    """Return target and order of words like `living room comfort -1`.

    Raises:
        ValueError: they do not end with an order.
    """
    for count in (2, 1):
        try:
            return " ".join(words[:-count]), Order.named(" ".join(words[-count:]))
        except ValueError as error:
            if count == 1:
                raise ValueError(str(error)) from None
    raise AssertionError("never here: one word is an order or raises")


def choose(wiring: Wiring, text: str) -> list[Load]:
    """Return the heaters that `text` names, in the order of their codifiers.

    A codifier, a room, a heater's room and name, `phase 2` or `all`; capitals, accents, spaces
    and hyphens do not matter.

    Raises:
        ConfigError: nothing is called that; names what is near.
    """
    heaters = list(wiring.heaters.values())
    if heater := wiring.heaters.get(text.strip().upper()):
        return [heater]
    wanted = plain(text)
    names = {"all": heaters} | {f"phase {n}": list(each) for n, each in wiring.phases.items()}
    for heater in heaters:
        names.setdefault(f"{heater.room} {heater.name}".strip(), []).append(heater)
        if heater.room and heater.name:
            names.setdefault(heater.room, []).append(heater)
    if wanted in _ALL:
        return heaters
    found = [each for name, each in names.items() if wanted and plain(name) == wanted]
    if found:
        return found[0]
    raise ConfigError(f"{text!r} is no heater, room or phase; {_near(wanted, text, wiring, names)}")


def _near(wanted: str, text: str, wiring: Wiring, names: dict[str, list[Load]]) -> str:
    by_plain = {plain(name): name for name in names if plain(name)}
    close = difflib.get_close_matches(wanted, by_plain, n=4, cutoff=0.6)
    close += [name for name in by_plain if len(wanted) > 2 and wanted in name and name not in close]
    codes = difflib.get_close_matches(text.strip().upper(), wiring.heaters, n=4, cutoff=0.5)
    if close or codes:
        near = [*(by_plain[name] for name in close[:6]), *(str(wiring.heaters[c]) for c in codes)]
        return "near: " + ", ".join(near)
    rooms = sorted({heater.room for heater in wiring.heaters.values() if heater.room})
    return f"the rooms are: {', '.join(rooms) or 'not named'}"
