"""The doors of the gateway: who may ask, and what every answer says to the browser.

The browser itself must not become somebody else's hand: a page of another site must neither send
a command (cross-site POST) nor read the board through a name that it points at this machine (DNS
rebinding). Who is asking is found out behind it (`security/entry.py`).
"""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

_SECURE: Final = {"strict-transport-security": "max-age=31536000"}
"""Who has come by TLS once comes by TLS for a year."""

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Refusal(NamedTuple):
    """Why a request is not answered."""

    status: int
    reason: str


def known_hosts(extra: Iterable[str] = ()) -> frozenset[str]:
    """Return the names by which this machine may be called, besides addresses."""
    own = socket.gethostname().casefold()
    names = {"localhost", own, f"{own.split('.')[0]}.local", *(name.casefold() for name in extra)}
    return frozenset(names - {"", ".local"})


def refusal(method: str, headers: Mapping[str, str], hosts: Collection[str]) -> Refusal | None:
    """Return why a request is refused, None if it may pass. Header names are lower case."""
    host = headers.get("host", "")
    if not _known(host, hosts):
        reason = "this name is not mine; add it to Hosts in the gateway's settings"
        return Refusal(421, reason)
    if method in SAFE_METHODS:
        return None
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return Refusal(403, "commands are taken from this gateway's own page only")
    origin = headers.get("origin")
    if origin is not None and _place(origin) != host.casefold():
        return Refusal(403, "commands are taken from this gateway's own page only")
    return None


def _place(origin: str) -> str | None:
    """Return host and port of an `Origin` header, None if it is none."""
    try:
        return urlsplit(origin).netloc.casefold()
    except ValueError:
        return None


def _known(host: str, hosts: Collection[str]) -> bool:
    """Whether a `Host` header is an address or a name of ours."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    if name in hosts:
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Guard:
    """An ASGI application around another: refuses, and puts the headers on whatever leaves."""

    def __init__(self, app: App, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add_headers(message, secure=scope["scheme"] == "https")
            await send(message)

        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        refused = refusal(scope["method"], headers, self._hosts)
        if refused is None:
            await self._app(scope, receive, with_headers)
        else:
            await refuse(refused, with_headers)


def _add_headers(message: Message, *, secure: bool) -> None:
    present = {name.lower() for name, _ in message.get("headers", [])}
    defaults = {**HEADERS, "cache-control": "no-store"} | (_SECURE if secure else {})
    added = [(k.encode(), v.encode()) for k, v in defaults.items() if k.encode() not in present]
    message["headers"] = [*message.get("headers", []), *added]


async def refuse(refused: Refusal, send: Send) -> None:
    """Answer with a refusal and nothing else; what the client still sends is not read."""
    body = msgspec.json.encode({"error": refused.reason})
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
