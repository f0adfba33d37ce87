"""Login, logout and the current user."""

import math
import sqlite3
import time
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import JSONBody

from jph.gateway.accounts import sessions, users
from jph.gateway.accounts.passwords import LONGEST
from jph.gateway.accounts.roles import needs_login
from jph.gateway.accounts.throttle import LoginThrottle, place_of
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest, address_of, set_cookie

_MAX_AGE_S: Final = sessions.LONGEST_MS // 1000
WRONG: Final = "wrong name or password"

Name = Annotated[str, msgspec.Meta(max_length=users.LONGEST_NAME)]
Password = Annotated[str, msgspec.Meta(max_length=LONGEST)]


class Credentials(msgspec.Struct, frozen=True):
    """A name and a password."""

    name: Name
    password: Password


class PasswordAgain(msgspec.Struct, frozen=True):
    """The password of the current user."""

    password: Password


class Me(msgspec.Struct, frozen=True):
    """Who is asking: `name` is empty for who is not logged in."""

    name: str
    role: str


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return login, logout and who I am."""
    accounts, throttle = services.accounts, LoginThrottle()

    @post("/api/login", status_code=200, summary="Log in")
    async def login(request: WebRequest, data: JSONBody[Credentials]) -> Response[Me]:
        """Begin a session, which the cookie of the answer stands for."""
        account = await _checked(services, throttle, request, data)
        if request.auth.session is not None:
            await accounts.run(sessions.end, request.auth.session.id, request.user.id)
        agent = request.headers.get("user-agent", "")
        begun = await accounts.run(_begin, account, address_of(request), agent, accounts.now_ms())
        if begun is None:
            raise HTTPException(WRONG, status_code=401)
        secret, session = begun
        services.confirmations.note(session.id, time.monotonic())
        answer = Response(Me(account.name, account.role.word))
        set_cookie(request, answer, secret, _MAX_AGE_S)
        return answer

    @post("/api/logout", status_code=200, summary="Log out")
    async def logout(request: WebRequest) -> Response[Me]:
        """End the session of this browser."""
        session = request.auth.session
        if session is not None:
            await accounts.run(sessions.end, session.id, session.user.id)
        answer = Response(Me("", ""))
        set_cookie(request, answer, "", 0)
        return answer

    @post("/api/confirm", status_code=200, guards=[needs_login], summary="Enter the password again")
    async def confirm(request: WebRequest, data: JSONBody[PasswordAgain]) -> Me:
        """Allow changes of accounts in this session for five minutes."""
        credentials = Credentials(request.user.name, data.password)
        account = await _checked(services, throttle, request, credentials)
        if account.id == request.user.id and request.auth.session is not None:
            services.confirmations.note(request.auth.session.id, time.monotonic())
        return Me(request.user.name, request.user.role.word)

    @get("/api/me", sync_to_thread=False, summary="Who I am")
    def me(request: WebRequest) -> Me:
        return Me(request.user.name, request.user.role.word)

    return [login, logout, confirm, me]


def _begin(
    file: sqlite3.Connection, account: users.Account, address: str, agent: str, now_ms: int
) -> tuple[str, sessions.Session] | None:
    """Begin a session, None if the account has changed while its password was looked at."""
    if users.find(file, account.name) != account:
        return None
    return sessions.begin(file, account.user, address, agent, now_ms)


async def _checked(
    services: Services, throttle: LoginThrottle, request: WebRequest, credentials: Credentials
) -> users.Account:
    """Return the account of who shows its password; who does not waits longer each time."""
    accounts, name, address = services.accounts, credentials.name, address_of(request)
    wait_s = throttle.enter(address, name, time.monotonic())
    if wait_s > 0:
        raise HTTPException(
            "too many attempts; wait a little",
            status_code=429,
            headers={"retry-after": str(math.ceil(wait_s))},
        )
    account = await accounts.run(users.find, name)
    kept = account.password if account else None
    if (
        not await accounts.passwords.matches(kept, credentials.password, place_of(address))
        or account is None
    ):
        # An unknown name may be a password in the wrong field: it is stored nowhere.
        who = account.name if account else "an unknown name"
        services.audit(request, f"login as {who}", "refused")
        raise HTTPException(WRONG, status_code=401)
    throttle.right(address, name)
    services.audit(request, f"login as {account.name}", "done")
    return account


def _page(services: Services) -> list[Any]:
    """Return the page."""

    @get("/login", include_in_schema=False, sync_to_thread=False)
    def login(request: WebRequest) -> Response[str]:
        return services.shell.page(request, "login.html", target=safe_target(request))

    return [login]


def safe_target(request: WebRequest) -> str:
    """Return where to go after the login: a path of ours, whatever the address says."""
    target = request.query_params.get("next", "/")
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if plain and target.isprintable() else "/"
