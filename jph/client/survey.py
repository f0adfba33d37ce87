"""State of every codifier, from the messages of both buses. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from jph.config.house.house import House
from jph.config.house.plausible import CurrentFilter
from jph.config.model import Network, Sensor
from jph.config.references import CACHE_TYPES
from jph.heating.explain.blindness import Blind, Seen, Watch
from jph.util.freshness import Signs, State, judge_element, judge_node
from jph.wire.codec import Control, Flag, Quality, Reading
from jph.wire.notes import Notes, notes_of

CONSOLE_TYPE: Final = "ControlProgram"
MAX_CLOCK_MS: Final = 5000.0
"""A node whose clock is off by more is named."""


class CodifierState(NamedTuple):
    """State of one codifier: `age_s` of its reading by our clock, losses in messages.

    `clock_ms` is the offset of the node's clock, positive when it is ahead of ours. `disk_full` is
    whether the node cannot write its files, `not_storing` whether its store refuses, `refused` a
    current that was not believed. `cached` is whether the reading comes from the cache.
    """

    sensor: Sensor
    node: str
    state: State
    active: bool | None
    late: bool
    reading: Reading | None
    age_s: float | None
    round_trip_ms: float | None
    clock_ms: float | None
    cached: bool
    data_lost: int
    control_lost: int
    disk_full: bool = False
    not_storing: bool = False
    refused: float | None = None
    notes: Notes = Notes()


class _Known:
    """What arrived from one codifier."""

    __slots__ = (
        *("active", "control_s", "reading", "reading_s", "round_trip_ms", "clock_ms"),
        *("cached", "cached_s", "disk_full", "not_storing", "notes"),
    )

    def __init__(self) -> None:
        self.active: bool | None = None
        self.control_s: float | None = None
        self.reading: Reading | None = None
        self.reading_s: float | None = None
        self.round_trip_ms: float | None = None
        self.clock_ms: float | None = None
        self.disk_full = self.not_storing = False
        self.cached: Reading | None = None
        self.cached_s: float | None = None
        self.notes = Notes()

    def newest(self) -> tuple[Reading | None, float | None]:
        """Return the last reading and its time, from the bus if there was one."""
        if self.reading is not None:
            return self.reading, self.reading_s
        return self.cached, self.cached_s


class Survey:
    """Collects messages; every `now_s` is monotonic, from `started_s` on."""

    def __init__(self, network: Network, console: str, started_s: float) -> None:
        self._network = network
        self._console = console
        self._started_s = started_s
        self._pinged: tuple[float, float, float] | None = None
        self._currents = CurrentFilter(House(network).phases)
        self._watch = Watch(network)
        self._known = {sensor.codifier: _Known() for sensor in network.sensors}

    def pinged(self, number: float, now_s: float, wall_ms: float) -> None:
        """Remember the number of the ping to every node, to time the answers."""
        self._pinged = (number, now_s, wall_ms)

    def remember(self, readings: Iterable[Reading], now_s: float, wall_ms: float) -> None:
        """Take last readings from the cache; a reading from the future has no known age."""
        for reading in readings:
            known = self._known.get(reading.source)
            age_s = (wall_ms - reading.timestamp_ms) / 1000
            if not self._currents.believes(reading.source, reading.value, now_s):
                continue
            if known is not None and age_s > -MAX_CLOCK_MS / 1000:
                known.cached, known.cached_s = reading, now_s - max(0.0, age_s)

    def hear_control(self, message: Control, now_s: float) -> None:
        """Take a control message."""
        known = self._known.get(message.source)
        if known is None or message.source == self._console:
            return
        known.control_s = now_s
        known.active = message.active
        known.disk_full, known.not_storing = message.disk_full, message.not_storing
        if message.flag in (Flag.ALIVE, Flag.NEW):
            known.notes = notes_of(message)
        if message.flag == Flag.TIME and self._pinged and message.number == self._pinged[0]:
            known.round_trip_ms = (now_s - self._pinged[1]) * 1000
            # A timestamp is cut to whole ms: half a ms is missing on average.
            sent_ms = self._pinged[2]
            known.clock_ms = message.timestamp_ms + 0.5 - (sent_ms + known.round_trip_ms / 2)

    def hear_data(self, readings: Iterable[Reading], now_s: float) -> None:
        """Take readings."""
        for reading in readings:
            known = self._known.get(reading.source)
            if known is None or not self._currents.believes(reading.source, reading.value, now_s):
                continue
            known.reading, known.reading_s = reading, now_s
            if reading.quality == Quality.STALE and self._pinged is not None:
                # Its sender repeats an old value: its age is that of its time.
                wall_ms = self._pinged[2] + 1000 * (now_s - self._pinged[1])
                known.reading_s = now_s - max(0.0, wall_ms - reading.timestamp_ms) / 1000

    def complete(self) -> bool:
        """Return whether every active node has answered, and every value is there."""
        return all(
            self._known[s.codifier].newest()[0] is not None
            if s.parent
            else self._known[s.codifier].control_s is not None
            for s in self._network.sensors
            if s.active and s.codifier != self._console and s.type != CONSOLE_TYPE
        )

    def rows(
        self, now_s: float, data_lost: Mapping[str, int], control_lost: Mapping[str, int]
    ) -> list[CodifierState]:
        """Return the state of every codifier, elements below their node, without consoles."""
        return [
            self._row(sensor, node, now_s, data_lost, control_lost)
            for node in self._network.nodes()
            if node.type != CONSOLE_TYPE
            for sensor in (node, *self._network.elements(node.codifier))
        ]

    def unknowns(self, now_s: float) -> tuple[Blind, ...]:
        """Return what is not known of the house, the worst first, as the pages judge it.

        A codifier that was not heard is as old as the time of listening, at least, while its node
        answers.
        """
        rows = self.rows(now_s, {}, {})
        return self._watch.blindness({row.sensor.codifier: self._seen(row, now_s) for row in rows})

    def _seen(self, row: CodifierState, now_s: float) -> Seen:
        known, node = self._known[row.sensor.codifier], self._known[row.node]
        ages = [now_s - self._started_s]
        if known.reading_s is not None:
            ages = [now_s - known.reading_s]
        elif known.cached_s is not None and self._cache_writes():
            # Its time is that of the node's clock.
            ages.append(max(0.0, now_s - known.cached_s + (node.clock_ms or 0.0) / 1000))
        quality = Quality.GOOD if row.reading is None else row.reading.quality
        return Seen(
            row.state,
            None if row.state is State.SILENT else max(ages),
            quality in (Quality.STALE, Quality.IMPLAUSIBLE),
            life_s=now_s - (self._started_s if node.control_s is None else node.control_s),
            stale=quality == Quality.STALE,
        )

    def _cache_writes(self) -> bool:
        """Whether a cache has answered that writes: else the age of its values means nothing."""
        caches = [self._known[s.codifier] for s in self._network.nodes() if s.type in CACHE_TYPES]
        return any(each.control_s is not None and not each.not_storing for each in caches)

    def _row(
        self,
        sensor: Sensor,
        node: Sensor,
        now_s: float,
        data_lost: Mapping[str, int],
        control_lost: Mapping[str, int],
    ) -> CodifierState:
        known = self._known[sensor.codifier]
        reading, reading_s = known.newest()
        age_s = None if reading_s is None else now_s - reading_s
        state = self._node_state(node, now_s)
        if sensor.parent is not None:
            listened_s = now_s - self._started_s
            state = judge_element(age_s, sensor.timeout_warning, state, listened_s=listened_s)
        return CodifierState(
            sensor=sensor,
            node=node.codifier,
            state=state,
            active=self._known[node.codifier].active,
            late=self._late(sensor, reading_s, now_s),
            reading=reading,
            age_s=None if age_s is None else round(age_s, 3),
            round_trip_ms=known.round_trip_ms,
            clock_ms=known.clock_ms,
            cached=reading is not None and known.reading is None,
            disk_full=known.disk_full,
            not_storing=known.not_storing,
            refused=self._currents.refused(now_s).get(sensor.codifier),
            data_lost=data_lost.get(sensor.codifier, 0),
            control_lost=control_lost.get(sensor.codifier, 0),
            notes=known.notes,
        )

    def _late(self, sensor: Sensor, reading_s: float | None, now_s: float) -> bool:
        """Return whether a codifier that sends readings has sent none for longer than it may."""
        if reading_s is None and sensor.parent is None:
            return False  # a node need not send readings of its own
        since_s = self._started_s if reading_s is None else reading_s
        return 0 < sensor.timeout_warning < now_s - since_s

    def _node_state(self, node: Sensor, now_s: float) -> State:
        """Judge a node by its own readings and by any message of it and its elements."""
        known = self._known[node.codifier]
        last_s = max((sign for sign in self._signs(node) if sign is not None), default=None)
        signs = Signs(
            None if last_s is None else now_s - last_s,
            None if known.reading_s is None else now_s - known.reading_s,
        )
        active = known.active is not False
        return judge_node(signs, node.timeout_warning, node.sensor_interval, active=active)

    def _signs(self, node: Sensor) -> list[float | None]:
        elements = self._network.elements(node.codifier)
        heard = [self._known[element.codifier].reading_s for element in elements]
        return [self._known[node.codifier].control_s, *heard]
