"""Notes in the number of a keep-alive: they come back, and older programs send none."""

import itertools

import pytest

from jph.wire.codec import Control
from jph.wire.notes import Notes, notes_of, with_notes

NOW_MS = 1_796_000_000_000
LAST_MS = 2**41 - 1


def alive(number: float, version: int = 1, flag: str = "I") -> Control:
    return Control(1, 7, NOW_MS, flag, "TI", "@@", version, number, True)


@pytest.mark.parametrize("time_ms", [NOW_MS, LAST_MS])
def test_notes_come_back_and_the_time_stays(time_ms: int) -> None:
    for keys in itertools.combinations(("Ring", "Type", "Port", "Group", "other settings"), 2):
        for shared in (False, True):
            number = with_notes(time_ms, keys, shared=shared)
            assert int(number) == time_ms
            assert notes_of(alive(number)) == Notes(keys, shared)
    assert with_notes(time_ms, (), shared=False) == time_ms


def test_a_key_without_a_bit_is_one_of_the_others() -> None:
    number = with_notes(NOW_MS, ("Spool", "BufferMiB"), shared=False)
    assert notes_of(alive(number)).restart == ("other settings",)


def test_times_of_original_programs_and_other_messages_hold_no_notes() -> None:
    number = with_notes(NOW_MS, ("Ring",), shared=True)
    assert notes_of(alive(number, version=0)) == Notes()
    assert notes_of(alive(number, flag="T")) == Notes()
    for odd in (NOW_MS + 0.0001, float("nan"), float("inf"), -1.5e300):
        assert notes_of(alive(odd)) == Notes()
