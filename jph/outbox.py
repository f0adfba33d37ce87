"""What one start of a program sends: sequences per bus and source, announcements, one epoch."""

import random
import time
from collections.abc import Iterable

from jph.repair.ring import Ring
from jph.wire import (
    EVERYBODY,
    SEQUENCE_LIMIT,
    VERSION,
    Control,
    Dialect,
    Quality,
    Reading,
    Value,
    encode_control,
    encode_data,
    express,
    next_sequence,
)


def now_ms() -> int:
    """Return the wall clock, ms since 1970 UTC: for timestamps only, as it may be stepped."""
    return time.time_ns() // 1_000_000


def ping_number() -> float:
    """Return a number for a ping that nobody else uses now.

    It is the wall clock in ms with a random fraction: the answer's timestamp less the number stays
    what a cache shows as the ping's duration. (A double keeps 1/4096 ms of today's clock.)
    """
    return now_ms() + random.randrange(4096) / 4096


class Outbox:
    """Numbers and encodes the messages of one start of a program, and keeps the readings.

    Attributes:
        ring: where the readings are kept, to be sent again; None keeps none.
        journaled: readings for the journal, until it takes them; None if there is no journal.
    """

    def __init__(self, codifier: str, epoch: int, ring: Ring | None = None) -> None:
        self.codifier = codifier
        self.epoch = epoch
        self.ring = ring
        self.journaled: list[tuple[str, bytes]] | None = None
        self._control_sequence = random.randrange(SEQUENCE_LIMIT)
        self._data_sequences: dict[str, int] = {}

    def control(self, flag: str, to: str, number: float, active: bool) -> bytes:
        """Encode the next control message.

        Raises:
            EncodeError: `flag`, `to` or `number` does not fit the wire.
        """
        sequence = self._control_sequence
        message = Control(
            sequence, self.epoch, now_ms(), flag, self.codifier, to, VERSION, number, active
        )
        datagram = encode_control(message)
        self._control_sequence = next_sequence(sequence)
        return datagram

    def readings(
        self,
        batch: Iterable[tuple[str, Value | bool]],
        timestamp_ms: int,
        quality: Quality,
        dialect: Dialect,
    ) -> list[bytes]:
        """Encode the next readings (codifier, value), a source's first behind its announcement.

        Raises:
            EncodeError: a value cannot travel; no sequence is used then.
        """
        sequences: dict[str, int] = {}
        sent: list[tuple[str, bytes]] = []
        new: list[tuple[str, int, bytes]] = []
        for codifier, value in batch:
            flag, carried = express(value, dialect)
            last = sequences.get(codifier, self._data_sequences.get(codifier))
            if last is None:
                last = random.randrange(SEQUENCE_LIMIT)
                announcement = self._encode(last, timestamp_ms, "n", codifier, 0, last)
                sent.append((codifier, announcement))
                new.append((codifier, last, announcement))
            sequence = next_sequence(last)
            sequences[codifier] = sequence
            datagram = self._encode(sequence, timestamp_ms, flag, codifier, quality, carried)
            sent.append((codifier, datagram))
        self._data_sequences.update(sequences)
        if self.ring is not None:
            for source in new:
                self.ring.begin(*source)
            self.ring.add(sent, time.monotonic())
        if self.journaled is not None:
            self.journaled += sent
        return [datagram for _, datagram in sent]

    def _encode(
        self, sequence: int, timestamp_ms: int, flag: str, codifier: str, quality: int, value: Value
    ) -> bytes:
        return encode_data(
            Reading(
                sequence,
                self.epoch,
                timestamp_ms,
                flag,
                codifier,
                EVERYBODY,
                VERSION,
                quality,
                value,
            )
        )
