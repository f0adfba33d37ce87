"""Lists what is not known of a house now: meter, shedder, cards, cache, history, clocks. Pure.

House page, diagram, `why`, `status`, `/healthz` and `/metrics` show the same list: the cache,
through which every value comes, then the parts that protect the house.  A part that protects is
judged by its readings and faster than by its `TimeoutWarning`: a breaker does not wait for it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from math import inf
from typing import Final, NamedTuple

from jph.config.house.house import METER_TYPE, House
from jph.config.model import Network
from jph.heating.explain.sentences import Say, english, span
from jph.util.freshness import State

CURRENT_S: Final = 8.0
"""A meter sends each current every 1 to 3 s: three frames in a row are missing."""

GUARD_S: Final = 5.0
GUARD_INTERVALS: Final = 1.6
"""A shedder or card is silent after this many of its `SensorInterval`s, at least `GUARD_S`."""

CLOCK_S: Final = 5.0
"""A clock that is off by more than this is reported."""

_CACHE: Final = frozenset({"jphRedis"})
_HISTORY: Final = frozenset({"jphPostgreSQL"})
_OWN_WORDS: Final = _CACHE | _HISTORY | {METER_TYPE, "Shedding", "PilotCard"}
"""Kinds whose stale values have a part of their own."""


class Seen(NamedTuple):
    """What is seen of one codifier: its state, the age of its reading in s, and its quality.

    `doubted` is a reading that its sender calls stale or implausible.  `life_s` is the age of the
    last sign of life, `cached_s` that of the last sign that the cache holds.  `not_stored_s` is the
    time since the last successful write, of a store that fails; `stale` is whether it fails.
    """

    state: State
    reading_s: float | None = None
    doubted: bool = False
    life_s: float | None = None
    cached_s: float | None = None
    stale: bool = False
    not_stored_s: float | None = None


class Blind(NamedTuple):
    """One thing that is not known: a part, its codifier and phases, and a sentence about it.

    `part` is meter, shedder, card, cache, history, disk, sensor, current, shared or clock.
    `text` is English with the names of `values` in braces.
    """

    part: str
    codifier: str
    phases: tuple[int, ...]
    text: str
    values: Mapping[str, str]

    def words(self, say: Say = english) -> str:
        """Return the sentence in a language."""
        return say(self.text, **self.values)


class Watch:
    """The parts of a network that must be seen for the house to be safe."""

    def __init__(self, network: Network) -> None:
        self._house = House(network)
        self._entries = {s.codifier: s for s in network.sensors}
        self._loads = {load.actuator.card for load in self._house.wiring.heaters.values()}

    def blindness(
        self,
        seen: Mapping[str, Seen],
        *,
        cache: str = "",
        history: str = "",
        disks: Iterable[str] = (),
        refused: Mapping[str, float] | None = None,
        clocks: Mapping[str, float] | None = None,
        shared: Collection[str] = (),
    ) -> tuple[Blind, ...]:
        """Return what is not known, the worst first.

        `cache` and `history` are what is wrong with the stores in words, empty where nothing is.
        `disks` are nodes that cannot write their files, `refused` currents that are not believed.
        `clocks` are the offsets of nodes' clocks in s, positive for one that is ahead; `shared` the
        nodes that hear another program under their codifiers.
        """
        found = [
            *self._caches(seen, cache),  # first: every value comes through it
            *self._meters(seen),
            *self._shedders(seen),
            *self._cards(seen),
            *self._histories(seen, history),
            *self._disks(disks),
            *self._sensors(seen),
            *self.currents(refused or {}),
            *self._shared(shared),
            *self.clocks(clocks or {}),
        ]
        return tuple(found)

    def current_limit_s(self, codifier: str) -> float:
        """Return the age from which a current is not the current now, s; infinite for never."""
        entry = self._entries.get(codifier)
        if entry is None:
            return CURRENT_S
        parent = self._entries.get(entry.parent or "")
        timeout_s = entry.timeout_warning or float("inf")
        return min(timeout_s, CURRENT_S) if parent and parent.type == METER_TYPE else timeout_s

    def guard_limit_s(self, codifier: str, node: str) -> float:
        """Return the age from which a mask or a card is not that of now, s."""
        interval_s = self._entries[node].sensor_interval if node in self._entries else 0.0
        timeout_s = self._entries[codifier].timeout_warning if codifier in self._entries else 0.0
        return min(timeout_s or float("inf"), max(GUARD_S, GUARD_INTERVALS * interval_s))

    def _meters(self, seen: Mapping[str, Seen]) -> Iterator[Blind]:
        blind: dict[str, list[tuple[int, Seen | None]]] = {}
        for phase in self._house.phases:
            if not phase.current:
                continue
            known = seen.get(phase.current)
            if _unknown(known, self.current_limit_s(phase.current)):
                entry = self._entries.get(phase.current)
                node = entry.parent or phase.current if entry else phase.current
                blind.setdefault(node, []).append((phase.number, known))
        for node, phases in blind.items():
            yield self._blind(
                "meter",
                node,
                phases,
                "{name} is halted: what phase {phases} draws is not known.",
                "{name} sends no current of phase {phases}: what it draws is not known.",
                "{name} has sent no current of phase {phases} for {time}: what it draws now is "
                "not known.",
                "{name} doubts its currents: what phase {phases} draws is not known.",
            )

    def _shedders(self, seen: Mapping[str, Seen]) -> Iterator[Blind]:
        shadows = {s.codifier for s in self._house.shedders if s.shadow}
        blind: dict[str, list[tuple[int, Seen | None]]] = {}
        for number, phase in self._house.watched().items():
            if phase.loads and phase.shedder not in shadows:
                known = seen.get(phase.mask)
                if _unknown(known, self.guard_limit_s(phase.mask, phase.shedder)):
                    blind.setdefault(phase.shedder, []).append((number, known))
        for node, phases in blind.items():
            yield self._blind(
                "shedder",
                node,
                phases,
                "{name} is halted: phase {phases} is not protected.",
                "{name} sends nothing: phase {phases} is not protected.",
                "{name} has sent nothing for {time}: phase {phases} is not protected.",
                "{name} doubts its own masks: phase {phases} may not be protected.",
            )

    def _cards(self, seen: Mapping[str, Seen]) -> Iterator[Blind]:
        for card in self._house.cards:
            if card.codifier not in self._loads:
                continue
            mine = self._house.wiring.card(card.codifier)
            known = seen.get(card.codifier)
            doubted = any(seen[h.codifier].doubted for h in mine if h.codifier in seen)
            if known is not None and doubted:
                known = known._replace(doubted=True)
            if _unknown(known, self.guard_limit_s(card.codifier, card.codifier)):
                yield self._blind(
                    "card",
                    card.codifier,
                    [(number, known) for number in sorted({h.phase for h in mine})],
                    "{name} is halted: its heaters take no orders.",
                    "{name} sends nothing: whether its heaters obey is not known.",
                    "{name} has sent nothing for {time}: whether its heaters obey is not known.",
                    "{name} does not reach its chip: whether its heaters obey is not known.",
                )

    def _caches(self, seen: Mapping[str, Seen], wrong: str) -> Iterator[Blind]:
        """Yield a cache that is silent, or lives but does not write to Redis; another may do."""
        nodes = self._nodes(_CACHE)
        if wrong:
            yield Blind("cache", nodes[0] if nodes else "", (), wrong, {})
            return
        known = {n: seen[n] for n in nodes if n in seen}
        bad = {n for n, s in known.items() if self._is_mute(n, s) or self._writes_nothing(n, s)}
        if not known or bad != known.keys():
            return
        node = min(bad, key=nodes.index)
        text = "{name} lives, but Redis does not store: the newest values are missing."
        if self._is_mute(node, known[node]):
            text = "{name} is silent: the newest values may be missing."
        yield Blind("cache", node, (), text, {"name": self._name(node)})

    def _histories(self, seen: Mapping[str, Seen], wrong: str) -> Iterator[Blind]:
        """Yield a collector that is silent or cannot store; another may do."""
        nodes = self._nodes(_HISTORY)
        known = {n: seen[n] for n in nodes if n in seen}
        bad = {n for n, s in known.items() if self._is_mute(n, s) or s.stale}
        if not known or bad != known.keys():
            if wrong:
                yield Blind("history", nodes[0] if nodes else "", (), wrong, {})
            return
        node = min(bad, key=nodes.index)
        values = {"name": self._name(node)}
        since_s = known[node].not_stored_s
        text = "{name} is silent: readings may not be stored."
        if not self._is_mute(node, known[node]):
            text = "{name} cannot store: readings are not stored now."
            if since_s is not None:
                values["time"] = span(since_s)
                text = "{name} cannot store: the last reading was stored {time} ago."
        yield Blind("history", node, (), text, values)

    def _nodes(self, types: Iterable[str]) -> list[str]:
        return [s.codifier for s in self._entries.values() if s.type in types and s.active]

    def silence_limit_s(self, node: str) -> float:
        """Return the age of its last sign from which a node is silent, s."""
        entry = self._entries[node]
        every_s = min(t or inf for t in (entry.keep_alive_interval, entry.sensor_interval))
        return max(GUARD_S, GUARD_INTERVALS * every_s)

    def _is_mute(self, node: str, seen: Seen) -> bool:
        if seen.state in (State.LATE, State.DEAD, State.SILENT):
            return True
        return seen.life_s is not None and seen.life_s > self.silence_limit_s(node)

    def _writes_nothing(self, node: str, seen: Seen) -> bool:
        """Return whether a cache says that it cannot write, or its own hash does not change."""
        old = seen.cached_s is not None and seen.cached_s > self.silence_limit_s(node)
        return seen.stale or old

    def _disks(self, nodes: Iterable[str]) -> Iterator[Blind]:
        """Yield all nodes that cannot write their files, as one thing."""
        if full := sorted(nodes):
            values = {"names": ", ".join(map(self._name, full))}
            text = "The disk is full or read-only: {names} cannot write files and refuse orders."
            yield Blind("disk", full[0], (), text, values)

    def _sensors(self, seen: Mapping[str, Seen]) -> Iterator[Blind]:
        """Yield nodes that say that a value of theirs is an old one."""
        stale: dict[str, float] = {}
        for codifier, known in seen.items():
            entry = self._entries.get(codifier)
            if entry is None or not known.stale or known.state is State.HALTED:
                continue
            node = self._entries.get(entry.parent or codifier, entry)
            if node.type not in _OWN_WORDS:
                stale[node.codifier] = max(
                    known.reading_s or 0.0, known.not_stored_s or 0.0, stale.get(node.codifier, 0.0)
                )
        for codifier, age_s in sorted(stale.items()):
            values = {"name": self._name(codifier), "time": span(age_s)}
            text = "{name} cannot read its device: its last value is {time} old."
            yield Blind("sensor", codifier, (), text, values)

    def currents(self, refused: Mapping[str, float]) -> Iterator[Blind]:
        """Yield currents that are not believed."""
        for codifier, current_a in sorted(refused.items()):
            values = {"name": self._name(codifier), "amperes": f"{current_a:g}"}
            text = "{name}: {amperes} A is not plausible and not believed; who sent it?"
            yield Blind("current", codifier, (), text, values)

    def _shared(self, shared: Collection[str]) -> Iterator[Blind]:
        text = "{name} shares codifiers with another program: their values may be of either."
        for codifier in sorted(shared):
            yield Blind("shared", codifier, (), text, {"name": self._name(codifier)})

    def clocks(self, clocks: Mapping[str, float]) -> Iterator[Blind]:
        """Yield the clocks that are off, by the offsets of the nodes."""
        for codifier, offset_s in sorted(clocks.items()):
            if abs(offset_s) > CLOCK_S:
                text = "The clock of {name} is {time} behind."
                if offset_s > 0:
                    text = "The clock of {name} is {time} ahead."
                values = {"name": self._name(codifier), "time": span(abs(offset_s))}
                yield Blind("clock", codifier, (), text, values)

    def _blind(
        self,
        part: str,
        node: str,
        phases: list[tuple[int, Seen | None]],
        halted: str,
        never: str,
        old: str,
        doubted: str,
    ) -> Blind:
        signs = [known for _, known in phases if known is not None]
        ages = [known.reading_s for known in signs if known.reading_s is not None]
        if any(known.state is State.HALTED for known in signs):
            text = halted
        elif not ages:
            text = never
        elif any(known.doubted for known in signs):
            text = doubted
        else:
            text = old
        numbers = tuple(number for number, _ in phases)
        values = {"name": self._name(node), "phases": ", ".join(map(str, numbers))}
        if ages:
            values["time"] = span(max(ages))
        return Blind(part, node, numbers, text, values)

    def _name(self, codifier: str) -> str:
        entry = self._entries.get(codifier)
        return (entry and (entry.short_name or entry.name)) or codifier


def _unknown(known: Seen | None, limit_s: float) -> bool:
    """Return whether a part is not seen: it never sent, is halted or doubted, or is too old."""
    if known is None or known.reading_s is None or known.doubted:
        return True
    return known.state in (State.HALTED, State.SILENT) or known.reading_s > limit_s
