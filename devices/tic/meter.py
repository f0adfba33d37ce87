"""From groups to facts: what the meter means, whichever way it speaks."""

from collections.abc import Iterable
from typing import NamedTuple

from devices.tic.fields import (
    CANONICAL,
    CURRENTS,
    WARNINGS,
    Value,
    index_field,
    period,
    relay_facts,
    status_facts,
    tariff,
    tomorrow,
)
from devices.tic.line import Group
from devices.tic.plausibility import IndexGuard
from devices.tic.reader import Event, FrameEnd

ADDRESS_LENGTH = 12

VOLTS_OF_CONTRACT = 200
"""Enedis counts a subscribed kVA at 200 V: 6 kVA are 30 A on one phase, 12 kVA 20 A on three."""

_POLYPHASE = frozenset(
    f"{label}{phase}" for label in ("IINST", "IRMS", "URMS", "SINSTS", "IMAX") for phase in (2, 3)
)


class Fact(NamedTuple):
    """One field (label or canonical name) and its value; implausible ones are kept and marked."""

    field: str
    value: Value
    plausible: bool = True


class Meter:
    """Turn a reader's events into facts, at once, except that the phases of a frame leave together.

    Times are monotonic seconds. ``phases`` is 1 or 3, None until a good frame has told.
    """

    def __init__(self, warning_expiry_s: float) -> None:
        self.warning_expiry_s = warning_expiry_s
        self.phases: int | None = None
        self.tariff: str | None = None
        self._address = ""
        self._other_address = ""
        self._guard = IndexGuard()
        self._held: list[Fact] = []
        self._warned_until: dict[str, float] = {}
        self._reference_kva: int | None = None

    def update(self, events: Iterable[Event], now_s: float) -> list[Fact]:
        """Return what ``events`` say, in their order."""
        facts: list[Fact] = []
        for event in events:
            if isinstance(event, FrameEnd):
                self._release(facts)
                self._frame_end(event, facts)
            elif event.label in CURRENTS:
                self._current(event, facts)
            else:
                self._release(facts)
                self._group(event, now_s, facts)
        return facts

    def expire(self, now_s: float) -> list[Fact]:
        """Return a zero for each warning that was not renewed in time."""
        over = [label for label, until_s in self._warned_until.items() if now_s >= until_s]
        for label in over:
            del self._warned_until[label]
        return self._calm(over)

    def _current(self, group: Group, facts: list[Fact]) -> None:
        phase = CURRENTS[group.label]
        if phase > 1:
            self.phases = 3
        self._held += _same(group)
        if group.label == "IINST" or phase == (self.phases or 3):
            self._release(facts)

    def _release(self, facts: list[Fact]) -> None:
        facts += self._held
        self._held.clear()

    def _group(self, group: Group, now_s: float, facts: list[Fact]) -> None:
        label, value = group.label, group.reading
        if label in WARNINGS:
            self._warned_until[label] = now_s + self.warning_expiry_s
        elif label in ("OPTARIF", "NGTF"):
            self.tariff = tariff(group.value)
            facts.append(Fact("TARIFF", self.tariff))
        elif label in ("PTEC", "LTARF"):
            facts.append(Fact("TARIFF_PERIOD", period(group.value)))
        elif label in ("ADCO", "ADSC"):
            self._same_meter(group.value)
        elif label == "DEMAIN":
            facts.append(Fact("TEMPO_TOMORROW", tomorrow(group.value)))
        elif label == "STGE":
            facts += [Fact(*item) for item in status_facts(group.value).items()]
        elif label == "PREF":
            self._reference_kva = int(group.value)
        elif label == "RELAIS" and isinstance(value, int):
            facts += [Fact(*item) for item in relay_facts(value).items()]
        facts += self._index(group, now_s) or _same(group)
        if group.horodate is not None:
            facts.append(Fact(f"{label}.horodate", group.horodate))

    def _index(self, group: Group, now_s: float) -> list[Fact]:
        """Return the facts of an energy index, judged; none if ``group`` is something else."""
        wh = group.reading
        if not isinstance(wh, int) or len(group.value) != 9:
            return []
        plausible = self._guard.plausible(group.label, wh, now_s)
        names = (group.label, CANONICAL.get(group.label) or index_field(group.label, self.tariff))
        return [Fact(name, wh, plausible) for name in names if name]

    def _same_meter(self, address: str) -> None:
        """Forget the indexes when another full address was read twice in a row."""
        if len(address) != ADDRESS_LENGTH or address == self._address:
            self._other_address = ""
        elif not self._address or address == self._other_address:
            self._address, self._other_address = address, ""
            self._guard.forget()
        else:
            self._other_address = address

    def _frame_end(self, end: FrameEnd, facts: list[Fact]) -> None:
        if not end.complete or end.bad:
            return
        if end.labels & _POLYPHASE:
            self.phases = 3
        elif end.labels & CURRENTS.keys():
            self.phases = self.phases or 1
        facts += self._calm(label for label in WARNINGS if label not in self._warned_until)
        if self._reference_kva is not None and self.phases is not None:
            amperes = self._reference_kva * 1000 // (VOLTS_OF_CONTRACT * self.phases)
            facts.append(Fact("SUBSCRIBED_CURRENT", amperes))

    def _calm(self, labels: Iterable[str]) -> list[Fact]:
        """Return zeros for ``labels``, and for their fields unless another label still warns."""
        warned = {CANONICAL[label] for label in self._warned_until}
        names = [name for label in labels for name in (label, CANONICAL[label])]
        return [Fact(name, 0) for name in dict.fromkeys(names) if name not in warned]


def _same(group: Group) -> list[Fact]:
    name = CANONICAL.get(group.label)
    facts = [Fact(group.label, group.reading)]
    return [*facts, Fact(name, group.reading)] if name else facts
