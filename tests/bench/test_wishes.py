"""A day of one room at its wish, by the bench of the regulation."""

from dataclasses import replace

import pytest

from bench.wishes import live, programme, row_of, spec_of
from jph.sim.physics import HouseSpec


def one_room() -> HouseSpec:
    """Return the first room of a simulated house, with its heaters."""
    spec = spec_of(0)
    room = spec.rooms[0]
    heaters = tuple(heater for heater in spec.heaters if heater.room == room.name)
    return replace(spec, rooms=(room,), heaters=heaters)


@pytest.mark.parametrize("day_c", [18.0, 21.0])
def test_a_wish_is_held_within_half_a_kelvin_as_long_as_it_can_be(day_c: float) -> None:
    spec = one_room()
    wishes = {spec.rooms[0].name: programme(day_c, 17.0)}
    row = row_of("regulated", [live(spec, wishes, 1.0, regulated=True)])
    assert row["held"] >= 0.95
    assert row["reachable"] >= 0.5
    other = row_of("fixed", [live(spec, wishes, 1.0, regulated=False)])
    assert row["all_off_k"] < other["all_off_k"]


def test_a_room_without_heat_is_not_counted_as_held() -> None:
    spec = one_room()
    cold = replace(spec, heaters=tuple(replace(h, watts=1.0) for h in spec.heaters))
    row = row_of(
        "cold", [live(cold, {spec.rooms[0].name: programme(21.0, 21.0)}, 0.5, regulated=True)]
    )
    assert row["reachable"] < 0.1
    assert row["worst"] == 0.0
