"""Numbers and encodes the messages of one epoch: sequences, announcements, readings."""

import random
import struct
import time
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Final

from jph.errors import EncodeError
from jph.retransmit.resend_buffer import ResendBuffer
from jph.wire.codec import (
    EVERY_NODE,
    HEADER_SIZE,
    MESSAGES,
    NUMBERS,
    SEQUENCE_LIMIT,
    VERSION,
    Control,
    Dialect,
    Quality,
    Value,
    encode_control,
    encode_fields,
    express,
    next_sequence,
    write_head,
)
from jph.wire.columns import (
    LITTLE_ENDIAN,
    Block,
    Common,
    Piece,
    encode_numbers,
    encode_run,
    grouped,
)

_FEW: Final = 8
"""Below so many, one by one is quicker."""
_PACK: Final = {
    flag: (message.pack, message.size - HEADER_SIZE) for flag, message in MESSAGES.items()
}


def now_ms() -> int:
    """Return the wall clock, ms since 1970 UTC: for timestamps only, as it may be stepped."""
    return time.time_ns() // 1_000_000


def ping_number() -> float:
    """Return a number for a ping that no other program uses now.

    It is the wall clock in ms with a random fraction: the answer's timestamp less the number stays
    what a cache shows as the ping's duration. (A double keeps 1/4096 ms of today's clock.)
    """
    return now_ms() + random.randrange(4096) / 4096


class Outbox:
    """Numbers and encodes the messages of one epoch of a program, and keeps the readings.

    Attributes:
        buffer: keeps the readings for resending; None keeps none.
        journaled: readings that wait for the resend log; None if there is none.
        disk_full: whether the program cannot write its files; every control message says so.
        not_storing: whether its store refuses what it writes; every control message says so.
    """

    def __init__(self, codifier: str, epoch: int, buffer: ResendBuffer | None = None) -> None:
        self.codifier = codifier
        self.epoch = epoch
        self.buffer = buffer
        self.journaled: list[Piece] | None = None
        self.disk_full = self.not_storing = False
        self._control_sequence = random.randrange(SEQUENCE_LIMIT)
        self._data_sequences: dict[str, int] = {}
        self._heads: dict[str, dict[str, bytes]] = {}

    def control(self, flag: str, to: str, number: float, active: bool) -> bytes:
        """Encode the next control message.

        Raises:
            EncodeError: `flag`, `to` or `number` does not fit the wire.
        """
        sequence = self._control_sequence
        message = Control(
            *(sequence, self.epoch, now_ms(), flag, self.codifier, to, VERSION, number, active),
            disk_full=self.disk_full,
            not_storing=self.not_storing,
        )
        datagram = encode_control(message)
        self._control_sequence = next_sequence(sequence)
        return datagram

    def one(
        self,
        codifier: str,
        value: Value | bool,
        timestamp_ms: int,
        quality: Quality,
        dialect: Dialect,
    ) -> bytes | None:
        """Encode the next reading of a source; None if the source is not announced yet.

        Raises:
            EncodeError: the value cannot travel; no sequence is used then.
        """
        last = self._data_sequences.get(codifier)
        if last is None:
            return None
        flag, carried = express(value, dialect)
        sequence = next_sequence(last)
        datagram = self._encode(flag, codifier, sequence, timestamp_ms, int(quality), carried)
        self._data_sequences[codifier] = sequence
        self._keep([(codifier, Block(datagram, len(datagram)), 0, 1)])
        return datagram

    def blocks(
        self,
        batch: Sequence[tuple[str, Value | bool]],
        timestamp_ms: int,
        quality: Quality,
        dialect: Dialect,
    ) -> list[Block]:
        """Encode the next readings (codifier, value), a source's first behind its announcement.

        Raises:
            EncodeError: a value cannot travel; no sequence is used then.
        """
        if len(batch) == 1:
            datagram = self.one(*batch[0], timestamp_ms, quality, dialect)
            if datagram is not None:
                return [Block(datagram, len(datagram))]
        blocks, number = None, int(quality)  # an Enum is slow to hash
        if len(batch) >= _FEW and LITTLE_ENDIAN:
            blocks = self._by_columns(batch, timestamp_ms, number, dialect)
        return blocks or self._one_by_one(batch, timestamp_ms, number, dialect)

    def _by_columns(
        self,
        batch: Sequence[tuple[str, Value | bool]],
        timestamp_ms: int,
        quality: int,
        dialect: Dialect,
    ) -> list[Block] | None:
        """Encode numbers of one flag from sources that are announced; None for anything else."""
        codes, values = zip(*batch, strict=True)
        flag = _common_flag(values, dialect)
        if flag is None or not self._data_sequences.keys() >= set(codes):
            return None
        common = Common(self.epoch, timestamp_ms, flag, quality)
        code, count = codes[0], len(codes)
        last = self._data_sequences[code]
        if codes.count(code) == count and last + count < SEQUENCE_LIMIT:
            block = encode_run(common, code, last + 1, values)
            self._data_sequences[code] = last + count
            self._keep([(code, block, 0, count)])
            return [block]
        last_of: dict[str, int] = {}
        sequences = []
        for code in codes:
            last = last_of[code] if code in last_of else self._data_sequences[code]
            last_of[code] = sequence = next_sequence(last)
            sequences.append(sequence)
        datagrams = encode_numbers(common, codes, sequences, values)
        self._data_sequences.update(last_of)
        size = len(datagrams[0])
        block = Block(b"".join(datagrams), size)
        starts = range(0, len(block.joined), size)
        self._keep(zip(codes, repeat(block), starts, repeat(1), strict=False))
        return [block]

    def _one_by_one(
        self,
        batch: Iterable[tuple[str, Value | bool]],
        timestamp_ms: int,
        quality: int,
        dialect: Dialect,
    ) -> list[Block]:
        encode, real = self._encode, express(0.0, dialect)[0]
        sequences = self._data_sequences.copy()
        sent: list[tuple[str, bytes]] = []
        new: list[tuple[str, int, bytes]] = []
        for codifier, value in batch:
            kind = type(value)
            if kind is float:
                flag, carried = real, value
            elif kind is int and 0 <= value < 2**32:  # type: ignore[operator]
                flag, carried = "i", value
            else:
                flag, carried = express(value, dialect)
            last = sequences.get(codifier)
            if last is None:
                last = random.randrange(SEQUENCE_LIMIT)
                announcement = encode("n", codifier, last, timestamp_ms, 0, last)
                sent.append((codifier, announcement))
                new.append((codifier, last, announcement))
            sequences[codifier] = sequence = (last + 1) % SEQUENCE_LIMIT
            datagram = encode(flag, codifier, sequence, timestamp_ms, quality, carried)
            sent.append((codifier, datagram))
        self._data_sequences = sequences
        if self.buffer is not None:
            for source in new:
                self.buffer.begin(*source)
        blocks, pieces = grouped(sent)
        self._keep(pieces)
        return blocks

    def _encode(
        self, flag: str, codifier: str, sequence: int, timestamp_ms: int, quality: int, value: Value
    ) -> bytes:
        """Encode one reading, quickly if its source has sent such a good number before."""
        heads = self._heads.get(flag)
        head = heads.get(codifier) if heads is not None and not quality else None
        if head is None:
            fields = (flag, codifier, EVERY_NODE, VERSION, quality)
            datagram = encode_fields(sequence, self.epoch, timestamp_ms, *fields, value)
            if flag in NUMBERS and not quality:
                self._heads.setdefault(flag, {})[codifier] = write_head(*fields)
            return datagram
        pack, size = _PACK[flag]
        try:
            return pack(sequence, self.epoch, timestamp_ms, head, size, value)
        except (struct.error, OverflowError) as error:
            raise EncodeError(f"{codifier} with flag {flag!r}: {value!r}: {error}") from error

    def _keep(self, pieces: Iterable[Piece]) -> None:
        if self.journaled is not None:
            pieces = list(pieces)
            self.journaled += pieces
        if self.buffer is not None:
            self.buffer.add(pieces, time.monotonic())


def _common_flag(values: Sequence[Any], dialect: Dialect) -> str | None:
    """Return the one flag that all values travel with, if they are numbers and there is one."""
    kinds = set(map(type, values))
    if kinds == {float}:
        return express(0.0, dialect)[0]
    if kinds != {int}:
        return None
    lowest, highest = min(values), max(values)
    if lowest >= 0 and highest < 2**32:
        return "i"
    if dialect is Dialect.JPH and (
        -(2**63) <= lowest <= highest < 0 or 2**32 <= lowest <= highest < 2**63
    ):
        return "q"
    return None
