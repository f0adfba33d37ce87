import json
from calendar import monthrange
from datetime import UTC, date, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.energy import tariff
from collector.energy.cost import Bill, Line, Wh, bill, extrapolated, month_of, round_cents
from collector.energy.tariff import PERIODS, Tariff
from collector.statistics.local_days import HOUR_MS, LocalDays
from tests.support import REPOSITORY

PARIS = LocalDays(ZoneInfo("Europe/Paris"))


def example(name: str) -> tuple[Tariff, ...]:
    path = REPOSITORY / "static" / "tariffs" / f"{name}.json"
    return tariff.read(json.loads(path.read_text(encoding="utf-8"))["Tariffs"])


def made(**changes: Any) -> Tariff:
    entry = {"Name": "t", "From": "2026-01-01", "Power": 9} | {
        "Subscription": {"9": "10"},
        "Prices": {"BASE": "0.2"},
    }
    (read,) = tariff.read([entry | changes])
    return read


def shown(bill: Bill) -> list[tuple[str, Wh | None, int | None]]:
    return [(line.what, line.wh, line.cents) for line in bill.lines]


def test_a_month_of_base_by_hand() -> None:
    """October 2026, 9 kVA, 412.345 kWh, prices before taxes.

    Subscription                       15.89
    Energy   412.345 × 0.1327  =  54.7181815 -> 54.72
    CTA                                 2.06
    Excise   412.345 × 0.02998 = 12.36210310 -> 12.36
                                   sum 85.03
    VAT      85.03 × 20 %      = 17.006      -> 17.01
                                 total 102.04
    """
    energy = {date(2026, 10, 1): {"BASE": 12_345}, date(2026, 10, 31): {"BASE": 400_000}}
    october = bill(example("base"), energy, date(2026, 10, 1), date(2026, 11, 1))
    assert shown(october) == [
        ("Subscription", None, 1589),
        ("BASE", 412_345, 5472),
        ("CTA", None, 206),
        ("Excise", None, 1236),
        ("VAT", None, 1701),
    ]
    assert october.cents == 10_204


def test_a_month_of_peak_and_off_peak_by_hand() -> None:
    """July to 15 August 2026, 9 kVA, taxes included: the prices change on 1 August.

    July:   subscription                             20.21
            off-peak 101.005 × 0.1635 = 16.5143175 -> 16.51
            peak     203.750 × 0.2081 = 42.4003750 -> 42.40
    August: subscription 20.64 × 15/31 = 9.98709…  ->  9.99
            off-peak  50.000 × 0.1579 =  7.895     ->  7.90 (half a cent goes up)
            peak      99.999 × 0.2065 = 20.6497935 -> 20.65
    total 117.66; July alone 79.12
    """
    energy = {
        date(2026, 7, 1): {"HC": 101_005, "HP": 3_750},
        date(2026, 7, 31): {"HP": 200_000},
        date(2026, 8, 1): {"HC": 50_000},
        date(2026, 8, 15): {"HP": 99_999},
        date(2026, 8, 16): {"HP": 77_777},
    }
    tariffs = example("hphc")
    july = bill(tariffs, energy, date(2026, 7, 1), date(2026, 8, 1))
    assert [line.cents for line in july.lines] == [2021, 1651, 4240]
    assert july.cents == 7912
    both = bill(tariffs, energy, date(2026, 7, 1), date(2026, 8, 16))
    assert [line.cents for line in both.lines] == [2021, 1651, 4240, 999, 790, 2065]
    assert both.cents == 11_766


def test_a_month_of_tempo_by_hand() -> None:
    """January 2026, 9 kVA, taxes included.

    Subscription                         19.99
    HCJB   88.123 × 0.1232 = 10.8567536 -> 10.86
    HPJB  150.500 × 0.1494 = 22.4847    -> 22.48
    HCJW   61.007 × 0.1391 =  8.4860737 ->  8.49
    HPJW  120.250 × 0.1730 = 20.80325   -> 20.80
    HCJR   40.400 × 0.1460 =  5.8984    ->  5.90
    HPJR   33.333 × 0.6468 = 21.5597844 -> 21.56
                                   total 110.08
    """
    day = {
        "HPJR": 33_333,
        "HCJR": 40_400,
        "HPJW": 120_250,
        "HCJW": 61_007,
        "HPJB": 150_500,
        "HCJB": 88_123,
    }
    january = bill(example("tempo"), {date(2026, 1, 9): day}, date(2026, 1, 1), date(2026, 2, 1))
    assert shown(january) == [
        ("Subscription", None, 1999),
        ("HCJB", 88_123, 1086),
        ("HPJB", 150_500, 2248),
        ("HCJW", 61_007, 849),
        ("HPJW", 120_250, 2080),
        ("HCJR", 40_400, 590),
        ("HPJR", 33_333, 2156),
    ]
    assert january.cents == 11_008


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("0.005", 1), ("0.0049999", 0), ("-0.005", -1), ("1.015", 102), ("2.675", 268), ("0", 0)],
)
def test_half_a_cent_goes_away_from_zero(amount: str, cents: int) -> None:
    assert round_cents(Fraction(amount)) == cents


def test_a_number_in_the_config_is_the_decimal_that_is_written() -> None:
    """0.145 as a binary float is a little less, 100 kWh of it would be 14.49 …"""
    day = date(2026, 3, 1)
    cheap = made(Prices={"BASE": 0.00145}, Subscription={"9": 0})
    assert bill([cheap], {day: {"BASE": 100_000}}, day, date(2026, 3, 2)).cents == 15


def test_days_share_the_subscription_of_their_month() -> None:
    one = made(Subscription={"9": "28"})
    assert bill([one], {}, date(2026, 2, 3), date(2026, 2, 4)).cents == 100
    assert bill([one], {}, date(2028, 2, 3), date(2028, 2, 4)).cents == 97  # 28 / 29
    assert bill([one], {}, date(2026, 1, 26), date(2026, 2, 2)).cents == 542 + 100


def test_a_price_of_base_alone_is_that_of_every_period() -> None:
    day = date(2026, 3, 1)
    found = bill([made()], {day: {"HC": 1000, "HP": 500}}, day, date(2026, 3, 2))
    assert [line[1:] for line in shown(found)] == [(None, 32), (1000, 20), (500, 10)]


def test_what_has_no_price_is_told_and_not_guessed() -> None:
    known = made(Prices={"HC": "0.1", "HP": "0.2"}, From="2026-03-02")
    energy = {date(2026, 3, 1): {"HP": 5}, date(2026, 3, 2): {"HP": 1000, "HPJR": 7, "HN": 0}}
    found = bill([known], energy, date(2026, 3, 1), date(2026, 3, 3))
    assert found.unpriced == {"HP": 5, "HPJR": 7}
    assert found.wh == 1012
    assert [line for line in found.lines if not line.tariff] == [
        Line("", "HP", 5, None),
        Line("", "HPJR", 7, None),
    ]


def test_energy_in_no_index_is_a_line_of_the_bill() -> None:
    """The index of all periods counted more than those of the periods."""
    first, after = date(2026, 3, 1), date(2026, 3, 3)
    energy = {first: {"BASE": 10_000}}
    total = {first: 10_004, date(2026, 3, 2): 432_500}
    found = bill([made()], energy, first, after, total=total)
    assert found.unpriced == {"in no index": 432_504}
    assert found.wh == 442_504
    assert found.lines[-1] == Line("", "in no index", 432_504, None)
    assert bill([made()], energy, first, after, total={first: 10_004}).unpriced == {}


def test_a_contract_that_changes_in_a_day_bills_both() -> None:
    """Until 9:00 the old index counts, from 9:30 on those of the new tariff."""
    old = made(Name="old", Until="2026-10-13")
    new = made(Name="new", From="2026-10-14", Prices={"HC": "0.1", "HP": "0.3"})
    day = date(2026, 10, 14)
    energy = {date(2026, 10, 13): {"BASE": 24_000}, day: {"BASE": 9_000, "HP": 10_000, "HC": 4_500}}
    month = bill([old, new], energy, date(2026, 10, 1), date(2026, 11, 1))
    lines = {(line.tariff, line.what): (line.wh, line.cents) for line in month.lines}
    assert lines["old", "BASE"] == (33_000, 480 + 180)
    assert lines["new", "HP"] == (10_000, 300)
    assert lines["new", "HC"] == (4_500, 45)
    assert month.unpriced == {}
    assert month.wh == 47_500
    alone = bill([old, new], energy, day, date(2026, 10, 15))
    assert {line.what for line in alone.lines if line.wh} == {"BASE", "HP", "HC"}


def test_energy_fed_in_is_counted_and_paid() -> None:
    day, after = date(2026, 3, 1), date(2026, 3, 2)
    sold = bill([made(Sale="0.1269")], {day: {"BASE": 1000}}, day, after, injected={day: 2000})
    assert sold.lines[-1] == Line("t", "INJECTED", 2000, -25)
    assert sold.wh == 1000
    given = bill([made()], {day: {"BASE": 1000}}, day, after, injected={day: 2000})
    assert given.lines[-1] == Line("", "INJECTED", 2000, None)
    assert given.cents == sold.cents + 25
    assert given.unpriced == {}


def test_two_taxes_of_one_name_are_two_lines() -> None:
    day = date(2026, 3, 1)
    taxes = [
        {"Name": "VAT", "Percent": "5.5", "Of": ["Subscription"]},
        {"Name": "VAT", "Percent": "20", "Of": ["Energy"]},
    ]
    found = bill([made(Taxes=taxes)], {day: {"BASE": 10_000}}, day, date(2026, 5, 1))
    assert [(line.what, line.cents) for line in found.lines] == [
        ("Subscription", 2000),
        ("BASE", 200),
        ("VAT", 110),
        ("VAT", 40),
    ]


tariff_prices = st.fixed_dictionaries(
    {period: st.decimals(0, 1, places=5).map(str) for period in ("HC", "HP")}
)


@given(
    tariff_prices,
    tariff_prices,
    st.integers(2, 364),
    st.dictionaries(st.integers(0, 364), st.integers(0, 10**6), max_size=30),
)
def test_a_year_is_the_sum_of_its_months(
    before: dict[str, str], after: dict[str, str], change: int, drawn: dict[int, int]
) -> None:
    start = date(2026, 1, 1)
    cut = start + timedelta(days=change)
    vat = [{"Name": "VAT", "Percent": "5.5", "Of": ["Subscription", "Energy"]}]
    one = made(Prices=before, Until=str(cut - timedelta(days=1)), Taxes=vat)
    two = made(Prices=after, From=str(cut), Name="u", Taxes=vat)
    energy = {start + timedelta(days=day): {("HC", "HP")[day % 2]: wh} for day, wh in drawn.items()}
    months = [month_of(date(2026, month, 15)) for month in range(1, 13)]
    bills = [bill([one, two], energy, *month) for month in months]
    year = bill([one, two], energy, start, date(2027, 1, 1))
    assert year.cents == sum(each.cents for each in bills)
    assert year.wh == sum(each.wh for each in bills) == sum(drawn.values())
    assert not year.unpriced


@given(st.integers(1, 12), st.integers(0, 10**9))
def test_a_month_is_exact_to_the_cent_of_the_whole(month: int, wh: int) -> None:
    """However the energy lies in the month's days, its bill is that of their sum."""
    first, after = month_of(date(2026, month, 1))
    length = monthrange(2026, month)[1]
    spread = {first + timedelta(days=n): {"BASE": (wh + n) // length} for n in range(length)}
    assert sum(day["BASE"] for day in spread.values()) == wh
    tariffs = [made(Prices={"BASE": "0.1234"})]
    found, whole = (
        bill(tariffs, spread, first, after),
        bill(tariffs, {first: {"BASE": wh}}, first, after),
    )
    assert found.cents == whole.cents == 1000 + round_cents(Fraction("0.1234") * wh / 1000)


def test_the_running_month_goes_on_as_it_was() -> None:
    days = LocalDays(UTC)
    first, after = month_of(date(2026, 11, 5))
    since_ms, until_ms = days.midnight_ms(first), days.midnight_ms(date(2026, 11, 4))
    energy = {date(2026, 11, n): {"HP": 10_000 * n} for n in (1, 2, 3)}
    whole = extrapolated(energy, days, since_ms, until_ms, after)
    assert whole is not None
    assert sum(day["HP"] for day in whole.values()) == 60_000 * 10
    assert whole[date(2026, 11, 30)] == {"HP": 20_000}


def test_extrapolating_knows_long_days() -> None:
    first, after = month_of(date(2026, 10, 1))
    since_ms = PARIS.midnight_ms(first)
    whole = extrapolated({first: {"BASE": 24}}, PARIS, since_ms, since_ms + 24 * HOUR_MS, after)
    assert whole is not None
    assert whole[date(2026, 10, 25)] == {"BASE": 25}
    assert sum(day["BASE"] for day in whole.values()) == 31 * 24 + 1


def test_an_hour_at_least_is_needed_to_extrapolate() -> None:
    assert extrapolated({}, PARIS, 0, HOUR_MS - 1, date(1970, 2, 1)) is None


@pytest.mark.parametrize("name", ["base", "hphc", "tempo"])
def test_the_examples_say_that_they_are_examples(name: str) -> None:
    assert all("example" in each.name for each in example(name))
    assert {period for each in example(name) for period in each.prices} <= set(PERIODS)
