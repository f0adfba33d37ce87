"""Findings of `doctor`: nothing for a healthy house, and one for each planted fault."""

import json
from typing import Any

import pytest

from jph.client.doctor.facts import Device, Disk, Facts, Interface, Machine, NodeSeen, Store
from jph.client.doctor.findings import findings
from jph.client.doctor.witness import Voice, Witness
from jph.config import model
from jph.util.freshness import State
from jph.wire.codec import EVERY_NODE, Control, Flag

NOW_MS = 1_790_000_000_000
MULTICAST = {
    "Control-Channel": {"Address": "239.192.0.1", "Port": 4001},
    "Data-Channel": {"Address": "239.192.0.2", "Port": 4002},
}


def house(**multicast: Any) -> model.Network:
    nodes = [{"Codifier": code, "Type": "Setpoint", "Name": code} for code in ("S1", "S2", "S3")]
    document = {
        "Multicast": {**MULTICAST, **multicast},
        "Sensors": nodes,
        "Hosts": {"a": ["S1"], "b": ["S2", "S3"]},
    }
    return model.parse(json.dumps(document).encode())


def seen(code: str, **fields: Any) -> NodeSeen:
    return NodeSeen(
        code, code, "Setpoint", State.ALIVE, config_ms=NOW_MS, clock_ms=3.0,
        addresses=frozenset({"10.0.0.5"}),
    )._replace(**fields)  # fmt: skip


ETH0 = Interface("eth0")
HEALTHY = Facts(
    network=house(),
    machine=Machine(name="a", interfaces=(ETH0,), wanted=("eth0",), now_ms=NOW_MS),
    nodes=(seen("S1"), seen("S2"), seen("S3")),
    stores=(
        Store("Redis", version="7.2.4", least="5.0"),
        Store("PostgreSQL", version="16.2 (Debian 16.2-1)", least="14", schema=9, wanted_schema=9),
    ),
    disks=(Disk("/var/lib/jph"),),
    devices=(Device("TI", "/dev/ttyUSB0"),),
    config_ms=NOW_MS,
)


def machine(**fields: Any) -> Facts:
    return HEALTHY._replace(machine=HEALTHY.machine._replace(**fields))


def node(**fields: Any) -> Facts:
    return HEALTHY._replace(nodes=(*HEALTHY.nodes[:2], seen("S3", **fields)))


def stores(**fields: Any) -> Facts:
    return HEALTHY._replace(stores=(HEALTHY.stores[0], HEALTHY.stores[1]._replace(**fields)))


def disk(**fields: Any) -> Facts:
    return HEALTHY._replace(disks=(Disk("/var/lib/jph")._replace(**fields),))


def clocks(offset_ms: float) -> Facts:
    return HEALTHY._replace(nodes=tuple(n._replace(clock_ms=offset_ms) for n in HEALTHY.nodes))


def all_silent() -> Facts:
    silent = [n._replace(heard=False, answered=False, state=State.SILENT) for n in HEALTHY.nodes]
    return HEALTHY._replace(nodes=tuple(silent))


PLANTED: dict[str, tuple[Facts, str, str]] = {
    "no interface": (machine(wanted=("eth1",)), "interface", "no interface eth1"),
    "interface down": (machine(interfaces=(ETH0._replace(up=False),)), "interface", "down"),
    "no multicast": (machine(interfaces=(ETH0._replace(multicast=False),)), "interface", "carries"),
    "no address": (machine(interfaces=(ETH0._replace(addressed=False),)), "interface", "address"),
    "snooping": (machine(interfaces=(ETH0._replace(snoops=True),)), "querier", "querier"),
    "no route": (machine(wanted=(), unrouted=("239.192.0.1",)), "route", "no route"),
    "mtu": (machine(interfaces=(ETH0._replace(mtu=1280),)), "mtu", "1280"),
    "ttl 0": (HEALTHY._replace(network=house(TTL=0)), "ttl", "TTL is 0"),
    "router": (node(off_link=frozenset({"10.1.0.5"})), "ttl", "behind a router"),
    "no bus": (HEALTHY._replace(bus_error="no such interface"), "bus", "no such"),
    "kernel drops": (machine(dropped=12), "drops", "12 datagrams"),
    "all silent": (all_silent(), "hearing", "no node is heard"),
    "one silent": (
        node(heard=False, answered=False, state=State.SILENT), "silent", "nothing is heard",
    ),
    "one way": (node(answered=False), "hearing", "does not hear us"),
    "no readings": (node(late=("S3",)), "late", "no reading of S3"),
    "losses": (node(lost=40), "loss", "40 of its messages"),
    "duplicate": (node(epochs=2), "duplicate", "two programs"),
    "duplicate said": (node(shared=True), "duplicate", "two programs"),
    "halted": (node(active=False), "halted", "halted"),
    "waits for restart": (node(restart=("Ring",)), "restart", "Ring"),
    "node's disk": (node(disk_full=True), "disk", "full or read-only"),
    "node's store": (node(not_storing=True), "store", "refuses"),
    "clock ahead": (node(clock_ms=40_000.0), "clock", "40 s ahead of ours"),
    "our clock": (clocks(-40_000.0), "clock", "40 s ahead of most"),
    "clock not set": (machine(now_ms=1000), "clock", "not set"),
    "no time server": (machine(synchronised=False), "clock", "time server"),
    "failed unit": (machine(failed_units=("jph@TI.service",)), "unit", "gave it up"),
    "older config": (node(config_ms=NOW_MS - 3_600_000), "versions", "before the file"),
    "stranger": (HEALTHY._replace(strangers={"X9": "10.0.0.9"}), "versions", "X9 is on the bus"),
    "store away": (stores(error="it does not answer"), "store", "does not answer"),
    "old store": (stores(version="11.4"), "store", "older than 14"),
    "later tables": (stores(schema=10), "store", "later version"),
    "older tables": (stores(schema=8), "store", "have version 8"),
    "redis evicts": (stores(evicts=True), "store", "forgets"),
    "full disk": (disk(free_bytes=1 << 20), "disk", "1 MB are free"),
    "read-only disk": (disk(writable=False), "disk", "cannot be written"),
    "open state": (disk(private=False), "permissions", "other users"),
    "worn card": (disk(wear=0.9), "wear", "90%"),
    "device away": (
        HEALTHY._replace(devices=(Device("TI", "/dev/ttyUSB0", "it is not there"),)),
        "device", "not there",
    ),
    "odd config": (HEALTHY._replace(warnings=("no Name",)), "config", "no Name"),
}  # fmt: skip


def test_nothing_is_found_on_a_healthy_house() -> None:
    assert findings(HEALTHY) == []


@pytest.mark.parametrize("fault", PLANTED)
def test_each_planted_fault_is_found_alone_and_with_a_remedy(fault: str) -> None:
    facts, check, words = PLANTED[fault]
    found = findings(facts)
    assert [each.check for each in found] == [check], found
    assert words in found[0].fact
    assert found[0].remedy.endswith((".", "`"))
    assert found[0].remedy.count(". ") == 0  # one sentence


def control(flag: str, source: str, epoch: int, number: float = 0.0) -> Control:
    return Control(1, epoch, NOW_MS, flag, source, EVERY_NODE, 1, active=True, number=number)


def test_two_programs_return_to_each_other_and_a_restart_does_not() -> None:
    witness = Witness()
    witness.pinged(7.0)
    for epoch in (1, 1, 2, 2):
        witness.hear(control(Flag.ALIVE, "S1", epoch, NOW_MS + 0.25), "10.0.0.5")
    assert witness.voices["S1"].programs == 1
    assert witness.voices["S1"].config_ms == NOW_MS
    assert not witness.voices["S1"].answered
    witness.hear(control(Flag.TIME, "S1", 1, 7.0), "10.0.0.6")
    assert witness.voices["S1"].programs == 2
    assert witness.voices["S1"].answered
    assert witness.voices["S1"].addresses == {"10.0.0.5", "10.0.0.6"}
    assert Voice().programs == 1
