from jph.util.backoff import Backoff, delay_after


def test_the_delay_doubles_up_to_the_longest() -> None:
    backoff = Backoff(0.25, 3.0)
    assert [backoff.next_s() for _ in range(6)] == [0.25, 0.5, 1.0, 2.0, 3.0, 3.0]
    assert [delay_after(tries, 0.25, 3.0) for tries in range(5)] == [0.25, 0.5, 1.0, 2.0, 3.0]


def test_a_million_attempts_do_not_overflow() -> None:
    assert delay_after(10**6, 0.04, 30.0) == 30.0


def test_a_success_starts_again_with_the_first_delay() -> None:
    backoff = Backoff(0.25, 30.0)
    assert backoff.next_s() < backoff.next_s()
    backoff.reset()
    assert backoff.next_s() == 0.25


def test_an_attempt_that_lasted_long_counts_as_a_success() -> None:
    backoff = Backoff(0.2, 30.0, good_s=60.0)
    first = backoff.next_s(0.1)
    assert backoff.next_s(59.0) > first
    assert backoff.next_s(60.0) == first
