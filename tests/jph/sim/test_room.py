"""One room: the exact step against small steps, steady state and energy balance."""

import pytest

from jph.sim.physics.room import INSIDE_SHARE, SimulatedRoom
from jph.sim.physics.spec import RoomSpec

SPEC = RoomSpec("Study", area_m2=12.0, loss_w_per_k=50.0)


def test_settles_where_heat_and_loss_are_equal() -> None:
    room = SimulatedRoom(SPEC, air_c=10.0, outdoor_c=0.0, step_s=3600.0)
    for _ in range(24 * 60):
        room.step(1000.0, 0.0)
    assert room.air_c == pytest.approx(1000.0 / 50.0)
    assert room.mass_c == pytest.approx(20.0 * (1 - INSIDE_SHARE))
    assert room.loss_w(0.0) == pytest.approx(1000.0)


@pytest.mark.parametrize("step_s", [10.0, 60.0, 600.0])
def test_steps_of_any_length_agree_with_one_second_steps(step_s: float) -> None:
    fine = SimulatedRoom(SPEC, 18.0, -3.0, 1.0)
    coarse = SimulatedRoom(SPEC, 18.0, -3.0, step_s)
    for _ in range(3600):
        fine.step(1500.0, -3.0)
    for _ in range(round(3600 / step_s)):
        coarse.step(1500.0, -3.0)
    assert coarse.air_c == pytest.approx(fine.air_c, abs=1e-9)
    assert coarse.mass_c == pytest.approx(fine.mass_c, abs=1e-9)


def test_heat_given_is_heat_stored_and_heat_lost() -> None:
    room = SimulatedRoom(SPEC, 18.0, -3.0, 1.0)
    before, lost = room.stored_j(), 0.0
    for _ in range(3600):
        half = room.loss_w(-3.0) / 2
        room.step(800.0, -3.0)
        lost += half + room.loss_w(-3.0) / 2
    assert room.stored_j() - before == pytest.approx(800.0 * 3600 - lost, abs=1.0)


def test_speed_changes_the_pace_and_not_the_end() -> None:
    slow, fast = (
        SimulatedRoom(SPEC, 18.0, 0.0, 10.0),
        SimulatedRoom(SPEC, 18.0, 0.0, 10.0, speed=10.0),
    )
    for _ in range(100):
        slow.step(1000.0, 0.0)
    for _ in range(10):
        fast.step(1000.0, 0.0)
    assert fast.air_c == pytest.approx(slow.air_c)
    for _ in range(50_000):
        fast.step(1000.0, 0.0)
    assert fast.air_c == pytest.approx(20.0)
