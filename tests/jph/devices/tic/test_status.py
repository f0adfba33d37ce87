"""STGE and RELAIS bit by bit, and what an address says: against the norm's own tables."""

import pytest

from jph.devices.tic.address import Origin, origin
from jph.devices.tic.status import STATUS, relay_facts, status_facts, status_words

# (field, its lowest bit, its largest number, what 0 is): Enedis-NOI-CPT_54E §6.2.3.14.
BITS = [
    ("CONTACT_OPEN", 0, 1, 0),
    ("BREAKER_STATE", 1, 7, 0),
    ("COVER_OPEN", 4, 1, 0),
    ("OVERVOLTAGE", 6, 1, 0),
    ("OVERLOAD", 7, 1, 0),
    ("PRODUCER", 8, 1, 0),
    ("INJECTING", 9, 1, 0),
    ("SUPPLY_INDEX", 10, 15, 1),
    ("GRID_INDEX", 14, 3, 1),
    ("CLOCK_DEGRADED", 16, 1, 0),
    ("OUTPUT_STANDARD", 17, 1, 0),
    ("EURIDIS", 19, 3, 0),
    ("POWERLINE", 21, 3, 0),
    ("POWERLINE_SYNCHRONISED", 23, 1, 0),
    ("PEAK_NOTICE", 28, 3, 0),
    ("PEAK", 30, 3, 0),
]
COLOURS = ["", "BLEU", "BLANC", "ROUGE"]


@pytest.mark.parametrize(("field", "bit", "largest", "zero"), BITS)
def test_each_part_of_the_register_stands_alone(
    field: str, bit: int, largest: int, zero: int
) -> None:
    calm = status_facts("00000000")
    assert calm[field] == zero
    for number in range(1, largest + 1):
        told = status_facts(f"{number << bit:08X}")
        assert {name for name in told if told[name] != calm[name]} == {field}
        assert told[field] == zero + number


@pytest.mark.parametrize("number", range(4))
def test_the_colours_of_today_and_tomorrow(number: int) -> None:
    assert status_facts(f"{number << 24:08x}")["TEMPO_TODAY"] == COLOURS[number]
    assert status_facts(f"{number << 26:08x}")["TEMPO_TOMORROW"] == COLOURS[number]


def test_every_part_is_told() -> None:
    assert {field for field, *_ in BITS} == STATUS.keys()
    used = sum(largest << bit for _, bit, largest, _ in BITS) | 0xF << 24
    assert used == 0xFFFFFFFF & ~(1 << 5 | 1 << 18)  # two bits the norm does not use


def test_a_register_of_a_real_meter_in_words() -> None:
    words = status_words("463A0880")
    assert {"subscribed power exceeded", "today BLANC", "tomorrow BLEU"} <= set(words)
    assert "moving peak 1" in words
    assert "standard mode" in words
    assert "overvoltage on a phase" not in words


@pytest.mark.parametrize("relay", range(1, 9))
def test_relays(relay: int) -> None:
    told = relay_facts(1 << relay - 1)
    assert [name for name, closed in told.items() if closed] == [f"RELAY_{relay}"]
    assert len(told) == 8


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (
            "041876543210",
            Origin("Landis+Gyr, Siemens Metering", 2018, "Linky, three-phase 60 A, G3"),
        ),
        (
            "021961123456",
            Origin("Sagem, Sagemcom", 2019, "Linky, single-phase 60 A, G3, fed from above"),
        ),
        (
            "039728123456",
            Origin(
                "Schlumberger, Actaris, Itron",
                1997,
                "blue, single-phase, multi-tariff, 3rd generation",
            ),
        ),
        ("999999123456", Origin("", 1999, "")),
        ("0218761234", None),
        ("XXXXXXXXXXXX", None),
        ("", None),
    ],
)
def test_where_a_meter_comes_from(address: str, expected: Origin | None) -> None:
    assert origin(address) == expected


@pytest.mark.parametrize(("this_year", "year"), [(2026, 0), (2029, 2029), (None, 2029)])
def test_a_meter_is_not_made_in_the_future(this_year: int | None, year: int) -> None:
    found = origin("022975123456", this_year)
    assert found is not None
    assert found.year == year
