"""The small heating house with shedder and card that tell why (E1, E2, K1), and a recorder FR."""

import json
from typing import Any

import msgspec

from jph.config.model import Network, Sensor
from jph.wire.codec import Json
from tests.nodes.heatinghouse import element, house

ROOMS = {"11": "Living room", "12": "Living room", "13": "Kitchen", "15": "Hall"}


def telling_house(recorder: dict[str, Any] | None = None) -> Network:
    network = house({"Bus": "unix:/nowhere"})
    sensors = [
        *(named(sensor) for sensor in network.sensors),
        element("E1", "SH"),
        element("E2", "SH"),
        element("K1", "P1"),
        Sensor(
            codifier="FR",
            type="Recorder",
            keep_alive_interval=0.2,
            sensor_interval=0.2,
            sensor=recorder or {},
        ),
        Sensor(codifier="CC", type="ControlProgram", short_name="Console"),
    ]
    return msgspec.structs.replace(network, sensors=sensors)


LOADS = [
    {"Codifier": "WH", "Name": "Water heater", "Hours": 4, "By": "06:00"},
    {"Codifier": "EV", "Name": "Car", "Sort": "charger"},
]


def load_house() -> Network:
    """Return the telling house with a water heater and a car beside its heaters."""
    network = telling_house()
    sensors = [
        msgspec.structs.replace(s, sensor={**s.sensor, "Loads": LOADS, "State": "LS"})
        if s.codifier == "SH"
        else s
        for s in network.sensors
    ]
    orders = [
        Sensor(codifier=code, type="Proxy", control="enabled", sensor={"Codifier": "TI"})
        for code in ("WH", "EV")
    ]
    return msgspec.structs.replace(network, sensors=[*sensors, *orders, element("LS", "SH")])


def named(sensor: Sensor) -> Sensor:
    """Return a card with rooms."""
    if sensor.type != "PilotCard":
        return sensor
    wires = [{**wire, "Room": ROOMS.get(wire["Codifier"], "")} for wire in sensor.sensor["Wires"]]
    return msgspec.structs.replace(sensor, sensor={**sensor.sensor, "Wires": wires})


def story(value: float, shed: dict[str, Any] | None = None, **more: Any) -> Json:
    """Return what a shedder tells of a phase."""
    return Json(
        json.dumps(
            {"value": value, "current": 24.0, "limit": 30, "shed": shed or {}, "watts": {}} | more
        )
    )


def ledger(**wires: dict[str, Any]) -> Json:
    """Return what a card tells of its wires: `ledger(w11={"ordered": 0})`."""
    told = {code.removeprefix("w"): wire for code, wire in wires.items()}
    return Json(json.dumps({"value": 0, "wires": told}))
