"""The house that a configuration describes: meters, shedders, phases, cards and rooms. Pure.

Console, page, collector, recorder, simulator and nodes read other kinds' settings through this
model.  It is lenient: entries that have mistakes are left out, `config check` reports them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

import msgspec

from jph.config.house.card import FIRST_ADDRESS, WireSettings
from jph.config.house.loads import CARD_TYPE, Load, Wiring, wiring
from jph.config.house.meter import MeterElementSettings
from jph.config.house.shedder import PhaseSettings, SheddingSettings
from jph.config.house.steered import SteeredLoadSettings, steered_problems
from jph.config.model import Network, Sensor
from jph.config.validation import read_struct
from jph.devices.tic.fields import CANONICAL
from jph.errors import ConfigError, Problem

METER_TYPE: Final = "Teleinfo"
SHEDDER_TYPE: Final = "Shedding"
PHASES: Final = (1, 2, 3)
DEGREES: Final = frozenset({"C", "°C", "℃", "degC"})
"""Values of `Symbol` that mean degrees Celsius."""

_TARIFF_PERIOD: Final = ("TARIFF_PERIOD", "PTEC", "LTARF", "NGTF")

_StructT = TypeVar("_StructT", bound=msgspec.Struct)


class MeterNode(NamedTuple):
    """An electricity meter: its node, and the first element of each canonical field or label."""

    codifier: str
    fields: Mapping[str, str]

    def of(self, *fields: str) -> str:
        """Return the element of the first of some fields that has one, else an empty text."""
        return next((self.fields[field] for field in fields if field in self.fields), "")


class ShedderNode(NamedTuple):
    """A shedder: of several the one of lowest `rank` decides."""

    codifier: str
    rank: int
    active: bool
    shadow: bool
    subscribed: str
    phases: tuple[PhaseSettings, ...]


class SteeredLoad(NamedTuple):
    """A load beside the heaters: its shedder, the element that tells of it, and its settings."""

    shedder: str
    state: str
    settings: SteeredLoadSettings


class CardNode(NamedTuple):
    """A pilot card: I2C bus and address of its chip, and the elements of no single wire."""

    codifier: str
    bus: str | int
    address: int
    states: tuple[str, ...]


class HousePhase(NamedTuple):
    """One phase: codifiers of its node and elements, empty where there is none.

    `limit_a` is declared, `subscribed` the element that carries the contract's current; of both
    the smaller one counts.  `explain` carries the shedder's reasons.  `apparent` is the power of
    this phase alone.
    """

    number: int
    shedder: str = ""
    mask: str = ""
    current: str = ""
    warning: str = ""
    limit_a: float | None = None
    subscribed: str = ""
    explain: str = ""
    apparent: str = ""
    loads: tuple[Load, ...] = ()

    def smaller_limit(self, subscribed_a: float | None) -> float | None:
        """Return the limit in A: the smaller of the declared one and the contract's, if known."""
        limits = (self.limit_a, subscribed_a)
        return min((limit for limit in limits if limit is not None and limit > 0), default=None)


class HouseRoom(NamedTuple):
    """One room: the codifier of its thermometer if it has one, and its heaters."""

    name: str
    thermometer: str | None
    heaters: tuple[Load, ...]


class House:
    """The house of one configuration; a wiring with mistakes has no loads."""

    def __init__(self, network: Network) -> None:
        try:
            self.wiring = wiring(network)
        except ConfigError:
            self.wiring = Wiring(())
        self.meters = tuple(_meter(s) for s in network.sensors if s.type == METER_TYPE)
        self.shedders = tuple(_shedder(s) for s in network.nodes() if s.type == SHEDDER_TYPE)
        self.cards = tuple(_card(s, network) for s in network.nodes() if s.type == CARD_TYPE)
        self.phases = tuple(self._phases(network))
        self.steered = tuple(_steered(network))
        self.rooms = tuple(_rooms(network.sensors, self.wiring))
        in_rooms = {room.thermometer for room in self.rooms}
        self.temperatures = tuple(
            s.codifier
            for s in network.sensors
            if s.symbol in DEGREES and s.codifier not in in_rooms
        )
        """Codifiers of the thermometers of no room."""

    @property
    def meter(self) -> MeterNode:
        """The first meter, which measures the whole house; one without fields if there is none."""
        return next(iter(self.meters), MeterNode("", {}))

    @property
    def power(self) -> str:
        """The element of the whole house's apparent power, VA."""
        return self.meter.of("APPARENT_POWER")

    @property
    def tariff(self) -> str:
        """The element of the tariff period."""
        return self.meter.of(*_TARIFF_PERIOD)

    @property
    def states(self) -> dict[str, str]:
        """The elements that carry the state of all wires of a card, and their card."""
        return {state: card.codifier for card in self.cards for state in card.states}

    def watched(self) -> dict[int, HousePhase]:
        """Return the phases that a shedder protects, by number."""
        return {phase.number: phase for phase in self.phases if phase.shedder}

    def _phases(self, network: Network) -> Iterator[HousePhase]:
        measured = {phase.number: phase for phase in _measured(self.meter)}
        protected = {phase.number: phase for phase in _protected(self.shedders, network)}
        for number in sorted(measured.keys() | protected.keys() | self.wiring.phases.keys()):
            meter = measured.get(number, HousePhase(number))
            own = protected.get(number, meter)
            yield own._replace(
                current=own.current or meter.current,
                warning=own.warning or meter.warning,
                subscribed=own.subscribed or self.meter.of("SUBSCRIBED_CURRENT"),
                apparent=meter.apparent,
                loads=self.wiring.phases.get(number, ()),
            )


def _meter(node: Sensor) -> MeterNode:
    fields: dict[str, str] = {}
    for element in _entries(node.sensor.get("Proxy"), MeterElementSettings):
        fields.setdefault(CANONICAL.get(element.field, element.field), element.codifier)
    return MeterNode(node.codifier, fields)


def _measured(meter: MeterNode) -> Iterator[HousePhase]:
    """Yield the phases whose current a meter sends."""
    alone = not meter.of("CURRENT_2")  # one phase: the power of the whole house is its own
    for number in PHASES:
        if current := meter.of(f"CURRENT_{number}"):
            apparent = meter.of(f"APPARENT_POWER_{number}")
            yield HousePhase(
                number,
                current=current,
                warning=meter.of(f"WARNING_{number}"),
                apparent=apparent or (meter.of("APPARENT_POWER") if alone else ""),
            )


def _shedder(node: Sensor) -> ShedderNode:
    rank = node.sensor.get("Rank", 1)
    return ShedderNode(
        node.codifier,
        rank if isinstance(rank, int) else 1,
        node.active,
        node.sensor.get("Shadow") is True,
        _text(node.sensor.get("Subscribed")),
        tuple(_entries(node.sensor.get("Phases"), PhaseSettings)),
    )


def _steered(network: Network) -> Iterator[SteeredLoad]:
    """Yield the loads beside the heaters; of several shedders of a load the first one counts."""
    seen: set[str] = set()
    for node in network.nodes():
        if node.type != SHEDDER_TYPE:
            continue
        for settings in _entries(node.sensor.get("Loads"), SteeredLoadSettings):
            if settings.codifier not in seen:
                seen.add(settings.codifier)
                yield SteeredLoad(node.codifier, _text(node.sensor.get("State")), settings)


def shedder_problems(network: Network) -> Iterator[Problem]:
    """Yield the mistakes of the shedders' steered loads, and of their `State`."""
    for node in network.nodes():
        settings = read_struct(SheddingSettings, node.sensor, "", [])
        if node.type != SHEDDER_TYPE or settings is None:
            continue
        path = f"Sensors[{node.codifier}].Sensor"
        protected = {phase.phase for phase in settings.phases}
        yield from steered_problems(network, settings.loads, path, protected)
        elements = {element.codifier for element in network.elements(node.codifier)}
        if settings.state and settings.state not in elements:
            yield Problem(f"{path}.State", f"{settings.state} is no element of {node.codifier}")


def _protected(shedders: Iterable[ShedderNode], network: Network) -> Iterator[HousePhase]:
    """Yield the phases of all shedders; of several shedders of a phase the first one counts."""
    seen: set[int] = set()
    for shedder in shedders:
        masks = {phase.codifier for phase in shedder.phases}
        elements = [e.codifier for e in network.elements(shedder.codifier)]
        spare = [codifier for codifier in elements if codifier not in masks]
        for phase in shedder.phases:
            if phase.phase in seen:
                continue
            seen.add(phase.phase)
            by_digit = (code for code in spare if code.endswith(str(phase.phase)))
            yield HousePhase(
                phase.phase,
                shedder.codifier,
                phase.codifier,
                phase.current,
                phase.warning,
                phase.limit,
                shedder.subscribed,
                phase.explain if phase.explain in spare else next(by_digit, ""),
            )


def _card(node: Sensor, network: Network) -> CardNode:
    wires = _entries(node.sensor.get("Wires"), WireSettings)
    single = {code for wire in wires for code in (wire.codifier, wire.applied, wire.verified)}
    bus, address = node.sensor.get("Bus", ""), node.sensor.get("Address", FIRST_ADDRESS)
    return CardNode(
        node.codifier,
        bus if isinstance(bus, int | str) else "",
        address if isinstance(address, int) else FIRST_ADDRESS,
        tuple(e.codifier for e in network.elements(node.codifier) if e.codifier not in single),
    )


def _rooms(sensors: Iterable[Sensor], wires: Wiring) -> Iterator[HouseRoom]:
    """Yield the rooms of the heaters in the order of their names, each with its thermometer."""
    heaters: dict[str, list[Load]] = {}
    for heater in wires.heaters.values():
        if heater.room:
            heaters.setdefault(heater.room, []).append(heater)
    thermometers = [s for s in sensors if s.symbol in DEGREES]
    taken: set[str] = set()
    for name in sorted(heaters, key=str.casefold):
        codifier = _thermometer(name, [s for s in thermometers if s.codifier not in taken])
        if codifier:
            taken.add(codifier)
        yield HouseRoom(name, codifier, tuple(heaters[name]))


def _thermometer(room: str, thermometers: Iterable[Sensor]) -> str | None:
    """Return the thermometer named after a room: an exact name first, then a part of one."""
    wanted = room.casefold()
    named = [(s.codifier, s.short_name.casefold(), s.name.casefold()) for s in thermometers]
    exact = [code for code, short, name in named if wanted in (short, name)]
    loose = [code for code, short, name in named if wanted in short or wanted in name]
    return next(iter(exact + loose), None)


def _entries(raw: object, struct: type[_StructT]) -> list[_StructT]:
    """Return the entries of a list that are a `struct`; others are left out."""
    listed = raw if isinstance(raw, list) else []
    found = (read_struct(struct, entry, "", []) for entry in listed)
    return [entry for entry in found if entry is not None]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
