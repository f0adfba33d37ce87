import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.config.house.loads import ECO_SHIFT, Load, Wiring
from jph.heating.card.leases import ASSUMED_W, Fallback, Lease, Stage, safe_share
from jph.heating.orders.coding import Order, lowest
from tests.jph.heating.shedding.loads import pilot_heater

OFF, ECO, FROST = Order.OFF, Order.ECO, Order.FROST


def heater(bit: int, priority: int, watts: float | None = 1000) -> Load:
    return pilot_heater(f"1{bit + 1}", "P1", bit + 1, 1, bit, "", "", watts, priority)


PHASE = (heater(0, 1), heater(1, 3), heater(2, 2), heater(3, 3))
"""The safe half: 12 and 14."""
RULES = Fallback(hold_s=60, meter_hold_s=120, share_s=600, release_interval_s=5)


@pytest.fixture
def lease() -> Lease:
    return Lease(PHASE, RULES, now_s=0)


def spoken(lease: Lease, mask: int, now_s: float) -> None:
    """A shedder that sees its meter says a mask."""
    lease.hear(mask, now_s)
    lease.see(now_s)


def held(lease: Lease, now_s: float) -> dict[str, Order]:
    return dict(lease.step(now_s))


def test_a_mask_counts_at_once_both_ways(lease: Lease) -> None:
    spoken(lease, 0b1111, 1)
    assert held(lease, 1) == dict.fromkeys(("11", "12", "13", "14"), OFF)
    spoken(lease, 0b0001, 2)
    assert held(lease, 2) == {"11": OFF}
    spoken(lease, 0b0010, 3)
    assert held(lease, 3) == {"12": OFF}


def test_the_gentler_stage_of_a_mask(lease: Lease) -> None:
    spoken(lease, 0b0110 << ECO_SHIFT | 0b0100, 1)
    assert held(lease, 1) == {"12": ECO, "13": OFF}


def test_a_silent_shedder_is_held_then_a_share_then_frost(lease: Lease) -> None:
    spoken(lease, 0b1010, 0)
    assert held(lease, 59.9) == {"12": OFF, "14": OFF}
    assert lease.stage(59.9) is Stage.LIVE
    # What must go goes at once; of what may come back one comes, the most important first.
    assert lease.stage(60) is Stage.SHARE
    assert lease.silent(60) == "masks"
    assert held(lease, 60) == {"11": OFF, "13": OFF, "14": OFF}
    assert held(lease, 64.9) == {"11": OFF, "13": OFF, "14": OFF}
    assert held(lease, 65) == {"11": OFF, "13": OFF}
    assert held(lease, 659.9) == {"11": OFF, "13": OFF}
    assert lease.stage(660) is Stage.FROST
    assert held(lease, 660) == {"11": OFF, "13": FROST}
    assert held(lease, 665) == {"11": FROST, "13": FROST}
    assert held(lease, 1e9) == {"11": FROST, "13": FROST}


def test_or_orders_as_given_one_by_one() -> None:
    lease = Lease(PHASE, RULES._replace(after=Stage.ORDERS), 0)
    assert held(lease, 60) == {"11": OFF, "13": OFF}
    assert held(lease, 660) == {"11": OFF}
    assert held(lease, 665) == {}


def test_it_recovers_by_itself_one_by_one(lease: Lease) -> None:
    assert held(lease, 60) == {"11": OFF, "13": OFF}
    spoken(lease, 0, 100)
    assert lease.stage(100) is Stage.LIVE
    assert held(lease, 100) == {"11": OFF}
    spoken(lease, 0b0001, 101)  # the shedder takes the last one over
    assert held(lease, 120) == {"11": OFF}
    spoken(lease, 0, 121)
    assert held(lease, 121) == {}


def test_a_late_look_still_releases_one_at_a_time(lease: Lease) -> None:
    held(lease, 60)
    spoken(lease, 0, 500)
    assert held(lease, 500) == {"11": OFF}


def test_a_shedder_without_its_meter_is_not_enough(lease: Lease) -> None:
    for now_s in range(0, 180, 10):
        lease.hear(0b0010, now_s)  # masks go on, signs of the meter do not
        expected = {"12": OFF} if now_s < 120 else {"11": OFF, "12": OFF, "13": OFF}
        assert held(lease, now_s) == expected
        assert lease.silent(now_s) == ("" if now_s < 120 else "meter")
    spoken(lease, 0b0010, 180)
    assert held(lease, 180) == {"11": OFF, "12": OFF}
    assert held(lease, 185) == {"12": OFF}


def test_the_share_is_of_rated_watts_most_important_first() -> None:
    heaters = [heater(0, 3, 2000), heater(1, 2, 2000), heater(2, 2, 500), heater(3, 1, None)]
    total_w = 4500 + ASSUMED_W
    assert safe_share(heaters, 0) == set()
    assert safe_share(heaters, 2000 / total_w) == {"11"}
    assert safe_share(heaters, 0.5) == {"11", "13"}  # 12 does not fit, 13 does
    assert safe_share(heaters, 1) == {"11", "12", "13", "14"}


def test_another_wiring_goes_on_where_the_old_one_was(lease: Lease) -> None:
    held(lease, 60)
    rewired = Lease(PHASE[:1], RULES, 61)
    rewired.take_over(lease)
    assert rewired.stage(61) is Stage.SHARE
    assert held(rewired, 61) == {"11": OFF}


@given(
    steps=st.lists(
        st.tuples(
            st.floats(0, 100),
            st.one_of(st.none(), st.integers(0, 2**35 - 1)),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_whatever_comes(steps: list[tuple[float, int | None, bool]]) -> None:
    """A live mask is never disobeyed; what a stage held comes back one at a time."""
    lease = Lease(PHASE, RULES, 0)
    now_s, heard_s, mask = 0.0, 0.0, 0
    before: dict[str, Order] = {}
    last_release_s = -RULES.release_interval_s
    was = Stage.LIVE
    for wait_s, news, sees in steps:
        now_s += wait_s
        if news is not None:
            mask, heard_s = news, now_s
            lease.hear(news, now_s)
        if sees:
            lease.see(now_s)
        after = held(lease, now_s)
        if now_s - heard_s < RULES.hold_s:
            for codifier, ceiling in Wiring(PHASE).held(1, mask).items():
                assert lowest(after[codifier], ceiling) is after[codifier]
        if was is not Stage.LIVE:
            back = before.keys() - after.keys()
            assert len(back) <= 1
            if back:
                assert now_s - last_release_s >= RULES.release_interval_s
                last_release_s = now_s
        elif news is not None and sees and not before:
            assert after.keys() == {h.codifier for h in PHASE if mask >> h.bit & 0x1_0000_0001}
        before, was = after, lease.stage(now_s)
