"""The door behind the guard: who is asking, and whether a command is really theirs."""

import hmac
import secrets
from collections.abc import Collection
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from litestar.datastructures import Cookie

from jph.gateway.accounts import sessions, tokens
from jph.gateway.accounts.accounts import Accounts
from jph.gateway.accounts.database import AccountsError
from jph.gateway.accounts.roles import NOBODY, PUBLIC, Role, User
from jph.gateway.accounts.sessions import Session
from jph.gateway.accounts.tokens import Token
from jph.gateway.platform.guard import SAFE_METHODS, App, Receive, Refusal, Scope, Send, refuse

CSRF: Final = "x-csrf-token"
"""The header that a page sends with each command; a form of another site cannot."""
LOGIN: Final = "/login"
OPEN: Final = frozenset({LOGIN, "/api/login", "/healthz", "/favicon.ico"})
"""What may be asked for without a login, besides `/static/`."""
_PAD_BYTES: Final = 32


class Cookies:
    """The names and marks of our cookies: none leaves this site, none can be read by a script.

    A browser sends a host's cookies to all its ports: the name of each gateway's is its own.
    """

    def __init__(self, name: str, *, secure: bool) -> None:
        prefix = "__Host-" if secure else ""
        self.session = f"{prefix}{name}"
        self.visitor = f"{prefix}{name}-visitor"
        self._secure = secure

    def cookie(self, name: str, value: str, age_s: int | None = None) -> Cookie:
        """Return a cookie; without `age_s` it ends with the browser, at 0 it is forgotten."""
        return Cookie(
            name,
            value=value,
            max_age=age_s,
            httponly=True,
            secure=self._secure,
            samesite="strict",
        )


class Identity(NamedTuple):
    """Who is asking, and by what: a session, a token, or neither; how cookies are named here.

    `csrf` is what a command of this browser has to bring; None if nothing need be, since a token
    is sent by no browser.
    """

    user: User
    cookies: Cookies
    session: Session | None = None
    csrf: str | None = None
    fresh_visitor: str = ""
    token: Token | None = None


class Entry:
    """An ASGI application around another: says who asks (`scope["user"]`, `scope["auth"]`).

    `cookie` is the name of the session's.
    """

    def __init__(self, app: App, accounts: Accounts, cookie: str, *, public: bool) -> None:
        self._app = app
        self._accounts = accounts
        self._cookie = cookie
        self._nobody = PUBLIC if public else NOBODY

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        named = Cookies(self._cookie, secure=scope["scheme"] == "https")
        try:
            identity = await self._identity(headers, named)
        except AccountsError:
            await refuse(Refusal(503, "the accounts cannot be read now"), send)
            return
        if identity is None:
            await refuse(Refusal(401, "this token is not valid (any more)"), send)
            return
        refused = _refusal(scope, headers, identity)
        if refused is not None and refused.status == 401 and _wants_page(scope, headers):
            await _to_login(scope, send)
        elif refused is not None:
            await refuse(refused, send)
        else:
            scope["user"], scope["auth"] = identity.user, identity
            await self._app(scope, receive, send)

    async def _identity(self, headers: dict[str, str], named: Cookies) -> Identity | None:
        """Return who is asking; None if they show what is not valid."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":  # another kind is between the browser and a proxy
            return await self._bearer(secret.strip(), named)
        cookies = _cookies_in(headers.get("cookie", ""))
        secret = cookies.get(named.session, "")
        if secret:
            now_ms = self._accounts.now_ms()
            session = await self._accounts.run(sessions.find, secret, now_ms)
            if session is not None:
                return Identity(session.user, named, session, sessions.csrf_of(secret))
        visitor = cookies.get(named.visitor, "")
        fresh = "" if visitor else secrets.token_urlsafe(16)
        csrf = sessions.csrf_of(visitor or fresh)
        return Identity(self._nobody, named, None, csrf, fresh)

    async def _bearer(self, secret: str, named: Cookies) -> Identity | None:
        token = await self._accounts.run(tokens.find, secret, self._accounts.now_ms())
        return Identity(token.user, named, token=token) if token else None


async def still_valid(accounts: Accounts, identity: Identity) -> bool:
    """Whether what somebody has shown is good still; what needs no login always is."""
    now_ms = accounts.now_ms()
    if identity.session is not None:
        return await accounts.run(sessions.exists, identity.session.id, now_ms)
    if identity.token is not None:
        return await accounts.run(tokens.exists, identity.token.id, now_ms)
    return True


def masked(token: str) -> str:
    """Return a CSRF token as a page may carry it: another text each time.

    A compressed page of which an attacker knows the length tells nothing of it then.
    """
    pad = secrets.token_bytes(_PAD_BYTES)
    hidden = bytes(a ^ b for a, b in zip(bytes.fromhex(token), pad, strict=True))
    return (pad + hidden).hex()


def unmasked(text: str) -> str:
    """Return the token behind a masked one, "" if it is none."""
    try:
        both = bytes.fromhex(text)
    except ValueError:
        return ""
    pad, hidden = both[:_PAD_BYTES], both[_PAD_BYTES:]
    return bytes(a ^ b for a, b in zip(hidden, pad, strict=False)).hex()


def is_open(path: str, paths: Collection[str] = OPEN) -> bool:
    """Whether a path may be asked for by anybody."""
    return path in paths or path.startswith("/static/")


def _refusal(scope: Scope, headers: dict[str, str], identity: Identity) -> Refusal | None:
    opened = is_open(scope["path"])
    if identity.user.role < Role.VIEWER and not opened:
        return Refusal(401, "log in")
    if scope["method"] in SAFE_METHODS or identity.csrf is None:
        return None
    if not identity.user.known and not opened:
        return Refusal(401, "log in")
    if not hmac.compare_digest(unmasked(headers.get(CSRF, "")), identity.csrf):
        return Refusal(403, f"a command needs the header {CSRF} of its page; load the page again")
    return None


def _wants_page(scope: Scope, headers: dict[str, str]) -> bool:
    return scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")


def login_for(path: str, query: bytes) -> str:
    """Return the address of the login that leads back to a page."""
    target = path + ("?" + query.decode("latin-1")).rstrip("?")
    return LOGIN if target == "/" else f"{LOGIN}?next={quote(target, safe='')}"


async def _to_login(scope: Scope, send: Send) -> None:
    where = login_for(scope["path"], scope["query_string"])
    headers: list[Any] = [(b"location", where.encode("ascii")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _cookies_in(text: str) -> dict[str, str]:
    """Return the cookies of a header.

    Those of other programs on this host may look like anything; the standard library's reader
    leaves out ours too then.
    """
    pairs = (pair.partition("=") for pair in text.split(";"))
    return {name.strip(): value.strip().strip('"') for name, _, value in pairs}
