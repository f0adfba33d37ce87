"""Devices of the demonstration, read by the nodes of the demonstration's own config."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.node import kinds
from jph.sim.gadgets import BADGES, Gadgets, reply
from jph.util.crc16 import crc16
from nodes.controlprogram import ListeningProgram, on_bus
from tests.support import REPOSITORY, running, until

MakeNetwork = Callable[..., Network]
NODES = ("WS", "ME", "GP", "FX", "BG")


async def test_the_nodes_of_the_demonstration_read_them(network: MakeNetwork, state: Path) -> None:
    document = json.loads((REPOSITORY / "static" / "config.json").read_text(encoding="utf-8"))
    ours = [
        {**s, "SensorInterval": 0.1}
        for s in document["Sensors"]
        if s["Codifier"] in NODES or s.get("Sensor", {}).get("Codifier") in NODES
    ]
    made = network(*ours, {"Codifier": "CC", "Type": "ControlProgram"})
    gadgets = Gadgets(state / "house", lambda: 7.5, lambda: 690.0, seed=1)
    await gadgets.open()
    heard: dict[str, Any] = {}
    nodes = [kinds.find(made.sensor(code).type)(code, made) for code in NODES]
    async with on_bus(ListeningProgram("CC", made)) as console:
        console.read = lambda readings: heard.update(
            {r.source: r.value for r in readings if r.flag != "n"}
        )
        async with running(*nodes):
            await until(lambda: {"WS", "WH", "WP", "WV", "ME", "MK", "GR", "FD"} <= heard.keys())
            assert (heard["WS"], heard["ME"], heard["MK"]) == (7.5, 690.0, 1234.0)
            fan = min(max((12 - heard["FD"]) * 10, 0), 100)
            await until(lambda: heard["GP"] == pytest.approx(fan, abs=0.01))  # the rule's order
            gadgets.gpio.drive(17, 1)
            await until(lambda: heard.get("GM") == 1)
            console.send_control("A", "GR", 1)
            await until(lambda: gadgets.gpio.levels.get(22) == 1)
            gadgets._badge.write(f"{BADGES[0]}\r\n".encode())
            await until(lambda: heard.get("BG") == "Ann")
    await gadgets.close()


def test_replies_of_the_meter() -> None:
    body = bytes.fromhex("010400340002")
    answer = reply(body + crc16(body, 0xFFFF).to_bytes(2, "little"), 690.0, 1.0)
    assert answer[:3] == b"\x01\x04\x04"
    assert answer[3:7].hex() == "442c8000"
    assert reply(body + b"\0\0", 690.0, 1.0) == b""
    assert reply(bytes(8), 690.0, 1.0) == b""
