"""The node: a meter to read, chips to command, temperatures on the bus; stopped and started."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network, Sensor
from jph.devices.i2c.bus import open_bus
from jph.devices.i2c.mcp23017 import Mcp23017
from jph.heating.orders.coding import Order, encode
from jph.node import kinds
from jph.node.node import Node
from jph.sim.evening import LEAD_S
from jph.sim.house_simulator import HouseSimulator
from jph.sim.steered import SimulatedStore, StoreSettings
from jph.wire.codec import Control, Flag, Quality, Reading
from tests.support import LIMIT_S, REPOSITORY, running, until

CONFIG = REPOSITORY / "static" / "config.json"
WIRES = [
    {"Codifier": "11", "Wire": 1, "Phase": 1, "Room": "Study", "Watts": 2300},
    {"Codifier": "12", "Wire": 8, "Phase": 2, "Room": "Hall", "Watts": 1150},
]
BUS = "unix:$JPH_STATE/house/i2c.sock"

MakeNetwork = Callable[..., Network]


class Ear(Node, type="Ear"):
    """Hears readings, and can set the comfort temperature."""

    def __init__(self, codifier: str, network: Network) -> None:
        super().__init__(codifier, network)
        self.heard: dict[str, Reading] = {}

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.heard.update({r.source: r for r in readings if r.flag != "n"})

    def on_control(self, message: Control) -> None:
        """Hear nothing of it."""


def proxy(codifier: str, parent: str) -> dict[str, Any]:
    return {"Codifier": codifier, "Type": "Proxy", "Sensor": {"Codifier": parent}}


@pytest.fixture
def house_network(network: MakeNetwork) -> Callable[..., Network]:
    def make(**settings: Any) -> Network:
        rooms = [{"Codifier": "RA", "Name": "Study", "Area": 12}]
        return network(
            {
                "Codifier": "HO",
                "Type": "HouseSimulator",
                "SensorInterval": 0.05,
                "Sensor": {"Rooms": rooms, **settings},
            },
            {"Codifier": "SP", "Type": "Ear"},
            {"Codifier": "P1", "Type": "PilotCard", "Sensor": {"Bus": BUS, "Wires": WIRES}},
            proxy("TO", "HO"),
            proxy("RA", "HO"),
            proxy("11", "P1"),
            proxy("12", "P1"),
        )

    return make


@contextlib.asynccontextmanager
async def listening(path: Path) -> AsyncIterator[asyncio.StreamReader]:
    """Open the meter as a reader would."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), path.open("rb", buffering=0)
    )
    try:
        yield reader
    finally:
        transport.close()


async def test_a_reader_of_the_port_gets_whole_frames_with_parity(
    house_network: MakeNetwork, state: Path
) -> None:
    async with (
        running(HouseSimulator("HO", house_network())),
        listening(state / "house" / "meter") as line,
        asyncio.timeout(LIMIT_S),
    ):
        await line.readuntil(b"\x03")
        frame = await line.readuntil(b"\x03")
    assert all(byte.bit_count() % 2 == 0 for byte in frame)
    text = bytes(byte & 0x7F for byte in frame)
    assert text[:6] == b"\x02\nADCO"
    for group in text[1:-1].split(b"\r")[:-1]:
        assert sum(group[1:-2]) % 64 + 32 == group[-1]


async def test_chips_command_heaters_even_from_the_same_loop(
    house_network: MakeNetwork, state: Path
) -> None:
    node = HouseSimulator("HO", house_network())
    async with running(node):
        bus = open_bus(f"unix:{state}/house/i2c.sock")
        latches = encode({1: Order.OFF, 8: Order.ECO})
        Mcp23017(bus, 0x20, "the house's").initialise(latches)
        bus.close()
        assert node.live is not None
        heaters = node.live.house.heaters
        await until(lambda: heaters["11"].order is Order.OFF)
        await until(lambda: heaters["12"].order is Order.ECO)


async def test_silent_chips_do_not_answer(house_network: MakeNetwork, state: Path) -> None:
    async with running(HouseSimulator("HO", house_network(Silent=[0x20]))):
        bus = open_bus(f"unix:{state}/house/i2c.sock")
        with pytest.raises(OSError, match="Remote I/O error"):
            bus.read_byte_data(0x20, 0)
        bus.close()


async def test_temperatures_are_told_as_simulated_and_the_setpoint_is_obeyed(
    house_network: MakeNetwork,
) -> None:
    network = house_network()
    node, ear = HouseSimulator("HO", network), Ear("SP", network)
    async with running(node, ear):
        await until(lambda: {"TO", "RA"} <= ear.heard.keys())
        assert ear.heard["RA"].number == pytest.approx(20.0, abs=0.7)
        assert ear.heard["RA"].quality == Quality.SIMULATED
        assert ear.heard["TO"].number is not None
        assert node.live is not None
        house = node.live.house
        for refused in (99.0, "warm"):
            ear.send(refused)
        ear.send(17.5)
        await until(lambda: house.comfort_c == 17.5)


async def test_a_water_heater_and_a_car_obey_and_report(
    house_network: MakeNetwork, state: Path
) -> None:
    loads = [
        {"Codifier": "WH", "Phases": [2], "Watts": 2300},
        {"Codifier": "EV", "Phases": [1, 2, 3]},
    ]
    network = house_network(Loads=loads)
    network.sensors.extend(
        Sensor(codifier=code, type="Proxy", control="enabled", sensor={"Codifier": "HO"})
        for code in ("WH", "EV")
    )
    node, ear = HouseSimulator("HO", network), Ear("SP", network)
    async with running(node, ear):
        await until(lambda: {"WH", "EV"} <= ear.heard.keys())
        assert node.live is not None
        house = node.live.house
        before_a = house.appliance_amps(2)
        ear.send_control(Flag.SET, "WH", 1)
        ear.send_control(Flag.SET, "EV", 10)
        ear.send_control(Flag.SET, "EV", 99)
        await until(lambda: ear.heard["WH"].value == 1 and ear.heard["EV"].value == 10)
        assert house.appliance_amps(2) - before_a == pytest.approx(20.0, abs=8)
    kept = json.loads((state / "house" / "state.json").read_text())["stores"]
    assert [kept["WH"][0], kept["EV"][0]] == [1.0, 10.0]


def test_a_full_store_takes_nothing_until_some_is_used() -> None:
    settings = StoreSettings(codifier="WH", watts=2000.0, capacity=4.0, daily=2.4)
    store = SimulatedStore(settings)
    store.ordered = 1.0
    assert store.watts == 2000.0
    for _ in range(70):
        store.advance(60.0)
    assert store.watts == 0.0
    store.advance(1800.0)
    assert store.watts == 0.0
    store.advance(7200.0)
    assert store.watts == 2000.0


async def test_an_end_leaves_nothing_but_the_state_and_a_start_goes_on(
    house_network: MakeNetwork, state: Path
) -> None:
    network = house_network()
    for _ in range(2):
        node = HouseSimulator("HO", network)
        async with running(node):
            assert node.live is not None
            node.live.house.step(3600.0)
    assert [path.name for path in (state / "house").iterdir()] == ["state.json"]
    kept = json.loads((state / "house" / "state.json").read_text())
    assert kept["house"]["time_s"] > 20.4 * 3600
    assert kept["meter"]["peak_wh"] > 21_654_321


async def test_a_restart_keeps_the_outputs_of_the_chips_and_the_orders_of_the_heaters(
    house_network: MakeNetwork, state: Path
) -> None:
    network = house_network()
    first = HouseSimulator("HO", network)
    async with running(first):
        bus = open_bus(f"unix:{state}/house/i2c.sock")
        chip = Mcp23017(bus, 0x20, "the house's")
        chip.initialise(encode({1: Order.OFF}))
        bus.close()
        assert first.live is not None
        heater = first.live.house.heaters["11"]
        await until(lambda: heater.order is Order.OFF)
        outputs = first.live.bus.chips[0x20].outputs
    second = HouseSimulator("HO", network)
    async with running(second):
        assert second.live is not None
        assert second.live.bus.chips[0x20].outputs == outputs
        heater = second.live.house.heaters["11"]
        assert (heater.given, heater.order, heater.on) == (Order.OFF, Order.OFF, False)


@pytest.mark.parametrize("damaged", ["", "[]", '{"house": {"time_s": "soon"}}', "\0"])
async def test_a_damaged_state_begins_a_new_house(
    house_network: MakeNetwork, state: Path, damaged: str
) -> None:
    (state / "house").mkdir(parents=True)
    (state / "house" / "state.json").write_text(damaged)
    node = HouseSimulator("HO", house_network())
    async with running(node):
        assert node.live is not None
        assert node.live.house.time_s < 20.6 * 3600


async def test_the_demonstration_is_whole(state: Path) -> None:
    network = kinds.load(str(CONFIG), ["HO"])
    codes = {sensor.codifier for sensor in network.sensors}
    heaters = {f"{phase}{wire}" for phase in "123" for wire in range(1, 9)}
    expected = "HO TI P1 P2 P3 SH R1 Q1 CF CC C1 SP I1 I2 I3 PA TP X1 X2 IS W1 W2 W3 S1 S2 S3 TO RA"
    assert heaters | set(expected.split()) <= codes
    node = HouseSimulator("HO", network)
    await node.open()
    try:
        assert node.live is not None
        house = node.live.house
        assert set(house.heaters) == heaters
        assert {room.name for room in node.settings.rooms} == set(house.rooms)
        assert {room.codifier for room in node.settings.rooms} <= node.elements.keys()
        assert all(abs(room.air_c - 20) < 0.7 for room in house.rooms.values())
        assert max(house.amps) <= 30
        house.step(LEAD_S + 5)
        assert 30.5 < max(house.amps) < 45  # a few heaters are too many, not all
    finally:
        await node.close()
