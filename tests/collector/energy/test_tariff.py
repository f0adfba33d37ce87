from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from collector.energy import tariff
from jph.errors import ConfigError

GOOD: dict[str, Any] = {
    "Name": "Mine",
    "From": "2026-01-01",
    "Power": 9,
    "Subscription": {"6": "12.5", "9": 15.89},
    "Prices": {"HC": "0.1635", "HP": 0.2081},
}


def test_a_tariff_is_read() -> None:
    (mine,) = tariff.read([GOOD])
    assert (mine.first, mine.last) == (date(2026, 1, 1), date(9999, 12, 30))
    assert mine.monthly == Fraction("15.89")
    assert mine.price("HP") == Fraction("0.2081")
    assert mine.price("BASE") is None
    assert mine.contract_va == 9000
    assert tariff.on([mine], date(2025, 12, 31)) is None
    assert tariff.on([mine], date(2026, 1, 1)) is mine


@pytest.mark.parametrize(
    ("change", "path", "told"),
    [
        ({"From": "1.8.2026"}, "Tariffs[Mine]", "From: expected a day"),
        ({"From": "20260801"}, "Tariffs[Mine]", "From: expected a day"),
        ({"Until": "2025-12-31"}, "Tariffs[Mine]", "is before From"),
        ({"Power": 12}, "Tariffs[Mine]", "none for Power 12 (there are: 6, 9)"),
        ({"Power": "NaN"}, "Tariffs[Mine]", "Power: expected a decimal number"),
        ({"Prices": {}}, "Tariffs[Mine]", "at least one period"),
        ({"Prices": {"HCJX": "1"}}, "Tariffs[Mine]", "no period 'HCJX'"),
        ({"Prices": {"HC": "0,16"}}, "Tariffs[Mine]", "Prices.HC: expected a decimal number"),
        ({"Prices": {"HC": "-0.1"}}, "Tariffs[Mine]", "expected 0 or more"),
        ({"Prices": {"HC": "Infinity"}}, "Tariffs[Mine]", "expected a decimal number"),
        ({"Taxes": [{"Name": "T", "PerKwh": 1}]}, "Tariffs[Mine].Taxes[0].PerKwh", "unknown key"),
        ({"Taxes": [{"Name": "T"}]}, "Tariffs[Mine].Taxes[0]", "expected one of PerKWh"),
        (
            {"Taxes": [{"Name": "T", "PerKWh": "1", "PerMonth": "1"}]},
            "Tariffs[Mine].Taxes[0]",
            "expected one of PerKWh",
        ),
        ({"Taxes": [{"Name": "T", "Percent": "5"}]}, "Tariffs[Mine].Taxes[0]", "Of: expected"),
        (
            {"Taxes": [{"Name": "T", "Percent": "5", "Of": ["CTA"]}]},
            "Tariffs[Mine]",
            "no line 'CTA' further up",
        ),
        ({"Taxes": [{"Name": "HC", "PerKWh": "5"}]}, "Tariffs[Mine]", "name of another line"),
    ],
)
def test_mistakes_are_told(change: dict[str, Any], path: str, told: str) -> None:
    (problem,) = tariff.check([GOOD | change])
    assert problem.path == path
    assert told in problem.message


def test_all_mistakes_are_told_at_once() -> None:
    found = tariff.check([GOOD | {"Power": 1}, 7, GOOD | {"Prices": 3, "Name": "Second"}])
    assert [p.path for p in found] == ["Tariffs[Mine]", "Tariffs[1]", "Tariffs[Second].Prices"]


def test_only_one_tariff_is_in_force_a_day() -> None:
    later = GOOD | {"Name": "Later", "From": "2026-08-01"}
    with pytest.raises(ConfigError, match="give it an earlier Until"):
        tariff.read([later, GOOD])
    assert len(tariff.read([later, GOOD | {"Until": "2026-07-31"}])) == 2
    assert len(tariff.read([GOOD, later | {"Meter": "T2"}])) == 2
