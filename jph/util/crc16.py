"""Checksum of 16 bits of Modbus RTU and P1 meters: x¹⁶ + x¹⁵ + x² + 1, low bit first. Pure."""

from typing import Final

_POLYNOMIAL: Final = 0xA001


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _POLYNOMIAL if byte & 1 else byte >> 1
    return byte


_TABLE: Final = tuple(_entry(byte) for byte in range(256))


def crc16(data: bytes, start: int = 0) -> int:
    """Return the checksum; a P1 telegram starts with 0, Modbus with 0xFFFF."""
    crc = start
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc
