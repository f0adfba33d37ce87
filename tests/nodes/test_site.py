"""Two houses over a real NATS server: what is listed crosses, each reading once."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Endpoint, Multicast, Network, Sensor
from jph.sites.block_log import BlockLog
from jph.wire.codec import Quality
from nodes.site import Site
from tests.natsserver import NatsServer
from tests.nodes.heatinghouse import Probe, element, living
from tests.support import udp_port


@pytest.fixture
def houses(nats_server: NatsServer) -> Iterator[tuple[Network, Network]]:
    """Erquy exports I1; Paris imports it as J1."""
    fast: dict[str, Any] = {"keep_alive_interval": 0.2, "sensor_interval": 0.2}
    paris = {"Name": "paris", "URL": [nats_server.url], "Block": 0.05}
    erquy = {**paris, "Name": "erquy", "Export": [{"Codifier": "I1"}]}
    remote = Sensor(codifier="J1", type="Proxy", sensor={"Codifier": "W2", "Remote": "erquy/I1"})
    with ExitStack() as held:
        ports = [held.enter_context(udp_port()) for _ in range(4)]
        multicasts = [
            Multicast(
                control=Endpoint(address=f"239.255.7{n}.1", port=ports[2 * n]),
                data=Endpoint(address=f"239.255.7{n}.2", port=ports[2 * n + 1]),
                interfaces={"*": "lo"},
                ttl=0,
            )
            for n in range(2)
        ]
        yield (
            Network(
                multicast=multicasts[0],
                sensors=[
                    Sensor(codifier="TI", type="Probe", **fast),
                    Sensor(codifier="W1", type="Site", sensor=erquy, **fast),
                    element("I1", "TI"),
                    element("I2", "TI"),
                ],
            ),
            Network(
                multicast=multicasts[1],
                sensors=[
                    Sensor(codifier="LA", type="Probe", **fast),
                    Sensor(codifier="W2", type="Site", sensor=paris, **fast),
                    remote,
                ],
            ),
        )


def values(probe: Probe) -> list[Any]:
    return [reading.value for reading in probe.heard if reading.source == "J1"]


def waiting_since(probe: Probe, told: int) -> list[Any]:
    """Return how many blocks the exporter said to wait, since a number of readings."""
    return [reading.value for reading in probe.heard[told:] if reading.source == "W1"]


async def test_what_is_listed_crosses_with_its_time_and_quality(
    houses: tuple[Network, Network],
) -> None:
    erquy, paris = houses
    source, listener = Probe("TI", erquy), Probe("LA", paris)
    async with living(source, listener, Site("W1", erquy), Site("W2", paris)):
        source.send(3.0, codifier="I2")
        source.send(1.5, codifier="I1", timestamp_ms=1_790_000_000_000, quality=Quality.ESTIMATED)
        await listener.until_heard("J1", 1.5, Quality.ESTIMATED)
        last = listener.last("J1")
        assert last is not None
        assert last.timestamp_ms == 1_790_000_000_000
        assert 3.0 not in [reading.value for reading in listener.heard]


async def test_a_killed_server_loses_and_doubles_nothing(
    houses: tuple[Network, Network], nats_server: NatsServer
) -> None:
    erquy, paris = houses
    source, listener = Probe("TI", erquy), Probe("LA", paris)
    exporter = Site("W1", erquy)
    async with living(source, listener, exporter, Site("W2", paris)):
        source.send(0, codifier="I1")
        await listener.until_heard("J1", 0)
        nats_server.kill()
        for value in range(1, 200):
            source.send(value, codifier="I1")
        await source.until(lambda: (last := source.last("W1")) is not None and last.value)
        told = len(source.heard)
        await source.until(lambda: len(waiting_since(source, told)) >= 5)
        assert 0 not in waiting_since(source, told)
        nats_server.start()
        await listener.until(lambda: len(values(listener)) >= 200)
        assert sorted(values(listener)) == list(range(200))


async def test_a_server_that_keeps_nothing_ends_no_site(
    houses: tuple[Network, Network], nats_server: NatsServer, caplog: pytest.LogCaptureFixture
) -> None:
    erquy, paris = houses
    source, listener = Probe("TI", erquy), Probe("LA", paris)
    nats_server.kill()
    nats_server.start(streams=False)
    async with living(source, listener, Site("W1", erquy), Site("W2", paris)):
        source.send(0, codifier="I1")
        refused = ("NATS refuses: ", "blocks of erquy: ")
        await listener.until(lambda: all(text in caplog.text for text in refused))
        nats_server.kill()
        nats_server.start()
        await listener.until_heard("J1", 0)


async def test_a_block_of_another_version_on_the_disk_is_left_out(
    houses: tuple[Network, Network], state: Path
) -> None:
    erquy, paris = houses
    log = BlockLog(state / "site" / "W1", 2**20)
    log.open()
    log.append(b"\xffof another version")
    log.close()
    source, listener = Probe("TI", erquy), Probe("LA", paris)
    exporter = Site("W1", erquy)
    async with living(source, listener, exporter, Site("W2", paris)):
        source.send(0, codifier="I1")
        await listener.until_heard("J1", 0)
        await source.until(lambda: source.says("W1", 0))
    assert not BlockLog(state / "site" / "W1", 2**20).open()


async def test_readings_of_an_exporter_that_was_away_come_from_their_source(
    houses: tuple[Network, Network],
) -> None:
    erquy, paris = houses
    source, listener = Probe("TI", erquy), Probe("LA", paris)
    async with living(source, listener, Site("W2", paris)):
        async with living(Site("W1", erquy)):
            source.send(0, codifier="I1")
            await listener.until_heard("J1", 0)
        for value in range(1, 50):
            source.send(value, codifier="I1")
        async with living(Site("W1", erquy)):
            source.send(50, codifier="I1")
            await listener.until(lambda: len(values(listener)) >= 51)
            assert sorted(values(listener)) == list(range(51))


def test_mistakes_of_a_config_are_named(houses: tuple[Network, Network]) -> None:
    erquy, paris = houses
    assert not Site.check_network(erquy)
    assert not Site.check_network(paris)
    erquy.sensor("W1").sensor["Export"] = [{"Codifier": "ZZ"}]
    paris.sensor("J1").sensor["Remote"] = "paris/I1"
    assert "ZZ is not in the config" in str(Site.check_network(erquy)[0])
    assert "this very site" in str(Site.check_network(paris)[0])
