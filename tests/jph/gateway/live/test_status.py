"""Times, counts and ages of the cache's hashes."""

import pytest

from jph.gateway.live.status import Sign, is_active, losses_of, stamp_of

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "active"),
    [("True", True), ("False", False), ("0", False), ("1", True), ("false", False), ("", True)],
)
def test_is_active_reads_what_any_program_wrote(text: str, active: bool) -> None:
    assert is_active({"IsActive": text}) is active
    assert is_active({}) is True


def test_stamps_and_losses_survive_nonsense() -> None:
    fields = {"ITimestamp": "17", "DTimestamp": "42.0", "TTimestamp": "soon", "CPacketsLost": "inf"}
    assert stamp_of(fields) == 42
    assert stamp_of(fields, ("TTimestamp",)) == 0
    assert losses_of(fields | {"DPacketsLost": "3"}) == 3
    assert losses_of({"CPacketsLost": "2", "DPacketsLost": "-5"}) == 2


class TestSign:
    def test_what_was_there_before_is_as_old_as_it_says(self) -> None:
        sign = Sign()
        assert sign.age_s(100) is None
        assert sign.read(50_000, 60_000, 100, old=True)
        assert sign.age_s(105) == 15

    def test_a_change_is_now_whatever_clock_it_came_from(self) -> None:
        sign = Sign()
        sign.read(50_000, 60_000, 100, old=True)
        assert sign.read(50_000 + HOUR_MS, 61_000, 101, old=False)
        assert sign.age_s(101) == 0
        assert sign.read(51_000, 62_000, 102, old=False)
        assert sign.age_s(104) == 2

    def test_the_same_stamp_is_no_sign(self) -> None:
        sign = Sign()
        sign.read(50_000, 50_000, 100, old=False)
        assert not sign.read(50_000, 55_000, 105, old=False)
        assert sign.age_s(105) == 5

    def test_a_stamp_from_the_future_is_now(self) -> None:
        sign = Sign()
        sign.read(50_000 + HOUR_MS, 50_000, 100, old=True)
        assert sign.age_s(100) == 0

    def test_what_the_bus_said_is_not_made_older_by_the_cache(self) -> None:
        sign = Sign()
        sign.hear(100)
        sign.read(10_000, 60_000, 101, old=True)
        assert sign.age_s(101) == 1
