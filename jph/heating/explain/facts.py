"""Facts about a heater and its phase, from the values heard; what is not known is None. Pure.

The values come from the bus or from the cache, each with the time of its reading: an old value is
not a fact about now.  Older programs send less; what they do not send is not known.
"""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from jph.config.house.house import House, HousePhase
from jph.config.house.loads import Load, ceilings, mask_of, wiring
from jph.config.house.plausible import CurrentFilter
from jph.config.house.steered import LoadSort
from jph.config.model import Network
from jph.heating.explain.blindness import Blind, Watch
from jph.heating.orders.coding import Order
from jph.util.freshness import is_old
from jph.wire.codec import Value

_LONGEST_TEXT: Final = 80
_HOUSE: Final = "@@"
_LIVE: Final = "live"
"""A card's word for a phase whose masks come."""


class Cause(NamedTuple):
    """Why a heater is shed: since when (ms since 1970), and the current and limit then (A).

    `watts` is the power the shedder has learned.  `restore_s` is the time to the expected return,
    `restore_by_s` the end of the range in which most returns fall.  `turn_of` are the rooms (or
    heaters without a room) that heat in its place.
    """

    since_ms: float | None
    current_a: float | None
    limit_a: float | None
    reason: str
    watts: float | None
    restore_s: float | None
    restore_by_s: float | None = None
    turn_of: tuple[str, ...] = ()


class PhaseFacts(NamedTuple):
    """A phase now, in amperes; `seconds_left` to the trip, -1 when none is near.

    `shed` is the warmest order of each heater that is held back (off, or eco).  `last_a` and
    `age_s` are the last current heard and its age, where it is too old to be `current_a`.
    """

    phase: int
    shedder: str
    current_a: float | None
    limit_a: float | None
    seconds_left: float | None
    shed: Mapping[str, Order] | None
    last_a: float | None = None
    age_s: float | None = None


class HeaterFacts(NamedTuple):
    """A heater now: orders are numbers as on the bus, `watts` what was learned.

    `reported` is whether its card reports its wires at all: then an empty `by` means no order came.
    `until_ms` is the end of the order, `then` the one that follows, None where it has no end.
    `fallback` is the stage of its card without a shedder, empty while there is one, `silent` what
    the card misses: `masks`, or the `meter` behind them.
    """

    codifier: str
    label: str
    room: str
    card: str
    rated_watts: float | None
    order: int | None
    reported: bool
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


class LoadFacts(NamedTuple):
    """A load beside the heaters now; `reported` is whether its shedder tells of it.

    `turn_of` are the rooms (or heaters) that wait for it, or that it waits for.
    """

    codifier: str
    label: str
    charger: bool
    reported: bool
    ordered: float | None = None
    value: float | None = None
    reason: str = ""
    turn_of: tuple[str, ...] = ()
    watts: float | None = None
    learned: bool = False
    missing_s: float | None = None
    by: str = ""
    kwh: float | None = None
    error_kwh: float | None = None


class EnergyShares(NamedTuple):
    """The energy of the day, kWh, and the parts of heating and of each load in it, and their error.

    What is left is the rest of the house.
    """

    kwh: float
    heating: float
    loads: Mapping[str, float]
    error: float


class Evidence:
    """The newest value of every codifier that matters, and what follows from them."""

    def __init__(self, network: Network) -> None:
        self.wiring = wiring(network)
        self.watch = Watch(network)
        house = House(network)
        self._currents = CurrentFilter(house.phases)
        self.phases = house.watched()
        self._states = house.states
        self._entries = {sensor.codifier: sensor for sensor in network.sensors}
        self._values: dict[str, Value] = {}
        self._at_s: dict[str, float] = {}
        self._doubted: set[str] = set()
        self._stories: dict[int, Mapping[str, Any]] = {}
        self._wires: dict[str, Mapping[str, Any]] = {}
        self._leases: dict[str, Mapping[str, Any]] = {}
        self._silent: dict[str, Mapping[str, Any]] = {}
        self._of_story = {p.explain: p.number for p in self.phases.values() if p.explain}
        self._steered = {load.settings.codifier: load for load in house.steered}
        self._of_loads = {load.state for load in house.steered if load.state}
        self._load_states: dict[str, Mapping[str, Any]] = {}
        self.loads_asked: set[str] = set()
        """Loads beside the heaters that `missing` waits for too."""
        self._wanted = {*self._of_story, *self._states, *self.wiring.heaters, *self._of_loads}
        for heater in self.wiring.heaters.values():
            self._wanted |= {heater.actuator.applied, heater.actuator.verified}
        for phase in self.phases.values():
            self._wanted |= {phase.mask, phase.current, phase.subscribed}

    def note(self, codifier: str, value: Value, at_s: float, *, doubted: bool = False) -> None:
        """Take the newest value of a codifier (JSON as text) and the monotonic time it is of.

        `doubted` is a value that its sender calls stale or implausible.  Other codifiers are left
        out.
        """
        if not self._currents.believes(codifier, value, at_s) or codifier not in self._wanted:
            return
        self._values[codifier], self._at_s[codifier] = value, at_s
        (self._doubted.add if doubted else self._doubted.discard)(codifier)
        if phase := self._of_story.get(codifier):
            self._stories[phase] = _object(value)
        elif codifier in self._of_loads:
            self._load_states[codifier] = _object(value)
        elif card := self._states.get(codifier):
            sent = _object(value)
            self._leases[card], self._silent[card] = _part(sent, "leases"), _part(sent, "silent")
            for heater, wire in _part(sent, "wires").items():
                if heater in self.wiring.heaters and isinstance(wire, dict):
                    self._wires[heater] = wire

    def doubts(self, clocks: Mapping[str, float], now_s: float) -> tuple[Blind, ...]:
        """Return the currents that were not believed lately, and the clocks that are off."""
        refused = self._currents.refused(now_s)
        return (*self.watch.currents(refused), *self.watch.clocks(clocks))

    @property
    def heard(self) -> bool:
        """Whether any value was heard."""
        return bool(self._values)

    def missing(self, heaters: Iterable[Load]) -> set[str]:
        """Return the codifiers of these heaters that were not heard yet."""
        wanted: set[str] = set()
        for heater in heaters:
            wanted.add(heater.codifier)
            wanted |= {code for code, card in self._states.items() if card == heater.actuator.card}
            if phase := self.phases.get(heater.phase):
                wanted |= {phase.mask, phase.explain, phase.current}
        wanted |= {self._steered[code].state for code in self.loads_asked}
        return wanted - self._values.keys() - {""}

    @property
    def loads(self) -> Mapping[str, str]:
        """The loads beside the heaters and their labels."""
        return {code: str(load.settings) for code, load in self._steered.items()}

    def shedder_of(self, load: str) -> str:
        """Return the shedder of a load beside the heaters."""
        return self._steered[load].shedder

    def load(self, codifier: str, now_s: float) -> LoadFacts:
        """Return what is known of a load beside the heaters at a monotonic time.

        Raises:
            KeyError: there is no such load.
        """
        load = self._steered[codifier]
        charger = load.settings.sort is LoadSort.CHARGER
        facts = LoadFacts(codifier, str(load.settings), charger, False)
        sent = _part(self._load_states.get(load.state, {}), "loads").get(codifier)
        if not isinstance(sent, dict) or not self._fresh(load.state, now_s):
            return facts
        kwh, error = _energy(sent.get("kwh")) or (None, None)
        return facts._replace(
            reported=True,
            ordered=_number(sent, "ordered"),
            value=_number(sent, "reported"),
            reason=_text(sent, "reason"),
            turn_of=self._named(sent.get("turn_of")),
            watts=_number(sent, "watts"),
            learned=sent.get("learned") is True,
            missing_s=_number(sent, "missing_s"),
            by=_text(sent, "by"),
            kwh=kwh,
            error_kwh=error,
        )

    def shares(self, now_s: float) -> EnergyShares | None:
        """Return the energy of the day and the parts of it; None where it is not known."""
        today: dict[str, Any] = {}
        for state, sent in self._load_states.items():
            if self._fresh(state, now_s):
                today |= _part(sent, "today")
        kwh = {code: energy[0] for code, each in today.items() if (energy := _energy(each))}
        whole = kwh.get(_HOUSE, 0.0)
        if whole <= 0:
            return None
        heating = sum(each for code, each in kwh.items() if code in self.wiring.heaters)
        error = sum(e[1] for c, each in today.items() if c != _HOUSE and (e := _energy(each)))
        loads = {
            load.settings.name or code: kwh[code] / whole
            for code, load in self._steered.items()
            if code in kwh
        }
        return EnergyShares(whole, heating / whole, loads, error / whole)

    def _named(self, listed: object) -> tuple[str, ...]:
        """Return rooms, or heaters without a room, or loads, of a list of codifiers."""
        codes = [c for c in listed if isinstance(c, str)] if isinstance(listed, list) else []
        names = []
        for code in codes:
            if heater := self.wiring.heaters.get(code):
                names.append(heater.room or str(heater))
            elif load := self._steered.get(code):
                names.append(load.settings.name or code)
        return tuple(dict.fromkeys(names))

    def phase(self, phase: int, now_s: float) -> PhaseFacts:
        """Return what is known of a phase at a monotonic time."""
        role = self.phases.get(phase)
        if role is None:
            return PhaseFacts(phase, "", None, None, None, None)
        story = self._stories.get(phase, {}) if self._fresh(role.explain, now_s) else {}
        last_a, age_s = self._current(role, story, now_s)
        known = age_s is not None and age_s <= self.watch.current_limit_s(role.current)
        known = known and role.current not in self._doubted
        limit = self._limit(role)
        return PhaseFacts(
            phase,
            role.shedder,
            last_a if known else None,
            _number(story, "limit") if limit is None else limit,
            _number(story, "value") if known and self._guarded(role, now_s) else None,
            self._shed(role, now_s),
            None if known else last_a,
            None if known else age_s,
        )

    def heater(self, codifier: str, now_s: float) -> HeaterFacts:
        """Return what is known of a heater at a monotonic time.

        Raises:
            KeyError: there is no heater of that codifier.
        """
        heater = self.wiring.heaters[codifier]
        actuator = heater.actuator
        phase = self.phase(heater.phase, now_s)
        wire = self._wires.get(codifier, {})
        story = self._stories.get(heater.phase, {})
        cause = self._cause(story, codifier)
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

    def _cause(self, story: Mapping[str, Any], codifier: str) -> Cause | None:
        sent = _part(story, "shed").get(codifier)
        if not isinstance(sent, dict):
            return None
        return Cause(
            _number(sent, "since_ms"),
            _number(sent, "current"),
            _number(sent, "limit"),
            _text(sent, "reason"),
            _number(sent, "watts"),
            _number(sent, "restore_s"),
            _number(sent, "restore_by_s"),
            self._named(sent.get("turn_of")),
        )

    def _measured(self, codifier: str) -> float | None:
        return quantity(self._values.get(codifier))

    def _age_s(self, codifier: str, now_s: float) -> float | None:
        at_s = self._at_s.get(codifier)
        return None if at_s is None else max(0.0, now_s - at_s)

    def _guarded(self, role: HousePhase, now_s: float) -> bool:
        """Return whether the shedder of a phase is heard now: only then does it know of a trip."""
        limit_s = self.watch.guard_limit_s(role.mask, role.shedder)
        ages = (self._age_s(code, now_s) for code in (role.mask, role.explain))
        return any(age_s is not None and age_s <= limit_s for age_s in ages)

    def _fresh(self, codifier: str, now_s: float) -> bool:
        """Return whether a value is not older than its `TimeoutWarning`."""
        age_s, entry = self._age_s(codifier, now_s), self._entries.get(codifier)
        return age_s is not None and not is_old(age_s, entry.timeout_warning if entry else 0.0)

    def _current(
        self, role: HousePhase, story: Mapping[str, Any], now_s: float
    ) -> tuple[float | None, float | None]:
        """Return the last current of a phase and its age: the meter's, else the shedder's."""
        own_a = self._measured(role.current)
        if own_a is not None:
            return own_a, self._age_s(role.current, now_s)
        told_a, told_s = _number(story, "current"), self._age_s(role.explain, now_s)
        if told_a is None or told_s is None:
            return None, None
        return told_a, told_s + (_number(story, "silent_s") or 0.0)

    def _limit(self, role: HousePhase) -> float | None:
        return role.smaller_limit(self._measured(role.subscribed))

    def _shed(self, role: HousePhase, now_s: float) -> Mapping[str, Order] | None:
        if not self._fresh(role.mask, now_s):
            return None
        mask = mask_of(self._values.get(role.mask))
        return None if mask is None else ceilings(role.loads, mask)


def _held(phase: PhaseFacts, codifier: str, wire: Mapping[str, Any]) -> bool | None:
    """Return whether a heater is held back: by the mask, without one as its card reports."""
    if phase.shed is not None:
        return codifier in phase.shed
    sent = wire.get("shed")
    return sent if isinstance(sent, bool) else None


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


def _energy(listed: object) -> tuple[float, float] | None:
    """Return an energy and its error, kWh; None where a value is none."""
    if not isinstance(listed, list) or len(listed) != 2:
        return None
    kwh, error = quantity(listed[0]), quantity(listed[1])
    return None if kwh is None or error is None else (kwh, error)


def _text(table: Mapping[str, Any], key: str) -> str:
    """Return a text, made harmless for a terminal."""
    value = table.get(key)
    if not isinstance(value, str):
        return ""
    return "".join(c if c.isprintable() else "·" for c in value[:_LONGEST_TEXT])
