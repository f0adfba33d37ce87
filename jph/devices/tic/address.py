"""Maker, year and type of a meter, from the first six digits of its address (ADCO, ADSC).

Two digits each for maker, year and type, then the serial number. Sources: the list of Euridis
identifiers (CCTTV304A) and Enedis-NOI-CPT_54E. A code that no list at hand has is no fact.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

LENGTH: Final = 12

MAKERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "01": "Crouzet, Monetel",
        "02": "Sagem, Sagemcom",
        "03": "Schlumberger, Actaris, Itron",
        "04": "Landis+Gyr, Siemens Metering",
        "05": "Sauter, Stepper Energie, Zellweger",
        "06": "Itron",
        "07": "MAEC",
        "08": "Matra-Chauvin Arnoux, Enerdis",
        "09": "Faure-Herman",
        "10": "SEVME, SIS",
        "11": "Magnol, Elster, Honeywell",
        "12": "Gaz Thermique",
        "14": "Ghielmetti, Dialog E.S., Micronique",
        "15": "Mecelec",
        "16": "Legrand, Baco",
        "17": "SERD-Schlumberger",
        "18": "Schneider, Merlin Gerin, Gardy",
        "19": "General Electric, Power Control",
        "20": "Nuovo Pignone, Dresser",
        "21": "SCLE",
        "22": "EDF",
        "23": "GDF Suez",
        "24": "Hager, General Electric",
        "25": "Delta Dore",
        "26": "RIZ",
        "27": "Iskraemeco",
        "28": "GMT",
        "29": "Analog Devices",
        "30": "Michaud",
        "31": "Hexing Electrical",
        "32": "Siame",
        "33": "Larsen & Toubro",
        "34": "Elster, Honeywell",
        "35": "Electronic Afzar Azma",
        "36": "Advanced Electronic Company",
        "37": "AEM",
        "38": "Zhejiang Chint Instrument & Meter",
        "39": "ZIV",
        "70": "Landis+Gyr",
        "71": "Stepper Energie",
        "81": "Sagem, Sagemcom",
        "82": "Landis+Gyr, Siemens Metering",
        "83": "Elster, Honeywell",
        "84": "Sagem, Sagemcom",
        "85": "Itron",
    }
)
"""70 and 71 are for export, 81 to 85 the same makers once their first million was used up."""

TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "01": "blue, single-phase, multi-tariff, 1st generation",
        "05": "blue, single-phase, single-tariff, 1st generation",
        "06": "yellow, electronic",
        "07": "PRISME or ICE",
        "09": "blue, three-phase, 1st generation",
        "10": "yellow, electronic, 2nd generation",
        "11": "blue, single-phase, single-tariff, Ferraris",
        "12": "PRISME",
        "15": "blue, single-phase, multi-tariff, without Tempo",
        "16": "blue, ICC trial",
        "20": "blue, single-phase, multi-tariff, half rate, 1st generation",
        "21": "blue, three-phase, half rate, 1st generation",
        "22": "blue, single-phase, multi-tariff, 2nd generation",
        "23": "blue, single-phase, multi-tariff, half rate, 2nd generation",
        "25": "blue, single-phase, single-tariff, 2nd generation",
        "26": "blue, three-phase, 2nd generation",
        "27": "blue, three-phase, half rate, 2nd generation",
        "28": "blue, single-phase, multi-tariff, 3rd generation",
        "29": "blue, single-phase, multi-tariff, half rate, 3rd generation",
        "30": "blue, three-phase, 3rd generation",
        "31": "blue, three-phase, half rate, 3rd generation",
        "32": "blue, three-phase, remote totals",
        "33": "yellow, direct connection",
        "34": "ICE, four quadrants",
        "36": "PME-PMI, above 36 kVA",
        "60": "Linky, single-phase 60 A, G1",
        "61": "Linky, single-phase 60 A, G3, fed from above",
        "62": "Linky, single-phase 90 A, G1",
        "63": "Linky, three-phase 60 A, G1",
        "64": "Linky, single-phase 60 A, G3",
        "65": "Linky, single-phase 90 A, G3, trial",
        "67": "Linky, single-phase 90 A, G1, pilot",
        "68": "Linky, three-phase 60 A, G1, pilot",
        "70": "Linky, single-phase 60 A, G3, first series",
        "71": "Linky, three-phase 60 A, G3, first series",
        "72": "Linky, single-phase 90 A, G3",
        "75": "Linky, single-phase 90 A, G3",
        "76": "Linky, three-phase 60 A, G3",
        "86": "SEI, single-phase 60 A, 60 Hz",
        "87": "SEI, three-phase 60 A, 60 Hz",
        "92": "Linky ORES, single-phase 90 A, G3",
        "93": "Linky ORES, three-phase 60 A, 3 wires, G3",
        "94": "Linky ORES, three-phase 60 A, 4 wires, G3",
    }
)


class Origin(NamedTuple):
    """Where a meter comes from; ``maker`` and ``type`` are empty, ``year`` is 0 where unknown."""

    maker: str
    year: int
    type: str


def origin(address: str, this_year: int | None = None) -> Origin | None:
    """Return the origin in a whole address; None for one that was shortened or made anonymous.

    A year after `this_year` is no year of manufacture.
    """
    if len(address) != LENGTH or not (address.isascii() and address.isdigit()):
        return None
    digits = int(address[2:4])
    year = digits + (1900 if digits >= 80 else 2000)  # the first electronic meters are of the 1980s
    if this_year is not None and year > this_year:
        year = 0
    return Origin(MAKERS.get(address[:2], ""), year, TYPES.get(address[4:6], ""))
