"""Explanations of a heater: from everything known to nothing known, and from rubbish."""

import json
import re
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.heating.explain import loads as explain_load_module
from jph.heating.explain.facts import Evidence
from jph.heating.explain.heaters import explain, explain_phase, explain_sheds, order_name, why_shed
from jph.heating.explain.loads import explain_load, explain_shares
from jph.heating.explain.sentences import clock, span
from jph.heating.shedding.loads import steering
from jph.wire.codec import Json, Value
from tests.jph.heating.explain.tellinghouse import ledger, load_house, story, telling_house

NOW_MS = 1_795_160_000_000
NOW_S = 5000.0
NETWORK = telling_house()
SHED = {"11": {"since_ms": NOW_MS - 180_000, "current": 36, "limit": 30, "reason": "overrun"}}
LEARNED = {"11": {**SHED["11"], "watts": 1480.4, "restore_s": 120}}
WIRE = {"ordered": 0, "by": "CC", "at_ms": NOW_MS - 1_200_000, "applied": 1, "verified": 1}


def evidence(**values: Value) -> Evidence:
    heard = Evidence(NETWORK)
    for code, value in values.items():
        heard.note(code.removeprefix("w"), value, NOW_S)
    return heard


def sentences(codifier: str = "11", **values: Value) -> list[str]:
    return explain(evidence(**values).heater(codifier, NOW_S), NOW_MS, {"CC": "Console"})


WATER = {
    "ordered": 1,
    "reported": 1,
    "reason": "needed by its time",
    "turn_of": ["11", "ZZ"],
    "missing_s": 7200,
    "by": "06:00",
    "kwh": [4.21, 0.32],
}
CAR = {"ordered": 10, "reported": 6, "reason": "sun", "turn_of": [], "by": "00:00"}


def test_why_of_each_sort_of_load() -> None:
    heard = Evidence(load_house())
    assert explain_load(heard.load("WH", NOW_S)) == [
        "WH (Water heater): its shedder does not tell of it."
    ]
    heard.note("LS", json.dumps({"loads": {"WH": WATER, "EV": CAR}}), NOW_S)
    assert explain_load(heard.load("WH", NOW_S)) == [
        "WH (Water heater): ordered on.",
        "It must run now to have what it needs by 06:00.",
        "Held off for it: Living room.",
        "It still needs 2 h by 06:00.",
        "It has taken 4.2 kWh (± 0.3) since 06:00.",
    ]
    assert explain_load(heard.load("EV", NOW_S)) == [
        "EV (Car): ordered 10 A.",
        "It takes what would be fed in.",
        "It does not report that it obeys.",
    ]
    shed = {"11": {**LEARNED["11"], "reason": "another's turn", "turn_of": ["WH"]}}
    heard.note("E1", story(-1, shed), NOW_S)
    cause = heard.heater("11", NOW_S).cause
    assert cause is not None
    assert cause.turn_of == ("Water heater",)
    heard.note("LS", "[rubbish", NOW_S)
    assert len(explain_load(heard.load("EV", NOW_S))) == 1


def test_the_energy_of_the_day_by_loads() -> None:
    heard = Evidence(load_house())
    assert heard.shares(NOW_S) is None
    today = {"11": [5.0, 0.5], "12": [2.1, 0.2], "WH": [1.2, 0.1], "@@": [10.0, 0.5], "ZZ": "x"}
    heard.note("LS", json.dumps({"today": today}), NOW_S)
    shares = heard.shares(NOW_S)
    assert shares is not None
    expected = "heating 71 %, Water heater 12 %, the rest 17 % (± 8 %)."
    assert explain_shares(shares) == f"Since midnight 10.0 kWh: {expected}"


def test_every_reason_of_a_load_has_a_sentence() -> None:
    reasons = {
        value for name, value in vars(steering).items() if name.isupper() and isinstance(value, str)
    }
    assert reasons == explain_load_module._BECAUSE.keys()


def test_everything_is_told_of_a_shed_heater() -> None:
    told = sentences(w11=0, S1=1, E1=story(-1, LEARNED), K1=ledger(w11=WIRE))
    ordered, since = clock(NOW_MS - 1_200_000, NOW_MS), clock(NOW_MS - 180_000, NOW_MS)
    assert told == [
        "11 (Living room): ordered comfort, but shed: it gets off.",
        f"The order is from CC (Console), at {ordered}, 20 min ago.",
        f"SH holds it off since {since}, for 3 min: phase 1 drew 36 A, its limit 30 A (overrun).",
        "It is expected back in about 2 min.",
        "Phase 1 draws 24 A now, its limit is 30 A; no trip is near.",
        "It draws 1480 W, as learned; 1150 W are declared.",
    ]


def test_a_heater_that_has_what_was_ordered() -> None:
    wire = {**WIRE, "ordered": 3, "applied": 3, "verified": 3, "shed": False}
    told = sentences(w11=3, S1=0b10, E1=story(45, watts={"11": 990}), K1=ledger(w11=wire))
    assert told[0] == "11 (Living room): ordered eco, and not shed."
    assert told[2:] == [
        "Phase 1 draws 24 A now, its limit is 30 A; as it goes on it trips in 45 s.",
        "It draws 990 W, as learned; 1150 W are declared.",
    ]


def test_when_an_order_ends_and_what_comes_then() -> None:
    end_ms = NOW_MS + 1_800_000
    told = sentences(w11=0, K1=ledger(w11={**WIRE, "until_ms": end_ms, "then": 3}))
    assert told[2] == f"It ends by itself at {clock(end_ms, NOW_MS)}; then eco."
    told = sentences(w11=0, K1=ledger(w11={**WIRE, "until_ms": end_ms}))
    assert told[2] == f"It ends by itself at {clock(end_ms, NOW_MS)}."


def test_times_of_day_are_those_of_who_asks() -> None:
    facts = evidence(w11=0, S1=1, E1=story(-1, LEARNED), K1=ledger(w11=WIRE)).heater("11", NOW_S)
    told = explain(facts, 1_795_160_000_000, zone=ZoneInfo("Asia/Tokyo"))
    assert told[1] == "The order is from CC, at 16:13:20, 20 min ago."
    assert told[2].startswith("SH holds it off since 16:30:20, for 3 min")


def test_programs_have_the_names_that_people_gave_them() -> None:
    names = {"SH": "Load shedding", "P1": "Card of phase 1"}
    heard = evidence(w11=0, S1=1, E1=story(-1, LEARNED), K1=ledger(w11={**WIRE, "verified": 0}))
    told = explain(heard.heater("11", NOW_S), NOW_MS, names)
    assert told[2].startswith("Load shedding holds it off since")
    assert told[2] == why_shed(heard.heater("11", NOW_S), NOW_MS, names)[0]
    assert told[-1].startswith("Card of phase 1 set off but reads back comfort")


def test_another_language() -> None:
    def loud(text: str, **values: object) -> str:
        return text.format(**values).upper()

    facts = evidence(w11=0, S1=1, E1=story(-1, LEARNED), K1=ledger(w11=WIRE)).heater("11", NOW_S)
    told = explain(facts, NOW_MS, say=loud)
    assert told == [sentence.upper() for sentence in told]


def test_a_reason_is_text_whatever_it_holds() -> None:
    cause = {"11": {**LEARNED["11"], "reason": "{oops}"}}
    assert "({oops})" in sentences(S1=1, E1=story(-1, cause))[1]


def test_older_programs_tell_less_and_that_is_said() -> None:
    told = sentences(w11=2, S1=1, I1=31, IS=20)
    assert told == [
        "11 (Living room): ordered frost, but shed: it gets off.",
        "Who gave the order, and when, is not known: P1 does not report it.",
        "Why, and until when, is not known: SH does not report it.",
        "Phase 1 draws 31 A now, its limit is 20 A; how near it is to a trip is not known.",
        "What it really draws is not learned; 1150 W are declared.",
    ]


def test_nothing_heard_is_nothing_known() -> None:
    told = sentences()
    assert told[0] == "11 (Living room): its order is not known, P1 sends nothing."
    assert told[1] == "What phase 1 draws now is not known."
    assert evidence().heard is False


def test_a_card_that_tells_a_shed_counts_where_no_mask_is_heard() -> None:
    told = sentences(K1=ledger(w11={**WIRE, "shed": True}))
    assert told[0] == "11 (Living room): ordered comfort, but shed: it gets off."


@pytest.mark.parametrize(
    ("order", "mask", "applied", "verified", "expected"),
    [
        (0, 0, 0, 0, None),
        (0, 0, 2, 2, "P1 carries frost on its wire, though no shed is reported."),
        (0, 1, 0, 0, "P1 carries comfort on its wire, though it is shed."),
        (0, 1, 1, 0, "P1 set off but reads back comfort: chip or wire is at fault."),
        (0, 1, 3, 3, None),  # a small shed lowers to eco
        (4, 0, 3, 3, None),  # comfort -1 switches between comfort and eco
        (4, 0, 1, 1, "P1 carries off on its wire, though no shed is reported."),
        (3, 0, None, None, None),
    ],
)
def test_a_wire_that_differs(
    order: int, mask: int, applied: int | None, verified: int | None, expected: str | None
) -> None:
    wire = {**WIRE, "ordered": order, "applied": applied, "verified": verified}
    told = sentences(w11=order, S1=mask, K1=ledger(w11=wire))
    assert [s for s in told if s.startswith(("P1 carries", "P1 set"))] == (
        [expected] if expected else []
    )


def test_an_order_that_nobody_gave() -> None:
    wire = {**WIRE, "by": None, "at_ms": None}
    assert sentences(w11=0, K1=ledger(w11=wire))[1] == ("No order was given since it was set up.")


def test_a_small_shed_lowers_to_eco() -> None:
    told = sentences(w11=0, S1=1 << 32)
    assert told[0] == "11 (Living room): ordered comfort, but shed: it gets eco at most."


@pytest.mark.parametrize(
    ("silent", "expected"),
    [
        ({"silent": {"1": "masks"}}, "P1 hears no masks of SH"),
        (
            {"silent": {"1": "meter"}},
            "The meter of phase 1 is silent, P1 cannot trust the masks of SH",
        ),
        ({}, "P1 hears no masks, or nothing of the meter"),
    ],
)
def test_a_card_left_alone_tells_of_its_fallback(silent: dict[str, Any], expected: str) -> None:
    wires = {"11": {**WIRE, "applied": 2, "verified": 2}}
    state = Json(json.dumps({"wires": wires, "leases": {"1": "frost"}, **silent}))
    assert sentences(K1=state, w11=0, S1=0)[-1] == (
        f"{expected} and goes by its fallback (frost): it may hold the heater back by itself."
    )


def test_a_card_with_masks_tells_of_no_fallback() -> None:
    live = Json(json.dumps({"wires": {}, "leases": {"1": "live"}, "silent": {}}))
    assert "fallback" not in " ".join(sentences(K1=live, w11=0))


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ({}, "SH holds it off; it does not report why."),
        ({"reason": "blind"}, "SH holds it off: blind."),
        ({"current": 36}, "SH holds it off: phase 1 drew 36 A."),
        ({"since_ms": 1e300}, "SH holds it off; it does not report why."),
    ],
)
def test_a_cause_with_parts_missing(cause: dict[str, Any], expected: str) -> None:
    told = sentences(w11=0, S1=1, E1=story(-1, {"11": cause}))
    assert expected in told
    assert "It comes back when there is room; when is not known yet." in told


def test_a_phase_nobody_watches() -> None:
    assert explain_phase(evidence().phase(3, NOW_S)) == "No shedder watches phase 3."


def test_what_could_still_be_told() -> None:
    heard = evidence()
    heater = heard.wiring.heaters["11"]
    assert heard.missing([heater]) == {"11", "K1", "S1", "E1", "I1"}
    said: dict[str, Value] = {
        "11": 0,
        "K1": ledger(),
        "S1": 0,
        "E1": story(-1),
        "I1": 1,
        "XX": 1,
    }
    for code, value in said.items():
        heard.note(code, value, NOW_S)
    assert heard.missing([heater]) == set()


def test_text_from_the_bus_does_not_command_the_terminal() -> None:
    told = sentences(w11=0, K1=ledger(w11={**WIRE, "by": "\x1b[2J" + "x" * 500}))
    assert "\x1b" not in "".join(told)
    assert max(map(len, told)) < 200


def test_words_for_times_and_orders() -> None:
    assert [span(s) for s in (0.4, 89, 90, 7200, 400_000)] == [
        "0 s",
        "89 s",
        "2 min",
        "2 h",
        "5 days",
    ]
    assert clock(NOW_MS - 3 * 86_400_000, NOW_MS).startswith("2026-11-")
    assert re.fullmatch(r"\d\d:\d\d:\d\d \S+", clock(NOW_MS, NOW_MS))
    assert clock(NOW_MS, NOW_MS, zone=ZoneInfo("Europe/Paris")) == "08:33:20"
    assert clock(1e300, NOW_MS) == "a time that cannot be"
    assert [order_name(n) for n in (0, 3, 77)] == ["comfort", "eco", "order 77"]


STORIES = (
    "value current limit shed watts wires 11 ordered by at_ms applied verified since_ms reason "
    "restore_s leases 1"
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(STORIES.split()),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JSON, JSON, st.integers() | st.floats() | st.text(max_size=9))
def test_rubbish_is_never_fatal(first: Any, second: Any, value: Value) -> None:
    told = sentences(E1=json.dumps(first), K1=json.dumps(second), w11=value, S1=value, I1=value)
    assert all(sentence.endswith(".") for sentence in told)


def test_a_heater_waits_for_the_turn_of_others() -> None:
    cause = {**LEARNED["11"], "reason": "another's turn", "turn_of": ["12", "ZZ"]}
    said = sentences(w11=0, S1=1, E1=story(-1, {"11": {**cause, "restore_by_s": 900}}))
    room = evidence().wiring.heaters["12"].room or "12"
    assert any(s.endswith(f"for 3 min; it waits for the turn of {room}.") for s in said)
    assert "It is expected back in 2 min to 15 min." in said


def test_a_return_that_is_near_has_no_beginning() -> None:
    cause = {**LEARNED["11"], "restore_s": 0, "restore_by_s": 600}
    assert "It is expected back within 10 min." in sentences(
        w11=0, S1=1, E1=story(-1, {"11": cause})
    )


def test_one_sentence_for_all_sheds_of_a_phase() -> None:
    shed = {code: {**SHED["11"], "restore_s": 0, "restore_by_s": 600} for code in ("11", "12")}
    heard = evidence(S1=0b11, S2=0, E1=story(-1, shed))
    heaters = [heard.heater(code, NOW_S) for code in heard.wiring.heaters]
    text = explain_sheds(heard.phase(1, NOW_S), heaters)
    assert text.startswith("Phase 1 holds back 2 heaters: Living room")
    assert text.endswith("all are expected back within 10 min.")
    assert explain_sheds(heard.phase(2, NOW_S), heaters) == ""


def test_an_old_current_is_not_the_current_of_now() -> None:
    heard = evidence(I1=31, S1=0, E1=story(-1))
    text = explain_phase(heard.phase(1, NOW_S + 100))
    assert text == "What phase 1 draws now is not known: 31 A is 2 min old."
