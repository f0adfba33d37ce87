"""Findings of `doctor`: each names a fault and its remedy. Pure."""

from collections.abc import Callable, Iterator
from statistics import median
from typing import Final, Literal, NamedTuple

from jph.client.doctor.facts import Facts, NodeSeen
from jph.client.survey import MAX_CLOCK_MS
from jph.heating.explain.sentences import span
from jph.util.freshness import State

LEAST_FREE_BYTES: Final = 200 * 2**20
LEAST_FREE: Final = 0.03
"""Less free space than both is short."""
LEAST_RECEIVE_BYTES: Final = 400_000
MOST_LOST: Final = 5
"""A message or two may be lost on a busy machine."""
WORN: Final = 0.8
_FIRST_SET_CLOCK_MS: Final = 1_700_000_000_000
_MARGIN_MS: Final = 10_000
"""A node that read its config within this time of its change may have read either."""
_RETIRED: Final = frozenset({"Proxy", "ControlProgram"})

Level = Literal["error", "warning"]


class Finding(NamedTuple):
    """A fault: what it is about, the fact, and its remedy in one sentence."""

    level: Level
    check: str
    subject: str
    fact: str
    remedy: str


def findings(facts: Facts) -> list[Finding]:
    """Return all findings, errors first; none for a healthy house."""
    found = [finding for rule in RULES for finding in rule(facts)]
    return sorted(found, key=lambda finding: finding.level != "error")


def _config(facts: Facts) -> Iterator[Finding]:
    for text in facts.warnings:
        remedy = "Correct the config, or ignore this if it is intended."
        yield Finding("warning", "config", "config", text, remedy)


def _interfaces(facts: Facts) -> Iterator[Finding]:
    machine, known = facts.machine, {each.name: each for each in facts.machine.interfaces}
    for name in machine.wanted:
        interface = known.get(name)
        if interface is None:
            fact = f"this machine has no interface {name}; it has {', '.join(known) or 'none'}"
            yield Finding(
                "error", "interface", name, fact, "Name one that it has in Multicast.Interfaces."
            )
        elif not interface.up:
            remedy = f"Plug the cable in, or run `ip link set {name} up`."
            yield Finding("error", "interface", name, f"{name} is down", remedy)
        elif not interface.multicast:
            remedy = f"Run `ip link set {name} multicast on`."
            yield Finding("error", "interface", name, f"{name} carries no multicast", remedy)
        elif not interface.addressed:
            remedy = "Give it an address, by DHCP or by hand."
            yield Finding("error", "interface", name, f"{name} has no address yet", remedy)
    for each in machine.interfaces:
        if each.snoops and (each.name in machine.wanted or not machine.wanted):
            fact = f"the bridge {each.name} filters multicast and hears no querier of its own"
            remedy = f"Run `ip link set {each.name} type bridge mcast_querier 1`."
            yield Finding("warning", "querier", each.name, fact, remedy)


def _bus(facts: Facts) -> Iterator[Finding]:
    if facts.bus_error:
        remedy = "Correct Multicast.Interfaces, or connect this machine to the network."
        yield Finding("error", "bus", "bus", facts.bus_error, remedy)
    for group in facts.machine.unrouted if not facts.machine.wanted else ():
        fact = f"no route of this machine leads to {group}: its nodes hear each other only"
        remedy = "Name the interface in Multicast.Interfaces, or add a default route."
        yield Finding("error", "route", group, fact, remedy)


def _sizes(facts: Facts) -> Iterator[Finding]:
    multicast, machine = facts.network.multicast, facts.machine
    for each in machine.interfaces:
        used = each.name in machine.wanted
        if used and each.mtu < multicast.mtu:
            fact = f"{each.name} takes packets of {each.mtu} B, Multicast.MTU is {multicast.mtu} B"
            remedy = f'Set "MTU": {each.mtu} in Multicast: larger packets are cut into parts.'
            yield Finding("warning", "mtu", each.name, fact, remedy)
    if multicast.ttl == 0 and len(facts.network.hosts) > 1:
        fact = "Multicast.TTL is 0: no datagram leaves its machine"
        yield Finding("error", "ttl", "TTL", fact, 'Set "TTL": 1, or more with routers between.')
    far = [node for node in facts.nodes if node.off_link]
    if far and multicast.ttl < 2:
        codes = " ".join(node.codifier for node in far)
        fact = f"{codes} is behind a router, Multicast.TTL is {multicast.ttl}"
        remedy = 'Set "TTL" to the number of routers and one more, on every machine.'
        yield Finding("error", "ttl", "TTL", fact, remedy)


def _buffers(facts: Facts) -> Iterator[Finding]:
    machine = facts.machine
    remedy = "Run `sysctl -w net.core.rmem_max=8388608`, and write it to /etc/sysctl.d/jph.conf."
    if machine.dropped:
        fact = f"the kernel dropped {machine.dropped} datagrams for want of buffers just now"
        yield Finding("error", "drops", machine.name, fact, remedy)
    elif machine.receive_bytes < LEAST_RECEIVE_BYTES and len(facts.network.sensors) > 200:
        fact = f"{machine.receive_bytes // 1000} kB may wait to be read, of many codifiers"
        yield Finding("warning", "buffers", machine.name, fact, remedy)


def _clock(facts: Facts) -> Iterator[Finding]:
    machine = facts.machine
    remedy = "Run `timedatectl set-ntp true`, and check that it reaches a time server."
    if 0 < machine.now_ms < _FIRST_SET_CLOCK_MS:
        yield Finding("error", "clock", machine.name, "this machine's clock is not set", remedy)
        return
    offsets = [node.clock_ms for node in facts.nodes if node.clock_ms is not None]
    ours_off = len(offsets) > 2 and abs(median(offsets)) > MAX_CLOCK_MS
    if ours_off:
        fact = f"this machine's clock is {_offset(-median(offsets))} most others"
        yield Finding("error", "clock", machine.name, fact, remedy)
    elif machine.synchronised is False:
        fact = "no time server has set this machine's clock since its start"
        yield Finding("warning", "clock", machine.name, fact, remedy)
    for node in facts.nodes:
        if node.clock_ms is not None and abs(node.clock_ms) > MAX_CLOCK_MS and not ours_off:
            fact = f"its clock is {_offset(node.clock_ms)} ours"
            on_it = f"On its machine: {remedy[0].lower()}{remedy[1:]}"
            yield Finding("error", "clock", _named(node), fact, on_it)


def _offset(ms: float) -> str:
    return f"{span(abs(ms) / 1000)} {'ahead of' if ms > 0 else 'behind'}"


def _named(node: NodeSeen) -> str:
    return f"{node.codifier} ({node.name or node.type})"


def _hearing(facts: Facts) -> Iterator[Finding]:
    if facts.bus_error:
        return
    expected = [node for node in facts.nodes if node.type not in _RETIRED]
    if len(expected) > 1 and not any(node.heard for node in expected):
        fact = "no node is heard at all"
        remedy = "Start them, or check interface, switch (IGMP snooping) and firewall (UDP)."
        yield Finding("error", "hearing", facts.machine.name, fact, remedy)
        return
    for node in expected:
        if not node.heard:
            yield _silent(node)
        elif not node.answered:
            fact = "we hear it, and it does not hear us: it answers no ping"
            remedy = "Check firewall and multicast (IGMP snooping) on the way to its machine."
            yield Finding("error", "hearing", _named(node), fact, remedy)
        elif node.late and node.active:
            codes = " ".join(node.late)
            fact = f"it answers, and no reading of {codes} arrives"
            remedy = "Read its log: its device may be away, or the data group is not forwarded."
            yield Finding("warning", "late", _named(node), fact, remedy)
        if node.heard and node.lost > MOST_LOST:
            fact = f"{node.lost} of its messages did not arrive here"
            remedy = "Use a cable for one of both, or look for a switch or radio link in overload."
            yield Finding("warning", "loss", _named(node), fact, remedy)


def _silent(node: NodeSeen) -> Finding:
    remedy = (
        f"Start it (`jph run {node.codifier}` or its unit), or set "
        '"Active": false if it is not meant to run.'
    )
    return Finding("error", "silent", _named(node), "nothing is heard of it", remedy)


def _programs(facts: Facts) -> Iterator[Finding]:
    for node in facts.nodes:
        if node.epochs > 1 or node.shared:
            where = f", from {' and '.join(sorted(node.addresses))}" if node.addresses else ""
            fact = f"two programs send with its codifier{where}"
            remedy = "Stop one of them, or give it a codifier of its own."
            yield Finding("error", "duplicate", _named(node), fact, remedy)
        if not node.active and node.heard and node.state is not State.SILENT:
            remedy = f"Run `jph start {node.codifier}`."
            yield Finding("warning", "halted", _named(node), "it is halted", remedy)
        if node.restart:
            fact = f"{', '.join(node.restart)} changed in its config and waits for a restart"
            yield Finding("warning", "restart", _named(node), fact, "Restart it.")
        if node.disk_full:
            fact = "it cannot write its files: the disk is full or read-only"
            remedy = "Make room on its machine, or replace the card."
            yield Finding("error", "disk", _named(node), fact, remedy)
        if node.not_storing:
            fact = "its store refuses; readings wait"
            remedy = "Read its log; start Redis or PostgreSQL, or make room for it."
            yield Finding("error", "store", _named(node), fact, remedy)
    for unit in facts.machine.failed_units:
        remedy = f"Read `journalctl -u {unit}`, then run `systemctl restart {unit}`."
        yield Finding("error", "unit", unit, "systemd gave it up after many failures", remedy)


def _configs(facts: Facts) -> Iterator[Finding]:
    for node in facts.nodes:
        if node.heard and 0 < node.config_ms < facts.config_ms - _MARGIN_MS:
            age = span((facts.config_ms - node.config_ms) / 1000)
            fact = f"it read its config {age} before the file here was changed"
            yield Finding(
                "warning", "versions", _named(node), fact, f"Run `jph reload {node.codifier}`."
            )
    for code, address in sorted(facts.strangers.items()):
        fact = f"{code} is on the bus, from {address}, and not in this config"
        remedy = "Use the same config on all machines, or other groups for another house."
        yield Finding("warning", "versions", code, fact, remedy)


def _stores(facts: Facts) -> Iterator[Finding]:
    for store in facts.stores:
        if store.error:
            remedy = "Start it, or correct its address and password in the config."
            yield Finding("error", "store", store.name, store.error, remedy)
            continue
        if store.least and _numbers(store.version) < _numbers(store.least):
            fact = f"version {store.version} is older than {store.least}"
            yield Finding("error", "store", store.name, fact, "Install a newer one.")
        if store.schema is not None and store.wanted_schema is not None:
            if store.schema > store.wanted_schema:
                fact = f"its tables are of a later version of jph ({store.schema})"
                yield Finding("error", "store", store.name, fact, "Upgrade jph on this machine.")
            elif store.schema < store.wanted_schema:
                fact = f"its tables have version {store.schema}, not {store.wanted_schema}"
                remedy = "Restart the jphPostgreSQL node: it brings them up to date."
                yield Finding("warning", "store", store.name, fact, remedy)
        if store.evicts:
            fact = "it forgets values when its memory is short"
            remedy = "Set `maxmemory-policy noeviction` in redis.conf."
            yield Finding("warning", "store", store.name, fact, remedy)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split()[0].split(".") if part.isdigit())


def _disks(facts: Facts) -> Iterator[Finding]:
    for disk in facts.disks:
        if not disk.exists:
            continue
        if not disk.writable:
            remedy = "Give it to the user that runs the nodes, or remount the card for writing."
            yield Finding("error", "disk", disk.path, "files in it cannot be written", remedy)
        if disk.free_bytes < min(LEAST_FREE_BYTES, LEAST_FREE * disk.total_bytes):
            fact = f"{disk.free_bytes // 2**20} MB are free"
            remedy = "Delete what is not needed, or move backups and recordings elsewhere."
            yield Finding("error", "disk", disk.path, fact, remedy)
        if not disk.private:
            remedy = f"Run `chmod -R go-rwx {disk.path}`."
            yield Finding("error", "permissions", disk.path, "other users can write to it", remedy)
        if disk.wear is not None and disk.wear >= WORN:
            fact = f"its card has used {disk.wear:.0%} of its life"
            yield Finding("warning", "wear", disk.path, fact, "Make a backup and replace the card.")


def _devices(facts: Facts) -> Iterator[Finding]:
    for device in facts.devices:
        if device.error:
            remedy = "Plug it in; switch it on in the firmware config (I2C, UART); join its group."
            yield Finding("error", "device", device.node, f"{device.path}: {device.error}", remedy)


RULES: Final[tuple[Callable[[Facts], Iterator[Finding]], ...]] = (
    *(_bus, _interfaces, _sizes, _buffers, _hearing, _programs, _clock),
    *(_configs, _stores, _disks, _devices, _config),
)
