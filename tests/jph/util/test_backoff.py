from jph.util.backoff import GOOD_LIFE_S, LONGEST_DELAY_S, Backoff


def test_the_first_restart_is_quick_and_later_ones_wait_longer() -> None:
    backoff = Backoff()
    delays = [backoff.delay_s(0.1) for _ in range(12)]
    assert delays[0] <= 0.3
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_S


def test_a_good_life_is_rewarded() -> None:
    backoff = Backoff()
    first = backoff.delay_s(0.1)
    assert backoff.delay_s(GOOD_LIFE_S - 1) > first
    assert backoff.delay_s(GOOD_LIFE_S) == first
