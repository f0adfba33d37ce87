"""Ranges of returns: what counts as inside, and the fit on half of the days."""

from bench.judge.neighbourhood import Sizing
from bench.returns import FACTORS, MORE_S, OF_OFF, Stated, fit, inside, watch
from jph.heating.shedding.decision.returns import LATEST, UntilReturn

SOON = UntilReturn(rest_s=60.0, asking_s=100.0, off_s=20.0)


def test_a_return_is_inside_between_the_early_and_the_late_end() -> None:
    latest = (1.0, 120.0, 1.0)  # 60 s to 240 s
    came = [Stated(SOON, seconds) for seconds in (50.0, 60.0, 240.0, 241.0)]
    assert inside(came, latest) == 0.5


def test_the_fit_takes_the_narrowest_that_holds_in_every_house() -> None:
    narrow = [Stated(SOON, 200.0)] * 10
    late = [Stated(SOON, 660.0)] * 10
    assert fit({Sizing.LIGHT: narrow}) == (min(FACTORS), min(MORE_S), min(OF_OFF))
    both = fit({Sizing.LIGHT: narrow, Sizing.BRUTAL: late})
    assert inside(late, both) == 1.0
    never = [Stated(SOON, 1e9)] * 10
    assert fit({Sizing.LIGHT: never}) == LATEST


def test_an_evening_that_was_not_fitted_keeps_its_promise() -> None:
    found = watch(Sizing.BRUTAL, seed=101, hours=0.5)
    assert len(found) > 50
    assert inside(found, LATEST) >= 0.8
