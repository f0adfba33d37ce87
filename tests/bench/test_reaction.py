"""Meter, shedder and card as three processes: a frame in at one end, a latch out at the other."""

from pathlib import Path

from bench.harness.timing import percentile
from bench.reaction import CALM_A, OVERLOAD_A, ReactionHouse


def test_from_a_frame_to_the_latches_through_three_processes(tmp_path: Path) -> None:
    with ReactionHouse(tmp_path) as house:
        for _ in range(3):
            assert house.react(OVERLOAD_A, (0, 0)) > 0
            assert house.react(CALM_A, (0, 0)) > 0


def test_percentile() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(n) for n in range(1, 101)], 99) == 99.0
    assert percentile([7.0], 99) == 7.0
