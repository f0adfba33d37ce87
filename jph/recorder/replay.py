"""Plays recordings: what is sent, in which order and when. Pure."""

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from jph.errors import DecodeError
from jph.recorder.frames import RecordedDatagram, RecordEntry
from jph.wire.codec import Control, Flag, Reading, encode_control, encode_data

COMMANDS: Final = frozenset(
    (Flag.START, Flag.HALT, Flag.RELOAD, Flag.SET, Flag.STEP, Flag.REPEAT, Flag.PING, Flag.TIME)
)
"""Control messages that make nodes act, and those that answer a ping of another time."""
_EPOCHS: Final = 2**32
_SEQUENCES: Final = 2**63


class Due(NamedTuple):
    """A datagram to send, seconds after the start of the play."""

    after_s: float
    bus: str
    datagram: bytes


@dataclass(frozen=True)
class Playback:
    """How a recording is played.

    Attributes:
        speed: seconds of the recording in a second.
        skip_s: seconds at the beginning of the recording that are left out.
        sources: codifiers that are played; None for all.
        end_ms: the time that the last message gets; None keeps all times as they were.
        salt: makes epochs of their own, so that a store takes the readings as new ones; 0 keeps
            the epochs, so that a store that has the readings drops them.
        commands: whether commands are played too.
    """

    speed: float = 1.0
    skip_s: float = 0.0
    sources: Container[str] | None = None
    end_ms: int | None = None
    salt: int = 0
    commands: bool = False

    def chosen(
        self, entries: Iterable[RecordEntry]
    ) -> list[tuple[RecordedDatagram, Control | Reading]]:
        """Return what is played, in its order; what cannot be read is left out."""
        heard = [entry for entry in entries if isinstance(entry, RecordedDatagram)]
        first_us = heard[0].arrival_us + round(self.skip_s * 1e6) if heard else 0
        found, latest_us = [], 0
        for entry in heard:
            latest_us = max(latest_us, entry.arrival_us)
            try:
                message = entry.message()
            except DecodeError:
                continue
            if latest_us >= first_us and self._plays(message):
                found.append((entry, message))
        return found

    def due(self, chosen: Iterable[tuple[RecordedDatagram, Control | Reading]]) -> Iterator[Due]:
        """Yield the datagrams with their times; the first is due at once.

        Arrivals that a stepped clock put before others are due together with the latest one.
        """
        messages = list(chosen)
        if not messages:
            return
        shift_ms = 0
        if self.end_ms is not None:
            shift_ms = self.end_ms - max(entry.arrival_us for entry, _ in messages) // 1000
        first_us = latest_us = messages[0][0].arrival_us
        for entry, message in messages:
            latest_us = max(latest_us, entry.arrival_us)
            datagram = self._written(message, shift_ms)
            yield Due((latest_us - first_us) / 1e6 / self.speed, entry.bus, datagram)

    def length_s(self, chosen: list[tuple[RecordedDatagram, Control | Reading]]) -> float:
        """Return how long the play takes."""
        arrivals = [entry.arrival_us for entry, _ in chosen]
        return (max(arrivals) - arrivals[0]) / 1e6 / self.speed if arrivals else 0.0

    def _plays(self, message: Control | Reading) -> bool:
        if isinstance(message, Control) and message.flag in COMMANDS and not self.commands:
            return False
        return self.sources is None or message.source in self.sources

    def _written(self, message: Control | Reading, shift_ms: int) -> bytes:
        stamp_ms = min(max(0, message.timestamp_ms + shift_ms), _SEQUENCES)
        epoch = (message.epoch ^ self.salt) % _EPOCHS if message.epoch else 0
        if isinstance(message, Control):
            return encode_control(message._replace(timestamp_ms=stamp_ms, epoch=epoch))
        return encode_data(message._replace(timestamp_ms=stamp_ms, epoch=epoch))
