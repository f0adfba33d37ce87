"""Authentication of requests: by session cookie, by token, or not at all."""

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
from jph.gateway.platform.forwarded import place_in
from jph.gateway.platform.protection import (
    SAFE_METHODS,
    App,
    Receive,
    Refusal,
    Scope,
    Send,
    cookies_in,
    refuse,
)

_SECURE_PREFIX: Final = "__Host-"
LOGIN: Final = "/login"
OPEN: Final = frozenset({LOGIN, "/api/login", "/healthz", "/favicon.ico"})
"""Paths that need no login, besides `/static/`."""


class SessionCookie:
    """Name and attributes of the session cookie. No script can read it.

    SameSite=Lax: a link in a message opens the page logged in, and a form of another site does not
    carry the cookie. A browser sends a host's cookies to all its ports, so each gateway has a name
    of its own.
    """

    def __init__(self, name: str, *, secure: bool) -> None:
        self.name = f"{_SECURE_PREFIX}{name}" if secure else name
        self._secure = secure

    def with_secret(self, secret: str, age_s: int) -> Cookie:
        """Return the cookie; with an `age_s` of 0 the browser deletes it."""
        return Cookie(
            self.name,
            value=secret,
            max_age=age_s,
            httponly=True,
            secure=self._secure,
            samesite="lax",
        )


def cookie_names(name: str) -> tuple[str, str]:
    """Return the names of the session cookie over HTTP and over HTTPS."""
    return name, f"{_SECURE_PREFIX}{name}"


class Identity(NamedTuple):
    """The user of a request, by session, by token, or by neither."""

    user: User
    cookie: SessionCookie
    session: Session | None = None
    token: Token | None = None


class Authentication:
    """An ASGI application around another: sets `scope["user"]` and `scope["auth"]`.

    `cookie` is the name of the session cookie. `public` lets any client read.
    """

    def __init__(self, app: App, accounts: Accounts, cookie: str, *, public: bool) -> None:
        self._app = app
        self._accounts = accounts
        self._cookie = cookie
        self.public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        cookie = SessionCookie(self._cookie, secure=scope["scheme"] == "https")
        try:
            identity = await self._identity(headers, cookie)
        except AccountsError:
            await refuse(Refusal(503, "the accounts cannot be read now"), send)
            return
        if identity is None:
            await refuse(Refusal(401, "this token is not valid (any more)"), send)
            return
        refused = _refusal(scope, identity)
        if refused is not None and refused.status == 401 and _wants_page(scope, headers):
            await _to_login(scope, send)
        elif refused is not None:
            await refuse(refused, send)
        else:
            scope["user"], scope["auth"] = identity.user, identity
            await self._app(scope, receive, send)

    async def may_read(self, scope: Scope) -> bool:
        """Whether the client of a WebSocket may read, by cookie, token or `public`."""
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        cookie = SessionCookie(self._cookie, secure=scope["scheme"] in ("https", "wss"))
        try:
            identity = await self._identity(headers, cookie)
        except AccountsError:
            return False
        return identity is not None and identity.user.role >= Role.VIEWER

    async def _identity(self, headers: dict[str, str], cookie: SessionCookie) -> Identity | None:
        """Return the user of a request; None if its token is not valid."""
        kind, _, secret = headers.get("authorization", "").partition(" ")
        now_ms = self._accounts.now_ms()
        if kind.lower() == "bearer":  # another kind is between the browser and a proxy
            token = await self._accounts.run(tokens.find, secret.strip(), now_ms)
            return Identity(token.user, cookie, token=token) if token else None
        secret = cookies_in(headers.get("cookie", "")).get(cookie.name, "")
        if secret:
            session = await self._accounts.run(sessions.find, secret, now_ms)
            if session is not None:
                return Identity(session.user, cookie, session)
        return Identity(PUBLIC if self.public else NOBODY, cookie)


async def still_valid(accounts: Accounts, identity: Identity, *, public: bool) -> bool:
    """Whether a session or token has not ended; without either, whether any client may read."""
    now_ms = accounts.now_ms()
    if identity.session is not None:
        return await accounts.run(sessions.exists, identity.session.id, now_ms)
    if identity.token is not None:
        return await accounts.run(tokens.exists, identity.token.id, now_ms)
    return public


def is_open(path: str, paths: Collection[str] = OPEN) -> bool:
    """Whether a path needs no login."""
    return path in paths or path.startswith("/static/")


def _refusal(scope: Scope, identity: Identity) -> Refusal | None:
    if is_open(scope["path"]):
        return None
    may_read = identity.user.role >= Role.VIEWER
    if not may_read or (scope["method"] not in SAFE_METHODS and not identity.user.known):
        return Refusal(401, "log in")
    return None


def _wants_page(scope: Scope, headers: dict[str, str]) -> bool:
    return scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")


def login_for(scope: Scope) -> str:
    """Return the address of the login that leads back to the page of a request."""
    target = scope["path"] + ("?" + scope["query_string"].decode("latin-1")).rstrip("?")
    login = f"{place_in(scope).prefix}{LOGIN}"
    return login if target == "/" else f"{login}?next={quote(target, safe='')}"


async def _to_login(scope: Scope, send: Send) -> None:
    where = login_for(scope)
    headers: list[Any] = [(b"location", where.encode("ascii")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
