"""Nodes of a house that belong to this machine, and those of others."""

import socket
from collections.abc import Iterable

from jph.cli.supervise import plan
from jph.config.model import Network, Sensor
from jph.errors import ConfigError
from jph.node import kinds


def local_nodes(network: Network, console: Sensor) -> list[Sensor]:
    """Return the nodes that run on this machine, and its console.

    Nodes that a script runs itself are local too, if no other machine has them.
    """
    types = frozenset(filter(kinds.is_known, {node.type for node in network.nodes()}))
    try:
        found = plan.parts_here(network, socket.gethostname(), types)
    except ConfigError:  # Hosts names other machines only
        found = []
    return list({node.codifier: node for node in [*found, console]}.values())


def remote_nodes(network: Network, members: Iterable[str]) -> dict[str, list[str]]:
    """Return the nodes of `Hosts` that are no members yet, by host."""
    known = {*members, *network.open}
    left = {host: [c for c in codes if c not in known] for host, codes in network.hosts.items()}
    return {host: codes for host, codes in left.items() if codes}
