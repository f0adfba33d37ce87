"""Detects the events that start a recording: a shed, a trip alarm, a node that fell silent. Pure.

Times are monotonic seconds. The state at the start is no event, and a state that lasts is one
event until it ends.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from jph.config.house.loads import ceilings, mask_of
from jph.config.model import Network, Sensor
from jph.heating.explain.facts import Evidence, quantity
from jph.wire.codec import Control, Reading

KEEP_ALIVES: Final = 3
"""A node is lost when it has given no sign for this many keep-alive intervals."""
_NAMED: Final = 8
"""Number of elements that are named when many fall silent together."""


class Trigger(NamedTuple):
    """An event: `kind` is `shed`, `alarm` or `loss`."""

    kind: str
    text: str


class _Signs:
    """Times at which a node and its elements were heard last."""

    def __init__(self, node: Sensor, elements: tuple[Sensor, ...]) -> None:
        self.node = node
        self.limits = {s.codifier: s.timeout_warning for s in (node, *elements)}
        self.sign_s: float | None = None
        self.reading_s: dict[str, float] = {}
        self.halted = False
        self.reported = False

    def overdue(self, now_s: float) -> list[str]:
        """Return the overdue codifiers: the node alone if all of it is silent."""
        limit_s = KEEP_ALIVES * self.node.keep_alive_interval
        if self.sign_s is not None and now_s - self.sign_s > limit_s:
            return [self.node.codifier]
        if self.halted:
            return []
        return [c for c, s in self.reading_s.items() if now_s - s > self.limits[c]]


class EventDetector:
    """Watches both buses for events; `seconds_left` to a trip, or fewer, are an alarm."""

    def __init__(self, network: Network, evidence: Evidence, me: str, seconds_left: float) -> None:
        self._evidence = evidence
        self._seconds_left = seconds_left
        phases = evidence.phases.values()
        self._masks = {phase.mask: phase.number for phase in phases}
        self._warnings = {phase.warning: phase.number for phase in phases if phase.warning}
        self._stories = {phase.explain: phase.number for phase in phases if phase.explain}
        self._shed: dict[str, int] = {}
        self._alarmed: set[str] = set()
        self._signs = [
            _Signs(node, network.elements(node.codifier))
            for node in network.nodes()
            if node.active and node.codifier != me and node.type != "ControlProgram"
        ]
        self._of = {code: signs for signs in self._signs for code in signs.limits}

    def hear_control(self, message: Control, now_s: float) -> None:
        """Take a control message as a sign of life."""
        signs = self._of.get(message.source)
        if signs is not None:
            signs.sign_s = now_s
            signs.halted = not message.active

    def hear_data(self, reading: Reading, now_s: float) -> Trigger | None:
        """Take a reading, no announcement; return the event that it is, if any."""
        source = reading.source
        if signs := self._of.get(source):
            signs.sign_s = now_s
            signs.reading_s[source] = now_s
        if source in self._masks:
            return self._gained(source, reading, now_s)
        if source in self._warnings:
            return self._alarm(source, reading, self._warned(source, reading))
        if source in self._stories:
            return self._alarm(source, reading, self._close_to_trip(source, reading))
        return None

    def gained(self, source: str, reading: Reading) -> tuple[int, tuple[str, ...]]:
        """Return the phase of a mask and the heaters that `reading` newly sheds."""
        phase, mask, known = self._masks[source], mask_of(reading.number), self._shed.get(source)
        if mask is None or known is None:
            return phase, ()
        heaters = self._evidence.wiring.phases.get(phase, ())
        return phase, tuple(ceilings(heaters, mask & ~known))

    def look(self, now_s: float) -> Iterator[Trigger]:
        """Yield an event for each node that fell silent since the last call."""
        for signs in self._signs:
            overdue = signs.overdue(now_s)
            if overdue and not signs.reported:
                yield Trigger("loss", _loss(signs, overdue, now_s))
            signs.reported = bool(overdue)

    def _gained(self, source: str, reading: Reading, now_s: float) -> Trigger | None:
        phase, heaters = self.gained(source, reading)
        if (mask := mask_of(reading.number)) is not None:
            self._shed[source] = mask
        if not heaters:
            return None
        facts = self._evidence.phase(phase, now_s)
        current = "" if facts.current_a is None else f" at {facts.current_a:g} A"
        limit = "" if facts.limit_a is None else f", limit {facts.limit_a:g} A"
        return Trigger("shed", f"phase {phase}: {' '.join(heaters)} shed{current}{limit}")

    def _alarm(self, source: str, reading: Reading, text: str) -> Trigger | None:
        if quantity(reading.number) is None:
            return None
        if not text:
            self._alarmed.discard(source)
            return None
        if source in self._alarmed:
            return None
        self._alarmed.add(source)
        return Trigger("alarm", text)

    def _warned(self, source: str, reading: Reading) -> str:
        number = quantity(reading.number)
        if not number:
            return ""
        return f"phase {self._warnings[source]}: the meter warns of an overrun, {number:g} A"

    def _close_to_trip(self, source: str, reading: Reading) -> str:
        left_s = quantity(reading.number)
        if left_s is None or not 0 <= left_s < self._seconds_left:
            return ""
        return f"phase {self._stories[source]}: {left_s:.0f} s left to the trip"


def _loss(signs: _Signs, overdue: list[str], now_s: float) -> str:
    if overdue == [signs.node.codifier] and signs.sign_s is not None:
        return f"{signs.node.codifier} has given no sign for {now_s - signs.sign_s:.0f} s"
    more = f" and {len(overdue) - _NAMED} more" if len(overdue) > _NAMED else ""
    silent_s = max(now_s - signs.reading_s[code] for code in overdue)
    return (
        f"{' '.join(overdue[:_NAMED])}{more} of {signs.node.codifier} silent for {silent_s:.0f} s"
    )
