"""What one start of a program sends: sequences per bus and source, announcements, one epoch."""

import random
import time
from collections.abc import Iterable

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
    """Numbers and encodes the messages of one start of a program."""

    def __init__(self, codifier: str, epoch: int) -> None:
        self.codifier = codifier
        self.epoch = epoch
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
        datagrams = []
        for codifier, value in batch:
            flag, carried = express(value, dialect)
            last = sequences.get(codifier, self._data_sequences.get(codifier))
            if last is None:
                last = random.randrange(SEQUENCE_LIMIT)
                datagrams.append(self._encode(last, timestamp_ms, "n", codifier, 0, last))
            sequence = next_sequence(last)
            sequences[codifier] = sequence
            datagrams.append(self._encode(sequence, timestamp_ms, flag, codifier, quality, carried))
        self._data_sequences.update(sequences)
        return datagrams

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
