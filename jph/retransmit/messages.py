"""Control messages between two programs only: sent by unicast, never on a bus. Pure.

A letter has the header of every message. Its payload begins as that of a control message (a number
and a bool), so the plain `R` that any program may send on the control bus is the shortest letter:

    R  number = first × 2**20 + count, then nothing more, or
       u32 epoch (0: the present one), then for each further range two LEB128 numbers:
       how far after the end of the range before, and how many
    L  number = which row is the first, then u32 how many rows there are in all, and in an answer
       those that fit: codifier, u32 epoch, u32 first sequence, u32 the sequence after the last
    D  number = seconds it lasts, then float32 loss, duplicate, reorder (from 0 to 1), float32
       delay in s, u32 seed

From a receiver `R` asks for readings again; a count of 0 asks what the next sequence will be. From
the source it says which ones are lost; a count of 0 that there is nothing from `first`
on yet. The readings themselves are answered as they were: the same datagrams. `L` asks which
earlier starts the journal of a node holds, of all its codifiers, newest first of each.
"""

import math
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from jph.errors import DecodeError, EncodeError
from jph.wire.codec import SEQUENCE_LIMIT, VERSION, Control, join, split

REPAIR: Final = "R"
DRILL: Final = "D"
LIVES: Final = "L"
MAX_RANGES: Final = 4096
"""In one letter; one that fits a usual datagram has about 400."""
MAX_COUNT: Final = 2**20 - 1
"""What the number of an `R` can say."""
_FLAG_OFFSET: Final = 16
_CONTROL = struct.Struct("<d?")
_EPOCH = struct.Struct("<I")
_TOTAL = struct.Struct("<I")
_LIFE = struct.Struct("<2sIII")
LIVES_A_LETTER: Final = 90
"""They fit a usual datagram."""
_DRILL = struct.Struct("<4fI")

Asked = tuple[int, int]
"""First sequence, and how many."""


class Repair(NamedTuple):
    """Readings of codifier `to` that are asked again, or of `source` that are lost.

    Attributes:
        wanted_epoch: which start of the source is meant; 0 is the present one.
        plain: whether it was, or is to be, a plain `R`: one range of the present epoch.
    """

    epoch: int
    timestamp_ms: int
    source: str
    to: str
    ranges: tuple[Asked, ...]
    wanted_epoch: int = 0
    plain: bool = False


class Drill(NamedTuple):
    """Lose, double, reorder and delay incoming readings for a while; fractions from 0 to 1.

    Attributes:
        hears: in the answer, whether the node hears readings at all.
    """

    epoch: int
    timestamp_ms: int
    source: str
    to: str
    seconds: float
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay_s: float = 0.0
    seed: int = 0
    hears: bool = True


class Life(NamedTuple):
    """A start of a source that a journal holds: its first sequence, and the one after its last."""

    codifier: str
    epoch: int
    first: int
    next: int


class Lives(NamedTuple):
    """Which starts before the present one the journal of `to` holds, from row `first` on.

    Attributes:
        total: how many rows there are; only in an answer, as are the rows.
    """

    epoch: int
    timestamp_ms: int
    source: str
    to: str
    first: int
    total: int = 0
    lives: tuple[Life, ...] = ()


Letter = Repair | Drill | Lives


def is_letter(datagram: bytes | memoryview) -> bool:
    """Whether a datagram that came by unicast is a letter, not a reading sent again."""
    return bytes(datagram[_FLAG_OFFSET : _FLAG_OFFSET + 1]) in (b"R", b"D", b"L")


def encode_letter(letter: Letter) -> bytes:
    """Write a letter.

    Raises:
        EncodeError: a field does not fit the wire.
    """
    try:
        flag, payload = _payload(letter)
    except (struct.error, OverflowError) as error:
        raise EncodeError(f"{letter}: {error}") from error
    # Letters are no part of a bus, so they are not counted: the sequence is always 0.
    epoch, timestamp_ms, source, to = letter[:4]
    header = Control(0, epoch, timestamp_ms, flag, source, to, VERSION, 0.0, True)
    return join(header, 0, payload)


def decode_letter(datagram: bytes | memoryview) -> Letter:
    """Read a letter.

    Raises:
        DecodeError: it is none.
    """
    _, epoch, timestamp_ms, flag, source, to, _, _, payload = split(datagram)
    if len(payload) < _CONTROL.size:
        raise DecodeError("length", f"letter with a payload of {len(payload)} bytes")
    number, truth = _CONTROL.unpack_from(payload)
    rest = payload[_CONTROL.size :]
    if flag == REPAIR:
        first = asked_by(number)
        plain, wanted_epoch, ranges = _read_ranges(first, rest)
        return Repair(epoch, timestamp_ms, source, to, ranges, wanted_epoch, plain)
    if flag == LIVES:
        return Lives(epoch, timestamp_ms, source, to, _row(number), *_read_lives(rest))
    if flag != DRILL or len(rest) != _DRILL.size:
        raise DecodeError("flag", f"a letter {flag!r} of {len(payload)} bytes")
    loss, double, reorder, delay_s, seed = _DRILL.unpack(rest)
    if not all(0 <= share <= 1 for share in (loss, double, reorder)):
        raise DecodeError("value", "a drill with a share that is not from 0 to 1")
    if not _finite(number, delay_s):
        raise DecodeError("value", "a drill without end")
    return Drill(
        epoch, timestamp_ms, source, to, number, loss, double, reorder, delay_s, seed, truth
    )


def asked_by(number: float) -> Asked:
    """Take the number of an `R` apart.

    Raises:
        DecodeError: it is no such number.
    """
    if not 0 <= number < SEQUENCE_LIMIT * 2.0**20 or number != math.floor(number):
        raise DecodeError("value", f"{number} names no sequences")
    return divmod(int(number), 2**20)


def _payload(letter: Letter) -> tuple[str, bytes]:
    if isinstance(letter, Repair):
        return REPAIR, _repair(letter)
    if isinstance(letter, Drill):
        return DRILL, _drill(letter)
    rows = [_LIFE.pack(code.encode(), *numbers) for code, *numbers in letter.lives]
    return LIVES, _CONTROL.pack(letter.first, True) + _TOTAL.pack(letter.total) + b"".join(rows)


def _row(number: float) -> int:
    if not 0 <= number < 2**32 or number != math.floor(number):
        raise DecodeError("value", f"{number} is no row")
    return int(number)


def _read_lives(rest: bytes | memoryview) -> tuple[int, tuple[Life, ...]]:
    """Return how many rows there are in all, and those that are here."""
    if len(rest) < _TOTAL.size or (len(rest) - _TOTAL.size) % _LIFE.size:
        raise DecodeError("length", f"a letter 'L' with {len(rest)} bytes behind its number")
    lives = []
    for code, epoch, first, after in _LIFE.iter_unpack(rest[_TOTAL.size :]):
        if not code.isalnum() or not code.isascii() or max(first, after) >= SEQUENCE_LIMIT:
            raise DecodeError("value", f"a letter 'L' about {code!r}")
        lives.append(Life(code.decode(), epoch, first, after))
    return _TOTAL.unpack_from(rest)[0], tuple(lives)


def _repair(letter: Repair) -> bytes:
    (first, count), *others = split_long(letter.ranges)
    payload = bytearray(_CONTROL.pack(first * 2**20 + count, True))
    if letter.plain and not others:
        return bytes(payload)
    payload += _EPOCH.pack(letter.wanted_epoch)
    end = first + count
    for start, size in others:
        payload += _leb128((start - end) % SEQUENCE_LIMIT)
        payload += _leb128(size)
        end = start + size
    return bytes(payload)


def split_long(ranges: Sequence[Asked]) -> list[Asked]:
    """Cut the ranges whose count the number of an `R` cannot say; sequences wrap."""
    parts = []
    for first, count in ranges:
        while count > MAX_COUNT:
            parts.append((first % SEQUENCE_LIMIT, MAX_COUNT))
            first, count = first + MAX_COUNT, count - MAX_COUNT
        parts.append((first % SEQUENCE_LIMIT, count))
    return parts


def _read_ranges(first: Asked, rest: bytes | memoryview) -> tuple[bool, int, tuple[Asked, ...]]:
    """Return whether it is a plain one, the epoch, and all ranges."""
    if not rest:
        return True, 0, (first,)
    if len(rest) < _EPOCH.size:
        raise DecodeError("length", f"a letter 'R' with {len(rest)} bytes behind its number")
    (epoch,) = _EPOCH.unpack_from(rest)
    numbers = _read_leb128(rest[_EPOCH.size :])
    if len(numbers) % 2 or len(numbers) > 2 * MAX_RANGES:
        raise DecodeError("length", f"a letter 'R' with {len(numbers)} numbers")
    ranges, end = [first], sum(first)
    for skip, count in zip(numbers[::2], numbers[1::2], strict=True):
        ranges.append(((end + skip) % SEQUENCE_LIMIT, count))
        end += skip + count
    return False, epoch, tuple(ranges)


def _drill(letter: Drill) -> bytes:
    return _CONTROL.pack(letter.seconds, letter.hears) + _DRILL.pack(
        letter.loss, letter.duplicate, letter.reorder, letter.delay_s, letter.seed
    )


def _finite(*seconds: float) -> bool:
    return all(math.isfinite(each) and each >= 0 for each in seconds)


def _leb128(number: int) -> bytes:
    """Write 7 bits a byte, lowest first; the high bit says that more follow (DWARF 5, 7.6)."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def _read_leb128(octets: bytes | memoryview) -> list[int]:
    numbers, number, shift = [], 0, 0
    for octet in octets:
        number |= (octet & 0x7F) << shift
        shift += 7
        if number >= SEQUENCE_LIMIT or shift > 35:
            raise DecodeError("value", "a letter with a number out of bounds")
        if octet < 0x80:
            numbers.append(number)
            number = shift = 0
    if shift:
        raise DecodeError("length", "a letter that ends within a number")
    return numbers
