"""The state of every codifier as a sequence of changes."""

from collections.abc import Callable

import pytest

from jph.config.model import Network
from jph.gateway.live.board import Board
from tests.jph.gateway.houses import house, node

NOW_MS = 1_700_000_000_000
Make = Callable[..., Network]


@pytest.fixture
def board(network: Make) -> Board:
    return Board(network(*house()))


def put(board: Board, now_s: float = 100.0, **hashes: object) -> None:
    """Write readings, given as codifier (with an underscore before a digit) = value."""
    at = str(NOW_MS + int(now_s * 1000))
    fields = {
        code.lstrip("_"): {"Value": str(value), "DTimestamp": at} for code, value in hashes.items()
    }
    board.update(fields, int(at), now_s, old=False)


def test_only_what_changed_is_told(board: Board) -> None:
    put(board, I1=10, I2=12)
    seen = board.version
    assert {"I1", "I2"} <= board.rows(0).keys()
    assert board.rows(seen) == {}
    put(board, 101.0, I2=13)
    assert board.rows(seen).keys() == {"I2"}
    assert board.rows(seen)["I2"].value == "13"


def test_a_reading_with_the_same_value_is_a_sign_of_life(board: Board) -> None:
    put(board, 100.0, I1=10)
    seen = board.version
    put(board, 105.0, I1=10)
    assert board.rows(seen)["I1"].age == 0


def test_the_same_hash_again_is_no_change(board: Board) -> None:
    put(board, 100.0, I1=10)
    seen = board.version
    fields = {"Value": "10", "DTimestamp": str(NOW_MS + 100_000)}
    board.update({"I1": fields}, NOW_MS, 103.0, old=False)
    assert board.version == seen


def test_unknown_codifiers_are_left_out(board: Board) -> None:
    put(board, ZZ=1)
    assert "ZZ" not in board
    assert board.version == 1


def test_lateness_is_found_without_a_message(board: Board) -> None:
    put(board, 100.0, RA=10)
    board.refresh(100.0)
    seen = board.version
    assert not board.refresh(109.0)
    assert board.refresh(111.0)
    assert board.rows(seen)["RA"].state == "late"
    assert board.refresh(131.0)
    assert board.row("RA").state == "dead"


def test_a_clock_stepped_by_an_hour_makes_nobody_late(board: Board) -> None:
    put(board, 100.0, I1=10)
    fields = {"Value": "10", "DTimestamp": str(NOW_MS + 3_700_000)}
    board.update({"I1": fields}, NOW_MS + 3_700_000, 101.0, old=False)
    board.refresh(102.0)
    assert board.row("I1").state == "alive"


def test_a_halted_node_halts_its_elements(board: Board) -> None:
    put(board, 100.0, I1=10)
    board.hear("TI", False, 100.0)
    board.refresh(100.0)
    assert (board.row("TI").state, board.row("I1").state) == ("halted", "halted")
    board.hear("TI", True, 101.0)
    board.refresh(101.0)
    assert (board.row("TI").state, board.row("I1").state) == ("alive", "alive")


def test_an_element_is_not_alive_because_its_codifier_was_heard(board: Board) -> None:
    board.hear("I1", True, 100.0)
    board.refresh(100.0)
    assert board.row("I1").state == "silent"


def test_a_heater_shows_its_order_and_whether_it_is_shed(board: Board) -> None:
    put(board, _11=0, _12=3, _21=9, S1=2)
    kitchen, hall, odd = board.row("11"), board.row("12"), board.row("21")
    assert (kitchen.order, kitchen.shed, kitchen.value) == ("comfort", False, "comfort")
    assert (hall.order, hall.shed, hall.value) == ("eco", True, "eco, shed")
    assert (odd.order, odd.shed, odd.value) == (None, None, "–")
    assert board.row("S1").value == "12"
    assert board.summary().shedding == "1 heater off for the breaker"
    put(board, S1=0)
    assert board.row("12").shed is False
    assert board.row("S1").value == "none"


@pytest.mark.parametrize(("quality", "word"), [("1", "stale"), ("0", ""), ("", ""), ("x9", "")])
def test_a_value_in_doubt_is_shown_so(board: Board, quality: str, word: str) -> None:
    at = str(NOW_MS + 100_000)
    fields = {"Value": "3", "DTimestamp": at, "Quality": quality}
    board.update({"I1": fields, "11": fields}, NOW_MS, 100.0, old=False)
    assert (board.row("I1").quality, board.row("I1").value) == (word, "3")
    assert (board.row("11").quality, board.row("11").value) == (word, "eco")


@pytest.mark.parametrize(
    ("current", "level"), [(0, "ok"), (23, "ok"), (24, "high"), (30, "high"), (31, "over")]
)
def test_a_current_is_judged_by_what_is_subscribed(
    board: Board, current: float, level: str
) -> None:
    put(board, I1=current)
    assert board.row("I1").level is None
    put(board, IS=30)
    assert (board.row("I1").limit, board.row("I1").level) == (30, level)
    assert ("above its limit" in board.summary().shedding) is (level == "over")


def test_the_summary_names_who_is_not_well(board: Board) -> None:
    for code in ("TI", "P1", "P2", "SH", "C1", "R1", "CF"):
        board.hear(code, True, 100.0)
    board.set_cache(True)
    put(board, 100.0, I1=1, I2=1, S1=0, S2=0, P1=0, P2=0, R1=1)
    board.refresh(100.0)
    assert board.summary().network == "All 7 nodes are alive"
    assert board.summary().mood == "good"
    for code in ("TI", "P1", "SH", "C1", "R1", "CF"):
        board.hear(code, code != "SH", 120.0)
    board.refresh(120.0)
    assert board.summary().network == "P2 late; SH halted; not known: meter, shedder, card"
    assert board.summary().mood == "bad"  # a halted shedder protects nothing
    board.refresh(140.0)
    assert "P2 dead" in board.summary().network
    assert board.summary().mood == "bad"


def test_a_record_is_the_hash_and_the_entry_without_its_settings(board: Board) -> None:
    put(board, I1=10)
    record = board.record("I1")
    assert (record["Value"], record["Symbol"], record["Parent"]) == ("10", "A", "TI")
    assert "Sensor" not in record
    assert "/dev/null" not in str(board.record("TI"))


def test_no_heaters_no_words_about_them(network: Make) -> None:
    summary = Board(network(node("C1", "Pipe"))).summary()
    assert summary.shedding == "Nothing is shed"
    assert summary.network == "C1 silent"


@pytest.mark.parametrize("mask", ["1e300", "-1", "text", "2.7"])
def test_a_mask_of_any_kind_does_no_harm(board: Board, mask: str) -> None:
    put(board, S1=mask, _11=0)
    assert board.row("11").order == "comfort"


def test_where_a_node_was_heard_from_and_how_long_its_answer_took(board: Board) -> None:
    assert board.hear("TI", True, 100.0, "192.0.2.7", 1)
    assert not board.hear("I1", True, 100.0, "192.0.2.7", 1)
    board.refresh(100.0)
    assert (board.row("TI").host, board.row("TI").wire, board.row("TI").trip) == (
        "192.0.2.7",
        1,
        None,
    )
    stamp = str(NOW_MS + 100_000)
    for duration, trip in (("1.25", 1.25), ("-0.5", 0.0), ("-9000", None), ("x", None)):
        fields = {"TTimestamp": stamp, "TDuration": duration}
        board.update({"TI": fields}, NOW_MS, 100.0, old=False)
        assert board.row("TI").trip == trip


def test_what_is_known_of_heaters_follows_the_cache(board: Board) -> None:
    assert board.evidence is not None
    put(board, _11=3, S1=1, I1=31, IS=30)
    facts = board.evidence.heater("11", 100.0)
    assert (facts.order, facts.shed, facts.phase.current_a) == (3, True, 31)
    put(board, 101.0, S1=0, _11="x")
    assert board.evidence.heater("11", 100.0).shed is False
    assert board.evidence.heater("11", 100.0).order is None


def test_a_wiring_with_mistakes_explains_nothing(network: Make) -> None:
    sensors = house()
    next(s for s in sensors if s["Codifier"] == "P1")["Sensor"]["Wires"][0]["Wire"] = 99
    assert Board(network(*sensors)).evidence is None


def test_a_heater_that_is_shed_to_eco_is_shed_everywhere(board: Board) -> None:
    """The eco stage of a mask sheds too: row, summary, mask and facts agree."""
    wires = board.house.wiring
    put(board, S1=wires.mask(1, [], eco=["12"]), _12=0)
    assert board.row("12").shed is True
    assert board.summary().shedding == "1 heater off for the breaker"
    assert board.row("S1").value == "12"
    assert board.evidence is not None
    assert board.evidence.heater("12", 100.0).shed is True


def test_a_keep_alive_does_not_make_a_value_fresh(board: Board) -> None:
    put(board, 100.0, C1=19.5)
    board.hear("C1", True, 111.0)
    board.refresh(111.5)
    row = board.row("C1")
    assert (row.state, row.age, row.seen) == ("alive", 11.5, 0.5)
    board.hear("C1", True, 199.0)
    board.refresh(200.0)
    assert (board.row("C1").state, board.row("C1").age, board.row("C1").seen) == ("late", 100, 1)


def test_an_old_current_is_no_fact_about_now(board: Board) -> None:
    put(board, 100.0, I1=31, IS=30, S1=2)
    board.refresh(100.5)
    assert board.row("I1").level == "over"
    assert "above its limit" in board.summary().shedding
    board.refresh(109.0)  # not late yet by its TimeoutWarning, but too old for a current
    assert board.row("I1").level is None
    assert "above its limit" not in board.summary().shedding
    assert board.evidence is not None
    facts = board.evidence.phase(1, 109.0)
    assert (facts.current_a, facts.last_a, facts.age_s) == (None, 31, 9)
    board.refresh(111.0)
    assert board.row("12").shed is None  # nor is a mask whose shedder fell silent


def test_what_is_not_known_is_listed_until_it_is_known_again(board: Board) -> None:
    def parts() -> set[str]:
        return {blind.part for blind in board.blind}

    board.set_cache(True)
    board.refresh(100.0)
    assert {"meter", "shedder", "card"} <= parts()
    put(board, 100.0, I1=1, I2=1, S1=0, S2=0, P1=0, P2=0, R1=1)
    board.refresh(100.5)
    assert parts() == set()
    seen = board.version
    board.refresh(109.0)
    assert "meter" in parts()
    assert board.version > seen
    assert board.summary().mood == "bad"


def test_a_cache_that_was_not_asked_yet_is_not_called_away(board: Board) -> None:
    board.refresh(100.0)
    assert board.summary().redis
    assert "cache" not in {blind.part for blind in board.blind}
    board.set_cache(False)
    board.refresh(101.0)
    assert not board.summary().redis
    assert "cache" in {blind.part for blind in board.blind}
