"""What is known of a heater and of its phase: values heard in, facts out; what is missing is None.

The values may come from the bus or from a store; older programs tell less, and that is no error.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from jph.config.house.house import House, HousePhase
from jph.config.house.loads import Load, ceilings, mask_of, wiring
from jph.config.model import Network
from jph.heating.orders import Order
from jph.wire.codec import Value

_LONGEST_TEXT: Final = 80
_LIVE: Final = "live"
"""A card's word for a phase whose masks come."""


class Cause(NamedTuple):
    """Why a heater is shed: when (ms since 1970), at which current and limit (A), and how long.

    `watts` is what the shedder has learned, `restore_s` when it expects to give the heater back.
    """

    since_ms: float | None
    current_a: float | None
    limit_a: float | None
    reason: str
    watts: float | None
    restore_s: float | None


class PhaseFacts(NamedTuple):
    """A phase now, in amperes; `seconds_left` to the trip, -1 when none is near.

    `shed` is what each heater that is held back may have at most (off, or eco).
    """

    phase: int
    shedder: str
    current_a: float | None
    limit_a: float | None
    seconds_left: float | None
    shed: Mapping[str, Order] | None


class HeaterFacts(NamedTuple):
    """A heater now: orders are numbers as on the bus, `watts` what was learned.

    `told` is whether its card tells of its wires at all: then who never ordered is nobody.
    `until_ms` is when the order ends, and `then` the one that follows, None where it has no end.
    `fallback` is the stage at which its card goes on without a shedder, empty while there is one,
    `silent` what it misses, if it tells: `masks`, or the `meter` behind them.
    """

    codifier: str
    label: str
    room: str
    card: str
    rated_watts: float | None
    order: int | None
    told: bool
    by: str
    at_ms: float | None
    applied: int | None
    verified: int | None
    shed: bool | None
    cause: Cause | None
    watts: float | None
    fallback: str
    silent: str
    phase: PhaseFacts
    until_ms: float | None = None
    then: int | None = None


class Evidence:
    """The newest value of every codifier that matters, and what follows from them."""

    def __init__(self, network: Network) -> None:
        self.wiring = wiring(network)
        house = House(network)
        self.phases = house.watched()
        self._states = house.states
        self._values: dict[str, Value] = {}
        self._stories: dict[int, Mapping[str, Any]] = {}
        self._wires: dict[str, Mapping[str, Any]] = {}
        self._leases: dict[str, Mapping[str, Any]] = {}
        self._silent: dict[str, Mapping[str, Any]] = {}
        self._of_story = {p.explain: p.number for p in self.phases.values() if p.explain}
        self._wanted = {*self._of_story, *self._states, *self.wiring.heaters}
        for heater in self.wiring.heaters.values():
            self._wanted |= {heater.actuator.applied, heater.actuator.verified}
        for phase in self.phases.values():
            self._wanted |= {phase.mask, phase.current, phase.subscribed}

    def note(self, codifier: str, value: Value) -> None:
        """Take the newest value of a codifier (JSON as text); what does not matter is left out."""
        if codifier not in self._wanted:
            return
        self._values[codifier] = value
        if phase := self._of_story.get(codifier):
            self._stories[phase] = _object(value)
        elif card := self._states.get(codifier):
            told = _object(value)
            self._leases[card], self._silent[card] = _part(told, "leases"), _part(told, "silent")
            for heater, wire in _part(told, "wires").items():
                if heater in self.wiring.heaters and isinstance(wire, dict):
                    self._wires[heater] = wire

    @property
    def heard(self) -> bool:
        """Whether anything that matters was told."""
        return bool(self._values)

    def missing(self, heaters: Iterable[Load]) -> set[str]:
        """Return the codifiers that could still tell something about these heaters."""
        wanted: set[str] = set()
        for heater in heaters:
            wanted.add(heater.codifier)
            wanted |= {code for code, card in self._states.items() if card == heater.actuator.card}
            if phase := self.phases.get(heater.phase):
                wanted |= {phase.mask, phase.explain or phase.current}
        return wanted - self._values.keys() - {""}

    def phase(self, phase: int) -> PhaseFacts:
        """Return what is known of a phase."""
        role = self.phases.get(phase)
        story = self._stories.get(phase, {})
        if role is None:
            return PhaseFacts(phase, "", None, None, None, None)
        current, limit = _number(story, "current"), _number(story, "limit")
        return PhaseFacts(
            phase,
            role.shedder,
            self._measured(role.current) if current is None else current,
            self._limit(role) if limit is None else limit,
            _number(story, "value"),
            self._shed(role),
        )

    def heater(self, codifier: str) -> HeaterFacts:
        """Return what is known of a heater; `KeyError` if there is none of that codifier."""
        heater = self.wiring.heaters[codifier]
        actuator = heater.actuator
        phase = self.phase(heater.phase)
        wire = self._wires.get(codifier, {})
        story = self._stories.get(heater.phase, {})
        cause = _cause(story, codifier)
        learned = _number(_part(story, "watts"), codifier)
        stage = _text(self._leases.get(actuator.card, {}), str(heater.phase))
        return HeaterFacts(
            codifier,
            str(heater),
            heater.room,
            actuator.card,
            heater.watts,
            _known(_order(self._measured(codifier)), _order(_number(wire, "ordered"))),
            bool(wire),
            _text(wire, "by"),
            _number(wire, "at_ms"),
            _known(_order(self._measured(actuator.applied)), _order(_number(wire, "applied"))),
            _known(_order(self._measured(actuator.verified)), _order(_number(wire, "verified"))),
            _held(phase, codifier, wire),
            cause,
            cause.watts if learned is None and cause else learned,
            "" if stage == _LIVE else stage,
            _text(self._silent.get(actuator.card, {}), str(heater.phase)),
            phase,
            _number(wire, "until_ms"),
            _order(_number(wire, "then")),
        )

    def _measured(self, codifier: str) -> float | None:
        return quantity(self._values.get(codifier))

    def _limit(self, role: HousePhase) -> float | None:
        limits = (role.limit_a, self._measured(role.subscribed))
        return min((limit for limit in limits if limit is not None), default=None)

    def _shed(self, role: HousePhase) -> Mapping[str, Order] | None:
        mask = mask_of(self._values.get(role.mask))
        return None if mask is None else ceilings(role.loads, mask)


def _held(phase: PhaseFacts, codifier: str, wire: Mapping[str, Any]) -> bool | None:
    """Return whether a heater is held back: by the mask, without one as its card tells."""
    if phase.shed is not None:
        return codifier in phase.shed
    told = wire.get("shed")
    return told if isinstance(told, bool) else None


def _cause(story: Mapping[str, Any], codifier: str) -> Cause | None:
    told = _part(story, "shed").get(codifier)
    if not isinstance(told, dict):
        return None
    return Cause(
        _number(told, "since_ms"),
        _number(told, "current"),
        _number(told, "limit"),
        _text(told, "reason"),
        _number(told, "watts"),
        _number(told, "restore_s"),
    )


def _object(value: Value) -> dict[str, Any]:
    try:
        parsed = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _part(table: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def quantity(value: object) -> float | None:
    """Return a value as a number of a house, None if it is none: text, infinite, beyond 1e15."""
    # Beyond this an integer is no double, and no quantity of a house either.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        return None
    return value if math.isfinite(value) else None


def _number(table: Mapping[str, Any], key: str) -> float | None:
    return quantity(table.get(key))


def _order(value: float | None) -> int | None:
    return None if value is None or value < 0 else int(value)


def _known(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def _text(table: Mapping[str, Any], key: str) -> str:
    """Return a text, made harmless for a terminal."""
    value = table.get(key)
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else "·" for c in value[:_LONGEST_TEXT])
