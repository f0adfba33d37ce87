"""The simulated house of a config: its heaters are those of the wiring of the pilot cards."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from random import Random
from typing import Final, NamedTuple

from jph.config.house.house import House
from jph.config.house.loads import wiring
from jph.config.model import Network
from jph.heating.orders.coding import Order, decode
from jph.sim.physics.appliances import HOUSEHOLD, Appliance
from jph.sim.physics.spec import HouseSpec, heater_for, room_for
from jph.sim.physics.weather import Weather

WATER_HEATER: Final = "water heater"
USUAL_WATTS: Final = 1000.0
USUAL_WATTS_PER_M2: Final = 150.0


class Blueprint(NamedTuple):
    """A house, and the heater on each wire (1–8) of each chip (address)."""

    house: HouseSpec
    wires: Mapping[tuple[int, int], str]

    @property
    def chips(self) -> set[int]:
        """Addresses of all chips."""
        return {address for address, _ in self.wires}

    def orders(self, address: int, outputs: tuple[int, int]) -> Iterable[tuple[str, Order]]:
        """Return the orders that the outputs of a chip give, by codifier."""
        for wire, order in decode(outputs).items():
            codifier = self.wires.get((address, wire))
            if codifier is not None:
                yield codifier, order


def blueprint(
    network: Network,
    bus: str,
    areas_m2: Mapping[str, float],
    *,
    seed: int,
    subscribed_a: int,
    habits: bool = True,
) -> Blueprint:
    """Return the house of the pilot cards on `bus`, an I2C bus as the settings of cards name it.

    Without `habits` its water heater is none of the appliances: a program orders it.

    A room without an area gets one that suits its heaters. Raises `ConfigError` if the wiring table
    contradicts itself.
    """
    addresses = {c.codifier: c.address for c in House(network).cards if c.bus == bus}
    random = Random(f"tolerances {seed}")
    heaters = []
    wires: dict[tuple[int, int], str] = {}
    watts: dict[str, float] = {}
    for heater in wiring(network).heaters.values():
        if heater.actuator.card not in addresses:
            continue
        room = heater.room or heater.codifier
        spec = heater_for(heater.codifier, heater.phase, room, heater.watts or USUAL_WATTS, random)
        heaters.append(spec)
        wires[addresses[heater.actuator.card], heater.actuator.wire] = heater.codifier
        watts[room] = watts.get(room, 0.0) + spec.watts
    rooms = tuple(
        room_for(name, areas_m2.get(name, rated / USUAL_WATTS_PER_M2), rated)
        for name, rated in watts.items()
    )
    appliances = HOUSEHOLD if habits else tuple(_ordered(each) for each in HOUSEHOLD)
    house = HouseSpec(rooms, tuple(heaters), appliances, Weather(seed=seed), subscribed_a)
    return Blueprint(house, wires)


def _ordered(appliance: Appliance) -> Appliance:
    """Return an appliance without power if it is the water heater: its habit stays, unseen."""
    if appliance.name != WATER_HEATER:
        return appliance
    stages = tuple(replace(stage, watts=0.0) for stage in appliance.stages)
    return replace(appliance, stages=stages)
