"""Settings of a Thermostat node, and the rooms that it commands. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Final

from jph.config.house.rooms import Room
from jph.config.model import Network, Sensor
from jph.config.settings import Settings, described
from jph.config.validation import read_struct
from jph.errors import Problem

THERMOSTAT_TYPE: Final = "Thermostat"


class ThermostatSettings(Settings, frozen=True):
    """Settings of a Thermostat node; the temperatures of the orders are those of `Schedule`."""

    rooms: Annotated[
        tuple[str, ...],
        described("its rooms, by name or codifier; without it all with thermometer and heaters"),
    ] = ()
    state: Annotated[str, described("element: every room, what it does and why, as JSON")] = ""
    oldest: Annotated[
        float, described("age up to which a thermometer counts", "s", ge=10, le=7200)
    ] = 900.0
    minimum_time: Annotated[
        float, described("shortest time between two orders of a relay", "s", ge=0, le=3600)
    ] = 60.0


def commanded_rooms(network: Network, rooms: Iterable[Room]) -> dict[str, str]:
    """Return the Thermostat of each room that has one, by the room's name; the first one counts."""
    listed = list(rooms)
    found: dict[str, str] = {}
    for node in _thermostats(network):
        settings = read_struct(ThermostatSettings, node.sensor, "", [])
        if settings is None:
            continue
        for room in listed:
            if _is_meant(room, settings):
                found.setdefault(room.name, node.codifier)
    return found


def thermostat_problems(network: Network, rooms: Iterable[Room]) -> Iterator[Problem]:
    """Yield rooms that do not exist, cannot be regulated, or have two Thermostats."""
    by_word = _by_word(rooms)
    owners: dict[str, str] = {}
    for node in _thermostats(network):
        path = f"Sensors[{node.codifier}].Sensor"
        settings = read_struct(ThermostatSettings, node.sensor, path, [])
        if settings is None:
            continue
        for word in settings.rooms:
            room = by_word.get(word.casefold())
            if room is None:
                yield Problem(f"{path}.Rooms", f"no such room: {word!r}")
            elif not (room.settings.thermometers and room.heaters):
                yield Problem(f"{path}.Rooms", f"{room.name} needs a thermometer and a heater")
        for room in {id(each): each for each in by_word.values()}.values():
            if _is_meant(room, settings):
                other = owners.setdefault(room.name, node.codifier)
                if other != node.codifier:
                    yield Problem(f"{path}.Rooms", f"{room.name} has the Thermostat {other} too")
        if settings.state and settings.state not in {
            element.codifier for element in network.elements(node.codifier)
        }:
            yield Problem(f"{path}.State", f"{settings.state} is no element of {node.codifier}")


def _thermostats(network: Network) -> list[Sensor]:
    return [node for node in network.nodes() if node.type == THERMOSTAT_TYPE]


def _by_word(rooms: Iterable[Room]) -> Mapping[str, Room]:
    return {
        word.casefold(): room for room in rooms for word in (room.codifier, *room.settings.names)
    }


def _is_meant(room: Room, settings: ThermostatSettings) -> bool:
    if not settings.rooms:
        return bool(room.settings.thermometers and room.heaters)
    wanted = {word.casefold() for word in settings.rooms}
    return not wanted.isdisjoint(
        {room.codifier.casefold(), *map(str.casefold, room.settings.names)}
    )
