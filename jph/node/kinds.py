"""The kinds of node: the folders are the table.

A kind is a class `X(Node, type="…")` in one file of these packages; it is found by reading the
files, and only the one that is needed is imported.
"""

import asyncio
import importlib
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

from jph.config import model as config
from jph.config.model import Endpoint, Multicast, Network, Sensor
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem
from jph.node.node import Node

PACKAGES: Final = ("nodes", "collector", "jph/gateway", "jph/sim")
_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_DEFINITION: Final = re.compile(r"^class \w+\(\s*Node,.*?type=(\([^)]*\)|\"\w+\")", re.M | re.S)


@cache
def table() -> dict[str, str]:
    """Return the module of every kind, by type."""
    found: dict[str, str] = {}
    for package in PACKAGES:
        for path in (_ROOT / package).rglob("*.py"):
            source = path.read_bytes()
            if b"(Node," not in source:  # most, and a small machine starts sooner
                continue
            module = ".".join(path.relative_to(_ROOT).with_suffix("").parts)
            for definition in _DEFINITION.finditer(source.decode()):
                found.update(dict.fromkeys(re.findall(r"\"(\w+)\"", definition[1]), module))
    return found


def find(node_type: str) -> type[Node]:
    """Return the class of a kind, importing its file.

    Raises:
        ConfigError: no file defines it; names those that exist.
    """
    module = table().get(node_type)
    if module is None:
        raise ConfigError(f"unknown type {node_type!r}; known: {', '.join(sorted(table()))}")
    members = vars(importlib.import_module(module)).values()
    return next(
        kind
        for kind in members
        if isinstance(kind, type) and issubclass(kind, Node) and node_type in kind.types
    )


def load(url: str, only: Sequence[str] | None = None) -> Network:
    """Read a config and check it, the settings of the kinds included.

    `only` names the codifiers whose settings matter (importing every kind takes a while on a small
    machine); None is all.

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
        if node_type in table():
            if only is None or code in only:
                used.add(node_type)
                found: list[Problem] = []
                settings = find(node_type).settings_type
                read_struct(settings, entry.get("Sensor", {}), f"Sensors[{code}].Sensor", found)
                yield from found
        elif node_type != config.PROXY and node_type not in config.ORIGINAL_TYPES:
            known = ", ".join(sorted(table()))
            yield Problem(
                f"Sensors[{code}].Type", f"unknown type {node_type!r}; known: {known}, Proxy"
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
