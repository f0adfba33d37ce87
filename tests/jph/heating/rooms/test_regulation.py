"""A room held at its wish, in the physics of the simulated house."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.heating.rooms.regulation import (
    CYCLE_S,
    SHORTEST_S,
    RegulationState,
    Thermometer,
    heat_s,
    heat_share,
    room_temperature,
)
from jph.sim.physics.room import SimulatedRoom
from jph.sim.physics.spec import RoomSpec


def hold(wish_c: float, outdoor_c: float, watts: float, hours: float) -> list[float]:
    """Return a room's temperature each minute while a heater of `watts` holds it."""
    spec = RoomSpec(name="room", area_m2=15.0, loss_w_per_k=25.0)
    room = SimulatedRoom(spec, 16.0, outdoor_c, 60.0)
    seen: list[float] = []
    state, now_s = RegulationState(), 0.0
    while now_s < 3600 * hours:
        cycle = seen[-round(CYCLE_S / 60) :] or [room.air_c]
        share, state = heat_share(state, sum(cycle) / len(cycle), wish_c, now_s)
        on_s = heat_s(share)
        for minute in range(round(CYCLE_S / 60)):
            room.step(watts if minute * 60 < on_s else 0.0, outdoor_c)
            seen.append(room.air_c)
        now_s += CYCLE_S
    return seen


@pytest.mark.parametrize("outdoor_c", [-7.0, 0.0, 10.0])
@pytest.mark.parametrize("watts", [1000.0, 1500.0])
def test_a_room_that_can_be_warm_is_held_within_a_third_of_a_kelvin(
    outdoor_c: float, watts: float
) -> None:
    after_a_day = hold(20.0, outdoor_c, watts, 48.0)[24 * 60 :]
    near = sum(abs(temperature - 20.0) <= 0.3 for temperature in after_a_day)
    assert near >= 0.95 * len(after_a_day)


def test_a_warm_up_does_not_overshoot() -> None:
    assert max(hold(20.0, 5.0, 1500.0, 24.0)) <= 20.5


@given(st.floats(0, 1), st.floats(-50, 80), st.floats(5, 30), st.floats(0, 1e6))
def test_shares_are_between_nothing_and_all(
    integral: float, temperature_c: float, wish_c: float, now_s: float
) -> None:
    share, state = heat_share(RegulationState(integral, 0.0), temperature_c, wish_c, now_s)
    assert 0.0 <= share <= 1.0
    assert 0.0 <= state.integral <= 1.0
    on_s = heat_s(share)
    assert on_s in (0.0, CYCLE_S) or SHORTEST_S <= on_s <= CYCLE_S - SHORTEST_S


def test_stale_thermometers_and_outliers_are_left_out() -> None:
    listed = [
        Thermometer("T1", 19.0, 5.0),
        Thermometer("T2", 19.4, 5.0),
        Thermometer("T3", 85.0, 5.0),
        Thermometer("T4", 19.2, 5.0),
        Thermometer("T5", 12.0, 4000.0),
        Thermometer("T6", 12.0, -90.0),
    ]
    assert room_temperature(listed, 900.0) == (19.2, ["T5", "T6", "T3"])
    assert room_temperature(listed[4:], 900.0) == (None, ["T5", "T6"])
    assert room_temperature(listed[:1], 900.0) == (19.0, [])
