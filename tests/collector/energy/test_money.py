import contextlib
import itertools
import json
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection

from collector.db.schema import create_months, migrate
from collector.energy import money
from collector.energy.cost import IN_NO_INDEX, bill
from collector.energy.energy_table import Touched
from collector.energy.meters import has_periods, read_tariffs
from collector.history.packing import pack_day
from collector.statistics.local_days import HOUR_MS
from jph.config.model import Network, load
from tests.stores_fixtures import connect
from tests.support import SHARED_DATA

Document = dict[str, Any]
Value = int | float | str
TABLES = (
    *("energy_hour", "energy_event", "energy_doubt", "energy_state"),
    *("phase_hour", "heater_hour"),
)

FIELD = SHARED_DATA / "field"
PARIS = ZoneInfo("Europe/Paris")
START_MS = int(datetime(2026, 10, 24, 12, tzinfo=PARIS).timestamp() * 1000)
NOW_MS = START_MS + 40 * 24 * HOUR_MS
METER: Document = {
    "Codifier": "TI",
    "Type": "Teleinfo",
    "Sensor": {
        "Device": "nowhere",
        "Proxy": [
            {"Codifier": "X1", "Field": "INDEX_HC"},
            {"Codifier": "X2", "Field": "HCHP"},
            {"Codifier": "XT", "Field": "INDEX_TOTAL"},
            {"Codifier": "AD", "Field": "METER_ADDRESS"},
            {"Codifier": "I1", "Field": "CURRENT_1"},
            {"Codifier": "IS", "Field": "ISOUSC"},
        ],
    },
}
SHEDDER: Document = {
    "Codifier": "SH",
    "Type": "Shedding",
    "Sensor": {"Phases": [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30}]},
}
CARD: Document = {
    "Codifier": "P1",
    "Type": "PilotCard",
    "Sensor": {
        "Bus": 1,
        "Shed": {"1": "S1"},
        "Wires": [
            {"Codifier": "11", "Wire": 1, "Phase": 1},
            {"Codifier": "12", "Wire": 2, "Phase": 1},
        ],
    },
}
_sequence = itertools.count(1)


def proxies(node: str, *codes: str) -> list[Document]:
    return [{"Codifier": code, "Type": "Proxy", "Sensor": {"Codifier": node}} for code in codes]


@pytest.fixture
def house(network: Callable[..., Network]) -> Network:
    elements = [
        *proxies("TI", "X1", "X2", "XT", "AD", "I1", "IS"),
        *proxies("SH", "S1"),
        *proxies("P1", "11", "12"),
    ]
    tariff = {"Name": "t", "From": "2026-01-01", "Power": 9, "Subscription": {"9": "10"}}
    tariffs = [tariff | {"Prices": {"HC": "0.1", "HP": "0.2"}}]
    return network(METER, SHEDDER, CARD, *elements, Tariffs=tariffs)


@pytest.fixture
def base(sql: dict[str, Any]) -> Iterator[connection]:
    with contextlib.closing(connect(sql)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET timezone = 'UTC'")
        migrate(connection)
        create_months(connection, [2026 * 12 + 9, 2026 * 12 + 10])
        yield connection


def at(hours: float) -> int:
    return START_MS + round(hours * HOUR_MS)


def store(
    base: connection, code: str, readings: Iterable[tuple[int, Value]], quality: int = 0
) -> list[Touched]:
    readings = list(readings)
    with base, base.cursor() as cursor:
        for at_ms, value in readings:
            column = {int: "value_integer", float: "value_real", str: "value_text"}[type(value)]
            cursor.execute(
                f"INSERT INTO reading (codifier, timestamp, epoch, sequence, quality, {column}) "
                "VALUES (%s, to_timestamp(%s / 1000.0), 1, %s, %s, %s)",
                (code, at_ms, next(_sequence), quality, value),
            )
    return [Touched(code, at_ms, at_ms) for at_ms, _ in readings]


def update(base: connection, house: Network, touched: Iterable[Touched]) -> None:
    with base, base.cursor() as cursor:
        money.update(cursor, house, touched, NOW_MS)


def rows(base: connection, statement: str) -> list[tuple[Any, ...]]:
    with base, base.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def everything(base: connection) -> dict[str, list[tuple[Any, ...]]]:
    return {table: rows(base, f"SELECT {table}::text FROM {table} ORDER BY 1") for table in TABLES}


def same_from_scratch(base: connection, house: Network) -> bool:
    """Whether making everything anew gives the very same tables."""
    before = everything(base)
    with base, base.cursor() as cursor:
        money.rebuild(cursor, house, NOW_MS)
    rebuilt = everything(base)
    with base, base.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"DELETE FROM {table}")
        money.rebuild(cursor, house, NOW_MS)
    return before == rebuilt == everything(base)


def test_energy_by_hour_day_and_month(base: connection, house: Network) -> None:
    """From noon before the clock changes, 100 Wh an hour off-peak, for 60 hours."""
    touched = store(base, "X1", ((at(n / 4), 7000 + 25 * n) for n in range(60 * 4 + 1)))
    update(base, house, touched)
    hours = rows(base, "SELECT wh, estimated_wh, known_s FROM energy_hour")
    assert hours == [(100, 0, 3600)] * 60
    assert rows(base, "SELECT * FROM energy_day ORDER BY day") == [
        ("TI", "HC", date(2026, 10, 24), 1200, 0, 12 * 3600),
        ("TI", "HC", date(2026, 10, 25), 2500, 0, 25 * 3600),
        ("TI", "HC", date(2026, 10, 26), 2300, 0, 23 * 3600),
    ]
    assert rows(base, "SELECT period, month, wh FROM energy_month") == [
        ("HC", date(2026, 10, 1), 6000)
    ]
    assert rows(base, "SELECT year, wh FROM energy_year") == [(date(2026, 1, 1), 6000)]
    assert same_from_scratch(base, house)


def test_a_late_reading_moves_energy_between_hours(base: connection, house: Network) -> None:
    update(base, house, store(base, "X2", [(at(0), 0), (at(3), 300)]))
    energy = "SELECT wh, estimated_wh FROM energy_hour ORDER BY timestamp"
    assert rows(base, energy) == [(100, 100)] * 3
    update(base, house, store(base, "X2", [(at(1), 10), (at(2), 20)]))
    assert rows(base, energy) == [(10, 0), (10, 0), (280, 0)]
    assert same_from_scratch(base, house)


def test_a_late_reading_does_not_redo_what_it_cannot_change(
    base: connection, house: Network
) -> None:
    update(base, house, store(base, "X2", ((at(n / 2), 100 * n) for n in range(40))))
    before = dict(rows(base, "SELECT timestamp, xmin::text FROM energy_hour"))
    update(base, house, store(base, "X2", [(at(5.2), 1010)]))
    after = dict(rows(base, "SELECT timestamp, xmin::text FROM energy_hour"))
    redone = [moment for moment in after if after[moment] != before[moment]]
    assert len(after) == 20
    assert 1 <= len(redone) <= 3
    assert same_from_scratch(base, house)


def test_an_exchanged_meter_is_an_event(base: connection, house: Network) -> None:
    touched = store(base, "AD", [(at(0), "0217"), (at(2), "0621")])
    touched += store(base, "X1", [(at(0), 5000), (at(1), 5100), (at(2.1), 3), (at(3), 50)])
    update(base, house, touched)
    assert rows(base, "SELECT codifier, kind, from_wh, to_wh, address FROM energy_event") == [
        ("X1", "new meter", 5100, None, "0621")
    ]
    assert rows(base, "SELECT sum(wh) FROM energy_hour") == [(147,)]
    assert same_from_scratch(base, house)


def test_what_the_contract_cannot_draw_is_kept_and_told(base: connection, house: Network) -> None:
    touched = store(base, "X1", [(at(0), 0), (at(1), 13_700), (at(2), 200), (at(3), 400.0)])
    touched += store(base, "X1", [(at(1.5), 77)], quality=2)
    touched += store(base, "X1", [(at(2.5), 300)], quality=1)
    touched += store(base, "X1", [(at(2.6), float("nan")), (at(2.7), -5)])
    update(base, house, touched)
    assert rows(base, "SELECT kind, from_wh, to_wh FROM energy_event ORDER BY timestamp") == [
        ("jumped", 0, 13_700),
        ("implausible", 0, 77),
    ]
    assert rows(base, "SELECT sum(wh) FROM energy_hour") == [(400,)]
    assert rows(base, "SELECT count(*) FROM reading WHERE codifier = 'X1'") == [(8,)]


def test_an_index_in_doubt_is_kept_as_sent_and_shown_as_implausible(
    base: connection, house: Network
) -> None:
    """Packed or not, as long as nothing confirms it."""
    quality = "SELECT value_integer FROM {} WHERE quality = 2 ORDER BY 1"
    shown = quality.format("readings"), quality.format("readings('X1', '-infinity', 'infinity')")
    touched = store(base, "X1", [(at(0), 0), (at(1), 70_000), (at(2), 70_100)])
    update(base, house, touched)
    assert [rows(base, each) for each in shown] == [[(70_000,), (70_100,)]] * 2
    assert rows(base, quality.format("reading")) == []
    assert len(rows(base, "SELECT FROM touched")) == 2  # their statistics are computed again
    pack_day(base, "X1", date(2026, 10, 24))
    assert [rows(base, each) for each in shown] == [[(70_000,), (70_100,)]] * 2
    sent = "readings_as_sent('X1', '-infinity', 'infinity')"
    assert rows(base, quality.format(sent)) == []
    assert same_from_scratch(base, house)
    update(base, house, store(base, "X1", [(at(3), 70_200)]))  # the meter was exchanged
    assert [rows(base, each) for each in shown] == [[], []]
    assert same_from_scratch(base, house)


def test_sheds_overruns_and_peaks(base: connection, house: Network) -> None:
    touched = store(
        base, "I1", ((at(s / 3600), 31 if 60 <= s < 90 else 20) for s in range(0, 7200, 10))
    )
    touched += store(base, "IS", ((at(n / 120), 45) for n in range(240)))
    touched += store(
        base, "S1", ((at(s / 3600), 0b10 if 90 <= s < 210 else 0) for s in range(0, 7200, 10))
    )
    touched += store(base, "X1", [(at(0), 1000), (at(1), 2000), (at(2), 2500)])
    update(base, house, touched)
    assert rows(
        base, "SELECT overruns, overrun_s, peak_a, shed_minutes, known_s FROM phase_day"
    ) == [(1, 30, 31, 2, 7250)]  # the last one holds for a minute
    assert rows(base, "SELECT peak_time FROM phase_day") == [
        (datetime.fromtimestamp(at(0) / 1000 + 60, PARIS),)
    ]
    assert rows(base, "SELECT codifier, shed_minutes, eco_minutes FROM heater_day ORDER BY 1") == [
        ("11", 0, 0),
        ("12", 2, 0),
    ]
    assert rows(
        base,
        "SELECT phase, shed_s, round(mean_va), index_wh FROM heating_hour "
        "WHERE mean_a > 0 ORDER BY timestamp LIMIT 2",
    ) == [
        (1, 120, 4621, 2000),
        (1, 0, 4600, 2500),
    ]
    assert same_from_scratch(base, house)


def test_what_readings_kept_no_longer_told_stays(base: connection, house: Network) -> None:
    hours = range(6)
    touched = store(base, "X1", ((at(n), 100 * n) for n in hours))
    touched += store(base, "I1", ((at(n + 0.5), 20 + n) for n in hours))
    update(base, house, touched)
    before = everything(base)
    with base, base.cursor() as cursor:
        cursor.execute("DELETE FROM reading WHERE timestamp < to_timestamp(%s)", (at(3) / 1000,))
        money.rebuild(cursor, house, NOW_MS)
    assert everything(base) == before
    update(base, house, store(base, "X1", [(at(2.5), 220)]))
    assert rows(base, "SELECT sum(wh) FROM energy_hour") == [(500,)]


def test_hours_of_which_readings_are_gone_are_never_spread_anew(
    base: connection, house: Network
) -> None:
    """Neither by late readings nor by making all anew; what comes after is as it would be."""
    moments = [n / 10 for n in range(60)]
    touched = store(base, "X1", ((at(h), round(100 * h + 3 * (h % 1))) for h in moments))
    touched += store(base, "I1", ((at(h), 20 + round(h)) for h in moments))
    touched += store(base, "X1", [(at(2.85), 99_999), (at(2.86), 99_999)])  # in doubt
    update(base, house, touched)
    before = everything(base)
    with base, base.cursor() as cursor:
        gone = (at(3) / 1000,)
        cursor.execute("DELETE FROM reading WHERE timestamp < to_timestamp(%s)", gone)
        for code in ("X1", "I1"):
            cursor.execute("INSERT INTO retired VALUES (%s, to_timestamp(%s))", (code, *gone))
        money.rebuild(cursor, house, NOW_MS)
    assert everything(base) == before
    late = store(base, "X1", [(at(0.55), 55), (at(2.95), 298)])
    late += store(base, "I1", [(at(0.55), 35), (at(2.95), 35)])
    update(base, house, late)
    assert everything(base) == before
    update(base, house, store(base, "X1", [(at(3.1), 310)]))  # what it says is known
    assert everything(base) == before
    with base, base.cursor() as cursor:
        money.rebuild(cursor, house, NOW_MS)
    assert everything(base) == before


def test_clocks_that_were_never_set_or_far_ahead(base: connection, house: Network) -> None:
    """One index at the beginning of 1970, one in the year 9999: neither is spread over years."""
    wild = [(1000, 900), (253_402_300_799_000, 1300)]
    for code in ("X1", "I1", "S1"):
        touched = store(base, code, [(at(0), 1000), (at(1), 1200), *wild])
        update(base, house, touched)
    assert rows(base, "SELECT wh FROM energy_hour") == [(200,)]
    assert rows(base, "SELECT kind, from_wh, to_wh FROM energy_event") == [("long gap", 900, 1000)]
    assert rows(base, "SELECT count(*) FROM phase_hour") == [(4,)]
    assert same_from_scratch(base, house)


def test_only_what_is_told_is_written(base: connection, house: Network) -> None:
    update(base, house, store(base, "I1", [(at(0.5), 20)]))
    assert len(rows(base, "SELECT * FROM phase_hour")) == 1
    assert rows(base, "SELECT * FROM heater_hour") == []
    assert same_from_scratch(base, house)


def noise(seed: int) -> list[tuple[str, int, Value, int]]:
    """Make two days of a house with resets, jumps, gaps and marked values."""
    dice = random.Random(seed)
    wh, found = dice.randrange(10**6), list[tuple[str, int, Value, int]]()
    hours = 0.0
    address = "0217"
    while hours < 40:
        hours += dice.choice([0.05, 0.2, 0.2, 0.7, dice.random() * 9])
        wh += dice.randrange(400)
        event = dice.random()
        if event < 0.06:
            wh = dice.randrange(1000)
        elif event < 0.1:
            address = dice.choice(["0217", "0621"])
        shown = wh if dice.random() > 0.1 else dice.randrange(10**6)
        found.append(("X1", at(hours), shown, dice.choice([0, 0, 0, 0, 1, 2])))
        found.append(("AD", at(hours), address, 0))
        found.append(("I1", at(hours), dice.randrange(40), 0))
        found.append(("S1", at(hours), dice.randrange(4) | dice.randrange(2) << 62, 0))
    return found


@settings(
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 10**6), order=st.randoms(use_true_random=False), parts=st.integers(1, 6))
def test_whatever_comes_late_the_tables_are_those_made_at_once(
    base: connection, house: Network, seed: int, order: random.Random, parts: int
) -> None:
    with base, base.cursor() as cursor:
        for table in (*TABLES, "reading"):
            cursor.execute(f"DELETE FROM {table}")
    readings = noise(seed)
    order.shuffle(readings)
    for part in range(parts):
        touched = []
        for code, at_ms, value, quality in readings[part::parts]:
            touched += store(base, code, [(at_ms, value)], quality)
        update(base, house, touched)
    assert same_from_scratch(base, house)
    by_hour = rows(base, "SELECT coalesce(sum(wh), 0) FROM energy_hour")
    assert by_hour == rows(base, "SELECT coalesce(sum(wh), 0) FROM energy_day")
    assert by_hour == rows(base, "SELECT coalesce(sum(wh), 0) FROM energy_month")


def test_what_was_noted_is_done_once(base: connection, house: Network) -> None:
    touched = store(base, "X1", [(at(0), 0), (at(2), 200)])
    with base, base.cursor() as cursor:
        for each in touched:
            money.note(cursor, *each)
    for there_was in (True, False):
        with base, base.cursor() as cursor:
            assert money.work(cursor, house, NOW_MS) is there_was
    assert rows(base, "SELECT wh FROM energy_hour") == [(100,), (100,)]


def test_energy_is_read_back_by_period(base: connection, house: Network) -> None:
    touched = store(base, "X1", [(at(0), 0), (at(2), 200)])
    touched += store(base, "X2", [(at(0.5), 0), (at(2.25), 1700)])
    touched += store(base, "XT", [(at(0), 0), (at(2.25), 1900)])
    update(base, house, touched)
    days = (date(2026, 10, 1), date(2026, 11, 1))
    with base, base.cursor() as cursor:
        drawn = money.read_energy(cursor, "TI", *days, total=False)
        assert drawn.energy == {date(2026, 10, 24): {"HC": 200, "HP": 1700}}
        assert drawn.estimated == 1900
        assert drawn.since == datetime.fromtimestamp(at(0) / 1000, PARIS)
        assert drawn.until == datetime.fromtimestamp(at(2.25) / 1000, PARIS)
        whole = money.read_energy(cursor, "TI", *days, total=True)
        assert whole.energy == {date(2026, 10, 24): {"BASE": 1900}}
        assert money.read_energy(cursor, "T2", *days, total=False).since is None


@pytest.mark.parametrize(("begin", "end"), [(0.1, 0.3), (0.7, 1.2), (0, 1), (0.5, 3), (1, 2.9)])
def test_from_when_to_when_energy_is_known(
    base: connection, house: Network, begin: float, end: float
) -> None:
    inside = [hour for hour in (1.0, 2.0) if begin < hour < end]
    update(base, house, store(base, "X1", ((at(n), 0) for n in (begin, *inside, end))))
    with base, base.cursor() as cursor:
        days = (date(2026, 10, 1), date(2026, 11, 1))
        drawn = money.read_energy(cursor, "TI", *days, total=False)
    assert drawn.since == datetime.fromtimestamp(at(begin) / 1000, PARIS)
    assert drawn.until == datetime.fromtimestamp(at(end) / 1000, PARIS)


def test_the_zone_is_the_calculator_s(network: Callable[..., Network]) -> None:
    calculator = {"Codifier": "Q2", "Type": "jphCalcHistory", "Sensor": {"TimeZone": "Asia/Tokyo"}}
    assert str(money.local_days(network(calculator)).zone) == "Asia/Tokyo"
    assert str(money.local_days(network()).zone) == "Europe/Paris"


OCTOBER = date(2026, 10, 1), date(2026, 11, 1)
SWITCH_H = (13 * 24 + 9) * 2
"""Half hours of October until the contract changes, on the 14th at 9:00."""


def contract_change(network: Callable[..., Network], *codes: str) -> Network:
    fields = {"X0": "INDEX_BASE", "X1": "INDEX_HC", "X2": "INDEX_HP", "XT": "INDEX_TOTAL"}
    proxy = [{"Codifier": code, "Field": fields[code]} for code in codes]
    meter = METER | {"Sensor": {"Device": "nowhere", "Proxy": proxy}}
    common = {"Power": 9, "Subscription": {"9": "10"}}
    base = common | {"Name": "old", "From": "2026-01-01", "Until": "2026-10-13"}
    new = common | {"Name": "new", "From": "2026-10-14", "Prices": {"HC": "0.1", "HP": "0.3"}}
    tariffs = [base | {"Prices": {"BASE": "0.2"}}, new]
    return network(meter, *proxies("TI", *codes), Tariffs=tariffs)


def half_hours() -> dict[str, list[tuple[int, Value]]]:
    """500 Wh each half hour; at the change the index of all goes on as that of off-peak."""
    start_ms = int(datetime(2026, 10, 1, tzinfo=PARIS).timestamp() * 1000)
    wh = {"X0": 22_239_000, "X1": 0, "X2": 0}
    found: dict[str, list[tuple[int, Value]]] = {"X0": [], "X1": [], "X2": [], "XT": []}
    for n in range((31 * 24 + 1) * 2 + 1):
        at_ms = start_ms + n * HOUR_MS // 2
        hour = datetime.fromtimestamp(at_ms / 1000 - 1, PARIS).hour
        if n <= SWITCH_H:
            wh["X0"] += 500 if n else 0
            found["X0"].append((at_ms, wh["X0"]))
            found["XT"].append((at_ms, wh["X0"]))
            continue
        if n == SWITCH_H + 1:
            wh["X1"] = wh["X0"]
        else:
            wh["X1" if hour >= 22 or hour < 6 else "X2"] += 500
        found["X1"].append((at_ms, wh["X1"]))
        found["X2"].append((at_ms, wh["X2"]))
        found["XT"].append((at_ms, wh["X1"] + wh["X2"]))
    return found


@pytest.mark.parametrize(
    ("codes", "rest"), [("X0 X1 X2", 0), ("X0 X1 X2 XT", 0), ("X0 XT", 423_500)]
)
def test_a_contract_that_changes_in_the_middle_of_a_month(
    base: connection, network: Callable[..., Network], codes: str, rest: int
) -> None:
    """744.5 kWh, whatever the config knows of the new indexes."""
    house = contract_change(network, *codes.split())
    touched = []
    for code, readings in half_hours().items():
        if code in codes.split():
            touched += store(base, code, readings)
    update(base, house, touched)
    with base, base.cursor() as cursor:
        drawn = money.read_energy(cursor, "TI", *OCTOBER, total=not has_periods(house, "TI"))
    found = bill(read_tariffs(house), drawn.energy, *OCTOBER, total=drawn.total)
    assert found.wh == 744_500
    assert found.unpriced == ({IN_NO_INDEX: rest} if rest else {})
    by_line = {(line.tariff, line.what): line.wh for line in found.lines}
    assert by_line["old", "BASE"] == 321_000


def clock_changes(every_minutes: int, wh: int) -> list[str]:
    """Return statements for both clock changes of 2026, with UTC days before and after."""
    columns = "codifier, timestamp, epoch, sequence, quality, value_integer"
    return [
        f"INSERT INTO reading ({columns}) SELECT 'X1', t, {epoch}, row_number() OVER (ORDER BY t), "
        f"0, {1_000_000 * epoch} + {wh} * row_number() OVER (ORDER BY t) FROM generate_series("
        f"'{first} 22:00+00'::timestamptz, '{last} 00:00+00', '{every_minutes} minutes') t"
        for epoch, first, last in ((5, "2026-03-27", "2026-03-31"), (6, "2026-10-23", "2026-10-27"))
    ]


FIELD_CLOCKS = FIELD / "dst_index.sql"
CLOCKS: dict[str, Callable[[], tuple[list[str], int]]] = {
    "own": lambda: (clock_changes(10, 100), 600),
    "1000 Wh an hour": lambda: (clock_changes(30, 500), 1000),
    "field": lambda: ([FIELD_CLOCKS.read_text("utf-8")], 600),
}


@pytest.mark.parametrize("name", CLOCKS)
def test_days_of_23_and_25_hours(base: connection, house: Network, name: str) -> None:
    if name == "field" and not FIELD_CLOCKS.exists():
        pytest.skip("no field data beside this checkout")
    statements, wh = CLOCKS[name]()
    with base, base.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        money.rebuild(cursor, house, NOW_MS)
    days = "'2026-03-29', '2026-03-30', '2026-10-25', '2026-10-26'"
    found = rows(
        base,
        "SELECT day::text, sum(wh)::int, count(*)::int FROM energy_hour "
        f"WHERE codifier = 'X1' AND day IN ({days}) GROUP BY day ORDER BY day",
    )
    assert found == [
        ("2026-03-29", 23 * wh, 23),
        ("2026-03-30", 24 * wh, 24),
        ("2026-10-25", 25 * wh, 25),
        ("2026-10-26", 24 * wh, 24),
    ]


@pytest.mark.skipif(not FIELD.exists(), reason="no field data beside this checkout")
def test_the_figures_of_the_field(base: connection) -> None:
    """The week-end index is a period of its own, which the bill reports as not priced."""
    kept = json.loads((FIELD / "index-sequences.json").read_text("utf-8"))
    assert kept["contract change"]["expected_kwh_of_october"] == 744.5
    assert kept["DST"]["days"] == {"2026-03-29": 23_000, "2026-10-25": 25_000}
    house = load(str(FIELD / "money.json"))
    touched = []
    for code, rise in (("X1", 0), ("X2", 0), ("X3", 200), ("XT", 200)):
        touched += store(base, code, [(at(0), 1_000_000), (at(1), 1_000_000 + rise)])
    update(base, house, touched)
    with base, base.cursor() as cursor:
        drawn = money.read_energy(cursor, "TI", *OCTOBER, total=not has_periods(house, "TI"))
    found = bill(read_tariffs(house), drawn.energy, *OCTOBER, total=drawn.total)
    assert (found.wh, found.unpriced) == (200, {"EASF03": 200})


def test_a_current_that_is_fed_in_is_no_overrun(base: connection, house: Network) -> None:
    """24 A of 20 A without apparent power; the same current with it is one."""
    fields = [*METER["Sensor"]["Proxy"], {"Codifier": "A1", "Field": "APPARENT_POWER_1"}]
    sensors = [each for each in house.sensors if each.codifier != "TI"]
    (meter,) = [each for each in house.sensors if each.codifier == "TI"]
    meter = msgspec.structs.replace(meter, sensor={"Device": "nowhere", "Proxy": fields})
    home = msgspec.structs.replace(house, sensors=[meter, *sensors])
    touched = store(base, "IS", [(at(0), 20)])
    for seconds in range(0, 7200, 10):
        when = at(0) + seconds * 1000
        touched += store(base, "IS", [(when, 20)])
        touched += store(base, "I1", [(when, 24)])
        touched += store(base, "A1", [(when, 0 if seconds < 3600 else 5520)])
    update(base, home, touched)
    found = rows(base, "SELECT overrun_s FROM phase_hour ORDER BY timestamp")
    assert [round(seconds) for (seconds,) in found][:1] == [0]
    assert sum(seconds for (seconds,) in found) > 3000
