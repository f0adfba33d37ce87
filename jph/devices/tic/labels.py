"""Rules for the value of each label of the téléinformation client link.

Sources: Enedis-NOI-CPT_02E (historique mode) and Enedis-NOI-CPT_54E (standard mode). Bit 6 of a
character is invisible to the checksum, so the character set and length of a value are its second
guard. Lengths are the norm's; where a shorter or longer form is harmless (an address shortened
for publication, text whose runs of blanks were lost) the range is wider, never for an index.
"""

import re
from enum import StrEnum
from typing import NamedTuple


class Mode(StrEnum):
    """The two modes of a French meter."""

    HISTORIQUE = "historique"
    STANDARD = "standard"


BAUD_RATES = {Mode.HISTORIQUE: 1200, Mode.STANDARD: 9600}


class LabelRule(NamedTuple):
    """The form of one label's value, and whether it is a number and is dated."""

    pattern: re.Pattern[str]
    numeric: bool = True
    dated: bool = False


def _digits(shortest: int, longest: int | None = None, *, dated: bool = False) -> LabelRule:
    return LabelRule(re.compile(rf"[0-9]{{{shortest},{longest or shortest}}}"), True, dated)


def _text(pattern: str, *, dated: bool = False) -> LabelRule:
    return LabelRule(re.compile(pattern), False, dated)


_INDEX = _digits(9)
_AMPERES = _digits(3, 4)
_VOLTS = _digits(3)
_VOLT_AMPERES = _digits(5)
_DATED_VOLT_AMPERES = _digits(5, dated=True)
_ADDRESS = _text("[0-9A-Z]{1,12}")
_PRINTABLE = "[ -~]"

HISTORIQUE: dict[str, LabelRule] = {
    "ADCO": _ADDRESS,
    "OPTARIF": _text("[A-Z]{2}[A-Z.][ -~]"),
    "ISOUSC": _digits(2, 3),
    "PEJP": _digits(2),
    "PTEC": _text("[A-Z]{2}[A-Z. ]{2}"),
    "DEMAIN": _text("[A-Z-]{4}"),
    "HHPHC": _text("[A-Z]"),
    "MOTDETAT": _text("[0-9A-Fa-f]{6}"),
    "PPOT": _text("[0-9A-Fa-f]{2}"),
    "PMAX": _VOLT_AMPERES,
    "PAPP": _VOLT_AMPERES,
    "ADPS": _AMPERES,
    "GAZ": _digits(7),
    "AUTRE": _digits(7),
    "BASE": _INDEX,
    "HCHC": _INDEX,
    "HCHP": _INDEX,
    "EJPHN": _INDEX,
    "EJPHPM": _INDEX,
    **{f"BBR{hours}J{day}": _INDEX for hours in ("HC", "HP") for day in "BWR"},
    **{f"{label}{phase}": _AMPERES for label in ("IINST", "IMAX") for phase in ("", 1, 2, 3)},
    **{f"ADIR{phase}": _AMPERES for phase in (1, 2, 3)},
}

STANDARD: dict[str, LabelRule] = {
    "ADSC": _ADDRESS,
    "VTIC": _text("[0-9]{2}"),
    "DATE": _text("", dated=True),
    "NGTF": _text(f"{_PRINTABLE}{{1,16}}"),
    "LTARF": _text(f"{_PRINTABLE}{{1,16}}"),
    "EAST": _INDEX,
    "EAIT": _INDEX,
    **{f"EASF{number:02}": _INDEX for number in range(1, 11)},
    **{f"EASD{number:02}": _INDEX for number in range(1, 5)},
    **{f"ERQ{quadrant}": _INDEX for quadrant in range(1, 5)},
    **{f"IRMS{phase}": _AMPERES for phase in (1, 2, 3)},
    **{f"URMS{phase}": _VOLTS for phase in (1, 2, 3)},
    "PREF": _digits(2, 3),
    "PCOUP": _digits(2, 3),
    **{f"SINSTS{phase}": _VOLT_AMPERES for phase in ("", 1, 2, 3)},
    "SINSTI": _VOLT_AMPERES,
    **{f"SMAXSN{phase}{day}": _DATED_VOLT_AMPERES for phase in ("", 1, 2, 3) for day in ("", "-1")},
    **{
        f"{label}{before}": _DATED_VOLT_AMPERES
        for label in ("SMAXIN", "CCASN", "CCAIN")
        for before in ("", "-1")
    },
    **{f"UMOY{phase}": _digits(3, dated=True) for phase in (1, 2, 3)},
    "STGE": _text("[0-9A-Fa-f]{8}"),
    **{
        f"{label}{number}": _digits(2, dated=True)
        for label in ("DPM", "FPM")
        for number in (1, 2, 3)
    },
    "MSG1": _text(f"{_PRINTABLE}{{1,32}}"),
    "MSG2": _text(f"{_PRINTABLE}{{1,16}}"),
    "PRM": _text("[0-9A-Z]{1,14}"),
    "RELAIS": _digits(3),
    "NTARF": _digits(2),
    "NJOURF": _digits(2),
    "NJOURF+1": _digits(2),
    "PJOURF+1": _text("[0-9A-Z ]{1,98}"),
    "PPOINTE": _text("[0-9A-Z ]{1,98}"),
}

RULES: dict[Mode, dict[str, LabelRule]] = {Mode.HISTORIQUE: HISTORIQUE, Mode.STANDARD: STANDARD}

EITHER = frozenset(HISTORIQUE) | frozenset(STANDARD)

# A label no norm at hand knows may still be a newer meter's: text, and believed when repeated.
UNKNOWN = _text(f"{_PRINTABLE}{{0,98}}")
UNKNOWN_LABEL = re.compile(r"[A-Z][A-Z0-9+*-]{1,9}")

# Season and validity of the clock (upper case: set; lower case or blank: degraded), YYMMDDhhmmss.
HORODATE = re.compile(r"[EHeh ][0-9]{12}")
