"""The machine that has a store or files of the house, as `Hosts` in the configuration says."""

import contextlib
import socket
from collections.abc import Collection

import click

from jph.cli.terminal.context import App
from jph.config.model import Network
from jph.errors import ConfigError, StoreError

_ANY_HOST = "*"


def machines_of(network: Network, types: Collection[str]) -> dict[str, list[str]]:
    """Return the nodes of some types by the machine that runs them."""
    codes = {node.codifier for node in network.nodes() if node.type in types and node.active}
    found: dict[str, list[str]] = {}
    for host, listed in network.hosts.items():
        if here := [code for code in listed if code in codes]:
            found[host] = here
    return found


def is_here(host: str) -> bool:
    """Return whether a name in `Hosts` means this machine."""
    own = socket.gethostname()
    return host in (_ANY_HOST, own, own.partition(".")[0])


def require_here(network: Network, types: Collection[str], what: str) -> None:
    """Make sure that this machine runs a node of some types, if `Hosts` places them at all.

    Raises:
        StoreError: other machines run them; names them.
    """
    machines = machines_of(network, types)
    if machines and not any(is_here(host) for host in machines):
        listed = " and ".join(f"{host} ({' '.join(codes)})" for host, codes in machines.items())
        raise StoreError(
            f"{what} of this house is on {listed}, not on {socket.gethostname()}: "
            "run this command there"
        )


def require_here_if_known(types: Collection[str], what: str) -> None:
    """Make sure of the same for a command that works without a configuration too.

    Raises:
        StoreError: other machines run nodes of these types.
    """
    app = click.get_current_context().find_object(App)
    with contextlib.suppress(ConfigError):
        if app is not None:
            require_here(app.network, types, what)
