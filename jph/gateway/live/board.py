"""The state of every codifier as a numbered sequence of changes. Pure.

Takes the cache's hashes and the gateway's own bus messages; returns rows ready to be shown.  Each
row has the version at which it last changed, so a browser asks for the rows it has not seen.
"""

import contextlib
import secrets
import zlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from jph.config.house.house import House, HousePhase
from jph.config.house.loads import mask_of
from jph.config.house.plausible import CurrentFilter
from jph.config.model import Network, Sensor
from jph.errors import ConfigError, JphError
from jph.gateway.live.gaps import LOOKING, UNREADABLE, History, keeps_history
from jph.gateway.live.status import (
    Sign,
    is_active,
    losses_of,
    quality_of,
    stamp_of,
)
from jph.gateway.view.figures import number_of, shown, tariff
from jph.heating.explain.blindness import Blind, Seen, Watch
from jph.heating.explain.clocks import Clocks
from jph.heating.explain.facts import Evidence
from jph.heating.orders.coding import Order
from jph.node import kinds
from jph.util.freshness import Signs, State, is_old, judge_element, judge_node
from jph.wire.codec import Control, Flag, Value
from jph.wire.notes import notes_of

HIGH: Final = 0.8
"""From this part of the limit on a current is shown as high."""

DOUBTED: Final = frozenset({"stale", "implausible"})
"""Qualities of a value that must not be shown as the one of now."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One codifier ready to be shown: `value` and `unit` are text, not escaped.

    `age` is that of the value's own reading in s; `seen`, of a node, that of its last sign of life.
    `order` and `shed` are those of a heater; `limit` (A) and `level` (ok, high, over) of a current,
    without a level where the current is too old to be the one of now.  `words` says that `value`
    is words although there is a number: a truth, a shed mask.  `quality` is stale,
    implausible or estimated, else empty.  Of a node: `trip` is the round trip of its last ping
    (ms), `host` its address, `wire` the version of its datagrams (0: an original program).
    """

    state: str
    value: str = "–"
    unit: str = ""
    number: float | None = None
    words: bool = False
    age: float | None = None
    seen: float | None = None
    losses: int = 0
    quality: str = ""
    order: str | None = None
    shed: bool | None = None
    limit: float | None = None
    level: str | None = None
    trip: float | None = None
    host: str = ""
    wire: int | None = None


class Summary(msgspec.Struct, frozen=True):
    """The house in two sentences; `mood` and `strain` are good, warn or bad."""

    redis: bool
    network: str
    mood: str
    shedding: str
    strain: str


class _Entry:
    """The state of one codifier; `life` is its last sign of life, `reading` its last reading.

    `cached` is the last change of its hash, `stamped_s` the time in its reading by our clock.
    """

    __slots__ = (
        "active",
        "cached",
        "fields",
        "fresh",
        "host",
        "life",
        "reading",
        "row",
        "sensor",
        "stamped_s",
        "version",
        "wire",
    )

    def __init__(self, sensor: Sensor) -> None:
        self.sensor = sensor
        self.fields: dict[str, str] = {}
        self.life = Sign()
        self.reading = Sign()
        self.cached = Sign()
        self.stamped_s: float | None = None
        self.active = True
        self.fresh = False
        self.host = ""
        self.wire: int | None = None
        self.version = 0
        self.row = Row(state=State.SILENT)

    def seen(self, now_s: float) -> Seen:
        """Return what is seen of the codifier at a monotonic time."""
        stale = self.row.quality == "stale"
        since = self.stamped_s if stale else None
        return Seen(
            State(self.row.state),
            self.reading.age_s(now_s),
            self.row.quality in DOUBTED,
            life_s=Signs(self.life.age_s(now_s), self.reading.age_s(now_s)).any_s,
            cached_s=self.cached.age_s(now_s),
            stale=stale,
            not_stored_s=None if since is None else max(0.0, now_s - since),
        )


class Board:
    """Every codifier of one configuration. Not shared between threads."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.house = House(network)
        self.layout = fingerprint(network)
        self.epoch = secrets.token_hex(4)
        self.version = 1
        self.cache_here = False
        self._cache_asked = False
        self.history: History | None = LOOKING if keeps_history(network) else None
        self.history_version = self.version
        self._heard: set[str] = set()
        self._entries = {sensor.codifier: _Entry(sensor) for sensor in network.sensors}
        # An element's state hangs on its node's, so nodes are judged first.
        self._nodes_first = sorted(self._entries, key=lambda code: self._parent_of(code) or "")
        self._hanging = _hanging(self.house)
        self._phase_of = {p.current: p for p in self.house.phases if p.current}
        self._mask_of = {p.number: p.mask for p in self.house.phases if p.mask}
        self._masks = {p.mask: p.number for p in self.house.phases if p.mask}
        self._announcing = [s for s in network.nodes() if s.active and announces(s)]
        self._watch = Watch(network)
        self.blind: tuple[Blind, ...] = ()
        """What is not known of the house, the worst first; see `jph.heating.explain.blindness`."""
        self.clocks = Clocks(network)
        self._currents = CurrentFilter(self.house.phases)
        self._shared: set[str] = set()
        self._full: set[str] = set()
        self.evidence: Evidence | None = None
        """Facts about the heaters; None where the wiring has mistakes."""
        with contextlib.suppress(ConfigError):
            self.evidence = Evidence(network)

    def __contains__(self, codifier: str) -> bool:
        return codifier in self._entries

    @property
    def codifiers(self) -> list[str]:
        """The codifiers in the order of the configuration."""
        return list(self._entries)

    def update(
        self, hashes: Mapping[str, Mapping[str, str]], wall_ms: int, now_s: float, *, old: bool
    ) -> None:
        """Take hashes of the cache; `old` if they may be older than this program (see `Sign`)."""
        for codifier, fields in hashes.items():
            entry = self._entries.get(codifier)
            value = _value_of(fields.get("Value", ""))
            if entry is None or not self._currents.believes(codifier, value, now_s):
                continue
            entry.fields = dict(fields)
            stamp_ms = stamp_of(fields, ("DTimestamp",))
            new = entry.reading.read(stamp_ms, wall_ms, now_s, old=old)
            if new:
                entry.stamped_s = now_s - (wall_ms - stamp_ms) / 1000 if stamp_ms else None
                if not old:
                    self.clocks.read(codifier, stamp_ms, wall_ms)
            if entry.sensor.parent is None:
                entry.cached.read(stamp_of(fields), wall_ms, now_s, old=old)
                new = entry.life.read(stamp_of(fields), wall_ms, now_s, old=old) or new
            if new:
                entry.active = is_active(fields)
                entry.fresh = True
            self._note(codifier, entry)
        self._judge_with_hanging(hashes.keys() & self._entries.keys(), now_s)

    def _note(self, codifier: str, entry: _Entry) -> None:
        """Give a value to the evidence, with the time of its reading."""
        if self.evidence is not None and entry.reading.at_s is not None:
            value = _value_of(entry.fields.get("Value", ""))
            doubted = quality_of(entry.fields) in DOUBTED
            self.evidence.note(codifier, value, entry.reading.at_s, doubted=doubted)

    def hear(
        self, codifier: str, active: bool, now_s: float, host: str = "", wire: int | None = None
    ) -> bool:
        """Take a sign of life heard on the control bus; return whether it is of a known node.

        It says nothing about the node's value.  `host` is the address it came from, `wire` the
        version of the datagram.  Rows change at the next `settle` or `refresh`.
        """
        entry = self._entries.get(codifier)
        if entry is None or entry.sensor.parent is not None:
            return False
        entry.life.hear(now_s)
        entry.active, entry.host, entry.wire = active, host, wire
        entry.fresh = True
        self._heard.add(codifier)
        return True

    def note(self, message: Control) -> None:
        """Take what a known node reports of itself."""
        (self._full.add if message.disk_full else self._full.discard)(message.source)
        if message.flag in (Flag.ALIVE, Flag.NEW):
            (self._shared.add if notes_of(message).shared else self._shared.discard)(message.source)

    def settle(self, now_s: float) -> None:
        """Judge again the nodes heard since the last time."""
        heard, self._heard = self._heard, set()
        self._judge_with_hanging(heard, now_s)

    def set_cache(self, here: bool) -> None:
        """Say whether the cache answers."""
        if here != self.cache_here or not self._cache_asked:
            self.cache_here = here
            self._cache_asked = True
            self.version += 1

    @property
    def cache_away(self) -> bool:
        """Whether the cache was asked and does not answer."""
        return self._cache_asked and not self.cache_here

    def set_history(self, history: History) -> None:
        """Say what the history lacks."""
        if history != self.history:
            self.history = history
            self.version += 1
            self.history_version = self.version

    def refresh(self, now_s: float) -> bool:
        """Judge everything again at a monotonic time; return whether anything changed."""
        self._heard.clear()
        changed = self._judge(self._nodes_first, now_s)
        blind = self._blindness(now_s)
        if [each[:4] for each in blind] != [each[:4] for each in self.blind]:
            self.version += 1
            changed = True
        self.blind = blind
        return changed

    def _blindness(self, now_s: float) -> tuple[Blind, ...]:
        seen = {
            code: e.seen(now_s)
            for code, e in self._entries.items()
            if e.reading.at_s is not None or e.life.at_s is not None
        }
        cache = ""
        if self.cache_away:
            cache = "Redis does not answer: the newest values are not known."
        history = ""
        if self.history == UNREADABLE:
            history = "PostgreSQL cannot be read: what is stored is not known."
        return self._watch.blindness(
            seen,
            cache=cache,
            history=history,
            disks=self._full,
            refused=self._currents.refused(now_s),
            clocks=self.clocks.offsets,
            shared=self._shared,
        )

    def _judge_with_hanging(self, codifiers: Iterable[str], now_s: float) -> None:
        """Judge some again, and what hangs on them: many may change a little, seldom all."""
        chosen = set(codifiers)
        nodes = [code for code in chosen if self._parent_of(code) is None]
        before = [self._entries[code].row.state for code in nodes]
        self._judge(nodes, now_s)
        below = chosen.difference(nodes)
        for code, state in zip(nodes, before, strict=True):
            if self._entries[code].row.state != state:
                below.update(each.codifier for each in self.network.elements(code))
        for code in chosen:
            below.update(self._hanging.get(code, ()))
        self._judge(below & self._entries.keys(), now_s)

    def _judge(self, codifiers: Iterable[str], now_s: float) -> bool:
        changed = False
        for codifier in codifiers:
            entry = self._entries[codifier]
            row = self._row(codifier, entry, now_s)
            if entry.fresh or _differ(row, entry.row):
                entry.version = self.version + 1
                entry.fresh = False
                changed = True
            entry.row = row
        if changed:
            self.version += 1
        return changed

    def _parent_of(self, codifier: str) -> str | None:
        return self._entries[codifier].sensor.parent

    def is_up(self, codifier: str) -> bool:
        """Return whether a node gives signs of life as often as it should."""
        row = self._entries[codifier].row
        quiet = row.seen is not None and row.seen > self._watch.silence_limit_s(codifier)
        return row.state in (State.ALIVE, State.HALTED) and not quiet

    def rows(self, since: int = -1) -> dict[str, Row]:
        """Return the rows that changed after version `since`; by default all."""
        return {code: e.row for code, e in self._entries.items() if e.version > since}

    def row(self, codifier: str) -> Row:
        """Return the row of one codifier of the configuration."""
        return self._entries[codifier].row

    def record(self, codifier: str) -> dict[str, object]:
        """Return the cache's hash of a codifier together with what the configuration says of it.

        The kind's own settings stay out: they may hold addresses and the places of passwords.
        """
        entry = self._entries[codifier]
        sensor = entry.sensor
        return {
            "ShortName": sensor.short_name,
            "Name": sensor.name,
            "Symbol": sensor.symbol,
            "Type": sensor.type,
            "DataType": sensor.data_type,
            "Control": sensor.control,
            "Active": sensor.active,
            "KeepAliveInterval": sensor.keep_alive_interval,
            "SensorInterval": sensor.sensor_interval,
            "TimeoutWarning": sensor.timeout_warning,
            "Parent": sensor.parent,
            **entry.fields,
            "Codifier": codifier,
            "State": entry.row.state,
            "Age": entry.row.age,
        }

    def summary(self) -> Summary:
        """Say how the house is."""
        states = {s.codifier: self._entries[s.codifier].row.state for s in self._announcing}
        worst = [State.DEAD, State.SILENT, State.LATE, State.HALTED]
        parts = [
            f"{_listed(code for code, state in states.items() if state == word)} {word}"
            for word in worst
            if word in states.values()
        ]
        bad = {State.DEAD, State.SILENT} & set(states.values())
        if self.blind:
            unknown = dict.fromkeys(each.part for each in self.blind)
            parts.append(f"not known: {_listed(unknown)}")
        shed = [h for h in self.house.wiring.heaters if self._entries[h].row.shed]
        over = [p for p in self._phase_of.values() if self._entries[p.current].row.level == "over"]
        shedding = f"{_heaters(len(shed))} off for the breaker" if shed else "Nothing is shed"
        if over:
            shedding += f"; phase {_listed(str(p.number) for p in over)} above its limit"
        return Summary(
            redis=not self.cache_away,
            network="; ".join(parts) or f"All {len(states)} nodes are alive",
            mood="bad" if bad or self.blind else "warn" if parts else "good",
            shedding=shedding,
            strain="bad" if over else "warn" if shed else "good",
        )

    def _row(self, codifier: str, entry: _Entry, now_s: float) -> Row:
        sensor, raw = entry.sensor, entry.fields.get("Value", "")
        number = number_of(raw)
        value, unit = plain, _ = shown(raw, sensor.symbol, sensor.data_type)
        order = shed = limit = level = None
        quality = quality_of(entry.fields)
        if codifier in self.house.wiring.heaters:
            order, shed, value, unit = self._heater(codifier, number, now_s)
        elif codifier in self._phase_of:
            phase = self._phase_of[codifier]
            limit, level = self._limit(phase), self._level(phase)
        elif codifier == self.house.tariff:
            value, unit = tariff(raw), ""
        elif codifier in self._masks:
            value, unit = self._mask_words(self._masks[codifier], number), ""
        signs = Signs(entry.life.age_s(now_s), entry.reading.age_s(now_s))
        is_node = sensor.parent is None
        if level and is_old(signs.reading_s, self._watch.current_limit_s(codifier)):
            level = None
        return Row(
            state=self._state(entry, signs),
            value=value,
            unit=unit,
            number=number,
            words=number is not None and (value != plain or sensor.data_type == "bool"),
            age=_rounded(signs.reading_s if signs.reading_s is not None else signs.any_s),
            seen=_rounded(signs.any_s) if is_node else None,
            losses=losses_of(entry.fields),
            quality=quality,
            order=order,
            shed=shed,
            limit=limit,
            level=level,
            trip=_trip(entry.fields),
            host=entry.host,
            wire=entry.wire,
        )

    def _state(self, entry: _Entry, signs: Signs) -> State:
        sensor = entry.sensor
        if sensor.parent is None:
            interval_s = sensor.sensor_interval
            return judge_node(signs, sensor.timeout_warning, interval_s, active=entry.active)
        node = self._entries.get(sensor.parent)
        state = State(node.row.state) if node else None
        return judge_element(signs.reading_s, sensor.timeout_warning, state)

    def _number(self, codifier: str | None) -> float | None:
        entry = self._entries.get(codifier or "")
        return number_of(entry.fields.get("Value", "")) if entry else None

    def _heater(
        self, codifier: str, number: float | None, now_s: float
    ) -> tuple[str | None, bool | None, str, str]:
        """Return (order, shed, value, unit) of a heater."""
        heater = self.house.wiring.heaters[codifier]
        mask = self._mask(heater.phase, now_s)
        held = None if mask is None else self.house.wiring.held(heater.phase, mask)
        shed = None if held is None else codifier in held
        try:
            order = Order.of(-1 if number is None else number).word
        except ValueError:
            return None, shed, "–", ""
        return order, shed, f"{order}, shed" if shed else order, ""

    def _mask(self, phase: int, now_s: float) -> int | None:
        """Return the mask of a phase, None where it is not known or too old."""
        entry = self._entries.get(self._mask_of.get(phase, ""))
        if entry is None or is_old(entry.reading.age_s(now_s), entry.sensor.timeout_warning):
            return None
        return mask_of(number_of(entry.fields.get("Value", "")))

    def _mask_words(self, phase: int, number: float | None) -> str:
        """Return the heaters of a shed mask."""
        mask = mask_of(number)
        return "–" if mask is None else _listed(self.house.wiring.held(phase, mask)) or "none"

    def _limit(self, phase: HousePhase) -> float | None:
        return phase.smaller_limit(self._number(phase.subscribed))

    def _level(self, phase: HousePhase) -> str | None:
        current, limit = self._number(phase.current), self._limit(phase)
        if current is None or limit is None:
            return None
        return "over" if current > limit else "high" if current >= HIGH * limit else "ok"


def fingerprint(network: Network) -> str:
    """Return a checksum that changes when the page's layout has to change."""
    return f"{zlib.crc32(msgspec.json.encode(network.sensors)):08x}"


def announces(sensor: Sensor) -> bool:
    """Whether a node says that it is alive at all: consoles do not."""
    return bool(_trait(sensor, "announces"))


def obeys(sensor: Sensor) -> bool:
    """Whether a node lets itself be halted: caches and gateways do not."""
    return bool(_trait(sensor, "halts"))


def _trait(sensor: Sensor, name: str) -> object:
    """Return a class attribute of a node's kind; kinds that run elsewhere have them all."""
    try:
        return getattr(kinds.find(sensor.type), name, True)
    except JphError:
        return True


def _value_of(text: str) -> Value:
    """Return a value of the cache as it was on the bus."""
    try:
        return float(text)
    except ValueError:
        return text


def _trip(fields: Mapping[str, str]) -> float | None:
    """Return the last answer's time in ms, if there was one.

    The time of the answer is whole ms, that of the question finer: 0 may look like less.
    """
    trip = number_of(fields.get("TDuration", ""))
    if trip is None or trip <= -1 or not stamp_of(fields, ("TTimestamp",)):
        return None
    return max(0.0, trip)


def _hanging(house: House) -> dict[str, set[str]]:
    """Return what is shown with each codifier's value: heaters by mask, currents by their limit."""
    found: dict[str, set[str]] = {}
    for phase in house.phases:
        if phase.mask:
            found.setdefault(phase.mask, set()).update(load.codifier for load in phase.loads)
        if phase.subscribed and phase.current:
            found.setdefault(phase.subscribed, set()).add(phase.current)
    return found


def _differ(new: Row, old: Row) -> bool:
    ageless = {"age": None, "seen": None}
    return msgspec.structs.replace(new, **ageless) != msgspec.structs.replace(old, **ageless)


def _rounded(age_s: float | None) -> float | None:
    return None if age_s is None else round(age_s, 1)


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)


def _heaters(count: int) -> str:
    return "1 heater" if count == 1 else f"{count} heaters"
