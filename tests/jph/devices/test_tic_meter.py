"""From groups to facts: same names in both modes, phases together, warnings and indexes judged."""

import pytest

from jph.devices.tic import FrameReader
from jph.devices.tic.fields import is_field, period, tariff
from jph.devices.tic.meter import Fact, Meter
from jph.devices.tic.plausibility import CONFIRMATIONS, IndexGuard
from tests.jph.devices.tic_frames import (
    HISTORIQUE_BASE,
    HISTORIQUE_EJP,
    HISTORIQUE_SINGLE,
    HISTORIQUE_THREE,
    SHORT,
    STANDARD_PRODUCER,
    STANDARD_SINGLE,
    STANDARD_THREE,
    Line,
    frame,
    line,
)

EXPIRY_S = 15.0


def facts_of(*frames: tuple[Line, ...]) -> dict[str, object]:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    found = meter.update(reader.feed(b"".join(frame(lines) for lines in frames)), 0.0)
    return {fact.field: fact.value for fact in found}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            HISTORIQUE_SINGLE,
            {
                "IINST": 12,
                "CURRENT_1": 12,
                "APPARENT_POWER": 2760,
                "INDEX_TOTAL": 12345678 + 23456789,
                "METER_MAKER": "Landis+Gyr, Siemens Metering",
                "METER_YEAR": 2018,
                "METER_TYPE": "Linky, three-phase 60 A, G3",
                "INDEX_HC": 12345678,
                "INDEX_HP": 23456789,
                "TARIFF": "HC",
                "TARIFF_PERIOD": "HP",
                "PTEC": "HP..",
                "SUBSCRIBED_CURRENT": 45,
                "METER_ADDRESS": "041876543210",
                "WARNING_1": 0,
                "ADPS": 0,
            },
        ),
        (
            HISTORIQUE_THREE,
            {
                "CURRENT_1": 3,
                "CURRENT_2": 14,
                "CURRENT_3": 0,
                "INDEX_HCJW": 3000000,
                "INDEX_TOTAL": 21000000,
                "TARIFF": "TEMPO",
                "TARIFF_PERIOD": "HC BLANC",
                "TEMPO_TOMORROW": "ROUGE",
            },
        ),
        (
            HISTORIQUE_BASE,
            {
                "INDEX_BASE": 4567890,
                "INDEX_TOTAL": 4567890,
                "TARIFF": "BASE",
                "TARIFF_PERIOD": "BASE",
                "ADPS": 31,
                "WARNING_1": 31,
                "METER_MAKER": "Sagem, Sagemcom",
                "METER_YEAR": 2029,
            },
        ),
        (
            HISTORIQUE_EJP,
            {
                "INDEX_HN": 1234567,
                "INDEX_PM": 123456,
                "INDEX_TOTAL": 1358023,
                "PEJP": 30,
                "TARIFF_PERIOD": "PM",
            },
        ),
        (
            STANDARD_SINGLE,
            {
                "CURRENT_1": 31,
                "INDEX_TOTAL": 31000,
                "INDEX_HC": 10000,
                "INDEX_HP": 21000,
                "TARIFF": "HC",
                "TARIFF_PERIOD": "HC",
                "SUBSCRIBED_CURRENT": 30,
                "OVERLOAD": 1,
                "WARNING_1": 31,
                "CONTACT_OPEN": 1,
                "METER_MAKER": "Itron",
                "METER_TYPE": "Linky, single-phase 60 A, G3",
            },
        ),
        (SHORT, {"ADIR2": 24, "WARNING_2": 24, "WARNING_1": 0, "CURRENT_2": 24}),
        (
            STANDARD_THREE,
            {
                "CURRENT_1": 3,
                "CURRENT_2": 14,
                "CURRENT_3": 1,
                "VOLTAGE_3": 233,
                "INDEX_TOTAL": 21000000,
                "INDEX_HCJW": 3000001,
                "TARIFF": "TEMPO",
                "TARIFF_PERIOD": "HC BLANC",
                "LTARF": "   HC  BLANC    ",
                "TEMPO_TODAY": "BLANC",
                "TEMPO_TOMORROW": "BLEU",
                "OVERLOAD": 1,
                "RELAY_1": 1,
                "RELAY_2": 0,
                "RELAY_3": 1,
                "SUBSCRIBED_CURRENT": 20,
                "DATE": "e261120071500",
                "SMAXSN": 7300,
                "SMAXSN.horodate": "H261120061500",
                "SMAXSN1-1": 2900,
            },
        ),
        (
            STANDARD_PRODUCER,
            {
                "CURRENT_1": 4,
                "INDEX_BASE": 802,
                "INDEX_INJECTED": 7472722,
                "INJECTED_POWER": 1592,
                "SUBSCRIBED_CURRENT": 30,
                "CCAIN-1": 1000,
            },
        ),
    ],
)
def test_facts(lines: tuple[Line, ...], expected: dict[str, object]) -> None:
    found = facts_of(lines)
    assert {name: found.get(name) for name in expected} == expected
    assert all(is_field(name) for name in found)


def test_the_phases_of_a_frame_leave_together_with_the_last() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(HISTORIQUE_THREE)), 0.0)
    begun = b"\x02\n" + line("IINST1", "019") + b"\r\n" + line("IINST2", "014") + b"\r\n"
    assert meter.update(reader.feed(begun), 1.0) == []
    last = meter.update(reader.feed(line("IINST3", "007") + b"\r"), 1.0)
    assert [fact.value for fact in last if fact.field.startswith("CURRENT")] == [19, 14, 7]


def test_a_phase_that_has_reached_the_contract_waits_for_no_other() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(HISTORIQUE_THREE)), 0.0)  # 20 A a phase
    first = meter.update(reader.feed(b"\x02\n" + line("IINST1", "020") + b"\r"), 1.0)
    assert first == [Fact("IINST1", 20), Fact("CURRENT_1", 20)]
    second = meter.update(reader.feed(b"\n" + line("IINST2", "014") + b"\r"), 1.0)
    assert second == []
    last = meter.update(reader.feed(b"\n" + line("IINST3", "007") + b"\r"), 1.0)
    assert [fact.value for fact in last if fact.field.startswith("CURRENT")] == [14, 7]


def test_a_lost_last_phase_holds_the_others_no_longer_than_the_next_group() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    begun = b"\x02\n" + line("IINST1", "031") + b"\r\nIINST3 0?7 X\r"
    assert meter.update(reader.feed(begun), 0.0) == []
    after = meter.update(reader.feed(b"\n" + line("IMAX1", "060") + b"\r"), 0.0)
    assert after == [Fact("IINST1", 31), Fact("CURRENT_1", 31), Fact("IMAX1", 60)]


@pytest.mark.parametrize("label", ["IINST", "IRMS1"])
def test_one_phase_waits_for_no_other(label: str) -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    lines = HISTORIQUE_SINGLE if label == "IINST" else STANDARD_PRODUCER
    meter.update(reader.feed(frame(lines)), 0.0)
    current = line(label, "031", standard=label == "IRMS1")
    found = meter.update(reader.feed(b"\x02\n" + current + b"\r"), 1.0)
    assert found == [Fact(label, 31), Fact("CURRENT_1", 31)]


def test_a_warning_expires_unless_renewed() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(SHORT)), 0.0)
    meter.update(reader.feed(frame(SHORT)), 10.0)
    assert meter.expire(10.0 + EXPIRY_S - 0.1) == []
    assert meter.expire(10.0 + EXPIRY_S) == [Fact("ADIR2", 0), Fact("WARNING_2", 0)]
    assert meter.expire(100.0) == []


def test_one_expired_warning_does_not_hide_another_of_its_phase() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame((("ADIR1", "031"),))), 0.0)
    meter.update(reader.feed(frame((("ADPS", "032"),))), 10.0)
    assert meter.expire(EXPIRY_S) == [Fact("ADIR1", 0)]
    assert meter.expire(10.0 + EXPIRY_S) == [Fact("ADPS", 0), Fact("WARNING_1", 0)]


def standard(stge: str, *amperes: int) -> bytes:
    currents = (b"\n" + line(f"IRMS{n}", f"{a:03}") + b"\r" for n, a in enumerate(amperes, 1))
    return b"".join(currents) + b"\n" + line("STGE", stge) + b"\r"


def warned(facts: list[Fact]) -> dict[str, object]:
    told = {fact.field: fact.value for fact in facts}
    names = ("OVERLOAD", "OVERVOLTAGE", "WARNING_1", "WARNING_2", "WARNING_3")
    return {name: told[name] for name in names if name in told}


def test_the_overrun_bit_of_standard_mode_warns_of_the_phase_that_is_over() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(STANDARD_THREE)), 0.0)  # 12 kVA: 20 A a phase
    meter.update(reader.feed(standard("003A0001", 3, 14, 1)), 1.0)
    calm = {"OVERLOAD": 0, "OVERVOLTAGE": 0}
    over = warned(meter.update(reader.feed(standard("003A0081", 3, 24, 1)), 2.0))
    assert over == calm | {"OVERLOAD": 1, "WARNING_2": 24}
    moved = warned(meter.update(reader.feed(standard("003A0081", 22, 19, 1)), 3.0))
    assert moved == calm | {"OVERLOAD": 1, "WARNING_1": 22, "WARNING_2": 0}
    total = warned(meter.update(reader.feed(standard("003A0081", 20, 19, 19)), 4.0))
    assert total == calm | {"OVERLOAD": 1, "WARNING_1": 20}  # the sum is over: its highest phase
    ended = warned(meter.update(reader.feed(standard("003A0001", 9, 9, 9)), 5.0))
    assert ended == calm | {"WARNING_1": 0}


def test_the_alarms_of_standard_mode_expire_too() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(standard("003A00C1", 31)), 0.0)
    assert meter.expire(EXPIRY_S - 0.1) == []
    assert warned(meter.expire(EXPIRY_S)) == {"OVERLOAD": 0, "OVERVOLTAGE": 0, "WARNING_1": 0}


def test_a_damaged_frame_does_not_decide_the_subscribed_current() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    damaged = frame(STANDARD_THREE)
    for label in (b"IRMS2", b"IRMS3", b"URMS2", b"URMS3"):
        damaged = damaged.replace(label, b"?" + label)
    found = meter.update(reader.feed(damaged), 0.0)
    assert "SUBSCRIBED_CURRENT" not in {fact.field for fact in found}
    assert Fact("SUBSCRIBED_CURRENT", 20) in meter.update(reader.feed(frame(STANDARD_THREE)), 1.0)


INDEXES = [
    ("rises", [(0, 1000), (2, 1001), (4, 1001)], [True, True, True]),
    ("falls", [(0, 1000), (2, 999), (4, 1002)], [True, False, True]),
    ("leaps", [(0, 1000), (2, 9000), (4, 1002)], [True, False, True]),
    ("rises much in a long time", [(0, 1000), (3600, 37000)], [True, True]),
    ("is another meter's", [(0, 9000), (2, 10), (4, 10), (6, 11)], [True, False, False, True]),
    ("is mad", [(0, 9000), (2, 10), (4, 5), (6, 80000), (8, 9001)], [True, *[False] * 3, True]),
]


@pytest.mark.parametrize(("values", "judged"), [row[1:] for row in INDEXES], ids=lambda _: "")
def test_an_index(values: list[tuple[float, int]], judged: list[bool]) -> None:
    guard = IndexGuard()
    assert CONFIRMATIONS == 3  # what the table counts on
    assert [guard.plausible("BASE", wh, now_s) for now_s, wh in values] == judged


@pytest.mark.parametrize(
    ("lines", "wh_an_hour", "plausible"),
    [
        ((("ISOUSC", "15"), ("IINST", "002")), 4700, False),
        ((("ISOUSC", "15"), ("IINST", "002")), 4500, True),
        ((("ISOUSC", "45"), ("IINST", "002")), 4700, True),
        ((("ISOUSC", "15"), ("IINST1", "002"), ("IINST2", "002")), 13500, True),
        ((("ISOUSC", "15"), ("IINST1", "002"), ("IINST2", "002")), 13700, False),
        ((("PREF", "03"), ("IRMS1", "002")), 4700, False),
        ((("PREF", "03"), ("IRMS1", "002")), 4500, True),
        ((("PTEC", "TH.."),), 50_000, True),  # the contract is not known: the largest there is
        ((("PTEC", "TH.."),), 60_000, False),
    ],
)
def test_an_index_rises_no_faster_than_its_contract_allows(
    lines: tuple[Line, ...], wh_an_hour: int, plausible: bool
) -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    index = "EAST" if lines[0][0] == "PREF" else "BASE"
    meter.update(reader.feed(frame((*lines, (index, "000001000")))), 0.0)
    told = meter.update(reader.feed(frame(((index, f"{1000 + wh_an_hour:09}"),))), 3600.0)
    assert Fact(index, 1000 + wh_an_hour, plausible) in told


def test_the_total_of_historique_mode_waits_for_every_index_of_the_tariff() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()

    def totals(*lines: Line) -> list[object]:
        facts = meter.update(reader.feed(frame(lines)), 0.0)
        return [fact.value for fact in facts if fact.field == "INDEX_TOTAL"]

    assert totals(("HCHC", "000001000"), ("HCHP", "000002000")) == []  # which tariff?
    assert totals(("OPTARIF", "HC.."), ("HCHP", "000002001")) == [3001]
    assert totals(("HCHC", "000000999"), ("HCHP", "000002002")) == [3002]  # one refused


def test_a_refused_index_is_kept_and_marked() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame((("OPTARIF", "BASE"), ("BASE", "000005000")))), 0.0)
    found = meter.update(reader.feed(frame((("BASE", "000004000"),))), 2.0)
    assert Fact("BASE", 4000, False) in found
    assert Fact("INDEX_BASE", 4000, False) in found


def test_another_meter_starts_its_indexes_anew_once_its_address_is_sure() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()

    def index(address: str, wh: str) -> bool:
        lines = (("ADCO", address), ("BASE", wh))
        facts = meter.update(reader.feed(frame(lines)), 0.0)
        return next(fact.plausible for fact in facts if fact.field == "BASE")

    assert index("041876543210", "000005000")
    assert not index("041876543299", "000000010")
    assert index("041876543299", "000000010")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("HC..", "HC"),
        ("H PLEINE-CREUSE ", "HC"),
        ("BBR(", "TEMPO"),
        ("     TEMPO      ", "TEMPO"),
        ("EJP.", "EJP"),
        ("EJP ", "EJP"),
        ("      BASE      ", "BASE"),
        ("   PRODUCTEUR   ", "PRODUCTEUR"),
    ],
)
def test_tariffs(text: str, name: str) -> None:
    assert tariff(text) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("TH..", "BASE"),
        ("      BASE      ", "BASE"),
        ("HC..", "HC"),
        ("  HEURE  CREUSE ", "HC"),
        ("HPJB", "HP BLEU"),
        ("    HP  BLEU    ", "HP BLEU"),
        ("PM..", "PM"),
        (" INDEX NON CONSO", "INDEX NON CONSO"),
    ],
)
def test_periods(text: str, name: str) -> None:
    assert period(text) == name
