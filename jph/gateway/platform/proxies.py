"""What a reverse proxy says of its client: believed of those in the settings, of no other.

Pure but for the wrapper at the end.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Final

from jph.errors import ConfigError
from jph.gateway.platform.guard import App, Receive, Scope, Send

_MOST_HOPS: Final = 10

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks_of(proxies: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks of a list of addresses and networks, as 127.0.0.1 or 10.0.0.0/24.

    Raises:
        ConfigError: one is neither.
    """
    found = []
    for text in proxies:
        try:
            found.append(ipaddress.ip_network(text.strip(), strict=False))
        except ValueError as error:
            message = f"Proxies has {text!r}: expected addresses or networks, as 10.0.0.0/24"
            raise ConfigError(message) from error
    return tuple(found)


def is_among(address: str, networks: Iterable[Network]) -> bool:
    """Whether an address is in one of the networks."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def client_of(peer: str, forwarded: str, networks: Iterable[Network]) -> str:
    """Return who asks: the last address of `X-Forwarded-For` that is no proxy of ours.

    What comes before it was written by the client itself, whatever it says.
    """
    trusted = tuple(networks)
    if not is_among(peer, trusted):
        return peer
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()][-_MOST_HOPS:]
    for hop in reversed(hops):
        address = hop[1:].partition("]")[0] if hop.startswith("[") else hop
        try:
            ipaddress.ip_address(address)
        except ValueError:
            return peer
        if not is_among(address, trusted):
            return address
    return peer


def scheme_of(peer: str, own: str, headers: Mapping[str, str], networks: Iterable[Network]) -> str:
    """Return how a browser reaches us: http or https."""
    told = headers.get("x-forwarded-proto", "").rpartition(",")[2].strip().lower()
    return told if told in ("http", "https") and is_among(peer, networks) else own


class Proxies:
    """An ASGI application around another, which sees the client and not the proxy."""

    def __init__(self, app: App, networks: Iterable[Network]) -> None:
        self._app = app
        self._networks = tuple(networks)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope.get("client") and self._networks:
            peer, port = scope["client"]
            headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
            client = client_of(peer, headers.get("x-forwarded-for", ""), self._networks)
            scheme = scheme_of(peer, scope["scheme"], headers, self._networks)
            scope = {**scope, "client": (client, port), "scheme": scheme}
        await self._app(scope, receive, send)
