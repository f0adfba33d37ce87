"""Protection against CSRF and DNS rebinding, and the security headers of every response.

A browser is refused if it calls us by a name that is not ours (DNS rebinding), or if it carries a
request that changes something from a page of another site (CSRF): `Sec-Fetch-Site` and `Origin` say
where a request comes from, and no page can forge them. The session cookie is SameSite=Lax besides.
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
"""A browser that came by TLS once uses TLS for a year."""
_ELSEWHERE: Final = "commands are taken from this gateway's own page only"

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Refusal(NamedTuple):
    """Status and reason of a request that is refused."""

    status: int
    reason: str


def known_hosts(extra: Iterable[str] = ()) -> frozenset[str]:
    """Return the names by which this machine may be called, besides addresses."""
    own = socket.gethostname().casefold()
    names = {"localhost", own, f"{own.split('.')[0]}.local", *(name.casefold() for name in extra)}
    return frozenset(names - {"", ".local"})


def refusal(
    method: str,
    headers: Mapping[str, str],
    hosts: Collection[str],
    *,
    with_session: bool = False,
    any_port: bool = False,
) -> Refusal | None:
    """Return why a request is refused, None if it may pass. Header names are lower case.

    `with_session` is whether it carries our session cookie, `any_port` whether the port that the
    browser used is not known.
    """
    host = headers.get("host", "")
    if not _known(host, hosts):
        reason = "this name is not mine; add it to Hosts in the gateway's settings"
        return Refusal(421, reason)
    if method in SAFE_METHODS:
        return None
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return None if site == "same-origin" else Refusal(403, _ELSEWHERE)
    if origin is not None:
        same = _same_place(origin, host, any_port=any_port)
        return None if same else Refusal(403, _ELSEWHERE)
    if with_session:
        reason = "a command with a session needs the header Sec-Fetch-Site or Origin"
        return Refusal(403, reason)
    return None


def _same_place(origin: str, host: str, *, any_port: bool) -> bool:
    """Whether an `Origin` header names the host and port of a `Host` header."""
    try:
        found = urlsplit(origin)
        if any_port:
            return found.hostname is not None and found.hostname == urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    return found.netloc.casefold() == host.casefold()


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


class Protection:
    """An ASGI application around another: refuses requests, and adds the security headers.

    `cookies` are the names that our session cookie may have.
    """

    def __init__(self, app: App, hosts: Collection[str], cookies: Collection[str]) -> None:
        self._app = app
        self._hosts = hosts
        self._cookies = frozenset(cookies)

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
        place = scope.get("place")
        refused = refusal(
            scope["method"],
            headers,
            self._hosts,
            with_session=not self._cookies.isdisjoint(cookies_in(headers.get("cookie", ""))),
            any_port=bool(place and place.any_port),
        )
        if refused is None:
            await self._app(scope, receive, with_headers)
        else:
            await refuse(refused, with_headers)


def cookies_in(text: str) -> dict[str, str]:
    """Return the cookies of a header.

    Cookies of other programs on this host may have any form. The standard library's parser stops
    at the first one that it cannot read, and loses ours.
    """
    pairs = (pair.partition("=") for pair in text.split(";"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}


def _add_headers(message: Message, *, secure: bool) -> None:
    present = {name.lower() for name, _ in message.get("headers", [])}
    defaults = {**HEADERS, "cache-control": "no-store"} | (_SECURE if secure else {})
    added = [(k.encode(), v.encode()) for k, v in defaults.items() if k.encode() not in present]
    message["headers"] = [*message.get("headers", []), *added]


async def refuse(refused: Refusal, send: Send) -> None:
    """Send a refusal. The rest of the request is not read."""
    body = msgspec.json.encode({"error": refused.reason})
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if refused.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
