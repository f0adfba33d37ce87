"""The rooms of a configuration: names, thermometers, windows, presence and heaters. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Final, NamedTuple

from jph.config.house.loads import Load
from jph.config.model import Network
from jph.config.settings import Settings, described
from jph.config.validation import read_struct
from jph.errors import Problem

_LOWEST_C: Final = 5.0
_HIGHEST_C: Final = 30.0


class RoomSettings(Settings, frozen=True):
    """One entry of the top-level list `Rooms`."""

    codifier: Annotated[str, described("element of the Schedule node that carries the room's wish")]
    name: Annotated[str | dict[str, str], described("name, or names by language (en, fr)")]
    thermometers: Annotated[tuple[str, ...], described("thermometers; the median counts")] = ()
    windows: Annotated[
        tuple[str, ...], described("codifiers that are 1 while a window is open")
    ] = ()
    presence: Annotated[
        tuple[str, ...], described("codifiers that are 1 while a person is at home")
    ] = ()
    motion: Annotated[tuple[str, ...], described("codifiers of its motion sensors")] = ()
    heaters: Annotated[tuple[str, ...], described("codifiers of further heaters")] = ()
    rank: Annotated[int, described("importance among rooms; higher is warmed first")] = 0
    minimum: Annotated[float, described("lowest wish", "°C", ge=_LOWEST_C, le=_HIGHEST_C)] = (
        _LOWEST_C
    )
    maximum: Annotated[float, described("highest wish", "°C", ge=_LOWEST_C, le=_HIGHEST_C)] = (
        _HIGHEST_C
    )
    frost: Annotated[float, described("frost floor", "°C", ge=3.0, le=15.0)] = 7.0
    default: Annotated[float | str, described("wish without any other, °C or an order")] = "comfort"

    def __post_init__(self) -> None:
        if self.minimum > self.maximum:
            raise ValueError(f"Minimum {self.minimum} is above Maximum {self.maximum}")
        if not self.names:
            raise ValueError("Name: expected a name, or names by language")

    @property
    def names(self) -> tuple[str, ...]:
        """Its names in all languages."""
        listed = [self.name] if isinstance(self.name, str) else list(self.name.values())
        return tuple(name for name in listed if name)

    def name_in(self, language: str) -> str:
        """Return its name in a language, else the first one."""
        if isinstance(self.name, str):
            return self.name
        return self.name.get(language) or self.names[0]


class Room(NamedTuple):
    """A room and its heaters."""

    settings: RoomSettings
    heaters: tuple[Load, ...]

    @property
    def codifier(self) -> str:
        """The element that carries its wish."""
        return self.settings.codifier

    @property
    def name(self) -> str:
        """Its first name: schedules and wishes use it."""
        return self.settings.names[0]


def rooms_of(network: Network, heaters: Mapping[str, Load]) -> tuple[Room, ...]:
    """Return the rooms that have no mistakes, in the order of the configuration."""
    found = []
    for entry in network.rooms:
        settings = read_struct(RoomSettings, entry, "", [])
        if settings is not None:
            found.append(Room(settings, tuple(_heaters(settings, heaters))))
    return tuple(found)


def _heaters(settings: RoomSettings, heaters: Mapping[str, Load]) -> Iterator[Load]:
    names = {name.casefold() for name in settings.names}
    for codifier, load in heaters.items():
        if codifier in settings.heaters or load.room.casefold() in names:
            yield load


def room_problems(network: Network, heaters: Mapping[str, Load]) -> Iterator[Problem]:
    """Yield the mistakes of `Rooms`: structs, references, doubles and heaters of two rooms."""
    known = {sensor.codifier for sensor in network.sensors}
    names: set[str] = set()
    used: dict[str, str] = {}
    for entry in network.rooms:
        path = f"Rooms[{entry.get('Codifier', '?')}]"
        problems: list[Problem] = []
        settings = read_struct(RoomSettings, entry, path, problems)
        yield from problems
        if settings is None:
            continue
        yield from _references(settings, path, known, heaters)
        for name in settings.names:
            if name.casefold() in names:
                yield Problem(f"{path}.Name", f"two rooms are called {name!r}")
        names |= {name.casefold() for name in settings.names}
        for load in _heaters(settings, heaters):
            other = used.setdefault(load.codifier, settings.names[0])
            if other != settings.names[0]:
                yield Problem(f"{path}.Heaters", f"heater {load.codifier} is in {other} too")


def _references(
    settings: RoomSettings, path: str, known: set[str], heaters: Mapping[str, Load]
) -> Iterator[Problem]:
    listed: Sequence[tuple[str, Sequence[str]]] = (
        ("Codifier", [settings.codifier]),
        ("Thermometers", settings.thermometers),
        ("Windows", settings.windows),
        ("Presence", settings.presence),
        ("Motion", settings.motion),
    )
    for where, codifiers in listed:
        for codifier in codifiers:
            if codifier not in known:
                yield Problem(f"{path}.{where}", f"no such codifier: {codifier!r}")
    for codifier in settings.heaters:
        if codifier not in heaters:
            yield Problem(f"{path}.Heaters", f"no such heater: {codifier!r}")
