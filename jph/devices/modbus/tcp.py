"""Modbus TCP: requests, replies, and numbers in registers. Pure.

Registers are 16 bits, high byte first. Numbers of several registers come in four orders, named by
where the bytes of 0xAABBCCDD stand: ABCD, CDAB (words swapped), BADC, DCBA.
"""

import math
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from jph.errors import DeviceError

HEADER_SIZE: Final = 7
MAX_PDU: Final = 253
MOST_REGISTERS: Final = 100
READS: Final = {"coil": 1, "discrete": 2, "holding": 3, "input": 4}
_WRITE_COIL: Final = 5
_WRITE_REGISTERS: Final = 16
_ERROR: Final = 0x80
_REASONS: Final = {
    1: "it does not know the function",
    2: "it does not have the register",
    3: "it refuses the value",
    4: "it failed",
    6: "it is busy",
    10: "the gateway has no path",
    11: "the device behind the gateway does not answer",
}
TYPES: Final = {
    "int16": ">h",
    "uint16": ">H",
    "int32": ">i",
    "uint32": ">I",
    "int64": ">q",
    "uint64": ">Q",
    "float32": ">f",
    "float64": ">d",
}
ORDERS: Final = ("ABCD", "CDAB", "BADC", "DCBA")


class Span(NamedTuple):
    """Registers (or bits) that one request reads."""

    area: str
    first: int
    size: int


def size_of(kind: str) -> int:
    """Return how many registers a number of a type has."""
    return struct.calcsize(TYPES[kind]) // 2


def spans(wanted: Iterable[Span]) -> Iterator[Span]:
    """Yield the requests that read all of these, neighbours together."""
    current: Span | None = None
    for each in sorted(set(wanted)):
        if current is not None and each.area == current.area:
            end = max(current.first + current.size, each.first + each.size)
            touches = each.first <= current.first + current.size
            if touches and end - current.first <= MOST_REGISTERS:
                current = Span(current.area, current.first, end - current.first)
                continue
        if current is not None:
            yield current
        current = each
    if current is not None:
        yield current


def read_request(transaction: int, unit: int, span: Span) -> bytes:
    """Return the request that reads a span."""
    return _frame(transaction, unit, struct.pack(">BHH", READS[span.area], span.first, span.size))


def write_request(transaction: int, unit: int, area: str, first: int, data: bytes) -> bytes:
    """Return the request that writes registers, or one coil (`data` is 00 or 01)."""
    if area == "coil":
        state = 0xFF00 if data[-1] else 0
        return _frame(transaction, unit, struct.pack(">BHH", _WRITE_COIL, first, state))
    count = len(data) // 2
    head = struct.pack(">BHHB", _WRITE_REGISTERS, first, count, len(data))
    return _frame(transaction, unit, head + data)


def _frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def body_size(header: bytes, transaction: int, unit: int) -> int:
    """Return how many bytes follow the header of a reply.

    Raises:
        DeviceError: it is no reply to this request.
    """
    found, protocol, size, from_unit = struct.unpack(">HHHB", header)
    if protocol != 0 or not 2 <= size <= MAX_PDU + 1:
        raise DeviceError("no Modbus reply")
    if found != transaction or from_unit != unit:
        raise DeviceError("a reply to another request")
    return int(size) - 1


def read_reply(request: bytes, pdu: bytes) -> bytes:
    """Return the data in a reply; empty for a write.

    Raises:
        DeviceError: the device refuses, or the reply is damaged.
    """
    function = request[HEADER_SIZE]
    if pdu[0] == function | _ERROR and len(pdu) >= 2:
        raise DeviceError(_REASONS.get(pdu[1], f"it refuses with code {pdu[1]}"))
    if pdu[0] != function:
        raise DeviceError("a reply to another function")
    if function in (_WRITE_COIL, _WRITE_REGISTERS):
        return b""
    count = struct.unpack(">H", request[HEADER_SIZE + 3 : HEADER_SIZE + 5])[0]
    expected = 2 * count if function in (3, 4) else (count + 7) // 8
    if len(pdu) < 2 or pdu[1] != expected or len(pdu) != expected + 2:
        raise DeviceError(f"{len(pdu) - 2} bytes of data, expected {expected}")
    return pdu[2:]


def number(data: bytes, kind: str, order: str) -> int | float | None:
    """Return the number in registers; None for a float that is none, as meters send it."""
    (found,) = struct.unpack(TYPES[kind], arranged(data, order))
    return found if isinstance(found, int) or math.isfinite(found) else None


def registers(value: float, kind: str, order: str) -> bytes:
    """Return the registers of a number.

    Raises:
        ValueError: the type does not hold it.
    """
    try:
        whole = value if kind.startswith("float") else round(value)
        return arranged(struct.pack(TYPES[kind], whole), order)
    except (struct.error, OverflowError) as error:
        raise ValueError(f"{value:g} does not fit {kind}: {error}") from None


def arranged(data: bytes, order: str) -> bytes:
    """Return bytes in the order ABCD from another one, or back."""
    words = [data[at : at + 2] for at in range(0, len(data), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def bit(data: bytes, index: int) -> int:
    """Return one bit of a reply with coils."""
    return data[index // 8] >> index % 8 & 1


PRESETS: Final[dict[str, dict[str, tuple[str, int, str]]]] = {
    "SDM630": {
        **{f"voltage.{n + 1}": ("input", 2 * n, "float32") for n in range(3)},
        **{f"current.{n + 1}": ("input", 6 + 2 * n, "float32") for n in range(3)},
        **{f"power.{n + 1}": ("input", 12 + 2 * n, "float32") for n in range(3)},
        "current.total": ("input", 48, "float32"),
        "power.total": ("input", 52, "float32"),
        "apparent.total": ("input", 56, "float32"),
        "reactive.total": ("input", 60, "float32"),
        "factor.total": ("input", 62, "float32"),
        "frequency": ("input", 70, "float32"),
        "energy.import": ("input", 72, "float32"),
        "energy.export": ("input", 74, "float32"),
        "energy.total": ("input", 342, "float32"),
    }
}
"""Names of a meter's values: area, register from 0, type."""
