"""What a listener learns of every codifier from the bus alone: messages and time in, rows out."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from jph.cli.terminal.output import show_quality
from jph.config.model import Network, Sensor
from jph.wire.codec import Control, Flag, Reading, Value

ALIVE: Final = "alive"
HALTED: Final = "halted"
LATE: Final = "late"
SILENT: Final = "silent"
UNHEARD: Final = "unheard"
"""Its node lives, and it is too early to call it late."""


class Row(NamedTuple):
    """The state of one codifier; times are of the listener's clocks, losses are messages."""

    codifier: str
    name: str
    type: str
    node: str
    state: str
    active: bool | None
    late: bool
    value: Value | None
    quality: str | None
    symbol: str
    timestamp_ms: int | None
    age_s: float | None
    round_trip_ms: float | None
    data_lost: int
    control_lost: int


class _Known:
    """What was heard of one codifier."""

    __slots__ = ("active", "control_s", "reading", "reading_s", "round_trip_ms")

    def __init__(self) -> None:
        self.active: bool | None = None
        self.control_s: float | None = None
        self.reading: Reading | None = None
        self.reading_s: float | None = None
        self.round_trip_ms: float | None = None


class Survey:
    """Collects messages; `now_s` is monotonic, from the moment `started_s`."""

    def __init__(self, network: Network, console: str, started_s: float) -> None:
        self._network = network
        self._console = console
        self._started_s = started_s
        self._pinged: tuple[float, float] | None = None
        self._known = {sensor.codifier: _Known() for sensor in network.sensors}

    def pinged(self, number: float, now_s: float) -> None:
        """Remember the ping to everybody whose answers are to be timed."""
        self._pinged = (number, now_s)

    def hear_control(self, message: Control, now_s: float) -> None:
        """Take note of a control message."""
        known = self._known.get(message.source)
        if known is None or message.source == self._console:
            return
        known.control_s = now_s
        known.active = message.active
        if message.flag == Flag.TIME and self._pinged and message.number == self._pinged[0]:
            known.round_trip_ms = (now_s - self._pinged[1]) * 1000

    def hear_data(self, readings: Iterable[Reading], now_s: float) -> None:
        """Take note of readings."""
        for reading in readings:
            known = self._known.get(reading.source)
            if known is not None and reading.flag != "n":
                known.reading, known.reading_s = reading, now_s

    def complete(self) -> bool:
        """Whether nothing is left to wait for: all with a value to tell have spoken."""
        return all(
            self._known[s.codifier].reading is not None
            if s.parent or s.symbol
            else self._known[s.codifier].control_s is not None
            for s in self._network.sensors
            if s.active and s.codifier != self._console and s.type != "ControlProgram"
        )

    def rows(
        self, now_s: float, data_lost: dict[str, int], control_lost: dict[str, int]
    ) -> list[Row]:
        """Return every codifier, elements below their node; consoles are left out."""
        return [
            self._row(sensor, node, now_s, data_lost, control_lost)
            for node in self._network.nodes()
            if node.type != "ControlProgram"
            for sensor in (node, *self._network.elements(node.codifier))
        ]

    def _row(
        self,
        sensor: Sensor,
        node: Sensor,
        now_s: float,
        data_lost: dict[str, int],
        control_lost: dict[str, int],
    ) -> Row:
        known, parent = self._known[sensor.codifier], self._known[node.codifier]
        late = self._late(sensor, known, now_s)
        reading = known.reading
        age_s = None if known.reading_s is None else now_s - known.reading_s
        return Row(
            codifier=sensor.codifier,
            name=sensor.name or sensor.short_name,
            type=sensor.type,
            node=node.codifier,
            state=self._state(sensor, node, late),
            active=parent.active,
            late=late,
            value=reading.value if reading else None,
            quality=show_quality(reading.quality) if reading else None,
            symbol=sensor.symbol,
            timestamp_ms=reading.timestamp_ms if reading else None,
            age_s=None if age_s is None else round(age_s, 3),
            round_trip_ms=known.round_trip_ms,
            data_lost=data_lost.get(sensor.codifier, 0),
            control_lost=control_lost.get(sensor.codifier, 0),
        )

    def _late(self, sensor: Sensor, known: _Known, now_s: float) -> bool:
        """Whether a codifier that sends readings has not, for longer than it may."""
        if known.reading_s is None and sensor.parent is None:
            return False  # a node need not send readings of its own
        since_s = self._started_s if known.reading_s is None else known.reading_s
        return now_s - since_s > sensor.timeout_warning

    def _state(self, sensor: Sensor, node: Sensor, late: bool) -> str:
        known, parent = self._known[sensor.codifier], self._known[node.codifier]
        spoke = known.reading_s is not None
        if parent.control_s is None and not spoke and not self._family_spoke(node):
            return SILENT
        if parent.active is False:
            return HALTED
        if late:
            return LATE
        return ALIVE if spoke or sensor.parent is None else UNHEARD

    def _family_spoke(self, node: Sensor) -> bool:
        """Whether any element of `node` was heard: then the node lives, whatever it answers."""
        elements = self._network.elements(node.codifier)
        return any(self._known[e.codifier].reading_s is not None for e in elements)
