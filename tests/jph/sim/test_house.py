"""The whole house without a clock: currents, orders, thermostats, determinism, going on later."""

import json
from dataclasses import replace

import pytest

from bench.judge.neighbourhood import Sizing, generate
from jph.heating.orders.coding import Order
from jph.sim.physics import HouseSpec, SimulatedHouse
from jph.sim.physics.house import ECO_BELOW_COMFORT_K, FROST_C
from jph.sim.physics.spec import HYSTERESIS_K, PHASES, VOLTS
from jph.sim.physics.weather import DAY_S

BAND_K = HYSTERESIS_K + 0.15  # a sensor looks every ten seconds


def without_appliances(spec: HouseSpec) -> HouseSpec:
    return replace(spec, appliances=())


def exact_sensors(spec: HouseSpec) -> HouseSpec:
    return replace(spec, heaters=tuple(replace(h, sensor_error_k=0.0) for h in spec.heaters))


@pytest.fixture
def house() -> SimulatedHouse:
    return SimulatedHouse(exact_sensors(without_appliances(generate(Sizing.TIGHT, 3))), seed=3)


def awake(house: SimulatedHouse) -> SimulatedHouse:
    house.step(90.0)
    return house


def heating_w(house: SimulatedHouse, phase: int) -> float:
    return sum(h.spec.watts for h in house.heaters.values() if h.on and h.spec.phase == phase)


def test_currents_are_the_heaters_that_are_on(house: SimulatedHouse) -> None:
    awake(house)
    for phase, amps in zip(PHASES, house.amps, strict=True):
        assert amps > 0
        assert amps == pytest.approx(heating_w(house, phase) / VOLTS)


def test_a_house_whose_power_came_back_does_not_wake_at_once(house: SimulatedHouse) -> None:
    assert house.amps == (0.0, 0.0, 0.0)
    house.step(25.0)
    half = sum(house.amps)
    house.step(25.0)
    assert 0 < half < sum(house.amps)


@pytest.mark.parametrize("order", [Order.OFF, Order.FROST, Order.ECO])
def test_an_order_takes_one_to_two_seconds(house: SimulatedHouse, order: Order) -> None:
    awake(house)
    before = heating_w(house, 1)
    mine = [h for h in house.heaters.values() if h.spec.phase == 1]
    for heater in mine:
        house.order(heater.spec.codifier, order)
    house.step(0.99)
    assert heating_w(house, 1) == before > 0
    house.step(1.02)
    assert heating_w(house, 1) == 0  # at 19 °C none of these orders heats
    assert all(heater.order is order for heater in mine)


def test_the_last_of_quick_orders_holds(house: SimulatedHouse) -> None:
    awake(house)
    heater = next(h for h in house.heaters.values() if h.on)
    for order in (Order.OFF, Order.ECO, Order.OFF, Order.COMFORT):
        house.order(heater.spec.codifier, order)
        house.step(0.1)
    house.step(3.0)
    assert heater.order is Order.COMFORT
    assert heater.on


@pytest.mark.parametrize(
    ("order", "target_c"),
    [(Order.COMFORT, 20.0), (Order.ECO, 20.0 - ECO_BELOW_COMFORT_K), (Order.FROST, FROST_C)],
)
def test_thermostats_hold_what_the_order_says(order: Order, target_c: float) -> None:
    spec = exact_sensors(without_appliances(generate(Sizing.BRUTAL, 1)))
    house = SimulatedHouse(spec, seed=1, indoor_c=target_c)
    for codifier in house.heaters:
        house.order(codifier, order)
    house.step(6 * 3600.0)
    for _ in range(600):
        house.step(10.0)
        for room in house.rooms.values():
            assert target_c - BAND_K < room.air_c < target_c + BAND_K


def test_off_lets_the_house_cool_and_a_higher_setpoint_warms_it(house: SimulatedHouse) -> None:
    awake(house)
    for codifier in house.heaters:
        house.order(codifier, Order.OFF)
    house.step(3600.0)
    assert house.amps == (0.0, 0.0, 0.0)
    cold = {name: room.air_c for name, room in house.rooms.items()}
    assert all(celsius < 18.8 for celsius in cold.values())
    house.comfort_c = 22.0
    for codifier in house.heaters:
        house.order(codifier, Order.COMFORT)
    house.step(6 * 3600.0)
    assert all(room.air_c > cold[name] + 1 for name, room in house.rooms.items())


def test_energy_is_power_over_time_whatever_the_step() -> None:
    fine, coarse = (SimulatedHouse(generate(Sizing.TIGHT, 4), seed=4) for _ in range(2))
    booked = 0.0
    for _ in range(24 * 3600):
        booked += sum(fine.amps) * VOLTS
        fine.step(1.0)
    coarse.step(DAY_S)
    assert fine.joules() == pytest.approx(coarse.joules(), rel=1e-12)
    assert booked == pytest.approx(sum(coarse.joules()), rel=1e-3)
    assert fine.snapshot() == coarse.snapshot()


def test_the_same_seed_is_the_same_house_and_another_is_not() -> None:
    def day(seed: int) -> list[tuple[float, float, float]]:
        house = SimulatedHouse(generate(Sizing.LIGHT, seed), seed=seed)
        currents = []
        for _ in range(1440):
            house.step(60.0)
            currents.append(house.amps)
        return currents

    assert day(1) == day(1)
    assert day(1) != day(2)


def test_a_snapshot_goes_on_as_if_nothing_had_been() -> None:
    spec = generate(Sizing.TIGHT, 5)
    through = SimulatedHouse(spec, seed=5)
    through.step(3600.0)  # on a thermostat's look, so that no heat is under way
    kept = json.loads(json.dumps(through.snapshot()))
    again = SimulatedHouse.resume(spec, kept, seed=5)
    assert again.amps == pytest.approx(through.amps)
    for _ in range(600):
        through.step(60.0)
        again.step(60.0)
        assert again.amps == pytest.approx(through.amps)
    assert again.snapshot() == through.snapshot()


def test_a_snapshot_of_another_house_does_what_it_can(house: SimulatedHouse) -> None:
    awake(house)
    kept = house.snapshot()
    kept["heaters"]["ZZ"] = [1, True]
    kept["rooms"]["Cellar"] = [8.0, 8.0]
    del kept["heaters"]["11"]
    again = SimulatedHouse.resume(house.spec, kept, seed=3)
    assert set(again.heaters) == set(house.heaters)
    again.step(3600.0)


def test_a_heater_that_is_throttled_draws_its_share_at_once(house: SimulatedHouse) -> None:
    awake(house)
    heater = next(h for h in house.heaters.values() if h.on)
    before = house.amps[heater.spec.phase - 1]
    house.throttle(heater.spec.codifier, 0.25)
    after = house.amps[heater.spec.phase - 1]
    assert before - after == pytest.approx(0.75 * heater.spec.watts / VOLTS)
    assert heater.on
    house.throttle(heater.spec.codifier, 1.0)
    assert house.amps[heater.spec.phase - 1] == pytest.approx(before)


def test_a_house_that_is_cut_draws_nothing_until_it_is_armed_again(house: SimulatedHouse) -> None:
    awake(house)
    house.cut()
    drawn = sum(house.joules())
    house.step(600.0)
    assert house.amps == (0.0, 0.0, 0.0)
    assert sum(house.joules()) == drawn
    house.rearm()
    assert house.amps == (0.0, 0.0, 0.0)
    house.step(90.0)
    assert min(house.amps) > 0
    assert sum(house.joules()) > drawn


def test_watch_is_called_at_every_change_and_may_stop_the_step(house: SimulatedHouse) -> None:
    changes: list[float] = []

    def watch() -> bool:
        changes.append(house.time_s)
        return len(changes) == 5

    awake(house)
    house.watch = watch
    before = house.time_s
    house.step(3600.0)
    assert house.time_s == changes[4] < before + 3600.0
    house.step(before + 3600.0 - house.time_s)
    assert house.time_s == before + 3600.0
    assert len(changes) > 20
