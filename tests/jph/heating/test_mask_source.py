"""One epoch of masks is followed until its lease ends."""

from jph.heating.mask_source import MaskSource


def test_a_second_program_does_not_count_while_the_first_repeats_its_masks() -> None:
    source = MaskSource(hold_s=60)
    for now_s in range(0, 100, 10):
        assert source.follows(7, now_s)
        assert not source.follows(8, now_s + 0.1)
        assert not source.follows(8, now_s + 9.9)
    assert source.epoch == 7


def test_a_successor_counts_when_two_repetitions_did_not_come() -> None:
    source = MaskSource(hold_s=60)
    for now_s in (0, 5, 10):
        source.follows(7, now_s)
    assert not source.follows(8, 15)
    assert not source.follows(8, 22)
    assert source.follows(8, 23)
    assert not source.follows(7, 24)


def test_a_program_that_was_heard_once_is_followed_for_the_hold() -> None:
    source = MaskSource(hold_s=60)
    source.follows(7, 0)
    assert not source.follows(8, 59)
    assert source.follows(8, 60)


def test_masks_that_change_quickly_do_not_shorten_the_lease() -> None:
    source = MaskSource(hold_s=60)
    source.follows(7, 0)
    source.follows(7, 10)
    for step in range(5):
        source.follows(7, 10 + step / 10)
    assert source.lease_s == 25
