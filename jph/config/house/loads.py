"""The loads of a house that can be shed, read from the pilot cards of the configuration. Pure.

Shedder and cards compute the same bit positions from the same configuration, so no table of them
travels on the bus: bit i of a phase's mask is the i-th load of that phase, ordered by codifier;
bit 32 + i is the gentler stage, eco at most.  Cards that are switched off in the configuration
count too: bits must not move.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from jph.config.house.card import FIRST_ADDRESS, LAST, WireSettings
from jph.config.house.orders import Order
from jph.config.model import Network, Sensor
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem

CARD_TYPE: Final = "PilotCard"

MASK_BITS: Final = 32
"""Largest number of loads of a phase: bit i of its mask forces load i off."""

ECO_SHIFT: Final = 32
"""Bit 32 + i of a mask lets load i have eco at most.  Without such bits a mask is an u32."""

MASK_LIMIT: Final = 1 << 63
"""A mask travels as an i64: the 32nd load of a phase has no eco stage and goes off instead."""


class PilotWire(NamedTuple):
    """The actuator of a heater on a pilot wire: its card and wire (1–8).

    `power_on` is the order after a power cut, None for the last one; `applied` and `verified` are
    the codifiers of elements that carry the order on the wire and the one read back, or empty.
    """

    card: str
    wire: int
    solid_state: bool = False
    power_on: Order | None = None
    applied: str = ""
    verified: str = ""


class Load(NamedTuple):
    """A load that can be shed: its phase (1–3), its bit in the phase's mask and its actuator.

    A load of higher `priority` is more important and shed later.  `watts` is the rated power, None
    where it is not declared.  All loads are heaters on pilot wires today; a switch
    or a settable current would be other types of `actuator`.
    """

    codifier: str
    phase: int
    bit: int
    room: str
    name: str
    watts: float | None
    priority: int
    actuator: PilotWire

    def takes(self, order: Order) -> bool:
        """Return whether the actuator may carry an order: pulses wear out a relay."""
        return self.actuator.solid_state or not order.pulsed

    def __str__(self) -> str:
        label = " ".join(filter(None, (self.room, self.name)))
        return f"{self.codifier} ({label})" if label else self.codifier


class Wiring:
    """All loads, by codifier and by phase (ordered by bit)."""

    def __init__(self, loads: Iterable[Load]) -> None:
        ordered = sorted(loads, key=lambda load: load.codifier)
        self.heaters: Mapping[str, Load] = {load.codifier: load for load in ordered}
        self.phases: Mapping[int, tuple[Load, ...]] = {
            phase: tuple(load for load in ordered if load.phase == phase)
            for phase in sorted({load.phase for load in ordered})
        }

    def card(self, codifier: str) -> tuple[Load, ...]:
        """Return the heaters of one card, none if there is no such card."""
        return tuple(h for h in self.heaters.values() if h.actuator.card == codifier)

    def mask(self, phase: int, codifiers: Iterable[str], eco: Iterable[str] = ()) -> int:
        """Return the mask of a phase that forces loads off and lets those of `eco` have eco.

        Loads of other phases are left out.
        """
        off, at_most_eco = set(codifiers), set(eco)
        mask = 0
        for load in self.phases.get(phase, ()):
            if load.codifier in off:
                mask |= 1 << load.bit
            elif load.codifier in at_most_eco:
                staged = 1 << load.bit + ECO_SHIFT
                mask |= staged if staged < MASK_LIMIT else 1 << load.bit
        return mask

    def held(self, phase: int, mask: int) -> dict[str, Order]:
        """Return the warmest order that a phase's mask leaves each load it holds back."""
        return ceilings(self.phases.get(phase, ()), mask)


def ceilings(loads: Iterable[Load], mask: int) -> dict[str, Order]:
    """Return the warmest order that a mask leaves each of some loads it holds back.

    Bits without a load are ignored.
    """
    held = {}
    for load in loads:
        if mask >> load.bit & 1:
            held[load.codifier] = Order.OFF
        elif mask >> load.bit + ECO_SHIFT & 1:
            held[load.codifier] = Order.ECO
    return held


def colder_mask(one: int, other: int) -> int:
    """Return the mask that holds each load as far back as the colder of two masks does."""
    either, every = one | other, (1 << ECO_SHIFT) - 1
    off = either & every
    return either & ~(off << ECO_SHIFT)


def mask_of(value: object) -> int | None:
    """Return the mask that a value is, None if it is none: text, a fraction, out of range."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < MASK_LIMIT and value % 1 == 0 else None


def wiring(network: Network) -> Wiring:
    """Return the wiring of a network.

    Raises:
        ConfigError: with every mistake in it.
    """
    placed, problems = _read(network)
    problems += _contradictions(network, placed)
    if problems:
        raise ConfigError("the wiring of the pilot cards has mistakes", problems)
    ranks: Counter[int] = Counter()
    loads = []
    for card, wire, _ in sorted(placed, key=lambda place: place.wire.codifier):
        loads.append(_load(card.codifier, wire, ranks[wire.phase]))
        ranks[wire.phase] += 1
    return Wiring(loads)


class _Place(NamedTuple):
    card: Sensor
    wire: WireSettings
    path: str


def _load(card: str, wire: WireSettings, bit: int) -> Load:
    power_on = None if wire.power_on == LAST else Order.named(wire.power_on)
    return Load(
        wire.codifier,
        wire.phase,
        bit,
        wire.room,
        wire.name,
        wire.watts,
        wire.priority,
        PilotWire(card, wire.wire, wire.solid_state, power_on, wire.applied, wire.verified),
    )


def _read(network: Network) -> tuple[list[_Place], list[Problem]]:
    placed: list[_Place] = []
    problems: list[Problem] = []
    for card in network.sensors:
        if card.type != CARD_TYPE:
            continue
        path = f"Sensors[{card.codifier}].Sensor.Wires"
        entries = card.sensor.get("Wires", [])
        if not isinstance(entries, list):
            problems.append(Problem(path, "expected a list of wires"))
            continue
        for position, entry in enumerate(entries):
            label = entry.get("Codifier") if isinstance(entry, dict) else None
            here = f"{path}[{label or position}]"
            wire = read_struct(WireSettings, entry, here, problems)
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
                yield Problem(path, f"element {codifier} has more than one meaning")


def _shared_chips(network: Network) -> Iterator[Problem]:
    chips: dict[tuple[str, str], str] = {}
    for card in network.sensors:
        if card.type == CARD_TYPE and "Bus" in card.sensor:
            address = card.sensor.get("Address", FIRST_ADDRESS)
            owner = chips.setdefault((str(card.sensor["Bus"]), str(address)), card.codifier)
            if owner != card.codifier:
                path = f"Sensors[{card.codifier}].Sensor.Address"
                text = f"the chip at {address} of bus {card.sensor['Bus']} belongs to {owner}"
                yield Problem(path, text)
