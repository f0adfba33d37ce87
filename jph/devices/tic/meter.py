"""Turns the groups of the link into facts with the same names in both modes. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from jph.devices.tic.address import LENGTH, origin
from jph.devices.tic.alarms import FIELDS, OVERLOADS, Alarms
from jph.devices.tic.confirmed import Confirmed
from jph.devices.tic.currents import POWERS, FrameCurrents, PhaseCurrent
from jph.devices.tic.fields import (
    CANONICAL,
    CURRENTS,
    INDEXES,
    INJECTED_CURRENTS,
    METER_CURRENTS,
    ORIGIN,
    WARNINGS,
    Value,
    index_field,
    named_index,
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

_PHASE_VOTES = POLYPHASE | {"IINST1"}
_ADDRESSES = ("ADCO", "ADSC")
_ADDRESS_FRAMES = 2
"""A whole address of twelve digits is seldom damaged twice in the same way."""
_LONGEST_SETTLING = 3
"""Frames after a change of meter in which currents wait for the new contract."""


class Fact(NamedTuple):
    """One field (label or canonical name) and its value; implausible ones are kept and marked."""

    field: str
    value: Value
    plausible: bool = True


class Meter:
    """Turns a reader's events into facts.

    The currents of a frame leave together and at once, but for those whose direction is doubtful
    (see `currents`). What the meter is (phases, contract, tariff, address) changes only when
    several frames agree, and a confirmed new address forgets all of it. Times are monotonic
    seconds. `produces`: the house is known to feed in.
    """

    def __init__(
        self, warning_expiry_s: float, this_year: int | None = None, *, produces: bool = False
    ) -> None:
        self.this_year = this_year
        self._produces = produces
        self._alarms = Alarms(warning_expiry_s)
        self._address: Confirmed[str] = Confirmed(_ADDRESS_FRAMES)
        self._settling = 0
        self._forget()

    def _forget(self) -> None:
        """Know nothing of the meter, as at the start."""
        self._phases: Confirmed[int] = Confirmed()
        self._tariff: Confirmed[str] = Confirmed()
        self._reference_kva: Confirmed[int] = Confirmed()
        self._subscribed_a: Confirmed[int] = Confirmed()
        self._period_names: dict[int, Confirmed[str]] = {}
        self._period = ""
        self._guard = IndexGuard()
        self._indexes: dict[str, int] = {}  # those of historique mode, as last believed
        self._drawn: dict[int, int] = {}
        self._currents = FrameCurrents(produces=self._produces)
        self._held_warnings: list[Group] = []

    @property
    def phases(self) -> int | None:
        """1 or 3; None until a good frame has shown it."""
        return self._phases.value

    @property
    def tariff(self) -> str | None:
        """The tariff by name, or None."""
        return self._tariff.value

    def update(self, events: Iterable[ReaderEvent], now_s: float) -> list[Fact]:
        """Return the facts of ``events``, in their order."""
        facts: list[Fact] = []
        for event in events:
            if isinstance(event, FrameEnd):
                self._frame_end(event, now_s, facts)
            elif event.label in CURRENTS:
                self._current(event, now_s, facts)
            else:
                self._group(event, now_s, facts)
        return facts

    def expire(self, now_s: float) -> list[Fact]:
        """Return a zero for each warning that was not renewed in time."""
        return _zeros(self._alarms.expire(now_s))

    # Currents

    def _current(self, group: Group, now_s: float, facts: list[Fact]) -> None:
        if self.phases == 1 and group.label in POLYPHASE:
            return  # one damaged label makes no phase
        self._currents.add(group.label, int(group.value), now_s)
        self._send_ready(now_s, facts)

    def _send_ready(self, now_s: float, facts: list[Fact], *, last: bool = False) -> None:
        if not self._settling and self._address.pending is None:
            ready = self._currents.ready(self.phases, self._contract_a(), last=last)
            self._send(ready, now_s, facts)

    def _correct(self, now_s: float, facts: list[Fact]) -> None:
        """Send the currents of this frame again whose direction turned out to be another one."""
        corrected = self._currents.corrected()
        self._send(corrected, now_s, facts)
        for current in corrected:
            if current.fed_in:
                labels = [w for w, phase in WARNINGS.items() if phase == current.phase]
                facts += _zeros(self._alarms.end(labels))

    def _send(self, currents: list[PhaseCurrent], now_s: float, facts: list[Fact]) -> None:
        for current in currents:
            phase = current.phase
            self._drawn[phase] = current.drawn
            facts += [
                Fact(current.label, current.figure),
                Fact(f"CURRENT_{phase}", current.drawn),
                Fact(METER_CURRENTS[phase], current.figure),
                Fact(INJECTED_CURRENTS[phase], current.fed_in),
            ]
            for group in [w for w in self._held_warnings if WARNINGS[w.label] == phase]:
                self._held_warnings.remove(group)
                self._warn(group, now_s, facts, fed_in=current.fed_in > 0)

    def _warn(self, group: Group, now_s: float, facts: list[Fact], *, fed_in: bool = False) -> None:
        """Begin or renew a warning; a current that is fed in exceeds no contract."""
        if fed_in:
            facts.append(Fact(group.label, group.reading))
            return
        self._alarms.warn(group.label, now_s)
        facts += _same(group)

    # Groups

    def _group(self, group: Group, now_s: float, facts: list[Fact]) -> None:
        label = group.label
        if label in POWERS:
            self._currents.power(label, int(group.value))
            self._correct(now_s, facts)
        self._send_ready(now_s, facts, last=True)
        if label in WARNINGS:
            if self._currents.waits(WARNINGS[label]):
                self._held_warnings.append(group)
            else:
                self._warn(group, now_s, facts)
            return
        if self._doubtful(group, facts):
            return
        if label == "STGE":
            self._status(group.value, now_s, facts)
        else:
            facts += self._meaning(label, group.value)
            self._correct(now_s, facts)
        facts += self._index(group, now_s) or _same(group)
        if group.horodate is not None:
            facts.append(Fact(f"{label}.horodate", group.horodate))

    def _doubtful(self, group: Group, facts: list[Fact]) -> bool:
        """Take a fact of the meter itself; return whether it is not confirmed yet."""
        label, text = group.label, group.value
        if label in _ADDRESSES:
            return self._take_address(text, facts)
        if label == "ISOUSC":
            if self._subscribed_a.see(int(text)):
                self._reference_kva.forget()
            return self._subscribed_a.pending is not None
        if label == "PREF":
            self._reference_kva.see(int(text))
            return self._reference_kva.pending is not None
        if label in ("OPTARIF", "NGTF"):
            self._tariff.see(tariff(text))
            return self._tariff.pending is not None
        return self.phases == 1 and label in POLYPHASE

    def _take_address(self, text: str, facts: list[Fact]) -> bool:
        known = self._address.value
        if known is not None and len(known) == LENGTH and len(text) != LENGTH:
            return True  # a damaged line
        if self._address.see(text) and known is not None and len(known) == LENGTH:
            facts += _zeros(self._alarms.end(FIELDS))
            self._forget()
            self._settling = _LONGEST_SETTLING
        return self._address.pending is not None

    def _meaning(self, label: str, text: str) -> list[Fact]:
        """Return the facts of a label beside its own value."""
        match label:
            case "OPTARIF" | "NGTF":
                return [Fact("TARIFF", self.tariff or "")]
            case "PTEC" | "LTARF":
                self._period = period(text, self.tariff)
                return [Fact("TARIFF_PERIOD", self._period)]
            case "NTARF":
                if self._period:
                    self._period_names.setdefault(int(text), Confirmed()).see(self._period)
            case "DEMAIN":
                return [Fact("TEMPO_TOMORROW", tomorrow(text))]
            case "RELAIS":
                return [Fact(*item) for item in relay_facts(int(text)).items()]
            case "SINSTI":
                self._currents.feeding(int(text) > 0)
            case "ADCO" | "ADSC":
                return _origin(text, self.this_year)
        return []

    def _status(self, stge: str, now_s: float, facts: list[Fact]) -> None:
        """Take the status register; its warnings last for a while only."""
        status = status_facts(stge)
        self._currents.feeding(status["INJECTING"] == 1)
        self._correct(now_s, facts)
        if not self._settling and self._address.pending is None:
            self._send(self._currents.release(), now_s, facts)
        warned = {name for name in ALARMS if status[name]}
        if "OVERLOAD" in warned:
            warned |= {OVERLOADS[phase] for phase in self._overloaded()}
        for key in warned:
            self._alarms.warn(key, now_s)
        calm = self._alarms.end((ALARMS | set(OVERLOADS.values())) - warned)
        facts += [Fact(*item) for item in status.items()]
        facts += [
            Fact(f"WARNING_{phase}", self._drawn[phase])
            for phase, key in OVERLOADS.items()
            if key in warned
        ]
        facts += _zeros(name for name in calm if name not in status)

    def _overloaded(self) -> list[int]:
        """Return the phases that the one overrun bit of standard mode is about.

        Those above their share of the contract; if there is none (it is their sum), the highest.
        """
        limit_a = self._contract_a()
        over = [n for n, amperes in self._drawn.items() if limit_a and amperes > limit_a]
        return over or sorted(self._drawn, key=lambda n: self._drawn[n])[-1:]

    # Indexes

    def _index(self, group: Group, now_s: float) -> list[Fact]:
        """Return the facts of an energy index, judged; none if ``group`` is something else."""
        wh, label = group.reading, group.label
        if not isinstance(wh, int) or len(group.value) != 9:
            return []
        # Injected energy has a contract of its own, which the meter does not send.
        limit_va = LARGEST_VA if label.startswith(("EAI", "ERQ")) else self._contract_va()
        plausible = self._guard.plausible(label, wh, now_s, limit_va)
        facts = [Fact(name, wh, plausible) for name in self._index_names(label)]
        if group.mode is Mode.HISTORIQUE and plausible:
            self._indexes[label] = wh
        return facts + self._total(label)

    def _index_names(self, label: str) -> list[str]:
        """Return the label of an index and its fields: the tariff's, and the supplier's name."""
        field = CANONICAL.get(label) or index_field(label, self.tariff)
        names = [label, field] if field else [label]
        if label.startswith("EASF") and self.tariff not in INDEXES:
            name = self._period_names.get(int(label[4:]))
            if name is not None and name.value:
                names.append(named_index(name.value))
        return list(dict.fromkeys(names))

    def _total(self, label: str) -> list[Fact]:
        """Return the sum of the tariff's indexes with the last of them: historique has no total."""
        labels = INDEXES.get(self.tariff or "", ())
        if label not in labels[-1:] or not all(one in self._indexes for one in labels):
            return []
        return [Fact("INDEX_TOTAL", sum(self._indexes[one] for one in labels))]

    # Frames

    def _frame_end(self, end: FrameEnd, now_s: float, facts: list[Fact]) -> None:
        good = end.complete and not end.bad
        contract: list[Fact] = []
        if good:
            self._count_phases(end)
            contract_a = self._contract_a()
            if self._reference_kva.value is not None and contract_a is not None:
                contract.append(Fact("SUBSCRIBED_CURRENT", contract_a))
        if self._settling:
            # The new contract goes first: the old one judges no current of the new meter.
            facts += contract
            contract = []
        if self._address.pending is not None:
            self._currents.drop()
            self._held_warnings.clear()
        self._settling = 0 if good else max(0, self._settling - 1)
        self._send(self._currents.end(end.labels), now_s, facts)
        if good:
            facts += _zeros(self._alarms.absent(WARNINGS))
        facts += contract

    def _count_phases(self, end: FrameEnd) -> None:
        """Let a good frame confirm the number of phases; one label alone may be damaged."""
        votes = len(end.labels & _PHASE_VOTES)
        if votes >= 2:
            self._phases.see(3)
        elif votes == 0 and end.labels & CURRENTS.keys():
            self._phases.see(1)

    def _contract_a(self) -> int | None:
        """Return the subscribed current of each phase, A; None until it is known."""
        if self._reference_kva.value is None or self.phases is None:
            return self._subscribed_a.value
        return self._reference_kva.value * 1000 // (VOLTS_OF_CONTRACT * self.phases)

    def _contract_va(self) -> int:
        """Return the power of the contract; the largest there is until it is known."""
        amperes = self._contract_a()
        if amperes is None or self.phases is None:
            return LARGEST_VA
        return amperes * VOLTS_OF_CONTRACT * self.phases


def _zeros(names: Iterable[str]) -> list[Fact]:
    return [Fact(name, 0) for name in names]


def _origin(address: str, this_year: int | None) -> list[Fact]:
    whence = origin(address, this_year)
    if whence is None:
        return []
    values: tuple[Value, ...] = (whence.maker, whence.year, whence.type)
    return [Fact(name, value) for name, value in zip(ORIGIN, values, strict=True) if value]


def _same(group: Group) -> list[Fact]:
    name = CANONICAL.get(group.label)
    facts = [Fact(group.label, group.reading)]
    return [*facts, Fact(name, group.reading)] if name else facts
