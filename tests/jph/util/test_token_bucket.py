from hypothesis import given
from hypothesis import strategies as st

from jph.util.token_bucket import TokenBucket


def test_so_many_at_once_and_then_so_many_a_second() -> None:
    allowance = TokenBucket(2.0, 4.0)
    assert [allowance.take(100.0) for _ in range(6)] == [True] * 4 + [False] * 2
    assert allowance.free_s == 100.5
    assert [allowance.take(101.0) for _ in range(3)] == [True, True, False]
    assert [allowance.take(1000.0) for _ in range(6)] == [True] * 4 + [False] * 2


def test_what_is_spent_beyond_has_to_come_back_first() -> None:
    allowance = TokenBucket(2.0, 1.0)
    for _ in range(3):
        allowance.spend(10.0)
    assert (allowance.take(11.0), allowance.free_s) == (False, 11.5)
    allowance.give_back()
    assert allowance.take(11.0)


@given(st.lists(st.floats(0, 10), max_size=200), st.floats(0.5, 50), st.integers(1, 20))
def test_never_more_than_is_allowed(pauses: list[float], a_second: float, at_once: int) -> None:
    allowance, now_s, taken = TokenBucket(a_second, at_once), 0.0, 0
    for pause_s in pauses:
        now_s += pause_s
        taken += allowance.take(now_s)
        assert taken <= at_once + a_second * now_s + 1e-6
