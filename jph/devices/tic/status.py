"""The status register STGE and the relays RELAIS, bit by bit (Enedis-NOI-CPT_54E §6.2.3.14-15)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

DAYS: Final = ("", "BLEU", "BLANC", "ROUGE")
"""Tempo's colours by number; 0 is not announced."""


class Bits(NamedTuple):
    """Some bits of the register: a number, counted from ``first``, and what each number means.

    An empty word is the state of every day, not worth a word.
    """

    shift: int
    mask: int
    words: tuple[str, ...] = ()
    first: int = 0

    def number(self, register: int) -> int:
        """Return the number in these bits of ``register``."""
        return (register >> self.shift & self.mask) + self.first

    def word(self, register: int) -> str:
        """Return their meaning; empty for the ordinary state."""
        number = self.number(register) - self.first
        return self.words[number] if number < len(self.words) else ""


STATUS: Final[Mapping[str, Bits]] = MappingProxyType(
    {
        "CONTACT_OPEN": Bits(0, 1, ("dry contact closed", "dry contact open")),
        "BREAKER_STATE": Bits(
            1,
            7,
            (
                "",
                "breaker open: overpower",
                "breaker open: overvoltage",
                "breaker open: load shedding",
                "breaker open: ordered by power line or Euridis",
                "breaker open: overheated, current too high to switch",
                "breaker open: overheated",
            ),
        ),
        "COVER_OPEN": Bits(4, 1, ("", "terminal cover open")),
        "OVERVOLTAGE": Bits(6, 1, ("", "overvoltage on a phase")),
        "OVERLOAD": Bits(7, 1, ("", "subscribed power exceeded")),
        "PRODUCER": Bits(8, 1, ("consumer", "producer")),
        "INJECTING": Bits(9, 1, ("", "injecting")),
        "SUPPLY_INDEX": Bits(10, 15, tuple(f"supplier's index {n}" for n in range(1, 11)), 1),
        "GRID_INDEX": Bits(14, 3, tuple(f"grid's index {n}" for n in range(1, 5)), 1),
        "CLOCK_DEGRADED": Bits(16, 1, ("", "clock not set")),
        "OUTPUT_STANDARD": Bits(17, 1, ("historique mode", "standard mode")),
        "EURIDIS": Bits(19, 3, ("Euridis off", "Euridis unsecured", "", "Euridis secured")),
        "POWERLINE": Bits(
            21, 3, ("power line new, unlocked", "power line new, locked", "power line registered")
        ),
        "POWERLINE_SYNCHRONISED": Bits(23, 1, ("power line not synchronised", "")),
        "PEAK_NOTICE": Bits(28, 3, ("", *(f"notice of moving peak {n}" for n in (1, 2, 3)))),
        "PEAK": Bits(30, 3, ("", *(f"moving peak {n}" for n in (1, 2, 3)))),
    }
)
"""Named parts of ``STGE``; bits 5 and 18 are not used, 24 to 27 are Tempo's two colours."""

ALARMS: Final = frozenset({"OVERVOLTAGE", "OVERLOAD"})
"""Parts that warn of a present state: they expire."""

TODAY: Final = Bits(24, 3, DAYS)
TOMORROW: Final = Bits(26, 3, DAYS)

RELAYS: Final = tuple(f"RELAY_{number}" for number in range(1, 9))
"""The first is a real contact, the others are virtual."""


def status_facts(stge: str) -> dict[str, int | str]:
    """Return the values of the eight hexadecimal digits of ``STGE``, by field."""
    register = int(stge, 16)
    facts: dict[str, int | str] = {name: part.number(register) for name, part in STATUS.items()}
    return facts | {"TEMPO_TODAY": TODAY.word(register), "TEMPO_TOMORROW": TOMORROW.word(register)}


def status_words(stge: str) -> list[str]:
    """Return the notable parts of ``STGE`` in words."""
    register = int(stge, 16)
    words = [part.word(register) for part in STATUS.values()]
    for when, part in (("today", TODAY), ("tomorrow", TOMORROW)):
        words.append(f"{when} {part.word(register)}" if part.word(register) else "")
    return [word for word in words if word]


def relay_facts(relais: int) -> dict[str, int | str]:
    """Return the state of the eight relays of ``RELAIS``: 1 is closed."""
    return {name: relais >> bit & 1 for bit, name in enumerate(RELAYS)}
