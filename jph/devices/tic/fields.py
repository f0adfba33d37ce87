"""Names of quantities that are the same in historique and standard mode. Pure.

A label is the meter's own name; a canonical field names the quantity. Both modes lead to the same
fields, so a history kept by field continues when the supplier changes the mode.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

from jph.devices.tic.labels import HISTORIQUE, STANDARD
from jph.devices.tic.status import DAYS, RELAYS, STATUS

Value = int | float | str

PHASES = (1, 2, 3)

CURRENTS: Mapping[str, int] = MappingProxyType(
    {"IINST": 1} | {f"{label}{phase}": phase for label in ("IINST", "IRMS") for phase in PHASES}
)
"""Labels of the currents, A, and their phase; a single-phase meter is on phase 1."""

METER_CURRENTS: Mapping[int, str] = MappingProxyType(
    {phase: f"METER_CURRENT_{phase}" for phase in PHASES}
)
"""Fields of the meter's own figure of each phase's current, A, whatever its direction."""

INJECTED_CURRENTS: Mapping[int, str] = MappingProxyType(
    {phase: f"INJECTED_CURRENT_{phase}" for phase in PHASES}
)
"""Fields of the current that each phase feeds into the grid, A."""

WARNINGS: Mapping[str, int] = MappingProxyType(
    {"ADPS": 1} | {f"ADIR{phase}": phase for phase in PHASES}
)
"""Labels that a meter sends only while a phase draws more than is subscribed, A."""

CANONICAL: Mapping[str, str] = MappingProxyType(
    {label: f"CURRENT_{phase}" for label, phase in CURRENTS.items()}
    | {label: f"WARNING_{phase}" for label, phase in WARNINGS.items()}
    | {f"SINSTS{phase}": f"APPARENT_POWER_{phase}" for phase in PHASES}
    | {f"URMS{phase}": f"VOLTAGE_{phase}" for phase in PHASES}
    | {
        "PAPP": "APPARENT_POWER",
        "SINSTS": "APPARENT_POWER",
        "SINSTI": "INJECTED_POWER",
        "EAST": "INDEX_TOTAL",
        "EAIT": "INDEX_INJECTED",
        "ADCO": "METER_ADDRESS",
        "ADSC": "METER_ADDRESS",
        "ISOUSC": "SUBSCRIBED_CURRENT",
    }
)
"""Label to field. Units: A, VA, V, Wh. The value is the same, but for ``CURRENT_n``: drawn only."""

INDEXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "BASE": ("BASE",),
        "HC": ("HCHC", "HCHP"),
        "EJP": ("EJPHN", "EJPHPM"),
        "TEMPO": ("BBRHCJB", "BBRHPJB", "BBRHCJW", "BBRHPJW", "BBRHCJR", "BBRHPJR"),
    }
)
"""Historique indexes of each tariff, in the order of standard mode's ``EASF01``, ``EASF02``, …"""

_INDEX = "INDEX_"
_INDEX_FIELDS = {
    "BASE": "INDEX_BASE",
    "HCHC": "INDEX_HC",
    "HCHP": "INDEX_HP",
    "EJPHN": "INDEX_HN",
    "EJPHPM": "INDEX_PM",
} | {label: f"INDEX_{label.removeprefix('BBR')}" for label in INDEXES["TEMPO"]}

_PERIODS = {
    "TH": "BASE",
    "HEURE CREUSE": "HC",
    "HEURE PLEINE": "HP",
    "HEURES CREUSES": "HC",
    "HEURES PLEINES": "HP",
    "HEURE NORMALE": "HN",
    "HEURES NORMALES": "HN",
    "POINTE MOBILE": "PM",
} | {
    f"{hours}J{letter}": f"{hours} {day}"
    for hours in ("HC", "HP")
    for letter, day in zip("BWR", DAYS[1:], strict=True)
}
_TARIFFS = (("TEMPO", "TEMPO"), ("BBR", "TEMPO"), ("EJP", "EJP"), ("BASE", "BASE"))
_OFF_PEAK = re.compile(r"(HC|H(EURES?)? ?(PLEINES?)?[ /-]*CREUSES?)")
"""The tariff with two periods, as `OPTARIF` and `NGTF` write it."""
_UNUSED = re.compile(r"INDEX INACTIF ([0-9]+)")
"""What some meters call a period in `LTARF` whose name the supplier did not set, and its number."""
_NO_NAME = re.compile(r"[^A-Z0-9]+")
_BLANKS = re.compile(r"[ .]+")

ORIGIN = ("METER_MAKER", "METER_YEAR", "METER_TYPE")
"""Fields that follow from a whole meter address."""

STATISTICS = frozenset({"QUALITY", "MODE", "FRAMES", "GROUPS", "ERRORS", "CAUSES"})
"""Fields about the reception itself, beside ``ERRORS_`` and a cause."""


def clean(text: str) -> str:
    """Return a meter's padded text without its padding: ``"   HC  BLANC    "`` is HC BLANC."""
    return _BLANKS.sub(" ", text).strip()


def tariff(text: str) -> str:
    """Return BASE, HC, EJP or TEMPO for ``OPTARIF`` or ``NGTF``; another tariff by its own name."""
    words = clean(text)
    if _OFF_PEAK.fullmatch(words):
        return "HC"
    return next((name for part, name in _TARIFFS if part in words), words)


def period(text: str, tariff_name: str | None = None) -> str:
    """Return the period of ``PTEC`` or ``LTARF`` in one vocabulary, such as HC or HC BLEU.

    A period that the vocabulary does not have keeps the name that the supplier gave it.
    """
    words = clean(text)
    unused = _UNUSED.fullmatch(words)
    if unused and (field := index_field(f"EASF{int(unused[1]):02}", tariff_name)):
        return field.removeprefix(_INDEX)
    return _PERIODS.get(words, words)


def index_field(label: str, tariff_name: str | None) -> str | None:
    """Return the field of an energy index, Wh; ``EASFnn`` needs to know the tariff.

    The first two indexes of a tariff with off-peak hours and further periods (week-end, super
    off-peak) are those of HC and HP.
    """
    if label.startswith("EASF"):
        number = int(label[4:]) - 1
        names = INDEXES.get(tariff_name or "", ())
        if not names and tariff_name and ("CREUSE" in tariff_name or "HC" in tariff_name):
            names = INDEXES["HC"]
        return _INDEX_FIELDS[names[number]] if 0 <= number < len(names) else None
    return _INDEX_FIELDS.get(label)


def named_index(period_name: str) -> str:
    """Return the field of an index by the supplier's name of its period.

    ``HEURE WEEK-END`` becomes ``INDEX_HEURE_WEEK_END``.
    """
    return _INDEX + _NO_NAME.sub("_", period_name.upper()).strip("_")


def tomorrow(demain: str) -> str:
    """Return ``DEMAIN`` in the names of standard mode; empty while it is not known."""
    return next((day for day in DAYS[1:] if day.startswith(demain)), "")


def is_field(name: str) -> bool:
    """Whether ``name`` is a label of the norms or a canonical field."""
    return name.removesuffix(".horodate") in _NAMES or name.startswith(("ERRORS_", _INDEX))


def names() -> frozenset[str]:
    """Return the labels of the norms and the canonical fields."""
    return _NAMES


_NAMES = frozenset(
    {
        *HISTORIQUE,
        *STANDARD,
        *CANONICAL.values(),
        *METER_CURRENTS.values(),
        *INJECTED_CURRENTS.values(),
        *_INDEX_FIELDS.values(),
        *STATUS,
        *STATISTICS,
        *RELAYS,
        *ORIGIN,
        "TARIFF",
        "TARIFF_PERIOD",
        "TEMPO_TODAY",
        "TEMPO_TOMORROW",
    }
)
