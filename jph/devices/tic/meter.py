"""From groups to facts: what the meter means, whichever way it speaks."""

from collections.abc import Iterable
from typing import NamedTuple

from jph.devices.tic.address import LENGTH, origin
from jph.devices.tic.alarms import OVERLOADS, Alarms
from jph.devices.tic.fields import (
    CANONICAL,
    CURRENTS,
    INDEXES,
    ORIGIN,
    WARNINGS,
    Value,
    index_field,
    period,
    tariff,
    tomorrow,
)
from jph.devices.tic.labels import Mode
from jph.devices.tic.line import Group
from jph.devices.tic.plausibility import LARGEST_VA, IndexGuard
from jph.devices.tic.reader import FrameEnd, ReaderEvent
from jph.devices.tic.status import ALARMS, relay_facts, status_facts

VOLTS_OF_CONTRACT = 200
"""Enedis counts a subscribed kVA at 200 V: 6 kVA are 30 A on one phase, 12 kVA 20 A on three."""

POLYPHASE = frozenset(
    f"{label}{phase}" for label in ("IINST", "IRMS", "URMS", "SINSTS", "IMAX") for phase in (2, 3)
)
"""Labels that only a three-phase meter sends."""


class Fact(NamedTuple):
    """One field (label or canonical name) and its value; implausible ones are kept and marked."""

    field: str
    value: Value
    plausible: bool = True


class Meter:
    """Turn a reader's events into facts, at once, except that the phases of a frame leave together.

    A phase that has reached the subscribed current waits for no other: somebody may have to act.
    Times are monotonic seconds. ``phases`` is 1 or 3, None until a good frame has told.
    """

    def __init__(self, warning_expiry_s: float) -> None:
        self.phases: int | None = None
        self.tariff: str | None = None
        self._alarms = Alarms(warning_expiry_s)
        self._address = ""
        self._other_address = ""
        self._guard = IndexGuard()
        self._indexes: dict[str, int] = {}  # those of historique mode, as last believed
        self._amperes: dict[int, int] = {}
        self._held: list[Fact] = []
        self._reference_kva: int | None = None
        self._subscribed_a: int | None = None

    def update(self, events: Iterable[ReaderEvent], now_s: float) -> list[Fact]:
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
        return _zeros(self._alarms.expire(now_s))

    def _current(self, group: Group, facts: list[Fact]) -> None:
        phase = CURRENTS[group.label]
        if phase > 1:
            self.phases = 3
        self._amperes[phase] = amperes = int(group.value)
        self._held += _same(group)
        contract_a = self._contract_a()
        urgent = contract_a is not None and amperes >= contract_a
        if urgent or group.label == "IINST" or phase == (self.phases or 3):
            self._release(facts)

    def _release(self, facts: list[Fact]) -> None:
        facts += self._held
        self._held.clear()

    def _group(self, group: Group, now_s: float, facts: list[Fact]) -> None:
        label = group.label
        if label in WARNINGS:
            self._alarms.warn(label, now_s)
        elif label == "ISOUSC":
            self._subscribed_a, self._reference_kva = int(group.value), None
        elif label == "PREF":
            self._reference_kva = int(group.value)
        elif label == "STGE":
            facts += self._status(group.value, now_s)
        else:
            facts += self._meant(label, group.value)
        facts += self._index(group, now_s) or _same(group)
        if group.horodate is not None:
            facts.append(Fact(f"{label}.horodate", group.horodate))

    def _meant(self, label: str, text: str) -> list[Fact]:
        """Return what a label says beside its own value."""
        match label:
            case "OPTARIF" | "NGTF":
                self.tariff = tariff(text)
                return [Fact("TARIFF", self.tariff)]
            case "PTEC" | "LTARF":
                return [Fact("TARIFF_PERIOD", period(text))]
            case "DEMAIN":
                return [Fact("TEMPO_TOMORROW", tomorrow(text))]
            case "RELAIS":
                return [Fact(*item) for item in relay_facts(int(text)).items()]
            case "ADCO" | "ADSC":
                self._same_meter(text)
                return _origin(text)
        return []

    def _status(self, stge: str, now_s: float) -> list[Fact]:
        """Return the facts of the status register; what warns in it does so for a while only."""
        told = status_facts(stge)
        warned = {name for name in ALARMS if told[name]}
        if "OVERLOAD" in warned:
            warned |= {OVERLOADS[phase] for phase in self._overloaded()}
        for key in warned:
            self._alarms.warn(key, now_s)
        calm = self._alarms.end((ALARMS | set(OVERLOADS.values())) - warned)
        facts = [Fact(*item) for item in told.items()]
        facts += [
            Fact(f"WARNING_{phase}", self._amperes[phase])
            for phase, key in OVERLOADS.items()
            if key in warned
        ]
        return facts + _zeros(name for name in calm if name not in told)

    def _overloaded(self) -> list[int]:
        """Return the phases that the one overrun bit of standard mode is about.

        Those above their share of the contract; if there is none (it is their sum), the highest.
        """
        limit_a = self._contract_a()
        over = [n for n, amperes in self._amperes.items() if limit_a and amperes > limit_a]
        return over or sorted(self._amperes, key=lambda n: self._amperes[n])[-1:]

    def _index(self, group: Group, now_s: float) -> list[Fact]:
        """Return the facts of an energy index, judged; none if ``group`` is something else."""
        wh, label = group.reading, group.label
        if not isinstance(wh, int) or len(group.value) != 9:
            return []
        # What is injected has a contract of its own, which the meter does not tell.
        limit_va = LARGEST_VA if label.startswith(("EAI", "ERQ")) else self._contract_va()
        plausible = self._guard.plausible(label, wh, now_s, limit_va)
        names = (label, CANONICAL.get(label) or index_field(label, self.tariff))
        facts = [Fact(name, wh, plausible) for name in names if name]
        if group.mode is Mode.HISTORIQUE and plausible:
            self._indexes[label] = wh
        return facts + self._total(label)

    def _total(self, label: str) -> list[Fact]:
        """Return the sum of the tariff's indexes with the last of them: historique has no total."""
        labels = INDEXES.get(self.tariff or "", ())
        if label not in labels[-1:] or not all(one in self._indexes for one in labels):
            return []
        return [Fact("INDEX_TOTAL", sum(self._indexes[one] for one in labels))]

    def _same_meter(self, address: str) -> None:
        """Forget the indexes when another full address was read twice in a row."""
        if len(address) != LENGTH or address == self._address:
            self._other_address = ""
        elif not self._address or address == self._other_address:
            self._address, self._other_address = address, ""
            self._guard.forget()
            self._indexes.clear()
        else:
            self._other_address = address

    def _frame_end(self, end: FrameEnd, facts: list[Fact]) -> None:
        if not end.complete or end.bad:
            return
        if end.labels & POLYPHASE:
            self.phases = 3
        elif end.labels & CURRENTS.keys():
            self.phases = self.phases or 1
        facts += _zeros(self._alarms.absent(WARNINGS))
        contract_a = self._contract_a()
        if self._reference_kva is not None and contract_a is not None:
            facts.append(Fact("SUBSCRIBED_CURRENT", contract_a))

    def _contract_a(self) -> int | None:
        """Return the subscribed current of each phase, A; None until it is known."""
        if self._reference_kva is None or self.phases is None:
            return self._subscribed_a
        return self._reference_kva * 1000 // (VOLTS_OF_CONTRACT * self.phases)

    def _contract_va(self) -> int:
        """Return the power of the contract; the largest there is until it is known."""
        amperes = self._contract_a()
        if amperes is None or self.phases is None:
            return LARGEST_VA
        return amperes * VOLTS_OF_CONTRACT * self.phases


def _zeros(names: Iterable[str]) -> list[Fact]:
    return [Fact(name, 0) for name in names]


def _origin(address: str) -> list[Fact]:
    whence = origin(address)
    if whence is None:
        return []
    told: tuple[Value, ...] = (whence.maker, whence.year, whence.type)
    return [Fact(name, value) for name, value in zip(ORIGIN, told, strict=True) if value]


def _same(group: Group) -> list[Fact]:
    name = CANONICAL.get(group.label)
    facts = [Fact(group.label, group.reading)]
    return [*facts, Fact(name, group.reading)] if name else facts
