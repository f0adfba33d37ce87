import pytest

from heating.leases import remaining
from heating.wiring import Heater


def heater(bit: int, priority: int) -> Heater:
    return Heater(f"1{bit + 1}", "P1", bit + 1, 1, bit, "", "", None, priority)


PHASE = (heater(0, 1), heater(1, 3), heater(2, 2), heater(3, 3))


@pytest.mark.parametrize(
    ("silent_s", "mask"),
    [
        (0, 0b1111),
        (59.9, 0b1111),
        (60, 0b1101),  # the most important one first, the codifier decides among equals
        (64.9, 0b1101),
        (65, 0b0101),
        (70, 0b0001),
        (75, 0),
        (1e9, 0),
    ],
)
def test_held_and_then_released_one_by_one(silent_s: float, mask: int) -> None:
    assert remaining(0b1111, PHASE, silent_s, hold_s=60, interval_s=5) == mask


def test_only_shed_heaters_take_a_turn() -> None:
    assert remaining(0b0101, PHASE, 60, hold_s=60, interval_s=5) == 0b0001


def test_without_an_interval_all_return_at_once() -> None:
    assert remaining(0b1111, PHASE, 60, hold_s=60, interval_s=0) == 0


def test_bits_of_nobody_end_with_the_hold() -> None:
    assert remaining(0xFFFF_FFF0, PHASE, 60, hold_s=60, interval_s=5) == 0
