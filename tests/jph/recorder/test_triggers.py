"""Events that start a recording, and others that do not."""

import pytest

from jph.heating.explain.facts import Evidence
from jph.recorder.triggers import EventDetector, Trigger
from jph.wire.codec import Control, Json, Reading, Value
from tests.jph.heating.explain.tellinghouse import story, telling_house

NETWORK = telling_house()


class Watcher:
    """Feeds a lookout readings by codifier and value."""

    def __init__(self) -> None:
        self.evidence = Evidence(NETWORK)
        self.lookout = EventDetector(NETWORK, self.evidence, "FR", seconds_left=30)

    def hear(self, codifier: str, value: Value, now_s: float = 0.0) -> Trigger | None:
        flags = {Json: "j", float: "d", int: "i", str: "s"}
        flag = flags[type(value)]
        self.evidence.note(codifier, value, now_s)
        return self.lookout.hear_data(Reading(1, 1, 1, flag, codifier, "@@", 1, 0, value), now_s)

    def sign(self, codifier: str, now_s: float, active: bool = True) -> None:
        message = Control(1, 1, 1, "I", codifier, "@@", 1, 0.0, active)
        self.lookout.hear_control(message, now_s)

    def losses(self, now_s: float) -> list[str]:
        return [trigger.text for trigger in self.lookout.look(now_s)]


def test_a_mask_that_gains_a_bit_is_a_shed() -> None:
    watcher = Watcher()
    masks = [0b0100, 0b0100, 0b0111, 0b0010, 0, 0b1]
    watcher.hear("I1", 36.0)
    found = [watcher.hear("S1", mask) for mask in masks]
    assert [trigger and trigger.text for trigger in found] == [
        None,  # what was shed before we listened is no news
        None,
        "phase 1: 11 12 shed at 36 A, limit 30 A",
        None,
        None,
        "phase 1: 11 shed at 36 A, limit 30 A",
    ]


@pytest.mark.parametrize(
    "value", ["text", -1.0, 2.0**70, float("nan"), Json(f'{{"value": 1{"0" * 400}}}')]
)
def test_what_is_no_mask_changes_nothing(value: Value) -> None:
    watcher = Watcher()
    watcher.hear("S1", 0)
    assert watcher.hear("S1", value) is None
    assert watcher.hear("S1", 1) is not None


def test_a_bit_of_nobody_is_no_shed() -> None:
    watcher = Watcher()
    watcher.hear("S1", 0)
    assert watcher.hear("S1", 1 << 20) is None


def test_a_heater_lowered_to_eco_is_shed_too() -> None:
    watcher = Watcher()
    watcher.hear("S1", 0)
    found = [watcher.hear("S1", mask) for mask in (0b10 << 32, 0b10 << 32 | 1)]
    assert [trigger and trigger.text for trigger in found] == [
        "phase 1: 12 shed, limit 30 A",
        "phase 1: 11 shed, limit 30 A",
    ]


def test_the_meters_warning_is_told_once_until_it_is_over() -> None:
    watcher = Watcher()
    found = [watcher.hear("W2", amperes) for amperes in (0, 31, 33, 0, 32)]
    assert [trigger is not None for trigger in found] == [False, True, False, False, True]
    assert found[1] == Trigger("alarm", "phase 2: the meter warns of an overrun, 31 A")


def test_few_seconds_left_are_an_alarm() -> None:
    watcher = Watcher()
    found = [watcher.hear("E1", story(left)) for left in (-1, 300, 29, 5, 40, 30, 12)]
    assert [trigger and trigger.text for trigger in found] == [
        None,
        None,
        "phase 1: 29 s left to the trip",
        None,
        None,
        None,
        "phase 1: 12 s left to the trip",
    ]
    assert watcher.hear("E1", Json("{")) is None


def test_a_node_without_a_sign_is_lost_once_and_again_when_it_was_back() -> None:
    watcher = Watcher()
    watcher.sign("P1", 0.0)
    assert watcher.losses(0.5) == []
    assert watcher.losses(0.7) == ["P1 has given no sign for 1 s"]  # 3 × 0.2 s
    assert watcher.losses(5.0) == []
    watcher.hear("11", 0, 6.0)  # its element speaks: it is there
    assert watcher.losses(6.1) == []
    assert watcher.losses(7.0) == ["P1 has given no sign for 1 s"]


def test_who_was_never_heard_is_not_lost() -> None:
    watcher = Watcher()
    watcher.sign("FR", 0.0)
    watcher.sign("CC", 0.0)
    watcher.sign("XX", 0.0)
    assert watcher.losses(1000.0) == []


def test_an_element_silent_beyond_its_timeout_is_lost_unless_its_node_is_halted() -> None:
    watcher = Watcher()
    watcher.hear("I1", 20, 0.0)
    watcher.hear("I2", 20, 30.0)
    watcher.sign("TI", 70.0)
    assert watcher.losses(70.1) == ["I1 of TI silent for 70 s"]  # TimeoutWarning 60 s
    watcher.hear("I1", 20, 71.0)
    watcher.hear("I2", 20, 71.0)
    assert watcher.losses(71.1) == []
    watcher.sign("TI", 140.0, active=False)
    assert watcher.losses(140.1) == []


def test_many_elements_are_told_as_one() -> None:
    watcher = Watcher()
    for wire in range(1, 9):
        watcher.hear(f"1{wire}", 0, 0.0)
    watcher.hear("K1", Json("{}"), 0.0)
    watcher.sign("P1", 61.0)
    assert watcher.losses(61.1) == ["11 12 13 14 15 16 17 18 and 1 more of P1 silent for 61 s"]
