"""The account of the current user: page, password, sessions, tokens."""

import sqlite3
import time
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, delete, get, post
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody

from jph.gateway.accounts import sessions, tokens, users
from jph.gateway.accounts.passwords import SHORTEST
from jph.gateway.accounts.roles import GIVEN, Role, needs_login, needs_password
from jph.gateway.accounts.sessions import Session
from jph.gateway.accounts.throttle import LoginThrottle
from jph.gateway.accounts.tokens import Token
from jph.gateway.accounts.users import UserError
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest, address_of
from jph.gateway.subjects.login import WRONG, Password

_OWN: Final = [needs_login]

RoleWord = Annotated[str, msgspec.Meta(pattern="^(viewer|operator|admin)$")]


class NewPassword(msgspec.Struct, frozen=True):
    """The password until now, and the one from now on."""

    old: Password
    new: Password


class SessionInfo(msgspec.Struct, frozen=True):
    """A login; times in ms since 1970 UTC. `this` is the one that asks."""

    id: int
    created: int
    seen: int
    address: str
    agent: str
    this: bool


class NewToken(msgspec.Struct, frozen=True):
    """What a token is for, what it may do, and after how many days it ends (never: null)."""

    name: Annotated[str, msgspec.Meta(max_length=tokens.LONGEST_NAME)]
    role: RoleWord = "viewer"
    days: Annotated[float, msgspec.Meta(gt=0, le=tokens.LONGEST_DAYS)] | None = None


class TokenInfo(msgspec.Struct, frozen=True):
    """A token; times in ms since 1970 UTC. `secret` is there only when it has just been made."""

    id: int
    name: str
    role: str
    created: int
    expires: int | None
    seen: int | None
    secret: str | None = None


class Done(msgspec.Struct, frozen=True):
    """It has been done."""

    done: bool = True


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [_page(services), _password(services), *_sessions(services), *_tokens(services)]


def _page(services: Services) -> Any:  # noqa: ANN401 - Litestar's handlers
    @get("/account", include_in_schema=False, sync_to_thread=False, guards=_OWN)
    def account(request: WebRequest) -> Response[str]:
        mine = [role.word for role in GIVEN if role <= request.user.role]
        return services.shell.page(request, "account.html", roles=mine, shortest=SHORTEST)

    return account


def _password(services: Services) -> Any:  # noqa: ANN401 - Litestar's handlers
    accounts, throttle = services.accounts, LoginThrottle()

    @post("/api/password", status_code=200, guards=_OWN, summary="Change my password")
    async def password(request: WebRequest, data: JSONBody[NewPassword]) -> Done:
        """Every other session and every token of mine ends."""
        if throttle.enter(address_of(request), request.user.name, time.monotonic()) > 0:
            raise HTTPException("too many attempts; wait a little", status_code=429)
        account = await accounts.run(users.get, request.user.id)
        if not await accounts.passwords.matches(account.password, data.old):
            services.audit(request, "change of the own password", "refused")
            raise HTTPException(WRONG, status_code=403)
        throttle.right(address_of(request), request.user.name)
        kept = await accounts.passwords.hash_of(data.new)
        keep = request.auth.session.id if request.auth.session else 0
        await accounts.run(users.set_password, account.id, kept, keep)
        services.audit(request, "change of the own password", "done")
        return Done()

    return password


def _sessions(services: Services) -> list[Any]:
    accounts = services.accounts

    @get("/api/sessions", guards=_OWN, summary="My sessions")
    async def listed(request: WebRequest) -> list[SessionInfo]:
        found = await accounts.run(sessions.listed, request.user.id, accounts.now_ms())
        return [session_info(each, request.auth.session) for each in found]

    @delete("/api/sessions/{session_id:int}", status_code=200, guards=_OWN, summary="End a session")
    async def end(request: WebRequest, session_id: FromPath[int]) -> Done:
        if not await accounts.run(sessions.end, bounded(session_id), request.user.id):
            raise HTTPException("you have no such session", status_code=404)
        services.audit(request, f"end of session {session_id}", "done")
        return Done()

    return [listed, end]


def _tokens(services: Services) -> list[Any]:
    accounts = services.accounts

    @get("/api/tokens", guards=_OWN, summary="My tokens")
    async def listed(request: WebRequest) -> list[TokenInfo]:
        return [_token(each) for each in await accounts.run(tokens.listed, request.user.id)]

    @post("/api/tokens", guards=[needs_password(services.confirmations)], summary="Make a token")
    async def make(request: WebRequest, data: JSONBody[NewToken]) -> TokenInfo:
        """The secret is in this answer only."""
        role, now_ms, session = Role.of(data.role), accounts.now_ms(), request.auth.session

        def add(file: sqlite3.Connection) -> tuple[str, Token]:
            if session is None or not sessions.exists(file, session.id, now_ms):
                raise UserError("this session has ended")  # since the request came
            return tokens.add(file, request.user, data.name, role, data.days, now_ms)

        secret, token = await accounts.run(add)
        services.audit(request, f"new token {token.name} as {role.word}", "done")
        return _token(token, secret)

    @delete("/api/tokens/{token_id:int}", status_code=200, guards=_OWN, summary="End a token")
    async def end(request: WebRequest, token_id: FromPath[int]) -> Done:
        if not await accounts.run(tokens.end, bounded(token_id), request.user.id):
            raise HTTPException("you have no such token", status_code=404)
        services.audit(request, f"end of token {token_id}", "done")
        return Done()

    return [listed, make, end]


def session_info(session: Session, asking: Session | None) -> SessionInfo:
    """Return a session as the API shows it."""
    return SessionInfo(
        session.id,
        session.created_ms,
        session.seen_ms,
        session.address,
        session.agent,
        asking is not None and asking.id == session.id,
    )


def bounded(number: int) -> int:
    """Return an id that SQLite can be asked for; there is none of another."""
    return number if 0 <= number < 2**63 else 0


def _token(token: Token, secret: str | None = None) -> TokenInfo:
    return TokenInfo(
        token.id,
        token.name,
        token.role.word,
        token.created_ms,
        token.expires_ms,
        token.seen_ms,
        secret,
    )
