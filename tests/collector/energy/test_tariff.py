import json
from datetime import date
from fractions import Fraction
from typing import Any

import pytest

from collector.energy import tariff
from jph.errors import ConfigError
from tests.support import SHARED_DATA

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
    ("change", "path", "message"),
    [
        ({"From": "1.8.2026"}, "From", "expected a day like 2026-08-01"),
        ({"From": "01/02/2026"}, "From", "expected a day"),
        ({"From": "20260801"}, "From", "expected a day"),
        ({"Until": "2025-12-31"}, "Until", "is before From"),
        ({"Power": 12}, "Subscription", "none for Power 12 (there are: 6, 9)"),
        ({"Power": "NaN"}, "Power", "expected a decimal number"),
        ({"Power": "9 kVA"}, "Power", "write 9"),
        ({"Prices": {}}, "Prices", "at least one period"),
        ({"Prices": {"HCJX": "1"}}, "Prices", "no period 'HCJX'"),
        ({"Prices": {"HC": "0.1", "WE": "0.1"}}, "Prices", "no period 'WE'"),
        ({"Prices": {"hc": "0.1"}}, "Prices", "did you mean 'HC'?"),
        ({"Prices": {"HC": "0,1927"}}, "Prices.HC", "found '0,1927': write 0.1927"),
        ({"Prices": {"HC": "0.15 €"}}, "Prices.HC", "write 0.15"),
        ({"Prices": {"HC": ".15"}}, "Prices.HC", "write 0.15"),
        ({"Prices": {"HC": "1_0"}}, "Prices.HC", "digits and a point only"),
        ({"Prices": {"HC": ""}}, "Prices.HC", "it is empty"),
        ({"Prices": {"HC": None}}, "Prices.HC", "expected a decimal number, found None"),
        ({"Prices": {"HC": True}}, "Prices.HC", "expected a decimal number"),
        ({"Prices": {"HC": "19.27"}}, "Prices.HC", "is it in cents? Then write 0.1927"),
        ({"Prices": {"HC": "-0.1"}}, "Prices.HC", "expected 0 or more"),
        ({"Prices": {"HC": "Infinity"}}, "Prices.HC", "expected a decimal number"),
        ({"Sale": "12.7"}, "Sale", "is it in cents?"),
        ({"Subscription": {"9": "15,50"}}, "Subscription.9", "write 15.50"),
        ({"Taxes": [{"Name": "T", "PerKwh": 1}]}, "Taxes[0].PerKwh", "unknown key"),
        ({"Taxes": [{"Name": "T"}]}, "Taxes[0]", "expected one of PerKWh"),
        (
            {"Taxes": [{"Name": "T", "PerKWh": "1", "PerMonth": "1"}]},
            "Taxes[0]",
            "expected one of PerKWh",
        ),
        ({"Taxes": [{"Name": "T", "Percent": "5"}]}, "Taxes[0]", "Of: expected"),
        (
            {"Taxes": [{"Name": "T", "Percent": "20%", "Of": ["Energy"]}]},
            "Taxes[0].Percent",
            "write 20",
        ),
        (
            {"Taxes": [{"Name": "T", "Percent": "5", "Of": ["CTA"]}]},
            "Taxes[0].Of",
            "no line 'CTA' further up",
        ),
        ({"Taxes": [{"Name": "HC", "PerKWh": "5"}]}, "Taxes[0]", "name of another line"),
    ],
)
def test_a_mistake_is_reported_with_its_path(
    change: dict[str, Any], path: str, message: str
) -> None:
    (problem,) = tariff.check([GOOD | change])
    assert problem.path == f"Tariffs[Mine].{path}"
    assert message in problem.message


MISTAKES = SHARED_DATA / "field" / "tariff-mistakes.json"
ACCEPTED = {"power-9.0", "vat-5.5-and-20"}


@pytest.mark.skipif(not MISTAKES.exists(), reason="no field data beside this checkout")
def test_mistakes_of_the_field_are_refused_with_path_and_reason() -> None:
    kept = json.loads(MISTAKES.read_text("utf-8"))
    found = {name: tariff.check(each["Tariffs"]) for name, each in kept.items()}
    assert {name for name, problems in found.items() if not problems} == ACCEPTED
    problems = [each for listed in found.values() for each in listed]
    assert all(each.path.startswith("Tariffs[T].") and each.message for each in problems)
    assert [each.path for each in found["comma"]] == [
        "Tariffs[T].Prices.HC",
        "Tariffs[T].Prices.HP",
    ]


def test_all_mistakes_are_reported_at_once() -> None:
    bad = {"Power": 1, "From": "1.8.2026", "Prices": {"HC": "0,1", "HP": None, "WE": "1"}}
    found = tariff.check([GOOD | bad, 7, GOOD | {"Prices": 3, "Name": "Second"}])
    assert [p.path for p in found] == [
        "Tariffs[Mine].From",
        "Tariffs[Mine].Prices.HC",
        "Tariffs[Mine].Prices.HP",
        "Tariffs[Mine].Subscription",
        "Tariffs[Mine].Prices",
        "Tariffs[1]",
        "Tariffs[Second].Prices",
    ]


def test_periods_of_the_supplier_have_their_own_names() -> None:
    prices = {"HC": "0.15", "HP": "0.2", "EASF03": "0.12", "Heure week-end": "0.1"}
    (mine,) = tariff.read([GOOD | {"Prices": prices}], {"HEURE_WEEK_END"})
    assert mine.price("EASF03") == Fraction("0.12")
    assert mine.price("HEURE_WEEK_END") == Fraction("0.1")
    assert mine.price("EASF04") is None


def test_a_power_may_be_a_number_and_two_taxes_may_have_one_name() -> None:
    taxes = [
        {"Name": "VAT", "Percent": "5.5", "Of": ["Subscription"]},
        {"Name": "VAT", "Percent": "20", "Of": ["Energy"]},
    ]
    (mine,) = tariff.read([GOOD | {"Power": 9.0, "Taxes": taxes}])
    assert mine.contract_va == 9000
    assert [tax.rate for tax in mine.taxes] == [Fraction("5.5"), 20]


def test_only_one_tariff_is_in_force_a_day() -> None:
    later = GOOD | {"Name": "Later", "From": "2026-08-01"}
    with pytest.raises(ConfigError, match="give it an earlier Until"):
        tariff.read([later, GOOD])
    assert len(tariff.read([later, GOOD | {"Until": "2026-07-31"}])) == 2
    assert len(tariff.read([GOOD, later | {"Meter": "T2"}])) == 2
