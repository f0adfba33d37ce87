"""The Thermostat node with Schedule and a card: orders, people's orders, and kills."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jph.config import model as config
from jph.config.model import Network, Sensor
from jph.heating.orders.coding import Order
from jph.node import kinds
from jph.node.node import now_ms
from jph.wire.codec import Flag, Json
from nodes.schedule import Schedule
from nodes.thermostat import Thermostat
from tests.i2cserver import I2CServer
from tests.jph.cli.programs import Program, command, control
from tests.jph.cli.programs import element as entry
from tests.nodes.heatinghouse import Probe, element, house, living
from tests.nodes.pilothouse import PilotCard, told

ROOMS = [
    {"Codifier": "RB", "Name": "Bathroom", "Thermometers": ["T1"], "Heaters": ["11", "12"]},
    {"Codifier": "RH", "Name": "Hall", "Heaters": ["13"], "Default": "eco"},
]
WIRES = [
    {"Codifier": "11", "Wire": 1, "Phase": 1, "SolidState": True},
    {"Codifier": "12", "Wire": 2, "Phase": 1},
    {"Codifier": "13", "Wire": 3, "Phase": 1},
]
ELEMENTS = {"Answer": "SR", "Next": "SN"}


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


def network(bus: str = "", **settings: Any) -> Network:
    made = house({"Bus": bus, "Wires": WIRES, "State": "K1"})
    fast: dict[str, Any] = {"keep_alive_interval": 0.2, "sensor_interval": 0.2}
    made.sensors.extend(
        [
            Sensor(codifier="SC", type="Schedule", control="enabled", sensor=ELEMENTS, **fast),
            Sensor(codifier="TH", type="Thermostat", sensor={"State": "TK", **settings}, **fast),
            *(element(code, "SC", "enabled") for code in ("RB", "RH")),
            *(element(code, "SC") for code in ELEMENTS.values()),
            *(element(*pair) for pair in (("TK", "TH"), ("K1", "P1"), ("T1", "TI"))),
        ]
    )
    return msgspec.structs.replace(made, rooms=ROOMS)


def says(probe: Probe, code: str, **expected: Any) -> Callable[[], bool]:
    """Return whether the card's state says this of a heater."""
    return lambda: probe.last("K1") is not None and expected.items() <= told(probe)[code].items()


def state(probe: Probe) -> dict[str, Any]:
    last = probe.last("TK")
    return {} if last is None else json.loads(str(last.value))["rooms"]["Bathroom"]


async def test_it_alone_commands_its_rooms_and_leaves_a_persons_order_alone(
    chip: I2CServer,
) -> None:
    made = network(chip.bus)
    schedule, card, probe = Schedule("SC", made), PilotCard("P1", made), Probe("TI", made)
    thermostat = Thermostat("TH", made)
    async with living(schedule, card, probe, thermostat):
        probe.send(17.0, codifier="T1")
        await probe.until(says(probe, "11", by="TH", ordered=Order.COMFORT, then=Order.COMFORT))
        await probe.until(says(probe, "12", by="TH", ordered=Order.COMFORT))
        await probe.until(says(probe, "13", by="SC", ordered=Order.ECO))
        await probe.until(lambda: state(probe).get("phrase") == "heats to 19 °C")
        probe.send_control(Flag.SET, "12", Order.OFF)
        await probe.until(lambda: state(probe)["hand"] == ["12"])
        probe.send_control(Flag.SET, "RB", 9.0)
        await probe.until_heard("11", Order.COMFORT)  # it is 17 °C: the cycle follows the wish
        await probe.until(lambda: state(probe)["hand"] == [])
        assert not thermostat.foreign


async def test_before_it_repeats_an_order_it_asks_the_card_who_gave_the_other_one() -> None:
    made = network()
    schedule, card, probe = Schedule("SC", made), Probe("P1", made), Probe("TI", made)

    def orders_of_12() -> list[float]:
        sets = [m for m in card.controls if (m.flag, m.to, m.source) == (Flag.SET, "12", "TH")]
        return [message.number for message in sets]

    def report(order: Order, by: str) -> None:
        wires = {"12": {"by": by, "at_ms": now_ms(), "until_ms": None}}
        card.send(int(order), codifier="12")
        card.send(Json(json.dumps({"value": 0, "wires": wires})), codifier="K1")

    async with living(schedule, card, probe, Thermostat("TH", made)):
        probe.send(17.0, codifier="T1")
        await probe.until_heard("RB", 19.0)
        report(Order.COMFORT, by="TH")
        await card.until(orders_of_12)
        card.controls.clear()
        card.send(int(Order.OFF), codifier="12")
        await card.until(lambda: any(m.flag == Flag.PING and m.to == "P1" for m in card.controls))
        sent = orders_of_12()
        report(Order.OFF, by="CC")
        await probe.until(lambda: state(probe).get("hand") == ["12"])
        assert orders_of_12() == sent == []


def test_references_of_its_settings_are_checked() -> None:
    assert kinds.find("Thermostat") is Thermostat
    assert not Thermostat.check_network(network(Rooms=["RB"]))
    wrong = network(Rooms=["Bathroom", "Attic", "Hall"], State="TX")
    wrong.sensors.append(Sensor(codifier="T9", type="Thermostat", sensor={}))
    found = "\n".join(str(problem) for problem in Thermostat.check_network(wrong))
    for part in ("'Attic'", "Hall needs a thermometer", "TX is no element", "Thermostat TH too"):
        assert part in found, (part, found)


class Thermometer(Probe):
    """A probe that reports T1 again and again: a program that has just begun hears it too."""

    temperature_c = 17.0

    async def on_timer(self, now_ms: int) -> None:
        self.send(self.temperature_c, codifier="T1")


async def test_kills_leave_wishes_holds_and_the_next_change(
    chip: I2CServer, config_file: Callable[..., Path]
) -> None:
    quick = {"KeepAliveInterval": 0.5, "SensorInterval": 0.5, "Control": "enabled"}
    card = {"Bus": chip.bus, "Wires": WIRES, "State": "K1"}
    path = config_file(
        {"Codifier": "TI", "Type": "ControlProgram", **quick},
        {"Codifier": "SC", "Type": "Schedule", "Sensor": ELEMENTS, **quick},
        {"Codifier": "TH", "Type": "Thermostat", "Sensor": {}, **quick},
        {"Codifier": "P1", "Type": "PilotCard", "Sensor": card, **quick},
        *(entry(code, "SC", Control="enabled") for code in ("RB", "RH")),
        *(entry(code, "SC", TimeoutWarning=0) for code in ELEMENTS.values()),
        *(entry(code, "P1", Control="enabled") for code in ("11", "12", "13")),
        entry("K1", "P1"),
        entry("T1", "TI"),
        Rooms=ROOMS,
    )
    probe = Thermometer("TI", config.load(str(path)))
    with ExitStack() as stack:
        programs: dict[str, Program] = {}

        def start(*codes: str) -> None:
            for code in codes:
                programs[code] = stack.enter_context(Program(*command(path, "run", code)))

        async with living(probe):
            start("SC", "TH", "P1")
            await probe.until_heard("RB", 19.0)
            await probe.until(says(probe, "13", by="SC"))
            await probe.until(says(probe, "12", by="TH"))
            probe.send_control(Flag.SET, "12", Order.OFF)
            await probe.until(says(probe, "12", ordered=Order.OFF, by="TI"))
            set_wish = control(path, "schedule", "set", "Bathroom", "9", "--for", "8m")
            assert set_wish.returncode == 0, set_wish.stderr
            probe.temperature_c = 12.0
            # The change back to 19 °C in 8 min is with the card.
            change = {"ordered": Order.FROST, "by": "TH", "then": Order.COMFORT}
            await probe.until(says(probe, "11", **change))
            until_ms = told(probe)["11"]["until_ms"]
            for codes in (("SC",), ("TH",), ("P1",), ("SC", "TH", "P1")):
                for code in codes:
                    programs[code].process.kill()
                    programs[code].process.wait()
                probe.heard.clear()
                start(*codes)
                await probe.until_heard("RB", 9.0)
                probe.send_control(Flag.PING, "P1")
                await probe.until(says(probe, "11", until_ms=until_ms, **change))
