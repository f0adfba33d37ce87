import contextlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pytest

from collector.db.schema import create_months, migrate
from collector.energy import tariff
from collector.energy.account import Account, choose_meter, make_account
from collector.energy.money import Drawn
from collector.statistics.local_days import LocalDays
from jph.cli.commands.cost import as_document, parse_span, show
from jph.config.model import Network
from jph.errors import ConfigError
from tests.jph.cli.programs import control
from tests.stores_fixtures import connect
from tests.support import REPOSITORY

Document = dict[str, Any]
MakeNetwork = Callable[..., Network]
WriteConfig = Callable[..., Path]

PARIS = ZoneInfo("Europe/Paris")
FIELDS = {"X1": "INDEX_HC", "X2": "INDEX_HP"}
TARIFF = {
    "Name": "Mine",
    "From": "2026-01-01",
    "Power": 9,
    "Subscription": {"9": "15.50"},
    "Prices": {"HC": "0.15", "HP": "0.20"},
    "Taxes": [{"Name": "VAT", "Percent": "20", "Of": ["Subscription", "Energy"]}],
}


def meter(code: str = "TI", fields: dict[str, str] = FIELDS) -> list[Document]:
    proxy = [{"Codifier": element, "Field": field} for element, field in fields.items()]
    settings = {"Device": "nowhere", "Proxy": proxy}
    elements = [
        {"Codifier": element, "Type": "Proxy", "Sensor": {"Codifier": code}} for element in fields
    ]
    return [{"Codifier": code, "Type": "Teleinfo", "Sensor": settings}, *elements]


@pytest.mark.parametrize(
    ("kind", "text", "first", "after"),
    [
        ("day", "2026-10-05", date(2026, 10, 5), date(2026, 10, 6)),
        ("week", "2026-W01", date(2025, 12, 29), date(2026, 1, 5)),
        ("month", "2026-12", date(2026, 12, 1), date(2027, 1, 1)),
        ("year", "2027", date(2027, 1, 1), date(2028, 1, 1)),
        ("month", "1980-01", date(1980, 1, 1), date(1980, 2, 1)),
    ],
)
def test_spans(kind: str, text: str, first: date, after: date) -> None:
    assert parse_span({kind: text}, date(2026, 1, 1)) == (text, first, after)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("day", "0001-01-01"),
        ("week", "1979-W20"),
        ("month", "0001-01"),
        ("month", "2028-01"),
        ("year", "9998"),
    ],
)
def test_a_span_that_no_meter_has_is_refused(kind: str, text: str) -> None:
    with pytest.raises(click.UsageError, match=f"expected a {kind} from 1980 to 2027"):
        parse_span({kind: text}, date(2026, 1, 1))


def test_the_running_month_is_meant_by_nothing() -> None:
    assert parse_span({}, date(2026, 2, 14)) == ("2026-02", date(2026, 2, 1), date(2026, 3, 1))


@pytest.mark.parametrize(
    "chosen",
    [
        {"month": "2026-13"},
        {"month": "10"},
        {"week": "2026-W54"},
        {"day": "2026-02-30"},
        {"year": "0000"},
        {"year": "9999"},
        {"day": "2026-01-01", "year": "2026"},
    ],
)
def test_what_is_no_span_is_refused(chosen: dict[str, str]) -> None:
    with pytest.raises(click.UsageError):
        parse_span(chosen, date(2026, 1, 1))


def account(
    now: datetime, text: str = "2026-11", tariffs: Sequence[Document] = (TARIFF,), **drawn: Any
) -> Account:
    energy = {date(2026, 11, 1): {"HC": 10_000, "HP": 5_000}}
    since = datetime(2026, 11, 1, tzinfo=PARIS)
    known = Drawn(energy, 0, since, since + timedelta(days=1))._replace(**drawn)
    span = parse_span({"month": text}, date(2026, 1, 1))
    return make_account(span, "TI", tariff.read(list(tariffs)), known, LocalDays(PARIS), now)


def test_a_month_that_is_over() -> None:
    assert show(account(datetime(2026, 12, 1, tzinfo=PARIS))) == [
        "2026-11, meter TI: 2026-11-01 to 2026-11-30",
        "",
        "                   kWh    EUR",
        "Mine",
        "  Subscription          15.50",
        "  off-peak      10.000   1.50",
        "  peak           5.000   1.00",
        "  VAT                    3.60",
        "total           15.000  21.60",
        "",
        "the subscription is 15.50 EUR of it, before taxes",
        "known from 2026-11-01 00:00 to 2026-11-02 00:00",
    ]


def test_a_bill_starts_at_the_first_reading() -> None:
    """The subscription of earlier months is not due."""
    found = account(datetime(2027, 1, 1, tzinfo=PARIS), first_day=date(2026, 11, 16))
    assert found.bill.first == date(2026, 11, 16)
    assert found.bill.subscription_cents == 775
    assert "the bill starts at the first reading, on 2026-11-16" in show(found)
    earlier = account(datetime(2027, 1, 1, tzinfo=PARIS), first_day=date(2025, 3, 1))
    assert earlier.bill.first == date(2026, 11, 1)


def test_energy_in_no_index_is_reported_in_words() -> None:
    found = show(account(datetime(2027, 1, 1, tzinfo=PARIS), total={date(2026, 11, 1): 447_500}))
    assert "432.5 kWh are in no index but that of all periods" in found
    assert any(line.split() == ["in", "no", "index", "432.500", "not", "priced"] for line in found)


def test_the_running_month_is_billed_so_far_and_extrapolated() -> None:
    """After one of 30 days: a thirtieth of the subscription is due, 30 times the energy comes."""
    running = account(datetime(2026, 11, 1, 23, tzinfo=PARIS))
    assert [line.cents for line in running.bill.lines] == [52, 150, 100, 60]
    assert running.expected is not None
    assert [line.cents for line in running.expected.lines] == [1550, 4500, 3000, 1810]
    assert "if it goes on so, 2026-11 comes to 108.60 EUR, 450.000 kWh" in show(running)


def test_what_is_not_certain_is_told() -> None:
    energy = {date(2026, 11, 1): {"HC": 10_000, "HPJR": 2_500}}
    told = show(account(datetime(2027, 1, 1, tzinfo=PARIS), energy=energy, estimated=1_234))
    assert "1.234 kWh of it are estimated: no plausible reading came" in told
    assert "not priced: 2.500 kWh red, peak (no tariff has a price)" in told


def test_nothing_is_known_of_a_month_without_readings() -> None:
    empty = account(datetime(2026, 12, 1, tzinfo=PARIS), energy={}, since=None, until=None)
    assert show(empty)[-1].startswith("nothing is known of the energy in this time")


def test_as_json() -> None:
    document = as_document(account(datetime(2026, 11, 2, tzinfo=PARIS), estimated=7))
    assert document["from"] == date(2026, 11, 1)
    assert document["until"] == date(2026, 11, 2)
    assert document["lines"][1] == {"tariff": "Mine", "what": "HC", "wh": 10_000, "amount": "1.50"}
    assert document["amount"] == "4.24"  # 1.03 + 1.50 + 1.00 + 0.71
    assert document["estimated_wh"] == 7
    assert document["subscription"] == "1.03"
    assert document["expected"]["wh"] == 450_000


def test_energy_fed_in_that_no_index_counts_is_not_known() -> None:
    now = datetime(2027, 1, 1, tzinfo=PARIS)
    assert as_document(account(now))["injected_wh"] is None
    sells = [{**TARIFF, "Sale": "0.10"}]
    text = "the energy fed in is not known: no INDEX_INJECTED (EAIT, standard mode only) came"
    assert text in show(account(now, tariffs=sells))
    assert text not in show(account(now))
    counted = account(now, tariffs=sells, injected={date(2026, 11, 1): 2_000})
    assert as_document(counted)["injected_wh"] == 2_000
    assert text not in show(counted)


def test_extrapolated_energy_is_rounded_for_people_only() -> None:
    energy: dict[date, dict[str, Any]] = {date(2026, 11, 1): {"HC": Fraction(1, 3)}}
    assert as_document(account(datetime(2026, 12, 1, tzinfo=PARIS), energy=energy))["wh"] == 0


def test_the_meter_is_the_tariff_s_or_the_only_one(network: MakeNetwork) -> None:
    both = network(*meter(), *meter("T2", {"Y1": "BASE"}))
    (of_t2,) = tariff.read([TARIFF | {"Meter": "T2"}])
    assert choose_meter(both, [of_t2], None) == ("T2", [of_t2])
    assert choose_meter(both, [of_t2], "TI") == ("TI", [])
    with pytest.raises(ConfigError, match="T2, TI"):
        choose_meter(both, [], None)
    with pytest.raises(ConfigError, match="none: no Teleinfo"):
        choose_meter(network(), [], None)


@pytest.fixture
def history(sql: Document) -> Document:
    """Store two indexes from October to December 2026, a reading a day at midnight in Paris."""
    with contextlib.closing(connect(sql)) as connection:
        migrate(connection)
        create_months(connection, [2026 * 12 + month for month in (8, 9, 10, 11)])
        with connection, connection.cursor() as cursor:
            start = datetime(2026, 9, 30, tzinfo=PARIS)
            for day in range(70):
                at = (start + timedelta(days=day)).astimezone(UTC)
                for code, daily in (("X1", 5_000), ("X2", 8_000)):
                    cursor.execute(
                        "INSERT INTO reading (codifier, timestamp, epoch, sequence, quality, "
                        "value_integer) VALUES (%s, %s, 1, %s, 0, %s)",
                        (code, at, day, 10**9 + day * daily),
                    )
    return sql


def test_a_month_from_the_history(history: Document, config_file: WriteConfig) -> None:
    """October: 31 × 5 kWh at 0.15 = 23.25, 31 × 8 at 0.20 = 49.60, and 15.50; VAT 17.67."""
    config = config_file(*meter(), SQL=history, Tariffs=[TARIFF])
    done = control(config, "cost", "--month", "2026-10", "--rebuild")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["off-peak", "155.000", "23.25"] in lines
    assert ["peak", "248.000", "49.60"] in lines
    assert ["total", "403.000", "106.02"] in lines
    assert "known from 2026-10-01 00:00 to 2026-11-01 00:00" in done.stdout
    example = REPOSITORY / "static" / "tariffs" / "base.json"
    done = control(config, "cost", "--day", "2026-10-25", "--json", "--tariffs", str(example))
    document = json.loads(done.stdout)
    assert document["wh"] == 13_000
    assert document["from"] == document["until"] == "2026-10-25"
    assert [line["what"] for line in document["lines"]][:3] == ["Subscription", "HC", "HP"]


def test_without_tariffs_it_says_where_to_begin(config_file: WriteConfig) -> None:
    done = control(config_file(*meter()), "cost")
    assert done.returncode == 2
    assert "static/tariffs" in done.stderr


def test_config_check_looks_at_the_tariffs(config_file: WriteConfig) -> None:
    calculator = {"Codifier": "Q2", "Type": "postgresCalcHandler"}
    config = config_file(*meter(), calculator, Tariffs=[TARIFF | {"Power": 12}])
    done = control(config, "config", "check")
    assert done.returncode == 2
    assert "Tariffs[Mine].Subscription: none for Power 12" in done.stderr
