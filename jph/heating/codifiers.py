"""What the codifiers around shedding mean, read from the configuration of shedder and cards.

For those who only look on (`why`, the recorder): a part that is not configured is an empty text.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from jph.config.model import Network, Sensor

PHASES: Final = (1, 2, 3)


class PhaseRoles(NamedTuple):
    """The elements of one phase; `limit` is declared, in amperes, and `story` tells why."""

    phase: int
    shedder: str
    mask: str
    current: str
    warning: str
    limit: float | None
    subscribed: str
    story: str


class Roles(NamedTuple):
    """The watched phases, and which elements tell about a card's wires (codifier to card)."""

    phases: Mapping[int, PhaseRoles]
    ledgers: Mapping[str, str]


def roles(network: Network) -> Roles:
    """Return the roles of a network. Of several shedders the first one of a phase counts."""
    phases: dict[int, PhaseRoles] = {}
    for node in network.nodes():
        if node.type == "Shedding":
            for each in _phases(node, network):
                phases.setdefault(each.phase, each)
    return Roles(phases, dict(_ledgers(network)))


def _phases(shedder: Sensor, network: Network) -> Iterator[PhaseRoles]:
    listed = shedder.sensor.get("Phases")
    entries = [e for e in listed if isinstance(e, dict)] if isinstance(listed, list) else []
    masks = {_text(entry, "Codifier") for entry in entries}
    spare = [e.codifier for e in network.elements(shedder.codifier) if e.codifier not in masks]
    for entry in entries:
        phase = entry.get("Phase")
        if phase not in PHASES:
            continue
        limit = entry.get("Limit")
        # Named in the phase's entry, whatever the key; else by the phase's digit, as E1.
        named = [code for code in entry.values() if isinstance(code, str) and code in spare]
        told = [*named, *(code for code in spare if code.endswith(str(phase)))]
        yield PhaseRoles(
            phase,
            shedder.codifier,
            _text(entry, "Codifier"),
            _text(entry, "Current"),
            _text(entry, "Warning"),
            float(limit) if isinstance(limit, int | float) else None,
            _text(shedder.sensor, "Subscribed"),
            told[0] if told else "",
        )


def _ledgers(network: Network) -> Iterator[tuple[str, str]]:
    """Yield each card's elements that are about no single wire: what it tells of all of them."""
    for card in network.nodes():
        if card.type != "PilotCard":
            continue
        wires = card.sensor.get("Wires")
        listed = [w for w in wires if isinstance(w, dict)] if isinstance(wires, list) else []
        single = {value for wire in listed for value in wire.values() if isinstance(value, str)}
        for element in network.elements(card.codifier):
            if element.codifier not in single:
                yield element.codifier, card.codifier


def _text(entry: Mapping[str, Any], key: str) -> str:
    value = entry.get(key)
    return value if isinstance(value, str) else ""
