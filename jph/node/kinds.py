"""Finds the class of a node by its `Type`, and checks a config with the settings of its kinds.

`nodes.KINDS` names our kinds. Kinds of other packages register in the entry point group
`jph.kinds`; the group is read only when a type is not in the table, so that the usual start does
not pay for it. Only the kind that is needed is imported.
"""

import asyncio
import importlib
import logging
import socket
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from jph.config import last_good
from jph.config import model as config
from jph.config.document import read
from jph.config.model import Endpoint, Multicast, Network, Redis, Sensor, Sql
from jph.config.sealed import fetch_signed
from jph.config.settings import Settings
from jph.config.validation import read_struct, unread
from jph.errors import ConfigError, Problem
from jph.node.node import Node
from jph.util.secrets import SecretUrl

ENTRY_POINTS: Final = "jph.kinds"
"""Entry point group of kinds in other packages: name is the type, value is `module:Class`."""
_log: Final = logging.getLogger("jph")
_added: dict[str, type[Node]] = {}


def table() -> Mapping[str, str]:
    """Return `module:Class` of every kind that jph brings, by type."""
    # By name: `nodes` lies above this module and imports it.
    kinds: Mapping[str, str] = importlib.import_module("nodes").KINDS
    return kinds


@cache
def foreign() -> Mapping[str, str]:
    """Return `module:Class` of every kind that other installed packages register, by type."""
    from importlib import metadata  # slow to import; most houses have no such kind

    return {each.name: each.value for each in metadata.entry_points(group=ENTRY_POINTS)}


def add(kind: type[Node]) -> None:
    """Make a class known in this process, for a program that defines its kind itself."""
    _added.update(dict.fromkeys(kind.types, kind))


def known() -> list[str]:
    """Return every type that can run here, in alphabetical order."""
    return sorted({*foreign(), *_added, *table()})


def is_known(node_type: str) -> bool:
    """Whether nodes of this type can run here."""
    return node_type in _added or _where(node_type) is not None


def find(node_type: str) -> type[Node]:
    """Return the class of a kind, importing its module.

    Raises:
        ConfigError: the type is not known, or a package registers something else than a node.
    """
    if node_type in _added:
        return _added[node_type]
    where = _where(node_type)
    if where is None:
        raise ConfigError(f"unknown type {node_type!r}; known: {', '.join(known())}")
    module, _, name = where.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        if node_type in table():
            raise
        raise ConfigError(f"type {node_type!r} cannot be loaded from {where}: {error}") from error
    if not (isinstance(kind, type) and issubclass(kind, Node)):
        raise ConfigError(f"type {node_type!r}: {where} is not a subclass of jph.Node")
    return kind


def _where(node_type: str) -> str | None:
    """Return `module:Class` of a type; types that have no code here cost no look at packages."""
    where = table().get(node_type)
    return where if where or node_type == config.PROXY else foreign().get(node_type)


def load(url: str, only: Sequence[str] | None = None) -> Network:
    """Read a config and check it, the settings of the kinds included.

    `only` names the codifiers whose type and settings are checked (importing every kind takes a
    while on a small machine, and another machine may have kinds that are not installed here); None
    is all.

    Raises:
        ConfigError: with every mistake that was found.
    """
    return parse(fetch_signed(url).document, url, only)


def parse(
    document: bytes, url: str, only: Sequence[str] | None = None, *, references_too: bool = False
) -> Network:
    """Check the document of a config as `load` does.

    `references_too` makes mistakes of codifiers, ports and hosts that settings name and that lead
    nowhere; otherwise such a network still loads, and its nodes do what they can.

    Raises:
        ConfigError: with every mistake that was found.
    """
    return config.parse(
        document, str(SecretUrl(url)), lambda raw: _problems(raw, only, references_too)
    )


def load_and_keep(url: str, only: Sequence[str] | None = None) -> Network:
    """Load a config, and keep the copy of one that a server sent.

    Raises:
        ConfigError: it cannot be read, or has mistakes.
    """
    signed = fetch_signed(url)
    network = parse(signed.document, url, only)
    last_good.try_to_keep(url, signed, _log.warning)
    return network


def make(codifier: str, network: Network, url: str) -> Node:
    """Return the node of `codifier`, which reads its config again from `url` when asked.

    Raises:
        ConfigError: it is not in the config, is an element, or its kind is unknown.
    """
    entry = network.sensor(codifier)
    if entry.parent is not None:
        raise ConfigError(f"{codifier} is an element that {entry.parent} sends; run that")

    async def reload() -> Network:
        return await asyncio.to_thread(load_and_keep, url, [codifier])

    node = find(entry.type)(codifier, network, reload)
    node.config_url = url
    return node


def _problems(
    raw: dict[str, Any], only: Sequence[str] | None, references_too: bool = False
) -> Iterator[Problem]:
    """Check what the kinds know of: types, their settings, and what contradicts between entries."""
    listed = raw.get("Sensors")
    entries = [entry for entry in listed if isinstance(entry, dict)] if type(listed) is list else []
    good: list[Sensor] = []
    used: set[str] = set()
    for entry in entries:
        code, node_type = entry.get("Codifier"), entry.get("Type")
        if not isinstance(node_type, str):
            continue
        if (only is None or code in only) and node_type != config.PROXY:
            if is_known(node_type):
                used.add(node_type)
                found: list[Problem] = []
                settings = find(node_type).settings_type
                read_struct(settings, entry.get("Sensor", {}), f"Sensors[{code}].Sensor", found)
                yield from found
            elif not _runs_elsewhere(raw.get("Hosts"), code):
                types = ", ".join(known())
                yield Problem(
                    f"Sensors[{code}].Type", f"unknown type {node_type!r}; known: {types}, Proxy"
                )
        if (sensor := read_struct(Sensor, entry, "", [])) is not None:
            good.append(sensor)
    if only is None:
        # Contradictions are looked for among the entries that are good by themselves, so that one
        # slip elsewhere does not hide them.
        network = _good_parts(raw, good)
        for node_type in sorted(used):
            yield from find(node_type).check_network(network)
        if references_too:
            from jph.config import references  # a node does not need them

            yield from references.mistakes(network)


def _good_parts(raw: dict[str, Any], sensors: list[Sensor]) -> Network:
    """Return the parts of a document that are good by themselves as one network."""
    nowhere = Endpoint(address="", port=0)
    tariffs, hosts, rooms = raw.get("Tariffs"), raw.get("Hosts"), raw.get("Rooms")
    return Network(
        multicast=Multicast(control=nowhere, data=nowhere),
        sensors=sensors,
        tariffs=[t for t in tariffs if isinstance(t, dict)] if isinstance(tariffs, list) else [],
        rooms=[room for room in rooms if isinstance(room, dict)] if isinstance(rooms, list) else [],
        hosts={
            host: [code for code in codes if isinstance(code, str)]
            for host, codes in (hosts.items() if isinstance(hosts, dict) else ())
            if isinstance(codes, list)
        },
        redis=read_struct(Redis, raw["Redis"], "", []) if "Redis" in raw else None,
        sql=read_struct(Sql, raw["SQL"], "", []) if "SQL" in raw else None,
    )


def unread_keys(document: bytes, network: Network) -> Iterator[Problem]:
    """Yield the keys of a good document that no program reads, comments excepted."""
    raw, _ = read(document, "config")
    yield from unread(Network, raw, "")
    for sensor in network.sensors:
        path = f"Sensors[{sensor.codifier}].Sensor"
        if sensor.type == config.PROXY:
            yield from unread(ElementSettings, sensor.sensor, path)
        elif is_known(sensor.type):
            yield from unread(find(sensor.type).settings_type, sensor.sensor, path)


class ElementSettings(Settings, frozen=True):
    """Settings of an element: the node that sends it, and the ends of its gauge or slider."""

    codifier: str
    min: float | None = None
    max: float | None = None


def _runs_elsewhere(hosts: Any, code: object) -> bool:  # noqa: ANN401
    """Whether `Hosts` gives a codifier to other machines only, which may have its kind."""
    if not isinstance(hosts, dict):
        return False
    running = [host for host, codes in hosts.items() if isinstance(codes, list) and code in codes]
    here = {"*", socket.gethostname(), socket.gethostname().partition(".")[0]}
    return bool(running) and not here.intersection(running)
