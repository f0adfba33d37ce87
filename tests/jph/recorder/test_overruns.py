"""Overruns as a table of currents, and their log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.recorder.overruns import Overrun, Overruns, from_lines, to_line


def follow(*currents: tuple[float, float], limit: float | None = 30.0) -> list[Overrun]:
    """Feed (second, amperes) of phase 1; the wall clock runs an hour behind from second 3 on."""
    overruns = Overruns()
    ended = []
    for second, amperes in currents:
        ms = int(second * 1000) + (10**12 if second < 3 else 10**12 - 3_600_000)
        ended.append(overruns.current(1, amperes, limit, second, ms))
    return [overrun for overrun in ended if overrun is not None]


def test_an_overrun_has_peak_duration_and_ampere_seconds() -> None:
    (found,) = follow((0, 29), (1, 34), (2, 40), (4, 31), (5, 30), (6, 20))
    assert (found.phase, found.peak_a, found.limit_a) == (1, 40, 30)
    assert found.seconds == 4  # from 1 to 5, whatever the wall clock did
    assert found.ampere_seconds == 4 * 1 + 10 * 2 + 1 * 1
    assert (found.start_ms, found.end_ms) == (10**12 + 1000, 10**12 - 3_600_000 + 5000)
    assert found.ended == "under the limit"


def test_at_the_limit_is_not_over_it() -> None:
    assert follow((0, 30), (1, 30), (2, 29)) == []


def test_without_a_limit_nothing_is_over() -> None:
    assert follow((0, 99), (1, 5), limit=None) == []


def test_a_current_is_not_trusted_for_ever() -> None:
    (found,) = follow((0, 40), (1000, 20))
    assert found.ampere_seconds == 10 * 15


def test_what_was_shed_is_noted_with_its_phase_only() -> None:
    overruns = Overruns()
    overruns.shed(1, ["10"])
    overruns.current(1, 35, 30, 0.0, 0)
    overruns.shed(1, ["12", "11"])
    overruns.shed(2, ["21"])
    overruns.shed(1, ["11", "13"])
    ended = overruns.current(1, 20, 30, 2.0, 2000)
    assert ended is not None
    assert ended.shed == ("12", "11", "13")


def test_silence_and_the_end_of_the_program_close_it() -> None:
    overruns = Overruns()
    overruns.current(1, 35, 30, 0.0, 0)
    overruns.current(2, 36, 30, 10.0, 10_000)
    assert overruns.silent(15.0) == []
    (silent,) = overruns.silent(16.0)
    assert (silent.phase, silent.ended) == (1, "meter silent")
    (stopped,) = overruns.stop(12.0, 12_000)
    assert (stopped.phase, stopped.seconds, stopped.ampere_seconds) == (2, 2, 12)
    assert stopped.ended == "recorder stopped"
    assert overruns.stop(13.0, 13_000) == []


@given(
    st.builds(
        Overrun,
        st.integers(0, 2**50),
        st.integers(0, 2**50),
        st.floats(0, 1e9),
        st.integers(1, 3),
        st.floats(0, 1e6),
        st.floats(0, 1e6),
        st.floats(0, 1e12),
        st.lists(st.text("0123456789AZ", min_size=2, max_size=2)).map(tuple),
        st.text(),
    )
)
def test_a_line_comes_back(overrun: Overrun) -> None:
    assert list(from_lines(to_line(overrun))) == [overrun]


@pytest.mark.parametrize("line", ['{"start_ms": 1', "[]", "null", '{"start_ms": "x"}', "7", "\x00"])
def test_a_bad_line_costs_that_line(line: str) -> None:
    good = to_line(Overrun(1, 2, 1.0, 1, 31.0, 30.0, 1.0, ("11",), "under the limit"))
    assert [found is not None for found in from_lines(good + line + "\n" + good)] == [
        True,
        False,
        True,
    ]
