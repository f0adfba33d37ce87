"""Measures who talks on the buses: rate, bytes, jitter and repetitions of each source. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from jph.wire.codec import HEADER_SIZE, Control, Reading

_SIZES: Final = {"i": 4, "f": 4, "n": 4, "q": 8, "d": 8}
_CONTROL_BYTES: Final = HEADER_SIZE + 9
_LENGTH_BYTES: Final = 4
"""Texts have their length before them."""
_SMOOTHING: Final = 1 / 16
"""The share of the newest deviation in the jitter, as RFC 3550 has it."""


class Talker(NamedTuple):
    """A source on one bus over a window.

    Attributes:
        rate: messages a second; bytes_s: bytes of datagrams a second, without IP and UDP.
        jitter_ms: mean deviation between the intervals of arrival and those of sending.
        lost: messages that did not arrive since the start of the measurement.
        repeated: messages that arrived with an epoch and sequence of before, in the window.
    """

    source: str
    bus: str
    rate: float
    bytes_s: float
    jitter_ms: float
    lost: int
    repeated: int


@dataclass
class _Count:
    messages: int = 0
    bytes: int = 0
    repeated: int = 0
    jitter_ms: float = 0.0
    transit_ms: float | None = None
    last: tuple[int, int] = (0, -1)


class Meter:
    """Counts the messages of both buses by source; pass it each message or batch."""

    def __init__(self, now_s: float) -> None:
        self._began_s = now_s
        self._counts: dict[tuple[str, str], _Count] = {}

    def hear_control(self, message: Control, wall_ms: float) -> None:
        """Count a control message that arrives at `wall_ms`."""
        self._count("control", message, _CONTROL_BYTES, wall_ms)

    def hear_data(self, readings: Sequence[Reading], wall_ms: float) -> None:
        """Count readings that arrive at `wall_ms`."""
        for reading in readings:
            self._count("data", reading, HEADER_SIZE + size_of(reading), wall_ms)

    def end(self, now_s: float, lost: Mapping[str, Callable[[str], int]]) -> list[Talker]:
        """End a window and return its talkers, the busiest first.

        `lost` returns the losses of a source, by bus.
        """
        seconds = max(1e-6, now_s - self._began_s)
        self._began_s = now_s
        found = []
        for (bus, source), count in self._counts.items():
            if count.messages or lost[bus](source):
                rates = (count.messages / seconds, count.bytes / seconds, count.jitter_ms)
                found.append(Talker(source, bus, *rates, lost[bus](source), count.repeated))
            count.messages = count.bytes = count.repeated = 0
        return sorted(found, key=lambda talker: (-talker.rate, talker.source, talker.bus))

    def _count(self, bus: str, message: Control | Reading, size: int, wall_ms: float) -> None:
        count = self._counts.get((bus, message.source))
        if count is None:
            count = self._counts[bus, message.source] = _Count()
        count.messages += 1
        count.bytes += size
        place = (message.epoch, message.sequence)
        if place == count.last:
            count.repeated += 1
        count.last = place
        transit_ms = wall_ms - message.timestamp_ms
        if count.transit_ms is not None:
            deviation_ms = abs(transit_ms - count.transit_ms)
            count.jitter_ms += (deviation_ms - count.jitter_ms) * _SMOOTHING
        count.transit_ms = transit_ms


def size_of(reading: Reading) -> int:
    """Return the bytes of a reading's value on the wire."""
    if reading.flag in _SIZES:
        return _SIZES[reading.flag]
    return _LENGTH_BYTES + len(str(reading.value).encode())
