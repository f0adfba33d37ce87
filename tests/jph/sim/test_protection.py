"""Breakers against times one can compute by hand."""

import math

import pytest

from jph.sim.physics.protection import CURVE, FILTER, LinkyBreaker, MainBreaker, Protection


@pytest.mark.parametrize(
    ("load", "seconds"),
    # n = ln(1 − 1.69/X²) / ln 0.992, by hand
    [(1.4, 247), (1.5, 174), (2.0, 69), (2.5, 40), (3.0, 26)],
)
def test_a_linky_opens_after_the_seconds_of_its_norm(load: float, seconds: int) -> None:
    breaker = LinkyBreaker(30.0)
    assert math.ceil(breaker.seconds_left(load * 30.0)) == seconds
    for second in range(1, seconds + 1):
        assert breaker.advance(1.0, load * 30.0) is (second == seconds)


def test_a_linky_second_by_second_is_the_formula() -> None:
    breaker, y = LinkyBreaker(30.0), 0.0
    for amps in [12.0, 33.0, 41.5, 0.0, 28.0, 55.0] * 20:
        breaker.advance(1.0, amps)
        y = 0.008 * (amps / 30.0) ** 2 + 0.992 * y
        assert breaker.filtered == pytest.approx(y)


def test_a_step_of_any_length_is_many_of_a_second() -> None:
    long, short = LinkyBreaker(30.0), LinkyBreaker(30.0)
    long.advance(60.0, 38.0)
    for _ in range(60):
        short.advance(1.0, 38.0)
    assert long.filtered == pytest.approx(short.filtered)
    assert long.seconds_left(45.0) == pytest.approx(short.seconds_left(45.0))


@pytest.mark.parametrize(("opens_at", "load"), [(1.3, 1.299), (1.13, 1.129)])
def test_a_linky_never_opens_below_its_threshold(opens_at: float, load: float) -> None:
    breaker = LinkyBreaker(30.0, opens_at)
    assert not breaker.advance(1e6, load * 30.0)
    assert math.isinf(breaker.seconds_left(load * 30.0))
    assert breaker.advance(1e6, (load + 0.01) * 30.0)


def test_a_warm_linky_opens_sooner() -> None:
    cold, warm = LinkyBreaker(30.0), LinkyBreaker(30.0)
    warm.advance(3600.0, 30.0)
    # from Y = 1: ln((2.25 − 1.69) / (2.25 − 1)) / ln 0.992 = 99.98 s
    assert warm.seconds_left(45.0) == pytest.approx(99.98, abs=0.05)
    assert cold.seconds_left(45.0) > 170


@pytest.mark.parametrize(("load", "seconds"), CURVE)
def test_a_main_breaker_passes_through_the_points_of_its_curve(load: float, seconds: float) -> None:
    breaker = MainBreaker(30.0)
    assert breaker.seconds_left(load * 30.0) == pytest.approx(seconds)
    assert not breaker.advance(seconds * 0.99, load * 30.0)
    assert breaker.advance(seconds * 0.02, load * 30.0)


def test_a_main_breaker_lies_within_its_norm() -> None:
    breaker = MainBreaker(30.0)
    assert math.isinf(breaker.trip_s(1.12 * 30))
    assert breaker.trip_s(1.45 * 30) < 3600
    assert 1 < breaker.trip_s(2.55 * 30) < 60
    assert breaker.trip_s(10 * 30) < 0.1


def test_parts_of_an_overload_add_up_and_cool_away() -> None:
    breaker = MainBreaker(30.0)
    breaker.advance(40.0, 60.0)
    assert breaker.seconds_left(60.0) == pytest.approx(20.0)
    breaker.advance(3600.0, 20.0)
    assert breaker.seconds_left(60.0) == pytest.approx(60.0, rel=1e-3)


def test_any_phase_opens_all_and_says_what_did() -> None:
    assert Protection(30).advance(250.0, (0.0, 42.5, 0.0)) == "meter"
    assert Protection(30).advance(10.0, (0.0, 0.0, 100.0)) == "main breaker"
    assert Protection(30).advance(3600.0, (30.0, 30.0, 30.0)) is None
    once = Protection(30)
    once.advance(170.0, (45.0, 0.0, 0.0))
    once.reset()
    assert once.advance(170.0, (45.0, 0.0, 0.0)) is None
    assert once.advance(10.0, (45.0, 0.0, 0.0)) is not None


def test_the_filter_is_the_published_one() -> None:
    assert FILTER == 0.008
