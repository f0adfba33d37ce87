"""The random houses of the judge: as undersized as stated, and plausible appliances."""

from dataclasses import replace

import pytest

from bench.judge.neighbourhood import (
    APPLIANCES_SHARE,
    FEWEST_A_PHASE,
    MOST_A_PHASE,
    Sizing,
    generate,
)
from jph.sim.physics import SimulatedHouse
from jph.sim.physics.spec import PHASES, VOLTS


@pytest.mark.parametrize("sizing", Sizing)
@pytest.mark.parametrize("seed", range(5))
def test_houses_are_as_undersized_as_they_say(sizing: Sizing, seed: int) -> None:
    spec = generate(sizing, seed)
    lowest, highest = sizing.ratio
    assert len({heater.codifier for heater in spec.heaters}) == 24
    for phase in PHASES:
        mine = [heater.watts for heater in spec.heaters if heater.phase == phase]
        assert FEWEST_A_PHASE <= len(mine) <= MOST_A_PHASE
        ratio = sum(mine) / VOLTS / spec.subscribed_a
        assert lowest - 0.01 <= ratio <= highest + 0.01
    assert {heater.room for heater in spec.heaters} == {room.name for room in spec.rooms}


@pytest.mark.parametrize("seed", range(3))
def test_appliances_draw_on_their_phase_and_never_too_much_alone(seed: int) -> None:
    spec = replace(generate(Sizing.LIGHT, seed), heaters=())
    house = SimulatedHouse(spec, seed=seed, start_s=0.0)
    most = [0.0, 0.0, 0.0]
    for _ in range(86_400):
        house.step(1.0)
        most = [max(pair) for pair in zip(most, house.amps, strict=True)]
        assert house.amps == pytest.approx([house.appliance_amps(phase) for phase in PHASES])
    assert 7 < max(most) < APPLIANCES_SHARE * spec.subscribed_a + 0.1
    assert sum(house.joules()) > 5 * 3.6e6
    assert house.heating_joules() == 0.0


def test_the_tight_evening_begins_with_something_to_do() -> None:
    house = SimulatedHouse(generate(Sizing.TIGHT, 1), seed=1)
    house.step(10.0)
    assert max(house.amps) < house.spec.subscribed_a
    house.step(110.0)
    assert max(house.amps) > house.spec.subscribed_a
