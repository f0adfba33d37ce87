"""From groups to facts: same names in both modes, phases together, warnings and indexes judged."""

import pytest

from jph.devices.tic import FrameReader
from jph.devices.tic.currents import PRODUCES_S
from jph.devices.tic.fields import is_field, period, tariff
from jph.devices.tic.meter import Fact, Meter
from jph.devices.tic.plausibility import CONFIRMATIONS, IndexGuard
from tests.jph.devices.tic.frames import (
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
                "CURRENT_1": 0,
                "INJECTED_CURRENT_1": 4,
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


def begun(*lines: Line, standard: bool = False) -> bytes:
    """Write the beginning of a frame."""
    return b"\x02" + rest(*lines, standard=standard)


def rest(*lines: Line, standard: bool = False) -> bytes:
    """Write groups inside a frame."""
    return b"".join(b"\n" + line(*fields, standard=standard) + b"\r" for fields in lines)


def drawn(facts: list[Fact]) -> list[object]:
    return [fact.value for fact in facts if fact.field.startswith("CURRENT")]


def test_the_phases_of_a_frame_leave_together_with_the_last() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(HISTORIQUE_THREE)), 0.0)
    held = begun(("IINST1", "019"), ("IINST2", "014"))
    assert meter.update(reader.feed(held), 1.0) == []
    assert drawn(meter.update(reader.feed(rest(("IINST3", "007"))), 1.0)) == [19, 14, 7]


def test_a_phase_that_has_reached_the_contract_waits_for_no_other() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(HISTORIQUE_THREE)), 0.0)  # 20 A a phase
    assert drawn(meter.update(reader.feed(begun(("IINST1", "020"))), 1.0)) == [20]
    assert drawn(meter.update(reader.feed(rest(("IINST2", "014"))), 1.0)) == []
    assert drawn(meter.update(reader.feed(rest(("IINST3", "007"))), 1.0)) == [14, 7]


def test_a_lost_last_phase_holds_the_others_no_longer_than_the_next_group() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(HISTORIQUE_THREE)), 0.0)
    assert drawn(meter.update(reader.feed(begun(("IINST1", "012"))), 1.0)) == []
    damaged = b"\nIINST3 0?7 X\r"
    assert drawn(meter.update(reader.feed(damaged), 1.0)) == []
    assert drawn(meter.update(reader.feed(rest(("IMAX1", "060"))), 1.0)) == [12]


@pytest.mark.parametrize("label", ["IINST", "IRMS1"])
def test_one_phase_waits_for_no_other(label: str) -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    lines = HISTORIQUE_SINGLE if label == "IINST" else ONE_PHASE
    meter.update(reader.feed(frame(lines)), 0.0)
    start = begun((label, "031"), standard=label == "IRMS1")
    assert drawn(meter.update(reader.feed(start), PRODUCES_S)) == [31]


def test_a_direction_that_was_never_heard_is_waited_for_until_the_frame_ends() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    held = begun(("IINST1", "031"), ("IMAX1", "060"))
    assert drawn(meter.update(reader.feed(held), 0.0)) == []
    assert drawn(meter.update(reader.feed(b"\x03"), 0.0)) == [31]
    # The last frame had no power: the next one does not wait for it.
    assert drawn(meter.update(reader.feed(begun(("IINST", "031"))), 1.0)) == [31]


def test_the_first_frame_that_feeds_in_is_corrected() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(HISTORIQUE_SINGLE)), 0.0)
    lines = begun(("IINST", "018"), ("ADPS", "018"), ("IMAX", "060"))
    found = meter.update(reader.feed(lines), 1.0)
    assert phase_facts(found, 1) == (18, 18, 0)
    assert Fact("WARNING_1", 18) in found
    found = meter.update(reader.feed(rest(("PAPP", "00000"))), 1.0)
    assert phase_facts(found, 1) == (0, 18, 18)
    assert Fact("WARNING_1", 0) in found


def test_a_phase_that_has_fed_in_waits_for_its_direction_for_an_hour() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(THREE_PHASES)), 0.0)  # 20 A a phase
    solar = changed(THREE_PHASES, IRMS1="024", SINSTS1="00000", STGE="003A8601")
    meter.update(reader.feed(frame(solar)), 1.0)
    # The other phases, heard for an hour, leave at once.
    lines = begun(("IRMS1", "024"), ("IRMS2", "021"), ("IRMS3", "002"), standard=True)
    assert drawn(meter.update(reader.feed(lines), PRODUCES_S)) == [21, 2]
    power = rest(("SINSTS", "10000"), ("SINSTS1", "05520"), standard=True)
    assert drawn(meter.update(reader.feed(power), PRODUCES_S)) == [24]
    meter.update(reader.feed(b"\x03"), PRODUCES_S)
    lines = begun(("IRMS1", "019"), ("IRMS2", "003"), ("IRMS3", "002"), standard=True)
    assert drawn(meter.update(reader.feed(lines), 1.0 + PRODUCES_S)) == [19, 3, 2]


def test_a_known_producer_sheds_nothing_at_its_first_feed_in() -> None:
    meter, reader = Meter(EXPIRY_S, produces=True), FrameReader()
    meter.update(reader.feed(frame(changed(HISTORIQUE_SINGLE, IINST="003"))), 0.0)  # 45 A
    assert drawn(meter.update(reader.feed(begun(("IINST", "050"))), 1.0)) == []
    assert drawn(meter.update(reader.feed(rest(("PAPP", "00000"))), 1.0)) == [0]


def test_a_producer_that_jumps_above_the_contract_after_hours_sheds_nothing() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    night = changed(HISTORIQUE_SINGLE, IINST="003", PAPP="00690")
    meter.update(reader.feed(frame(night)), 0.0)  # 45 A
    meter.update(reader.feed(frame(changed(night, IINST="006", PAPP="00000"))), 1.0)
    late_s = 1.0 + 5 * PRODUCES_S
    assert drawn(meter.update(reader.feed(frame(night)), late_s)) == [3]
    for amperes, va, expected in (("050", "00000", 0), ("048", "11040", 48)):
        found = meter.update(reader.feed(begun(("IINST", amperes), ("ADPS", amperes))), late_s)
        assert (drawn(found), [f for f in found if f.field.startswith("WARNING")]) == ([], [])
        found = meter.update(reader.feed(rest(("PAPP", va)) + b"\x03"), late_s)
        assert drawn(found) == [expected]
        assert (Fact("WARNING_1", 48) in found) == (expected > 0)


def test_a_phase_that_feeds_in_never_seems_to_exceed_the_contract() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    found = []
    drawing = [("006", "01380"), ("006", "01380")]
    sun = [("024", "00000"), ("024", "00000"), ("002", "00460"), ("030", "00000")]
    for now_s, (amperes, va) in enumerate((*drawing, *sun)):
        lines = changed(THREE_PHASES, IRMS1=amperes, SINSTS1=va)
        for byte in frame(lines):
            found += meter.update(reader.feed(bytes([byte])), float(now_s))
    told = [fact.value for fact in found if fact.field == "CURRENT_1"]
    assert told == [6, 6, 0, 0, 2, 0]


def phase_facts(facts: list[Fact], phase: int) -> tuple[object, object, object]:
    told = {fact.field: fact.value for fact in facts}
    return (
        told.get(f"CURRENT_{phase}"),
        told.get(f"METER_CURRENT_{phase}"),
        told.get(f"INJECTED_CURRENT_{phase}"),
    )


def changed(lines: tuple[Line, ...], **values: str) -> tuple[Line, ...]:
    """Return a frame with other values of some labels; an empty one leaves the label out."""
    return tuple(
        (label, values.get(label, given)) for label, given in lines if values.get(label, given)
    )


THREE_PHASES: tuple[Line, ...] = (
    ("ADSC", "031861000003"),
    ("NGTF", "      BASE      "),
    ("EASF01", "005000000"),
    ("IRMS1", "006"),
    ("IRMS2", "001"),
    ("IRMS3", "002"),
    ("PREF", "12"),
    ("SINSTS", "02120"),
    ("SINSTS1", "01430"),
    ("SINSTS2", "00230"),
    ("SINSTS3", "00460"),
    ("STGE", "003A8401"),
)
ONE_PHASE: tuple[Line, ...] = (
    ("ADSC", "031961000002"),
    ("EASF01", "000000012"),
    ("IRMS1", "018"),
    ("PREF", "09"),
    ("SINSTS", "04150"),
    ("STGE", "003A8401"),
)


def test_a_phase_that_feeds_in_draws_nothing() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    before = meter.update(reader.feed(frame(THREE_PHASES)), 0.0)
    assert [phase_facts(before, n) for n in (1, 2, 3)] == [(6, 6, 0), (1, 1, 0), (2, 2, 0)]
    solar = changed(THREE_PHASES, IRMS1="024", SINSTS="00000", SINSTS1="00000", STGE="003A8601")
    found = meter.update(reader.feed(frame(solar)), 1.0)
    assert [phase_facts(found, n) for n in (1, 2, 3)] == [(0, 24, 24), (1, 1, 0), (2, 2, 0)]
    # The same current drawn is an overrun again.
    cloud = changed(THREE_PHASES, IRMS1="024", SINSTS1="05520")
    assert phase_facts(meter.update(reader.feed(frame(cloud)), 2.0), 1) == (24, 24, 0)


def test_feed_in_of_one_phase_and_of_historique_mode() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    solar = changed(ONE_PHASE, SINSTS="00000", STGE="003A8601")
    assert phase_facts(meter.update(reader.feed(frame(solar)), 0.0), 1) == (0, 18, 18)
    meter, reader = Meter(EXPIRY_S), FrameReader()
    lines = (("ISOUSC", "15"), ("IINST", "018"), ("ADPS", "018"), ("PAPP", "00000"))
    found = meter.update(reader.feed(frame(lines)), 0.0)
    assert phase_facts(found, 1) == (0, 18, 18)
    assert Fact("ADPS", 18) in found
    assert "WARNING_1" not in {fact.field for fact in found if fact.value}


def test_a_producer_that_draws_a_few_va_still_feeds_in() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(STANDARD_PRODUCER)), 0.0)
    assert phase_facts(meter.update(reader.feed(frame(STANDARD_PRODUCER)), 1.0), 1) == (0, 4, 4)


def test_an_overrun_while_another_phase_feeds_in_warns_of_the_drawing_phase() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    meter.update(reader.feed(frame(THREE_PHASES)), 0.0)
    lines = changed(
        THREE_PHASES, IRMS1="024", SINSTS1="00000", IRMS2="021", SINSTS2="04830", STGE="003A8681"
    )
    over = meter.update(reader.feed(frame(lines)), 1.0)
    assert warned(over)["WARNING_2"] == 21
    assert "WARNING_1" not in {fact.field for fact in over if fact.value}


def test_an_exchange_for_a_meter_with_one_phase_changes_the_contract_at_once() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    three = changed(THREE_PHASES, PREF="09")
    for _ in range(4):
        found = meter.update(reader.feed(frame(three)), 0.0)
    assert Fact("SUBSCRIBED_CURRENT", 15) in found
    doubtful = meter.update(reader.feed(frame(ONE_PHASE)), 1.0)
    assert drawn(doubtful) == []  # 18 A of an unknown meter are not judged by the old contract
    found = meter.update(reader.feed(frame(ONE_PHASE)), 2.0)
    order = [fact for fact in found if fact.field in ("SUBSCRIBED_CURRENT", "CURRENT_1")]
    assert order == [Fact("SUBSCRIBED_CURRENT", 45), Fact("CURRENT_1", 18)]
    assert meter.phases == 1


def test_one_damaged_line_changes_nothing() -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    for _ in range(4):
        meter.update(reader.feed(frame(ONE_PHASE)), 0.0)
    damaged = (*changed(ONE_PHASE, PREF="01", ADSC="0300004"), ("IRMS3", "045"))
    found = meter.update(reader.feed(frame(damaged)), 1.0)
    told = {fact.field: fact.value for fact in found}
    assert told["SUBSCRIBED_CURRENT"] == 45
    assert not {"METER_ADDRESS", "ADSC", "PREF", "IRMS3", "CURRENT_3"} & told.keys()
    assert told["CURRENT_1"] == 18
    for _ in range(3):
        found = meter.update(reader.feed(frame(changed(ONE_PHASE, PREF="06"))), 2.0)
    assert Fact("SUBSCRIBED_CURRENT", 30) in found  # another contract of the same meter


@pytest.mark.parametrize(
    ("supplier", "name", "number", "expected"),
    [
        (" HC et WeekEnd  ", "HEURE WEEK-END  ", 3, ["EASF03", "INDEX_HEURE_WEEK_END"]),
        ("H SUPER CREUSES ", "H SUPER CREUSE  ", 3, ["EASF03", "INDEX_H_SUPER_CREUSE"]),
        ("    ZEN FLEX    ", "   HC SOBRIETE  ", 1, ["EASF01", "INDEX_HC_SOBRIETE"]),
        ("H PLEINE/CREUSE ", " INDEX INACTIF 2", 2, ["EASF02", "INDEX_HP"]),
        (" HC SEM WE MERC ", "    HP SEMAINE  ", 2, ["EASF02", "INDEX_HP", "INDEX_HP_SEMAINE"]),
    ],
)
def test_each_index_of_a_supplier_has_a_name_of_its_own(
    supplier: str, name: str, number: int, expected: list[str]
) -> None:
    meter, reader = Meter(EXPIRY_S), FrameReader()
    lines = (("NGTF", supplier), ("LTARF", name), (f"EASF{number:02}", "000011961"))
    both = frame((*lines, ("NTARF", f"{number:02}")))
    meter.update(reader.feed(both), 0.0)
    found = meter.update(reader.feed(both), 1.0)
    assert [fact.field for fact in found if fact.value == 11961] == expected
    assert all(is_field(field) for field in expected)
    assert reader.bad == 0


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
