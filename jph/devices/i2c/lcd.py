"""Text displays with an HD44780 behind a PCF8574, four data lines. Pure.

Bits of the PCF8574: 0 register select, 1 read, 2 enable, 3 backlight, 4 to 7 data.
"""

import unicodedata
from collections.abc import Iterator
from typing import Final

_SELECT: Final = 1
_ENABLE: Final = 4
_LIGHT: Final = 8
_CLEAR: Final = 1
_PLACES: Final = (0x00, 0x40, 0x14, 0x54)
"""Addresses of the first character of each row."""
_OWN: Final = {"°": 0xDF, "→": 0x7E, "←": 0x7F, "µ": 0xE4, "Ω": 0xF4, "·": 0xA5}
"""Characters of the display's ROM A00 beside ASCII."""
SLOW_S: Final = 0.005
"""Time that a display needs after each block of `start`."""


def start() -> list[bytes]:
    """Return the blocks that make the display ready: four data lines, two rows, cleared."""
    wake = [_half(0x30, 0, _LIGHT) for _ in range(3)]
    modes = b"".join(_whole(each, 0, _LIGHT) for each in (0x28, 0x0C, 0x06))
    return [*wake, _half(0x20, 0, _LIGHT), modes, _whole(_CLEAR, 0, _LIGHT)]


def show(row: int, text: str, columns: int) -> bytes:
    """Return the block that writes a row; what is too long is cut, the rest is blank."""
    place = _whole(0x80 | (_PLACES[row] if row < 2 else _PLACES[row - 2] + columns), 0, _LIGHT)
    characters = list(_characters(text))[:columns]
    characters += [0x20] * (columns - len(characters))
    return place + b"".join(_whole(each, _SELECT, _LIGHT) for each in characters)


def _characters(text: str) -> Iterator[int]:
    for each in text:
        if each in _OWN:
            yield _OWN[each]
            continue
        for plain in unicodedata.normalize("NFKD", each):
            if unicodedata.combining(plain):
                continue
            yield ord(plain) if 0x20 <= ord(plain) < 0x7E else ord("?")


def _whole(byte: int, select: int, light: int) -> bytes:
    return _half(byte & 0xF0, select, light) + _half(byte << 4 & 0xF0, select, light)


def _half(high: int, select: int, light: int) -> bytes:
    quiet = high | select | light
    return bytes((quiet | _ENABLE, quiet))
