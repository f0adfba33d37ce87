"""One line of the link: parity, checksum, label and value (Enedis-NOI-CPT_02E, -54E §5.3)."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from jph.devices.tic.labels import EITHER, HORODATE, RULES, UNKNOWN, UNKNOWN_LABEL, Mode

LONGEST = 160
"""Bytes a line may have: the longest of the norm (``PJOURF+1``) has 109."""


class Cause(StrEnum):
    """The reason for the refusal of a line."""

    PARITY = "parity"
    FORM = "form"
    CHECKSUM = "checksum"
    LABEL = "label"
    VALUE = "value"
    MODE = "mode"
    OVERFLOW = "overflow"
    ABORTED = "aborted"


def causes(errors: Mapping[Cause, int]) -> str:
    """Return counts of refused lines in words, the most frequent first: checksum 3, parity 1."""
    counted = sorted((-count, cause.value) for cause, count in errors.items() if count)
    return ", ".join(f"{cause} {-count}" for count, cause in counted) or "none"


class Group(NamedTuple):
    """One label and its value as the meter wrote them, blanks included."""

    label: str
    value: str
    horodate: str | None
    mode: Mode
    known: bool
    frame: int = 0

    @property
    def text(self) -> str:
        """Date, if any, and value, as the meter wrote them."""
        return self.value if self.horodate is None else f"{self.horodate} {self.value}"

    @property
    def reading(self) -> int | str:
        """The value as a number where the norm has a number, else the meter's own text.

        ``DATE`` has no value but its horodate, which is then the reading.
        """
        if not self.value and self.horodate is not None:
            return self.horodate
        rule = RULES[self.mode].get(self.label, UNKNOWN)
        return int(self.value) if rule.numeric else self.value


EVEN_BYTES = bytes(byte for byte in range(256) if byte.bit_count() % 2 == 0)
SEVEN_BITS = bytes(range(128))
MASK = bytes(byte & 0x7F for byte in range(256))


def has_odd(raw: bytes) -> bool:
    """Whether any byte breaks even parity."""
    return bool(raw.translate(None, EVEN_BYTES))


def has_high(raw: bytes) -> bool:
    """Whether bit 7 is set anywhere."""
    return bool(raw.translate(None, SEVEN_BITS))


def checksum(covered: bytes) -> int:
    """The control character of ``covered`` (label up to value; standard: and its last TAB)."""
    return (sum(covered) & 0x3F) + 0x20


def decode(line: bytes) -> Group | Cause:
    """Read one line of seven-bit characters, without its LF and CR.

    The separator gives the mode: TAB is standard, space historique. A checksum may itself be a
    space, so nothing is ever stripped.
    """
    standard = b"\t" in line
    separator = 0x09 if standard else 0x20
    if len(line) < 5 or line[-2] != separator:
        return Cause.FORM
    if checksum(line[:-1] if standard else line[:-2]) != line[-1]:
        return Cause.CHECKSUM
    fields = line[:-2].decode("ascii").split("\t" if standard else " ", -1 if standard else 1)
    if len(fields) == 2:
        return _validated(fields[0], fields[1], None, _mode(standard))
    if len(fields) == 3 and standard:
        return _validated(fields[0], fields[2], fields[1], Mode.STANDARD)
    return Cause.FORM


def _mode(standard: bool) -> Mode:
    return Mode.STANDARD if standard else Mode.HISTORIQUE


def _validated(label: str, value: str, horodate: str | None, mode: Mode) -> Group | Cause:
    rule = RULES[mode].get(label)
    if rule is None and (label in EITHER or not UNKNOWN_LABEL.fullmatch(label)):
        return Cause.LABEL  # the other mode's labels are never new ones of this mode
    if horodate is not None and not HORODATE.fullmatch(horodate):
        return Cause.VALUE
    if rule is not None and rule.dated is not (horodate is not None):
        return Cause.VALUE
    if not (rule or UNKNOWN).pattern.fullmatch(value):
        return Cause.VALUE
    return Group(label, value, horodate, mode, rule is not None)
