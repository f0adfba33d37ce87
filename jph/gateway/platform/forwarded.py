"""Forwarded host, port and path prefix, from the reverse proxies that the config names.

uvicorn's `ProxyHeadersMiddleware` replaces the client and the scheme. This module adds what uvicorn
leaves out: the host and port that the browser used, and the path below which a proxy serves us.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from jph.errors import ConfigError
from jph.gateway.platform.protection import App, Receive, Scope, Send

UNIX: Final = "unix"
"""Client address of a connection through the Unix socket; only its group can connect."""
_PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}

ProxyNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class Place(NamedTuple):
    """Where browsers find the gateway: below `prefix`; `any_port`: at a port that is not known."""

    prefix: str = ""
    any_port: bool = False


def networks_of(proxies: Iterable[str]) -> tuple[ProxyNetwork, ...]:
    """Return the networks of a list of addresses and networks, as 127.0.0.1 or 10.0.0.0/24.

    An IPv4 network comes with its IPv6-mapped form, which a dual-stack socket reports.

    Raises:
        ConfigError: one is neither.
    """
    found: list[ProxyNetwork] = []
    for text in proxies:
        try:
            network = ipaddress.ip_network(text.strip(), strict=False)
        except ValueError as error:
            message = f"Proxies has {text!r}: expected addresses or networks, as 10.0.0.0/24"
            raise ConfigError(message) from error
        found.append(network)
        if isinstance(network, ipaddress.IPv4Network):
            first = ipaddress.IPv6Address(f"::ffff:{network.network_address}")
            found.append(ipaddress.ip_network((int(first), 96 + network.prefixlen)))
    return tuple(found)


def is_trusted(address: str, networks: Iterable[ProxyNetwork]) -> bool:
    """Whether a peer is one of the proxies."""
    if address == UNIX:
        return True
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return any(found in network for network in networks)


def prefix_of(text: str) -> str:
    """Return a path prefix without its last slash, as `/jph`.

    Raises:
        ConfigError: it is no path.
    """
    prefix = text.strip().rstrip("/")
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(f"Prefix is {text!r}: expected a path, as /jph")
    return prefix


def host_of(headers: Mapping[str, str], scheme: str) -> str:
    """Return host and port that the browser used, as a trusted proxy reports them."""
    told = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    host = told if _HOST.fullmatch(told) else headers.get("host", "")
    port = headers.get("x-forwarded-port", "").partition(",")[0].strip()
    if has_port(host) or not port.isdecimal() or port == _DEFAULT_PORTS.get(scheme):
        return host
    return f"{host}:{port}"


def has_port(host: str) -> bool:
    """Whether a `Host` header names a port."""
    return ":" in host.rpartition("]")[2]


def behind_proxies(app: App, networks: Iterable[ProxyNetwork], prefix: str = "") -> App:
    """Return `app` as proxies of `networks` reach it; `prefix` is that of the settings."""
    trusted = tuple(networks)
    inner: App = ProxyHeadersMiddleware(app, [UNIX, *map(str, trusted)])
    return Forwarded(inner, trusted, prefix)


class Forwarded:
    """An ASGI application around another: sets its host header and `scope["place"]`."""

    def __init__(self, app: App, networks: Iterable[ProxyNetwork], prefix: str) -> None:
        self._app = app
        self._networks = tuple(networks)
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] in ("http", "websocket"):
            scope = self._placed(dict(scope))
        await self._app(scope, receive, send)

    def _placed(self, scope: Scope) -> Scope:
        place = Place(self._prefix)
        client = scope.get("client")
        peer = client[0] if client else ""
        if is_trusted(peer, self._networks):
            headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
            scheme = headers.get("x-forwarded-proto", "").strip() or scope["scheme"]
            host = host_of(headers, scheme)
            others = [(name, value) for name, value in scope["headers"] if name != b"host"]
            scope["headers"] = [(b"host", host.encode("latin-1")), *others]
            told_port = "x-forwarded-port" in headers or "x-forwarded-host" in headers
            place = Place(self._told_prefix(headers), not has_port(host) and not told_port)
        scope["place"] = place
        path = scope["path"]
        if place.prefix and (path == place.prefix or path.startswith(f"{place.prefix}/")):
            scope["path"] = path[len(place.prefix) :] or "/"
            scope["raw_path"] = scope["path"].encode()
        return scope

    def _told_prefix(self, headers: Mapping[str, str]) -> str:
        told = headers.get("x-forwarded-prefix", "").strip().rstrip("/")
        return told if told and _PREFIX.fullmatch(told) else self._prefix


def place_in(scope: Mapping[str, object]) -> Place:
    """Return the place of a request."""
    place = scope.get("place")
    return place if isinstance(place, Place) else Place()
