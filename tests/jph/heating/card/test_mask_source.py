"""Releases come from one epoch of masks until its lease ends; sheds count from any."""

from jph.config.house.loads import colder_mask
from jph.heating.card.mask_source import MaskSource

ECO = 1 << 32


def test_a_second_program_does_not_count_while_the_first_repeats_its_masks() -> None:
    source = MaskSource(hold_s=60)
    for now_s in range(0, 100, 10):
        assert source.take(7, 0b11, now_s)
        for later_s in (0.1, 9.9):
            assert not source.take(8, 0b10, now_s + later_s)
            assert source.mask == 0b11
    assert source.epoch == 7


def test_a_successor_counts_when_two_repetitions_did_not_come() -> None:
    source = MaskSource(hold_s=60)
    for now_s in (0, 5, 10):
        source.take(7, 0b11, now_s)
    assert not source.take(8, 0, 15)
    assert not source.take(8, 0, 22)
    assert source.mask == 0b11
    assert source.take(8, 0, 23)
    assert source.mask == 0
    assert not source.take(7, 0, 24)


def test_a_program_that_was_heard_once_is_followed_for_the_hold() -> None:
    source = MaskSource(hold_s=60)
    source.take(7, 0, 0)
    assert not source.take(8, 0, 59)
    assert source.take(8, 0, 60)


def test_masks_that_change_quickly_do_not_shorten_the_lease() -> None:
    source = MaskSource(hold_s=60)
    source.take(7, 0, 0)
    source.take(7, 0, 10)
    for step in range(5):
        source.take(7, 0, 10 + step / 10)
    assert source.lease_s == 25


def test_a_restarted_shedder_sheds_at_once_and_releases_when_the_old_lease_is_over() -> None:
    source = MaskSource(hold_s=60)
    for now_s in (0, 10, 20):
        source.take(7, 0b0001, now_s)
    assert not source.take(8, 0b0110, 21)
    assert source.mask == 0b0111
    assert not source.take(8, 0, 31)
    assert source.mask == 0b0111
    assert source.take(8, 0, 45)
    assert source.mask == 0


def test_what_a_forger_sheds_ends_a_lease_after_its_last_mask() -> None:
    source = MaskSource(hold_s=60)
    for now_s in (0, 10, 20):
        source.take(7, 0b0001, now_s)
    source.take(9, 0b1111, 21)
    source.take(9, 0, 22)  # releases nothing
    for now_s in (30, 40):
        source.take(7, 0b0001, now_s)
        assert source.mask == 0b1111
    source.take(7, 0, 50)
    assert source.mask == 0


def test_the_colder_of_two_masks() -> None:
    assert colder_mask(0b0011, 0b0101) == 0b0111
    assert colder_mask(0b01, 0b11 * ECO) == 0b01 | 0b10 * ECO
    assert colder_mask(0b10 * ECO, 0) == 0b10 * ECO
