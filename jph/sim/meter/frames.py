"""Information groups of a three-phase meter in historique mode.

Source: Enedis-NOI-CPT_54E (Linky) and its forerunner ERDF-NOI-CPT_02E (blue electronic meters).

    frame   STX group … group ETX
    group   LF label SP value SP checksum CR

The checksum adds the characters from the label to the value, keeps six bits and adds 0x20.  Each
character travels with seven data bits and even parity: here, bit 7 of the byte.
"""

from typing import Final

STX: Final = b"\x02"
ETX: Final = b"\x03"
EOT: Final = b"\x04"
"""Ends a frame early."""

LONG_FRAME: Final = (
    *("ADCO", "OPTARIF", "ISOUSC", "HCHC", "HCHP", "PTEC"),
    *("IINST1", "IINST2", "IINST3", "IMAX1", "IMAX2", "IMAX3"),
    *("PMAX", "PAPP", "HHPHC", "MOTDETAT", "PPOT"),
)
"""Labels of a three-phase meter with off-peak hours, in the order they are sent."""

ADIR: Final = ("ADIR1", "ADIR2", "ADIR3")
"""Overrun warnings in a short frame, for the phases over the limit."""

SHORT_FRAME: Final = ("ADCO", *ADIR, "IINST1", "IINST2", "IINST3")

_EVEN: Final = bytes(c | (c.bit_count() & 1) << 7 for c in range(128))


def group(label: str, value: str) -> bytes:
    """Return an information group, 7-bit characters without parity; label and value are ASCII."""
    text = f"{label} {value}".encode("ascii")
    checksum = (sum(text) & 0x3F) + 0x20
    return b"\n" + text + b" " + bytes((checksum,)) + b"\r"


def with_parity(characters: bytes) -> bytes:
    """Return 7-bit characters with even parity in bit 7, as on the line."""
    return characters.translate(_EVEN + bytes(128))
