"""The configuration of a network as typed objects, with all its mistakes reported at once.

A configuration is one JSON document at a path, `file:` or `http:` URL. The keys that programs of
the original read keep their names and meaning; all others are optional.
"""

import ipaddress
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from jph.config import logging_table
from jph.config.document import read
from jph.config.fetch import fetch
from jph.config.names import with_plain_names
from jph.config.redis_address import check_redis, normal_url
from jph.config.settings import described
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem
from jph.seal.roster import Roster
from jph.util.secrets import SecretUrl
from jph.wire.codec import Dialect, is_codifier

PROXY: Final = "Proxy"
_ORIGINAL_CHANNELS: Final = frozenset({"Control-Channel", "Data-Channel"})
_ORIGINAL_KEYS: Final = frozenset({"Multicast", "Sensors", "Logging", "Seal", "Roster", "Open"})
"""Keys of a document that the original reads, and those that sealing adds to it."""
_OUR_SENSOR_KEYS: Final = frozenset({"Ring", "Journal", "Group", "Widget"})


class _Entry(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Base of every struct: keys are the attribute names in PascalCase."""


class Endpoint(_Entry, frozen=True):
    """One multicast group and port."""

    address: Annotated[str, described("Multicast group")]
    port: Annotated[int, described("UDP port")]


class Multicast(_Entry, frozen=True):
    """Groups and ports of the buses, and the interfaces that join them.

    `interfaces` maps a host name (or `*`) to an interface name or address, or a list of them;
    `ttl` is in hops, `mtu` in bytes of a whole IP packet. Programs send their log lines to `log`,
    if there is one.
    """

    control: Annotated[Endpoint, described("The control bus")] = msgspec.field(
        name="Control-Channel"
    )
    data: Annotated[Endpoint, described("The data bus")] = msgspec.field(name="Data-Channel")
    log: Annotated[
        Endpoint | None, described("The channel to which programs send their log lines")
    ] = msgspec.field(default=None, name="Log-Channel")
    interfaces: Annotated[
        dict[str, str | list[str]],
        described("Host name, or *, to the interfaces on which it joins"),
    ] = {}
    ttl: Annotated[int, described("Range of the datagrams", "hops")] = msgspec.field(
        default=1, name="TTL"
    )
    mtu: Annotated[int, described("Largest IP packet", "B")] = msgspec.field(
        default=1500, name="MTU"
    )
    dialect: Annotated[Dialect, described("Version of the messages on the buses")] = Dialect.JPH

    def interfaces_of(self, host: str) -> list[str]:
        """Return the interfaces `host` joins on; an empty list leaves the choice to the routes."""
        chosen = self.interfaces.get(host, self.interfaces.get("*", []))
        return [chosen] if isinstance(chosen, str) else chosen


class Redis(_Entry, frozen=True):
    """Address of Redis: `redis://host:port/0`, `rediss://…` with TLS, or `unix:///path`."""

    url: Annotated[SecretUrl, described("Address: redis://host:port/0 or unix:///path")] = (
        msgspec.field(name="URL")
    )

    def __post_init__(self) -> None:
        check_redis(self.url)


class Sql(_Entry, frozen=True):
    """Address of PostgreSQL; `password` is the path of a file that holds the password."""

    database: Annotated[str, described("Name of the database")]
    user: Annotated[str, described("Role that the programs log in as")]
    password: Annotated[str, described("Path of a file that holds the password")] = ""
    host: Annotated[str, described("Host of the server")] = "127.0.0.1"
    port: Annotated[int, described("TCP port of the server")] = 5432
    schema: Annotated[
        str,
        described("Schema of the tables; without it the role's own", pattern="^[a-z0-9_]{0,63}$"),
    ] = ""


class RingSettings(_Entry, frozen=True):
    """Size of the resend buffer in memory; the smaller of the two limits counts."""

    minutes: Annotated[
        float, described("Age up to which sent messages are kept in memory", "min")
    ] = 15.0
    megabytes: Annotated[
        float, described("Size of what is kept in memory; the smaller of both counts", "MB")
    ] = 4.0

    def __post_init__(self) -> None:
        if not (0 <= self.minutes <= 1e6 and 0 <= self.megabytes <= 1e6):
            raise ValueError("expected Minutes and Megabytes of 0 or more")


class JournalSettings(_Entry, frozen=True):
    """Size of the resend log on disk; the smaller of hours of sending and megabytes counts.

    It is written every `flush_seconds`: longer is gentle on an SD card, and a loss of power takes
    that much of it.
    """

    hours: Annotated[float, described("Time of sending that is kept on disk", "h")] = 48.0
    megabytes: Annotated[
        float, described("Size of what is kept on disk; the smaller of both counts", "MB")
    ] = 64.0
    flush_seconds: Annotated[
        float, described("Interval of writing; a power cut loses this much", "s")
    ] = 5.0

    def __post_init__(self) -> None:
        if not (0 < self.hours <= 1e6 and 0 < self.megabytes <= 1e6):
            raise ValueError("expected Hours and Megabytes above 0")
        if not 0 < self.flush_seconds <= 3600:
            raise ValueError(f"FlushSeconds: expected 0 to 3600 s, found {self.flush_seconds}")


class Sensor(_Entry, frozen=True):
    """One codifier: a node, or (`type` Proxy) an element of a node. Intervals are in seconds.

    The timestamps of a codifier with `own_time` may be far from now: they are not the time of
    sending.
    """

    codifier: Annotated[str, described("Two characters of 0-9 and A-Z")]
    type: Annotated[str, described("Kind of node, or Proxy for an element")]
    short_name: Annotated[str, described("Short name for narrow places")] = ""
    name: Annotated[str, described("Name")] = ""
    symbol: Annotated[str, described("Unit of the value")] = ""
    keep_alive_interval: Annotated[float, described("Interval of the keep-alive", "s")] = 60.0
    sensor_interval: Annotated[float, described("Interval of the node's readings", "s")] = 60.0
    timeout_warning: Annotated[
        float, described("Age from which a reading is late; 0: only changes are sent", "s")
    ] = 60.0
    active: Annotated[bool, described("A node that is not active starts halted")] = True
    data_type: Annotated[str, described("Type of the value: float, integer, bool, text, json")] = (
        "float"
    )
    control: Annotated[str, described('"enabled" where the value can be set')] = ""
    own_time: Annotated[
        bool, described("Timestamps may be far from now: they are not the time of sending")
    ] = False
    group: Annotated[str, described("Group on the page Devices; without it room or node")] = ""
    widget: Annotated[
        Literal["", "number", "switch", "slider", "gauge", "text", "motion"],
        described("How the page Devices shows it; without it by DataType, Control and bounds"),
    ] = ""
    sensor: Annotated[
        dict[str, Any], described("Settings of the kind; of an element, Codifier is its node")
    ] = {}
    ring: Annotated[RingSettings, described("What the node keeps in memory to send it again")] = (
        RingSettings()
    )
    journal: Annotated[
        bool | JournalSettings,
        described("What the node keeps on disk to send it again; true for the defaults"),
    ] = False

    @property
    def parent(self) -> str | None:
        """The codifier of the node that sends this element, or None for a node."""
        return str(self.sensor.get("Codifier", "")) if self.type == PROXY else None


class Network(_Entry, frozen=True):
    """The whole configuration."""

    multicast: Annotated[Multicast, described("The buses")]
    sensors: Annotated[list[Sensor], described("Nodes and elements")]
    logging: Annotated[dict[str, Any], described("Logging configuration of all programs")] = {}
    redis: Annotated[Redis | None, described("Where Redis is; without it the embedded server")] = (
        None
    )
    sql: Annotated[Sql | None, described("Where PostgreSQL is; without it the embedded server")] = (
        msgspec.field(default=None, name="SQL")
    )
    hosts: Annotated[
        dict[str, list[str]], described("Host name to the codifiers of the nodes that run there")
    ] = {}
    security: Annotated[dict[str, Any], described("Settings of the original programs")] = {}
    tariffs: Annotated[list[dict[str, Any]], described("Prices of electricity")] = []
    rooms: Annotated[list[dict[str, Any]], described("Rooms: names and settings")] = []
    translations: Annotated[
        dict[str, dict[str, str]], described("Language to names and their translations")
    ] = {}
    drill: Annotated[bool, described("Whether `drill` may inject faults")] = False
    seal: Annotated[
        Literal["watch", "demand"] | None,
        described("watch: reports messages that demand refuses; written by `seal`"),
    ] = None
    roster: Annotated[
        Roster | None, described("Members of a sealed house; written by `seal`, `enrol`, `revoke`")
    ] = None
    open: Annotated[
        list[str], described("Codifiers of programs without a seal, in a sealed house")
    ] = []

    def sensor(self, codifier: str) -> Sensor:
        """Return the entry of `codifier`.

        Raises:
            ConfigError: there is none; names similar ones.
        """
        for sensor in self.sensors:
            if sensor.codifier == codifier:
                return sensor
        near = ", ".join(f"{s.codifier} ({s.name or s.type})" for s in self.near(codifier))
        nodes = ", ".join(node.codifier for node in self.nodes())
        hint = f"near: {near}" if near else f"the nodes are {nodes}"
        raise ConfigError(f"codifier {codifier!r} is not in the config; {hint}")

    def near(self, codifier: str) -> list[Sensor]:
        """Return the entries with a codifier or name similar to `codifier`, closest first."""
        import difflib  # rarely needed, and large

        by_code = {sensor.codifier: sensor for sensor in self.sensors}
        wanted = codifier.upper()
        close = difflib.get_close_matches(wanted, by_code, n=20, cutoff=0.5)
        close.sort(key=lambda code: code[:1] != wanted[:1])  # the first character is rarely wrong
        named = [s for s in self.sensors if codifier.lower() in f"{s.short_name} {s.name}".lower()]
        return list({s.codifier: s for s in [by_code[c] for c in close] + named}.values())[:5]

    def elements(self, codifier: str) -> tuple[Sensor, ...]:
        """Return the elements that the node `codifier` sends."""
        return tuple(sensor for sensor in self.sensors if sensor.parent == codifier)

    def nodes(self) -> tuple[Sensor, ...]:
        """Return the entries that are nodes."""
        return tuple(sensor for sensor in self.sensors if sensor.type != PROXY)

    @property
    def redis_url(self) -> str | None:
        """The URL of Redis as its client library reads it, or None to use the embedded one."""
        return normal_url(self.redis.url) if self.redis else None


def state_dir() -> Path:
    """Return the directory of all files that outlive a program (`JPH_STATE`)."""
    return Path(os.environ.get("JPH_STATE") or "var").absolute()


def expand(path: str) -> str:
    """Expand `~` and `$JPH_STATE` in a path of the config."""
    return os.path.expanduser(path.replace("$JPH_STATE", str(state_dir())))  # noqa: PTH111


def load(url: str) -> Network:
    """Read and check the configuration at a path, `file:` or `http:` URL.

    Raises:
        ConfigError: it cannot be read, or has mistakes; names all of them.
    """
    return parse(fetch(url), url)


def parse(
    document: bytes,
    name: str = "config",
    check: Callable[[dict[str, Any]], Iterable[Problem]] = lambda raw: (),
) -> Network:
    """Make a Network of a JSON document; `check` may find further mistakes in it.

    Raises:
        ConfigError: with every mistake that was found.
    """
    raw, problems = read(document, name)
    if isinstance(raw, dict):
        if written_for_original(raw):
            original = {"Dialect": Dialect.MULTI_SENSOR.value}
            raw = {**raw, "Multicast": raw["Multicast"] | original}
        raw = with_plain_names(raw)
    network = read_struct(Network, raw, "", problems)
    if isinstance(raw, dict):
        problems += _meaning(raw)
        problems += check(raw)
        problems += logging_table.problems(raw.get("Logging"), _log_folder())
    problems = list(dict.fromkeys(problems))
    if problems or network is None:
        count = f"{len(problems)} mistake{'s' * (len(problems) > 1)}"
        raise ConfigError(f"{name} has {count}:", problems)
    table = logging_table.applied(network.logging, _log_folder())
    return msgspec.structs.replace(network, logging=table)


def _log_folder() -> str:
    return str(state_dir() / "log")


def written_for_original(raw: dict[str, Any]) -> bool:
    """Whether a document without `Dialect` has nothing that the original does not know.

    Original programs end at the data flags `d` and `q`, so such a network is `multi-sensor`.
    """
    multicast = raw.get("Multicast")
    if not isinstance(multicast, dict) or set(multicast) - _ORIGINAL_CHANNELS:
        return False
    if {key for key in raw if not key.startswith("_")} - _ORIGINAL_KEYS:
        return False
    listed = raw.get("Sensors")
    sensors = [s for s in listed if isinstance(s, dict)] if isinstance(listed, list) else []
    return not any(_OUR_SENSOR_KEYS & s.keys() for s in sensors)


def _meaning(raw: dict[str, Any]) -> Iterator[Problem]:
    """Check the rules that types do not express, on the parts that have the right types."""
    multicast = raw.get("Multicast")
    if isinstance(multicast, dict):
        yield from _channels(multicast)
    listed = raw.get("Sensors")
    sensors = [s for s in listed if isinstance(s, dict)] if isinstance(listed, list) else []
    types = {s.get("Codifier"): s.get("Type") for s in sensors if _text(s.get("Codifier"))}
    yield from _codifiers(sensors)
    for sensor in sensors:
        yield from _sensor(sensor, types)
    hosts = raw.get("Hosts")
    for host, codes in hosts.items() if isinstance(hosts, dict) else ():
        for code in codes if isinstance(codes, list) else ():
            if not _text(code) or code not in types:
                yield Problem(f"Hosts.{host}", f"codifier {code!r} is not in Sensors")


def _channels(multicast: dict[str, Any]) -> Iterator[Problem]:
    endpoints = []
    for channel in ("Control-Channel", "Data-Channel", "Log-Channel"):
        entry = multicast.get(channel)
        if not isinstance(entry, dict):
            continue
        path = f"Multicast.{channel}"
        address, port = entry.get("Address"), entry.get("Port")
        endpoints.append((address, port))
        if _text(address):
            yield from _group(f"{path}.Address", str(address))
        if isinstance(port, int) and not 1 <= port <= 65535:
            yield Problem(f"{path}.Port", f"expected a port from 1 to 65535, found {port}")
    if any(one == other for one, other in combinations(endpoints, 2)):
        yield Problem("Multicast", "two channels have the same address and port")
    ttl = multicast.get("TTL")
    if isinstance(ttl, int) and not 0 <= ttl <= 255:
        yield Problem("Multicast.TTL", f"expected 0 to 255 hops, found {ttl}")


def _group(path: str, address: str) -> Iterator[Problem]:
    try:
        multicast = ipaddress.ip_address(address).is_multicast
    except ValueError:
        multicast = False
    if not multicast:
        expected = "a multicast group (224.0.0.0 to 239.255.255.255, or ff00::/8)"
        yield Problem(path, f"expected {expected}, found {address!r}")


def _codifiers(sensors: Iterable[dict[str, Any]]) -> Iterator[Problem]:
    codes = Counter(s["Codifier"] for s in sensors if _text(s.get("Codifier")))
    for code, count in codes.items():
        if not is_codifier(code):
            yield Problem(
                f"Sensors[{code}].Codifier",
                f"expected two characters of 0-9 and A-Z, found {code!r}",
            )
        if count > 1:
            yield Problem(f"Sensors[{code}].Codifier", f"{count} entries have this codifier")


def _sensor(sensor: dict[str, Any], types: dict[Any, Any]) -> Iterator[Problem]:
    path = f"Sensors[{sensor.get('Codifier', '?')}]"
    for key in ("KeepAliveInterval", "SensorInterval", "TimeoutWarning"):
        seconds = sensor.get(key)
        if isinstance(seconds, int | float) and not 0 <= seconds < 1e7:
            yield Problem(f"{path}.{key}", f"expected seconds, 0 or more, found {seconds}")
        elif seconds == 0 and key != "TimeoutWarning":
            yield Problem(f"{path}.{key}", f"expected seconds above 0, found {seconds}")
    if sensor.get("Control") not in (None, "", "enabled"):
        yield Problem(f"{path}.Control", f'expected "enabled", found {sensor["Control"]!r}')
    if sensor.get("Type") != PROXY:
        return
    settings = sensor.get("Sensor")
    parent = settings.get("Codifier") if isinstance(settings, dict) else None
    if not parent:
        yield Problem(f"{path}.Sensor.Codifier", "expected the codifier of the node that sends it")
    elif not _text(parent) or parent not in types:
        yield Problem(f"{path}.Sensor.Codifier", f"no node {parent!r} in Sensors")
    elif types[parent] == PROXY:
        yield Problem(f"{path}.Sensor.Codifier", f"{parent} is an element too, not a node")


def _text(value: object) -> bool:
    return isinstance(value, str) and value != ""
