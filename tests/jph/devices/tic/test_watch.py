"""The judgement of a line: wait, another speed, or open again."""

import pytest

from jph.devices.tic.watch import FAITH_S, HUNT_S, NO_BYTES_S, LineWatch, Verdict

SILENCE_S = 10.0
WAIT, HUNT, SILENT, NO_BYTES = Verdict.WAIT, Verdict.HUNT, Verdict.SILENT, Verdict.NO_BYTES

# Steps of (time s, bytes so far, good groups so far) and the verdict of each.
CASES = {
    "a good meter": [(2, 300, 20, WAIT), (4, 600, 40, WAIT), (13, 900, 60, WAIT)],
    "the wrong speed": [(2, 300, 0, WAIT), (HUNT_S + 1, 600, 0, HUNT), (6, 700, 0, WAIT)],
    "both speeds wrong": [(5, 600, 0, HUNT), (10, 900, 0, HUNT), (15, 1200, 0, HUNT)],
    "a meter not yet plugged in": [
        (5, 0, 0, WAIT),
        (50, 0, 0, WAIT),
        (NO_BYTES_S + 1, 0, 0, NO_BYTES),
    ],
    "silence after good frames": [(2, 300, 20, WAIT), (12, 300, 20, WAIT), (13, 300, 20, SILENT)],
    "garbage after good frames": [(2, 300, 20, WAIT), (12, 900, 20, WAIT), (13, 990, 20, SILENT)],
    "found at the second speed": [(5, 600, 0, HUNT), (6, 900, 9, WAIT), (15, 1200, 20, WAIT)],
}


@pytest.mark.parametrize("steps", CASES.values(), ids=CASES)
def test_verdicts(steps: list[tuple[float, int, int, Verdict]]) -> None:
    watch = LineWatch(SILENCE_S, 0.0, 0, 0)
    judged = [watch.step(now_s, received, groups) for now_s, received, groups, _ in steps]
    assert judged == [verdict for *_, verdict in steps]


def test_counts_of_an_earlier_port_do_not_count() -> None:
    watch = LineWatch(SILENCE_S, 100.0, 5000, 300)
    assert watch.step(100.0 + HUNT_S + 1, 5500, 300) is HUNT
    assert watch.is_silent(100.0 + SILENCE_S + 1)


def test_a_speed_that_was_right_before_is_kept_for_longer() -> None:
    watch = LineWatch(SILENCE_S, 0.0, 0, 0)
    watch.patience_s = FAITH_S
    assert watch.step(FAITH_S, 900, 0) is WAIT
    assert watch.step(FAITH_S + 1, 1000, 0) is HUNT


def test_a_pause_of_the_line() -> None:
    watch = LineWatch(SILENCE_S, 0.0, 0, 0)
    watch.step(5.0, 10, 0)
    assert not watch.pauses(6.0, 2.0)
    assert watch.pauses(7.5, 2.0)
