"""Attacks on a live house: each succeeds in an open house and fails in a sealed one."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.heating.orders.coding import Order
from jph.net.batches import Batches
from jph.node.node import now_ms
from jph.seal.roster import Rights
from jph.wire.codec import Control, Flag, Reading, encode_control, encode_data
from tests.i2cserver import I2CServer
from tests.jph.seal.sealedhouse import sealed
from tests.nodes.heatinghouse import Probe, house, living
from tests.nodes.pilothouse import PilotCard

PERSON = {"TI": Rights(set=("*",), run=("*",), drill=True)}


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


@pytest.fixture
def made(chip: I2CServer) -> Network:
    return house({"Bus": chip.bus})


class Stranger:
    """A program of no house on the same machine."""

    def __init__(self, network: Network) -> None:
        self.multicast = network.multicast
        self.out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.out.setsockopt(
            socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1")
        )
        self.out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)

    def command(self, source: str, flag: str, to: str, number: float = 0.0) -> None:
        message = Control(9, 99, now_ms(), flag, source, to, 1, number, True)
        end = self.multicast.control
        self.out.sendto(encode_control(message), (end.address, end.port))

    def read(self, source: str, value: float, sequence: int = 0) -> None:
        message = Reading(sequence, 99, now_ms(), "d", source, "@@", 1, 0, value)
        end = self.multicast.data
        self.out.sendto(encode_data(message), (end.address, end.port))


@contextmanager
def stranger(network: Network) -> Iterator[Stranger]:
    made = Stranger(network)
    try:
        yield made
    finally:
        made.out.close()


async def refused(node: Probe | PilotCard, probe: Probe, cause: str, count: int = 1) -> None:
    """Wait until a node has refused messages for a cause; keep-alives wake the probe."""
    await probe.until(lambda: node.refused[cause] >= count)


async def test_a_strangers_commands_are_obeyed_in_an_open_house(made: Network) -> None:
    card, probe = PilotCard("P1", made), Probe("TI", made)
    async with living(card, probe):
        await probe.until_heard("11", Order.COMFORT)
        with stranger(made) as attacker:
            attacker.command("CC", Flag.SET, "11", Order.OFF)
            await probe.until_heard("11", Order.OFF)
            attacker.command("CC", Flag.HALT, "P1")
            await probe.until(lambda: not card.active)
            attacker.read("I1", 77.0)
            await probe.until_heard("I1", 77.0)


async def test_a_strangers_commands_and_readings_are_refused_in_a_sealed_house(
    made: Network,
) -> None:
    network = sealed(made, rights=PERSON)
    card, probe = PilotCard("P1", network), Probe("TI", network)
    async with living(card, probe):
        await probe.until_heard("11", Order.COMFORT)
        with stranger(made) as attacker:
            for flag in (Flag.SET, Flag.STEP, Flag.HALT, Flag.RELOAD, Flag.NEW, Flag.ALIVE):
                attacker.command("TI", flag, "11" if flag in "AE" else "P1", Order.OFF)
            await refused(card, probe, "open", 6)
            attacker.read("I1", 77.0)
            attacker.read("S1", 255.0)
            await refused(probe, probe, "open", 8)
        assert card.active
        assert not probe.says("I1", 77.0)
        # A member's order is obeyed as before.
        probe.send_control(Flag.SET, "11", Order.OFF)
        await probe.until_heard("11", Order.OFF)


async def test_a_stolen_sensor_cannot_order(made: Network) -> None:
    network = sealed(made)  # TI is a meter: it has no rights
    card, probe = PilotCard("P1", network), Probe("TI", network)
    async with living(card, probe):
        await probe.until_heard("11", Order.COMFORT)
        probe.send_control(Flag.SET, "11", Order.OFF)
        probe.send_control(Flag.HALT, "P1")
        await refused(card, probe, "right", 2)
        assert card.active
        assert probe.says("11", Order.COMFORT)


async def test_a_replayed_order_is_refused(made: Network) -> None:
    network = sealed(made, rights=PERSON)
    card, probe = PilotCard("P1", network), Probe("TI", network)
    recorded: list[bytes] = []
    async with living(card, probe):
        await probe.until_heard("11", Order.COMFORT)
        send_one = Batches.send_one

        def record(batches: Batches, outs: Any, frame: bytes, to: Any) -> bool:
            recorded.append(frame)
            return send_one(batches, outs, frame, to)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Batches, "send_one", record)
            probe.send_control(Flag.SET, "11", Order.OFF)
        await probe.until_heard("11", Order.OFF)
        probe.send_control(Flag.SET, "11", Order.COMFORT)
        await probe.until_heard("11", Order.COMFORT)
        with stranger(made) as attacker:
            end = network.multicast.control
            for frame in recorded:
                attacker.out.sendto(frame, (end.address, end.port))
            await refused(card, probe, "replay")
        assert probe.says("11", Order.COMFORT)


async def test_a_sealed_and_an_open_house_on_the_same_groups(made: Network) -> None:
    network = sealed(made, rights=PERSON)
    card, probe = PilotCard("P1", network), Probe("TI", network)
    foreign = Probe("TI", made)
    async with living(card, probe, foreign):
        await probe.until_heard("11", Order.COMFORT)
        foreign.send_control(Flag.SET, "11", Order.OFF)
        await refused(card, probe, "open")
        await foreign.until(lambda: foreign.refused)
        assert probe.says("11", Order.COMFORT)


async def test_watch_accepts_and_counts(made: Network) -> None:
    network = sealed(made, "watch", rights=PERSON)
    card, probe = PilotCard("P1", network), Probe("TI", network)
    async with living(card, probe):
        await probe.until_heard("11", Order.COMFORT)
        with stranger(made) as attacker:
            attacker.command("TI", Flag.SET, "11", Order.OFF)
            await probe.until_heard("11", Order.OFF)
            await refused(card, probe, "open")
        assert card.refused["right"] == 0
