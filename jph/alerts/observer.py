"""State of every codifier for the rules of alerts, from the messages of both buses. Pure."""

from collections.abc import Iterable

from jph.config.model import Network, Sensor
from jph.heating.explain.blindness import Seen
from jph.util.freshness import Signs, judge_element, judge_node
from jph.wire.codec import Control, Flag, Quality, Reading
from jph.wire.notes import notes_of


class _Known:
    __slots__ = (
        "active",
        "control_s",
        "disk_full",
        "not_storing",
        "reading",
        "reading_s",
        "shared",
    )

    def __init__(self) -> None:
        self.reading: Reading | None = None
        self.reading_s: float | None = None
        self.control_s: float | None = None
        self.active = True
        self.disk_full = self.not_storing = self.shared = False


class Observer:
    """What is known of each codifier of a network since `started_s`."""

    def __init__(self, network: Network, started_s: float) -> None:
        self._network = network
        self._started_s = started_s
        self._known = {sensor.codifier: _Known() for sensor in network.sensors}

    def hear_control(self, message: Control, now_s: float) -> None:
        """Take a control message."""
        known = self._known.get(message.source)
        if known is None:
            return
        known.control_s, known.active = now_s, message.active
        known.disk_full, known.not_storing = message.disk_full, message.not_storing
        if message.flag in (Flag.ALIVE, Flag.NEW):
            known.shared = notes_of(message).shared

    def hear_data(self, readings: Iterable[Reading], now_s: float) -> None:
        """Take readings."""
        for reading in readings:
            if known := self._known.get(reading.source):
                known.reading, known.reading_s = reading, now_s

    def number(self, codifier: str, now_s: float, within_s: float) -> float | None:
        """Return the last number of a codifier if it is good and not older than `within_s`."""
        known = self._known.get(codifier)
        if known is None or known.reading is None or known.reading_s is None:
            return None
        bad = known.reading.quality in (Quality.STALE, Quality.IMPLAUSIBLE)
        return None if bad or now_s - known.reading_s > within_s else known.reading.number

    def seen(self, now_s: float) -> dict[str, Seen]:
        """Return what is seen of each codifier."""
        return {code: self._seen(self._network.sensor(code), now_s) for code in self._known}

    def full_disks(self) -> list[str]:
        """Return the nodes that cannot write their files."""
        return [code for code, known in self._known.items() if known.disk_full]

    def shared(self) -> list[str]:
        """Return the nodes that hear another program under their codifiers."""
        return [code for code, known in self._known.items() if known.shared]

    def _seen(self, sensor: Sensor, now_s: float) -> Seen:
        node = self._network.sensor(sensor.parent) if sensor.parent else sensor
        known, of_node = self._known[sensor.codifier], self._known[node.codifier]
        elements = self._network.elements(node.codifier)
        signs = [of_node.control_s, of_node.reading_s]
        signs += [self._known[each.codifier].reading_s for each in elements]
        last_s = max((sign for sign in signs if sign is not None), default=None)
        ages = Signs(
            None if last_s is None else now_s - last_s,
            None if of_node.reading_s is None else now_s - of_node.reading_s,
        )
        state = judge_node(ages, node.timeout_warning, node.sensor_interval, active=of_node.active)
        age_s = None if known.reading_s is None else now_s - known.reading_s
        if sensor.parent:
            listened_s = now_s - self._started_s
            state = judge_element(age_s, sensor.timeout_warning, state, listened_s=listened_s)
        quality = Quality.GOOD if known.reading is None else known.reading.quality
        return Seen(
            state,
            age_s,
            quality in (Quality.STALE, Quality.IMPLAUSIBLE),
            life_s=now_s - (self._started_s if last_s is None else last_s),
            stale=quality == Quality.STALE or (not sensor.parent and known.not_storing),
        )
