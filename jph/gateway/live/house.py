"""What the page can show of this house, found in the configuration: nothing is hard-coded. Pure.

Phases come from the shedder, from the wires of the pilot cards, or from what the meter publishes,
whichever there is; a house without heaters or without a meter simply has fewer panels.
"""

import zlib
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from jph.config.model import Network, Sensor
from jph.errors import ConfigError
from jph.gateway.view.figures import is_temperature
from jph.heating.wiring import Heater, Wiring, wiring

# Fields that both modes have, then labels of Enedis-NOI-CPT_54E (historique, standard).
_CURRENTS = {"IINST": 1} | {
    f"{field}{phase}": phase for field in ("IRMS", "IINST", "CURRENT_") for phase in (1, 2, 3)
}
_POWER = ("APPARENT_POWER", "PAPP", "SINSTS")
_TARIFF = ("TARIFF_PERIOD", "PTEC", "LTARF", "NGTF")
_SUBSCRIBED = ("SUBSCRIBED_CURRENT", "ISOUSC")


class Phase(NamedTuple):
    """One phase: the codifiers of its current and its shed mask if known, its limit in A if fixed.

    Where `limit` is None, the element `limited_by` tells it.
    """

    number: int
    current: str | None
    mask: str | None
    limit: float | None
    limited_by: str | None
    heaters: tuple[Heater, ...]


class Room(NamedTuple):
    """One room: the codifier of its thermometer if it has one, and its heaters."""

    name: str
    thermometer: str | None
    heaters: tuple[Heater, ...]


class House(NamedTuple):
    """The panels of the page; `temperatures` are those of no room."""

    phases: tuple[Phase, ...]
    rooms: tuple[Room, ...]
    temperatures: tuple[str, ...]
    power: str | None
    tariff: str | None
    wiring: Wiring


def house_of(network: Network) -> House:
    """Find the house in a configuration. A wiring with mistakes shows no heaters."""
    try:
        wires = wiring(network)
    except ConfigError:
        wires = Wiring(())
    fields = dict(_meter_fields(network))
    rooms = tuple(_rooms(network.sensors, wires))
    in_rooms = {room.thermometer for room in rooms}
    return House(
        phases=tuple(_phases(network, wires, fields)),
        rooms=rooms,
        temperatures=tuple(
            s.codifier
            for s in network.sensors
            if is_temperature(s.symbol) and s.codifier not in in_rooms
        ),
        power=_first(fields, _POWER),
        tariff=_first(fields, _TARIFF),
        wiring=wires,
    )


def fingerprint(network: Network) -> str:
    """Return a short word that changes when what the page is made from changes."""
    return f"{zlib.crc32(msgspec.json.encode(network.sensors)):08x}"


def _meter_fields(network: Network) -> Iterator[tuple[str, str]]:
    """Yield (label of the meter, codifier that carries it); the first meter wins."""
    for meter in reversed([s for s in network.sensors if s.type == "Teleinfo"]):
        for element in _tables(meter, "Proxy"):
            yield str(element.get("Field", "")), str(element.get("Codifier", ""))


def _tables(sensor: Sensor, key: str) -> list[dict[str, Any]]:
    """Return the objects of a list in a kind's own settings, leaving out what is none."""
    listed = sensor.sensor.get(key)
    entries = listed if isinstance(listed, list) else []
    return [entry for entry in entries if isinstance(entry, dict)]


def _first(fields: dict[str, str], labels: Iterable[str]) -> str | None:
    return next((fields[label] for label in labels if label in fields), None)


def _phases(network: Network, wires: Wiring, fields: dict[str, str]) -> Iterator[Phase]:
    shedder = next((s for s in network.sensors if s.type == "Shedding"), None)
    told = {e.get("Phase"): e for e in (_tables(shedder, "Phases") if shedder else ())}
    measured = {n: fields[label] for label, n in _CURRENTS.items() if label in fields}
    subscribed = shedder.sensor.get("Subscribed") if shedder else None
    numbers = {n for n in told if isinstance(n, int)} | measured.keys() | wires.phases.keys()
    for number in sorted(numbers):
        entry = told.get(number, {})
        limit = entry.get("Limit")
        yield Phase(
            number=number,
            current=entry.get("Current") or measured.get(number),
            mask=entry.get("Codifier"),
            limit=float(limit) if isinstance(limit, int | float) and limit > 0 else None,
            limited_by=subscribed or _first(fields, _SUBSCRIBED),
            heaters=wires.phases.get(number, ()),
        )


def _rooms(sensors: Iterable[Sensor], wires: Wiring) -> Iterator[Room]:
    """Yield the rooms of the heaters in the order of their names, each with its thermometer."""
    heaters: dict[str, list[Heater]] = {}
    for heater in wires.heaters.values():
        if heater.room:
            heaters.setdefault(heater.room, []).append(heater)
    thermometers = [s for s in sensors if is_temperature(s.symbol)]
    taken: set[str] = set()
    for name in sorted(heaters, key=str.casefold):
        codifier = _thermometer(name, [s for s in thermometers if s.codifier not in taken])
        if codifier:
            taken.add(codifier)
        yield Room(name, codifier, tuple(heaters[name]))


def _thermometer(room: str, thermometers: Iterable[Sensor]) -> str | None:
    """Return the thermometer named after a room: exactly first, then by the words of its name."""
    wanted = room.casefold()
    named = [(s.codifier, s.short_name.casefold(), s.name.casefold()) for s in thermometers]
    exact = [code for code, short, name in named if wanted in (short, name)]
    loose = [code for code, short, name in named if wanted in short or wanted in name]
    return next(iter(exact + loose), None)
