"""The console on the bus: it sends nothing by itself and disturbs no other program."""

from collections.abc import Callable
from functools import partial

import pytest

from jph.config.model import Network, Sensor
from jph.errors import BusError
from jph.wire.codec import Control, Flag, Reading
from nodes import controlprogram
from nodes.controlprogram import ControlProgram, ListeningProgram, on_bus, with_console
from nodes.setpoint import Setpoint
from tests.support import running, until

MakeNetwork = Callable[..., Network]
SETPOINT = {"Codifier": "SP", "Type": "Setpoint", "SensorInterval": 0.05}
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram", "KeepAliveInterval": 0.02}


async def test_it_asks_and_hears_the_answer_but_not_itself(network: MakeNetwork) -> None:
    house = network(SETPOINT, CONSOLE)
    heard: list[Control] = []
    async with running(Setpoint("SP", house)), on_bus(ControlProgram("CC", house)) as console:
        console.heard = heard.append
        console.send_control(Flag.PING, "SP", 12.5)
        await until(lambda: any(m.flag == Flag.TIME for m in heard))
    assert {m.source for m in heard} == {"SP"}
    assert [m.number for m in heard if m.flag == Flag.TIME] == [12.5]


async def test_it_hears_the_data_bus(network: MakeNetwork) -> None:
    house = network(SETPOINT, CONSOLE)
    heard: list[Reading] = []
    async with running(Setpoint("SP", house)), on_bus(ListeningProgram("CC", house)) as console:
        console.read = heard.extend
        await until(lambda: len(heard) >= 3)
    assert {reading.source for reading in heard} == {"SP"}


async def test_two_consoles_share_a_codifier_without_announcing_it(network: MakeNetwork) -> None:
    house = network(CONSOLE)
    heard: list[Control] = []
    async with (
        on_bus(ControlProgram("CC", house)) as one,
        on_bus(ControlProgram("CC", house)) as two,
    ):
        one.heard = heard.append
        two.send_control(Flag.HALT)  # consoles do not obey it
        for number in range(50):  # time for many keep-alives, had they any
            two.send_control(Flag.PING, "CC", number)
            await until(partial(_asked, heard, number + 1))
        assert two.active
    assert not {m.flag for m in heard} & {Flag.NEW, Flag.ALIVE}


def _asked(heard: list[Control], times: int) -> bool:
    return sum(message.flag == Flag.PING for message in heard) >= times


def test_a_config_without_console_gets_one(network: MakeNetwork) -> None:
    house = with_console(network(SETPOINT), Sensor("CC", "ControlProgram", name="Console"))
    assert house.sensor("CC").name == "Console"
    assert ControlProgram("CC", house).codifier == "CC"


def test_speaking_as_a_node_leaves_its_settings_alone(network: MakeNetwork) -> None:
    house = network(SETPOINT)
    assert with_console(house, house.sensor("SP")).sensor("SP").type == "ControlProgram"
    assert house.sensor("SP").type == "Setpoint"


async def test_no_network_is_told(network: MakeNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controlprogram, "JOIN_LIMIT_S", 0.05)
    house = network(CONSOLE, Multicast={"Interfaces": {"*": "nowhere0"}})
    with pytest.raises(BusError, match="the network is not there"):
        async with on_bus(ControlProgram("CC", house)):
            pass
