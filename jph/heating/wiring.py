"""Who hangs where: every heater of the house, read from the pilot cards of the configuration.

Shedder and cards compute the same bit positions from the same configuration, so a mask needs no
table of its own on the bus: bit i of a phase's mask is the i-th heater of that phase, ordered by
codifier; bit 32 + i is the gentler stage, eco at most.  Cards that are switched off in the
configuration count too: bits must not move.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from jph.config.model import Network, Sensor
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem
from jph.heating.orders import WIRES, Order

MASK_BITS: Final = 32
"""So many heaters a phase may have: bit i of its mask forces heater i off."""

ECO_SHIFT: Final = 32
"""Bit 32 + i of a mask lets heater i have eco at most.  Without such bits a mask is an u32."""

MASK_LIMIT: Final = 1 << 63
"""A mask travels as an i64 at most: the 32nd heater of a phase goes off instead of to eco."""

LAST: Final = "last"


class Wire(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """One line of a card's wiring table; `watts` is the heater's rated power if known.

    `solid_state` tells that the wire may switch often; `power_on` is the order after a power cut;
    `applied` and `verified` are codifiers of elements that tell more than the order.
    """

    codifier: str
    wire: int
    phase: int
    room: str = ""
    name: str = ""
    watts: float | None = None
    priority: int = 1
    solid_state: bool = False
    power_on: str = LAST
    applied: str = ""
    verified: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.wire <= WIRES:
            raise ValueError(f"Wire: expected 1 to {WIRES}, found {self.wire}")
        if self.phase not in (1, 2, 3):
            raise ValueError(f"Phase: expected 1, 2 or 3, found {self.phase}")
        if self.watts is not None and not 0 < self.watts < math.inf:
            raise ValueError(f"Watts: expected more than 0, found {self.watts:g}")
        try:
            order = None if self.power_on == LAST else Order.named(self.power_on)
        except ValueError as error:
            raise ValueError(f"PowerOn: {error}, and {LAST}") from None
        if order is not None and order.pulsed and not self.solid_state:
            raise ValueError(f"PowerOn: {order.word} needs a wire with SolidState")


class Heater(NamedTuple):
    """A heater and its place: card, wire (1–8), phase (1–3) and bit in the phase's mask.

    A higher `priority` is more important, that is shed later.  `power_on` is the order after a
    power cut, None for the last one; `applied` and `verified` are codifiers or empty.
    """

    codifier: str
    card: str
    wire: int
    phase: int
    bit: int
    room: str
    name: str
    watts: float | None
    priority: int
    solid_state: bool = False
    power_on: Order | None = None
    applied: str = ""
    verified: str = ""

    def takes(self, order: Order) -> bool:
        """Whether the wire may carry an order: pulses would wear a relay out."""
        return self.solid_state or not order.pulsed

    def __str__(self) -> str:
        label = " ".join(filter(None, (self.room, self.name)))
        return f"{self.codifier} ({label})" if label else self.codifier


class Wiring:
    """All heaters, by codifier, by card and by phase (ordered by bit)."""

    def __init__(self, heaters: Iterable[Heater]) -> None:
        ordered = sorted(heaters, key=lambda heater: heater.codifier)
        self.heaters: Mapping[str, Heater] = {heater.codifier: heater for heater in ordered}
        self.phases: Mapping[int, tuple[Heater, ...]] = {
            phase: tuple(heater for heater in ordered if heater.phase == phase)
            for phase in sorted({heater.phase for heater in ordered})
        }

    def card(self, codifier: str) -> tuple[Heater, ...]:
        """Return the heaters of one card, none if there is no such card."""
        return tuple(heater for heater in self.heaters.values() if heater.card == codifier)

    def mask(self, phase: int, codifiers: Iterable[str], eco: Iterable[str] = ()) -> int:
        """Return the mask of a phase that forces heaters off, and lets those of `eco` eco at most.

        Heaters of other phases are left out.
        """
        off, at_most_eco = set(codifiers), set(eco)
        mask = 0
        for heater in self.phases.get(phase, ()):
            if heater.codifier in off:
                mask |= 1 << heater.bit
            elif heater.codifier in at_most_eco:
                staged = 1 << heater.bit + ECO_SHIFT
                mask |= staged if staged < MASK_LIMIT else 1 << heater.bit
        return mask

    def shed(self, phase: int, mask: int) -> tuple[Heater, ...]:
        """Return the heaters of a phase that a mask forces off; bits of nobody are ignored."""
        return tuple(h for h in self.phases.get(phase, ()) if mask >> h.bit & 1)


def ceilings(heaters: Iterable[Heater], mask: int) -> dict[str, Order]:
    """Return the warmest order that a mask leaves each heater it holds back."""
    held = {}
    for heater in heaters:
        if mask >> heater.bit & 1:
            held[heater.codifier] = Order.OFF
        elif mask >> heater.bit + ECO_SHIFT & 1:
            held[heater.codifier] = Order.ECO
    return held


def wiring(network: Network) -> Wiring:
    """Return the wiring of a network; `ConfigError` with every mistake if it has any."""
    placed, problems = _read(network)
    problems += _contradictions(network, placed)
    if problems:
        raise ConfigError("the wiring of the pilot cards has mistakes", problems)
    ranks: Counter[int] = Counter()
    heaters = []
    for card, wire, _ in sorted(placed, key=lambda place: place.wire.codifier):
        heaters.append(_heater(card.codifier, wire, ranks[wire.phase]))
        ranks[wire.phase] += 1
    return Wiring(heaters)


class _Place(NamedTuple):
    card: Sensor
    wire: Wire
    path: str


def _heater(card: str, wire: Wire, bit: int) -> Heater:
    return Heater(
        wire.codifier,
        card,
        wire.wire,
        wire.phase,
        bit,
        wire.room,
        wire.name,
        wire.watts,
        wire.priority,
        wire.solid_state,
        None if wire.power_on == LAST else Order.named(wire.power_on),
        wire.applied,
        wire.verified,
    )


def _read(network: Network) -> tuple[list[_Place], list[Problem]]:
    placed: list[_Place] = []
    problems: list[Problem] = []
    for card in network.sensors:
        if card.type != "PilotCard":
            continue
        path = f"Sensors[{card.codifier}].Sensor.Wires"
        entries = card.sensor.get("Wires", [])
        if not isinstance(entries, list):
            problems.append(Problem(path, "expected a list of wires"))
            continue
        for position, entry in enumerate(entries):
            label = entry.get("Codifier") if isinstance(entry, dict) else None
            here = f"{path}[{label or position}]"
            wire = read_struct(Wire, entry, here, problems)
            if wire is not None:
                placed.append(_Place(card, wire, here))
    return placed, problems


def _contradictions(network: Network, placed: Sequence[_Place]) -> list[Problem]:
    problems: list[Problem] = []
    by_wire: dict[tuple[str, int], str] = {}
    by_codifier: dict[str, str] = {}
    phases: Counter[int] = Counter()
    for card, wire, path in placed:
        phases[wire.phase] += 1
        taken = by_wire.setdefault((card.codifier, wire.wire), wire.codifier)
        if taken != wire.codifier:
            problems.append(Problem(path, f"wire {wire.wire} already has heater {taken}"))
        first = by_codifier.setdefault(wire.codifier, f"wire {wire.wire} of {card.codifier}")
        if first != f"wire {wire.wire} of {card.codifier}":
            problems.append(Problem(path, f"heater {wire.codifier} is already on {first}"))
        masks = card.sensor.get("Shed") or {}
        if isinstance(masks, dict) and masks and str(wire.phase) not in masks:
            problems.append(Problem(path, f"phase {wire.phase} has no mask in this card's Shed"))
    for phase, count in phases.items():
        if count > MASK_BITS:
            text = f"phase {phase} has {count} heaters, a mask holds {MASK_BITS}"
            problems.append(Problem("Sensors", text))
    return [*problems, *_stray_elements(network, placed), *_shared_chips(network)]


def _stray_elements(network: Network, placed: Sequence[_Place]) -> Iterator[Problem]:
    parents = {sensor.codifier: sensor.parent for sensor in network.sensors}
    uses = Counter({wire.codifier: 1 for _, wire, _ in placed})
    uses.update(c for _, wire, _ in placed for c in (wire.applied, wire.verified))
    for card, wire, path in placed:
        for codifier in filter(None, (wire.codifier, wire.applied, wire.verified)):
            if parents.get(codifier) != card.codifier:
                expected = f'expected a sensor {codifier} of Type "Proxy" and parent'
                yield Problem(path, f"{expected} {card.codifier}")
        for codifier in filter(None, (wire.applied, wire.verified)):
            if uses[codifier] > 1:
                yield Problem(path, f"element {codifier} stands for more than one thing")


def _shared_chips(network: Network) -> Iterator[Problem]:
    chips: dict[tuple[str, str], str] = {}
    for card in network.sensors:
        if card.type == "PilotCard" and "Bus" in card.sensor:
            address = card.sensor.get("Address", 0x20)
            owner = chips.setdefault((str(card.sensor["Bus"]), str(address)), card.codifier)
            if owner != card.codifier:
                path = f"Sensors[{card.codifier}].Sensor.Address"
                text = f"the chip at {address} of bus {card.sensor['Bus']} belongs to {owner}"
                yield Problem(path, text)
