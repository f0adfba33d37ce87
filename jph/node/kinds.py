"""Finds the class of a node by its `Type`, and checks a config with the settings of its kinds.

`nodes.KINDS` names our kinds. Kinds of other packages register in the entry point group
`jph.kinds`; the group is read only when a type is not in the table, so that the usual start does
not pay for it. Only the kind that is needed is imported.
"""

import asyncio
import importlib
import socket
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from jph.config import model as config
from jph.config.model import Endpoint, Multicast, Network, Sensor
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem
from jph.node.node import Node

ENTRY_POINTS: Final = "jph.kinds"
"""Entry point group of kinds in other packages: name is the type, value is `module:Class`."""
_added: dict[str, type[Node]] = {}
_ELSEWHERE: Final = config.ORIGINAL_TYPES | {config.PROXY}
"""Types without code here: elements, and programs of the original."""


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
    return where if where or node_type in _ELSEWHERE else foreign().get(node_type)


def load(url: str, only: Sequence[str] | None = None) -> Network:
    """Read a config and check it, the settings of the kinds included.

    `only` names the codifiers whose type and settings are checked (importing every kind takes a
    while on a small machine, and another machine may have kinds that are not installed here); None
    is all.

    Raises:
        ConfigError: with every mistake that was found.
    """
    return config.parse(config.fetch(url), url, lambda raw: _problems(raw, only))


def make(codifier: str, network: Network, url: str) -> Node:
    """Return the node of `codifier`, which reads its config again from `url` when asked.

    Raises:
        ConfigError: it is not in the config, is an element, or its kind is unknown.
    """
    entry = network.sensor(codifier)
    if entry.parent is not None:
        raise ConfigError(f"{codifier} is an element that {entry.parent} sends; run that")

    async def reload() -> Network:
        return await asyncio.to_thread(load, url, [codifier])

    return find(entry.type)(codifier, network, reload)


def _problems(raw: dict[str, Any], only: Sequence[str] | None) -> Iterator[Problem]:
    """Check what the kinds know of: types, their settings, and what contradicts between entries."""
    listed = raw.get("Sensors")
    entries = [entry for entry in listed if isinstance(entry, dict)] if type(listed) is list else []
    good: list[Sensor] = []
    used: set[str] = set()
    for entry in entries:
        code, node_type = entry.get("Codifier"), entry.get("Type")
        if not isinstance(node_type, str):
            continue
        if (only is None or code in only) and node_type not in _ELSEWHERE:
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
        nowhere = Endpoint(address="", port=0)
        multicast = Multicast(control=nowhere, data=nowhere)
        tariffs = raw.get("Tariffs")
        tariffs = [t for t in tariffs if isinstance(t, dict)] if type(tariffs) is list else []
        network = Network(multicast=multicast, sensors=good, tariffs=tariffs)
        for node_type in sorted(used):
            yield from find(node_type).check_network(network)


def _runs_elsewhere(hosts: Any, code: object) -> bool:  # noqa: ANN401
    """Whether `Hosts` gives a codifier to other machines only, which may have its kind."""
    if not isinstance(hosts, dict):
        return False
    running = [host for host, codes in hosts.items() if isinstance(codes, list) and code in codes]
    here = {"*", socket.gethostname(), socket.gethostname().partition(".")[0]}
    return bool(running) and not here.intersection(running)
