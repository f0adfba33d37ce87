"""References of a configuration: codifiers that settings name, shared ports, hosts. Pure."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from jph.config.house.card import PilotCardSettings
from jph.config.house.house import METER_TYPE, SHEDDER_TYPE
from jph.config.house.loads import CARD_TYPE
from jph.config.house.meter import MeterElementSettings
from jph.config.house.shedder import PhaseSettings
from jph.config.model import Network, Sensor
from jph.config.validation import read_struct
from jph.devices.tic.fields import CANONICAL, is_field, names
from jph.errors import Problem

StructT = TypeVar("StructT", bound=msgspec.Struct)
CONSOLE_TYPE: Final = "ControlProgram"
CACHE_TYPES: Final = frozenset({"jphRedis"})
PAGE_TYPES: Final = frozenset({"Gateway", "Flask"})
HISTORY_TYPES: Final = frozenset({"jphPostgreSQL", "postgresCalcHandler", "jphCalcHistory"})
ANY_HOST: Final = "*"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_CURRENT: Final = "A"
_POWER: Final = "VA"
_UNITS: Final = frozenset({"A", "V", "VA", "W", "Wh", "kWh", "°C", "%", "s", "Hz"})
"""Symbols that are surely a unit: another symbol says nothing about a reference."""


class _Reference(NamedTuple):
    """A codifier that the settings of a node name at `path`; `unit` is empty where any will do."""

    path: str
    codifier: str
    unit: str = ""


def mistakes(network: Network) -> Iterator[Problem]:
    """Yield what cannot work: unknown codifiers, wrong units, two meters on one port, and more."""
    senders = _Senders(network)
    for node in network.nodes():
        for check in _CHECKS.get(node.type, ()):
            yield from check(node, network, senders)
    yield from _shared_devices(network)
    yield from _tariff_meters(network)
    yield from _two_hosts(network)
    yield from _stores_apart(network)


def doubts(network: Network) -> Iterator[Problem]:
    """Yield what is allowed, but probably a mistake."""
    if network.security:
        yield Problem("Security", "no program reads it: messages on the buses are not protected")
    yield from _unsent(network)
    yield from _page_unreachable(network)
    yield from _buses_of_one_machine(network)


class _Senders:
    """The node that sends each codifier, and the field of the meter behind it."""

    def __init__(self, network: Network) -> None:
        self.sensors = {sensor.codifier: sensor for sensor in network.sensors}
        self.fields: dict[str, str] = {}
        self._meters: set[str] = set()
        self.masks: dict[str, int] = {}
        for node in network.nodes():
            if node.type == METER_TYPE:
                self._meters.add(node.codifier)
                for _, entry in _entries(node, "Proxy", MeterElementSettings):
                    field = CANONICAL.get(entry.field, entry.field)
                    self.fields.setdefault(entry.codifier, field)
            elif node.type == SHEDDER_TYPE:
                for _, phase in _entries(node, "Phases", PhaseSettings):
                    self.masks[phase.codifier] = phase.phase

    def problem(self, reference: _Reference) -> Problem | None:
        """Return why a reference leads nowhere, None if it is good."""
        code, path = reference.codifier, reference.path
        sensor = self.sensors.get(code)
        if sensor is None:
            return Problem(path, f"no codifier {code!r} in Sensors{self._near(code)}")
        if not self.is_sent(sensor):
            return Problem(path, f"{code} is never sent: no Proxy entry of {sensor.parent} has it")
        unit = self._unit(sensor)
        if reference.unit and unit and unit != reference.unit:
            name = sensor.name or sensor.short_name or sensor.type
            return Problem(
                path, f"expected a value in {reference.unit}, but {code} ({name}) is in {unit}"
            )
        return None

    def is_sent(self, sensor: Sensor) -> bool:
        """Return whether a node sends a codifier: a meter sends what its `Proxy` lists."""
        return sensor.parent not in self._meters or sensor.codifier in self.fields

    def _unit(self, sensor: Sensor) -> str:
        field = self.fields.get(sensor.codifier, "")
        if field.startswith(("CURRENT", "SUBSCRIBED_CURRENT", "WARNING")):
            return _CURRENT
        if field.startswith("APPARENT_POWER"):
            return _POWER
        return sensor.symbol if sensor.symbol in _UNITS else ""

    def _near(self, code: str) -> str:
        near = difflib.get_close_matches(code.upper(), self.sensors, n=3, cutoff=0.5)
        return f" (near: {', '.join(near)})" if near else ""


Check = Callable[[Sensor, Network, _Senders], Iterator[Problem]]


def _shedder(node: Sensor, network: Network, senders: _Senders) -> Iterator[Problem]:
    """Check what a shedder hears and what it sends."""
    own = {each.codifier for each in network.elements(node.codifier)}
    for path, phase in _entries(node, "Phases", PhaseSettings):
        references = [
            _Reference(f"{path}.Current", phase.current, _CURRENT),
            _Reference(f"{path}.Warning", phase.warning, _CURRENT),
            _Reference(f"{path}.Peak", phase.peak, _POWER),
            _Reference(f"{path}.FedIn", phase.fed_in, _CURRENT),
        ]
        yield from _resolved(references, senders)
        yield from _owned(f"{path}.Codifier", phase.codifier, node, own)
        yield from _owned(f"{path}.Explain", phase.explain, node, own)
        field = senders.fields.get(phase.current, "")
        if field.startswith("CURRENT_") and field != f"CURRENT_{phase.phase}":
            text = f"{phase.current} is the current of phase {field[-1]}, not {phase.phase}"
            yield Problem(f"{path}.Current", text)
    path = f"Sensors[{node.codifier}].Sensor"
    named = ((key, node.sensor.get(key), unit) for key, unit in _SHEDDER_KEYS)
    yield from _resolved((_Reference(f"{path}.{k}", _text(v), u) for k, v, u in named), senders)


_SHEDDER_KEYS: Final = (
    ("Subscribed", _CURRENT),
    ("Status", ""),
    ("Urgent", ""),
    ("OffPeak", ""),
)


def _card(node: Sensor, network: Network, senders: _Senders) -> Iterator[Problem]:
    """Check the masks and currents that a card hears."""
    settings = read_struct(PilotCardSettings, node.sensor, "", [])
    if settings is None:
        return
    path = f"Sensors[{node.codifier}].Sensor"
    for phase, mask in settings.shed.items():
        here = f"{path}.Shed.{phase}"
        problem = senders.problem(_Reference(here, mask))
        if problem is not None:
            yield problem
        elif mask not in senders.masks:
            yield Problem(here, f"no shedder sends {mask} as the mask of a phase")
        elif str(senders.masks[mask]) != phase:
            yield Problem(here, f"{mask} is the mask of phase {senders.masks[mask]}, not {phase}")
    for phase, current in settings.meter.items():
        yield from _resolved([_Reference(f"{path}.Meter.{phase}", current, _CURRENT)], senders)
    own = {each.codifier for each in network.elements(node.codifier)}
    yield from _owned(f"{path}.State", settings.state, node, own)


def _meter(node: Sensor, network: Network, senders: _Senders) -> Iterator[Problem]:
    """Check the elements and labels of a meter."""
    own = {each.codifier for each in network.elements(node.codifier)}
    seen: set[str] = set()
    for path, entry in _entries(node, "Proxy", MeterElementSettings):
        yield from _owned(f"{path}.Codifier", entry.codifier, node, own)
        if entry.codifier in seen:
            yield Problem(f"{path}.Codifier", f"{entry.codifier} has more than one Field")
        seen.add(entry.codifier)
        if not is_field(entry.field):
            near = difflib.get_close_matches(entry.field.upper(), names(), n=3, cutoff=0.6)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            text = f"no label of a meter and no field is called {entry.field!r}{hint}"
            yield Problem(f"{path}.Field", text)


def _simulator(node: Sensor, network: Network, senders: _Senders) -> Iterator[Problem]:
    """Check the codifiers that the simulator names; its defaults need not exist."""
    path = f"Sensors[{node.codifier}].Sensor"
    own = {each.codifier for each in network.elements(node.codifier)}
    yield from _resolved(
        [_Reference(f"{path}.Setpoint", _text(node.sensor.get("Setpoint")))], senders
    )
    yield from _owned(f"{path}.Outdoor", _text(node.sensor.get("Outdoor")), node, own)


_CHECKS: Final[Mapping[str, Sequence[Check]]] = {
    SHEDDER_TYPE: (_shedder,),
    CARD_TYPE: (_card,),
    METER_TYPE: (_meter,),
    "HouseSimulator": (_simulator,),
}


def _resolved(references: Iterable[_Reference], senders: _Senders) -> Iterator[Problem]:
    found = (senders.problem(each) for each in references if each.codifier)
    return (problem for problem in found if problem is not None)


def _owned(path: str, code: str, node: Sensor, own: set[str]) -> Iterator[Problem]:
    """Check that a node sends an element itself."""
    if code and code not in own and code != node.codifier:
        text = f"no element {code} of {node.codifier}: expected one with Type Proxy and that parent"
        yield Problem(path, text)


def _shared_devices(network: Network) -> Iterator[Problem]:
    """Check that no two nodes of a machine open one serial port, or serve one TCP port."""
    meters = [n for n in network.nodes() if n.type == METER_TYPE and n.active]
    pages = [n for n in network.nodes() if n.type in PAGE_TYPES and n.active]
    for nodes, key, default in ((meters, "Device", ""), (pages, "Port", 8080)):
        for one, other in combinations(nodes, 2):
            what = one.sensor.get(key, default)
            same = what == other.sensor.get(key, default) and what not in ("", 0)
            if same and _meet(network, one.codifier, other.codifier):
                path = f"Sensors[{other.codifier}].Sensor.{key}"
                yield Problem(path, f"{what} belongs to {one.codifier} already")


def _meet(network: Network, one: str, other: str) -> bool:
    """Return whether two nodes run on one machine."""
    here, there = _hosts_of(network, one), _hosts_of(network, other)
    return not here or not there or ANY_HOST in here | there or bool(here & there)


def _hosts_of(network: Network, code: str) -> set[str]:
    return {host for host, codes in network.hosts.items() if code in codes}


def _tariff_meters(network: Network) -> Iterator[Problem]:
    """Check the meters that tariffs name; with two meters each tariff must name its own."""
    meters = [node.codifier for node in network.nodes() if node.type == METER_TYPE]
    for index, tariff in enumerate(network.tariffs):
        label = tariff.get("Name")
        path = f"Tariffs[{label if isinstance(label, str) else index}].Meter"
        meter = tariff.get("Meter")
        if meter and meter not in meters:
            known = ", ".join(meters) or "there is none"
            yield Problem(path, f"no meter {meter!r} in Sensors (meters: {known})")
        elif not meter and len(meters) > 1:
            text = f"missing; there are {len(meters)} meters: expected {' or '.join(meters)}"
            yield Problem(path, text)


def _two_hosts(network: Network) -> Iterator[Problem]:
    """Check that each codifier runs on one machine: two instances end each other for ever."""
    for node in network.nodes():
        hosts = sorted(_hosts_of(network, node.codifier))
        if len(hosts) > 1 and node.type != CONSOLE_TYPE:
            text = f"{node.codifier} would run on {' and '.join(hosts)}: they would end each other"
            yield Problem(f"Hosts.{hosts[1]}", text)


def _stores_apart(network: Network) -> Iterator[Problem]:
    """Check that programs of one store share a machine, or that the config names the store."""
    for kinds, users, named, key, store in (
        (CACHE_TYPES, PAGE_TYPES, network.redis, "Redis.URL", "Redis"),
        (HISTORY_TYPES, PAGE_TYPES | HISTORY_TYPES, network.sql, "SQL", "PostgreSQL"),
    ):
        if named is not None:
            continue
        writers = [n for n in network.nodes() if n.type in kinds and n.active]
        readers = [n for n in network.nodes() if n.type in users and n.active]
        for writer in writers:
            for reader in readers:
                if reader is not writer and not _meet(network, writer.codifier, reader.codifier):
                    here, there = (
                        "/".join(sorted(_hosts_of(network, code)))
                        for code in (writer.codifier, reader.codifier)
                    )
                    yield Problem(
                        key,
                        f"missing: {writer.codifier} runs on {here} and {reader.codifier} on "
                        f"{there}, but the embedded {store} serves one machine only",
                    )


def _unsent(network: Network) -> Iterator[Problem]:
    """Yield elements of a meter that its settings do not list: no program sends them."""
    senders = _Senders(network)
    for sensor in network.sensors:
        if sensor.parent is not None and not senders.is_sent(sensor):
            text = f"never sent: no Proxy entry of {sensor.parent} has this codifier"
            yield Problem(f"Sensors[{sensor.codifier}]", text)


def _page_unreachable(network: Network) -> Iterator[Problem]:
    """Yield pages that only their own machine can open, although others are meant to."""
    machines = {host for host in network.hosts if host != ANY_HOST}
    for page in network.nodes():
        if page.type not in PAGE_TYPES or page.sensor.get("Proxies"):
            continue
        if page.sensor.get("Address", "127.0.0.1") not in _LOOPBACK:
            continue
        listed = page.sensor.get("Hosts")
        names_ = [n for n in listed if _text(n)] if isinstance(listed, list) else []
        others = [name for name in names_ if name.partition(":")[0] not in _LOOPBACK]
        why = f"its Hosts names {', '.join(others)}" if others else ""
        if not why and len(machines) > 1:
            why = f"the house has {len(machines)} machines"
        if why:
            yield Problem(
                f"Sensors[{page.codifier}].Sensor.Address",
                f"only its own machine can open the page, but {why}: "
                "use 0.0.0.0, or a reverse proxy named in Proxies",
            )


def _buses_of_one_machine(network: Network) -> Iterator[Problem]:
    """Yield buses that stay on one machine although the house has several."""
    machines = sorted(host for host in network.hosts if host != ANY_HOST)
    if len(machines) < 2:
        return
    if network.multicast.ttl == 0:
        text = f"0 keeps messages on one machine, but there are {len(machines)}: expected 1"
        yield Problem("Multicast.TTL", text)
    for machine in machines:
        if network.multicast.interfaces_of(machine) == ["lo"]:
            text = f"{machine} joins the buses on lo only: it does not hear the other machines"
            yield Problem("Multicast.Interfaces", text)


def _entries(node: Sensor, key: str, struct: type[StructT]) -> Iterator[tuple[str, StructT]]:
    """Yield the good entries of a list in a node's settings, each with its path."""
    listed: Any = node.sensor.get(key)
    for index, entry in enumerate(listed if isinstance(listed, list) else []):
        made = read_struct(struct, entry, "", [])
        if made is not None:
            label = entry.get("Codifier", index) if isinstance(entry, dict) else index
            yield f"Sensors[{node.codifier}].Sensor.{key}[{label}]", made


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
