"""Routers between networks on loopback: each message once, whatever the number of routers."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest

from jph.config.model import Endpoint, Multicast, Network, Sensor
from jph.node import kinds
from jph.wire.codec import Flag
from nodes.router import Router
from tests.nodes.heatinghouse import Probe, element, living
from tests.support import udp_port


class Collector(Probe):
    """Requests what it misses."""

    repairs = True


@pytest.fixture
def networks() -> Iterator[list[Multicast]]:
    """Three networks on loopback, each with ports of its own."""
    with ExitStack() as held:
        ports = [held.enter_context(udp_port()) for _ in range(6)]
        yield [
            Multicast(
                control=Endpoint(address=f"239.255.7{n}.1", port=ports[2 * n]),
                data=Endpoint(address=f"239.255.7{n}.2", port=ports[2 * n + 1]),
                interfaces={"*": "lo"},
                ttl=0,
            )
            for n in range(3)
        ]


def config(on: Multicast, **routers: tuple[Multicast, Multicast]) -> Network:
    """Return the config of one network: a source TI, listeners, and every router."""
    fast: dict[str, Any] = {"keep_alive_interval": 0.2, "sensor_interval": 0.1}
    tables = {
        code: {"From": msgspec.to_builtins(near), "To": msgspec.to_builtins(far), "State": "RS"}
        for code, (near, far) in routers.items()
    }
    return Network(
        multicast=on,
        sensors=[
            *(Sensor(codifier=code, type="Probe", **fast) for code in ("TI", "LA", "LB", "LC")),
            element("I1", "TI"),
            element("RS", "R1"),
            *(Sensor(codifier=c, type="Router", sensor=t, **fast) for c, t in tables.items()),
        ],
    )


async def hears(probe: Probe, *sources: str) -> None:
    """Wait until a probe has heard a control message of each source."""
    await probe.until(lambda: {m.source for m in probe.controls} >= set(sources))


async def has(probe: Probe, count: int) -> None:
    """Wait until a probe has heard so many readings."""
    await probe.until(lambda: len(values(probe)) >= count)


def values(probe: Probe) -> list[Any]:
    return [reading.value for reading in probe.heard if reading.source == "I1"]


async def test_two_side_by_side_bring_each_reading_once_and_one_replaces_the_other(
    networks: list[Multicast],
) -> None:
    inside, outside, _ = networks
    routers = {"R1": (inside, outside), "R2": (inside, outside)}
    at_home, away = config(inside, **routers), config(outside, **routers)
    first, second = Router("R1", at_home), Router("R2", at_home)
    source, near, far = Probe("TI", at_home), Probe("LA", at_home), Probe("LB", away)
    async with living(source, near, far, second):
        async with living(first):
            await hears(far, "R1", "TI")
            for value in range(500):
                source.send(value, codifier="I1")
            await has(far, 500)
            far.send_control(Flag.PING, "@@", 7.0)
            await far.until(
                lambda: {m.source for m in far.controls if m.flag == Flag.TIME} >= {"TI", "LA"}
            )
            assert values(far) == values(near) == list(range(500))
            heard = Counter((m.source, m.epoch, m.sequence) for m in far.controls)
            assert set(heard.values()) == {1}
        await far.until(lambda: _forwards(second))
        source.send(-1, codifier="I1")
        await far.until(lambda: values(far)[-1] == -1)
        assert values(far).count(-1) == 1


def _forwards(router: Router) -> bool:
    return router._forwards


async def test_a_ring_of_three_networks_brings_each_reading_once(
    networks: list[Multicast],
) -> None:
    one, two, three = networks
    routers = {"R1": (one, two), "R2": (two, three), "R3": (three, one)}
    made = [config(network, **routers) for network in networks]
    ring = [Router(code, at) for code, at in zip(routers, made, strict=True)]
    source = Probe("TI", made[0])
    listeners = [Probe(c, at) for c, at in zip(("LA", "LB", "LC"), made, strict=True)]
    async with living(source, *listeners, *ring):
        for probe in listeners:
            await hears(probe, "TI", "R3")
        for value in range(300):
            source.send(value, codifier="I1")
        for probe in listeners:
            await has(probe, 300)
        source.send(-1, codifier="I1")
        for probe in listeners:
            await has(probe, 301)
            assert values(probe) == [*range(300), -1]


async def test_what_is_lost_behind_the_router_comes_from_the_source(
    networks: list[Multicast], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, outside, _ = networks
    at_home = config(inside, R1=(inside, outside))
    away = config(outside, R1=(inside, outside))
    router = Router("R1", at_home)
    source, far = Probe("TI", at_home), Collector("LB", away)
    async with living(source, far, router):
        await hears(far, "TI")
        sent = router._far.data.send_many
        monkeypatch.setattr(
            router._far.data,
            "send_many",
            lambda datagrams: sent([d for n, d in enumerate(datagrams) if n % 10]),
        )
        for value in range(200):
            source.send(value, codifier="I1")
        await has(far, 200)
        assert sorted(values(far)) == list(range(200))


async def test_rules_keep_orders_out(networks: list[Multicast]) -> None:
    inside, outside, _ = networks
    made = config(inside, R1=(inside, outside))
    router_entry = made.sensor("R1")
    router_entry.sensor["Block"] = [{"Flag": "AEHSC", "Direction": "in"}]
    source, far = Probe("TI", made), Probe("LB", config(outside, R1=(inside, outside)))
    async with living(source, far, Router("R1", made)):
        await hears(far, "TI")
        far.send_control(Flag.HALT, "TI")
        far.send_control(Flag.PING, "TI", 3.0)
        await far.until(lambda: any(m.flag == Flag.TIME for m in far.controls))
        assert source.active


def test_one_network_twice_is_a_mistake(networks: list[Multicast]) -> None:
    assert kinds.find("Router") is Router
    wrong = config(networks[0], R1=(networks[1], networks[1]))
    assert "same network" in str(Router.check_network(wrong)[0])
