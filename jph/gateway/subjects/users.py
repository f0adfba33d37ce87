"""All accounts and the audit: page and API for admins."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from jph.gateway.accounts import audit, sessions, users
from jph.gateway.accounts.passwords import SHORTEST
from jph.gateway.accounts.roles import GIVEN, Role, needs, needs_password
from jph.gateway.accounts.users import Account
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import WebRequest
from jph.gateway.subjects.account import Done, RoleWord, SessionInfo, bounded, session_info
from jph.gateway.subjects.login import Name, Password

_ADMIN: Final = [needs(Role.ADMIN)]
_ROLES: Final = [role.word for role in GIVEN]
MOST_LINES: Final = 1000


class NewUser(msgspec.Struct, frozen=True):
    """An account to be made."""

    name: Name
    role: RoleWord
    password: Password


class UserChange(msgspec.Struct, frozen=True):
    """What to change of an account; null leaves as it is."""

    role: RoleWord | None = None
    password: Password | None = None


class UserInfo(msgspec.Struct, frozen=True):
    """An account; `created` in ms since 1970 UTC."""

    id: int
    name: str
    role: str
    created: int


class AuditLine(msgspec.Struct, frozen=True):
    """A command; `at` in ms since 1970 UTC."""

    id: int
    at: int
    who: str
    address: str
    what: str
    answer: str


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [_page(services), *_lists(services), *_changes(services), *_sessions(services)]


def _page(services: Services) -> Any:  # noqa: ANN401 - Litestar's handlers
    @get("/users", include_in_schema=False, sync_to_thread=False, guards=_ADMIN)
    def page(request: WebRequest) -> Response[str]:
        return services.shell.page(request, "users.html", roles=_ROLES, shortest=SHORTEST)

    return page


def _lists(services: Services) -> list[Any]:
    accounts = services.accounts

    @get("/api/users", guards=_ADMIN, summary="All accounts")
    async def listed() -> list[UserInfo]:
        return [_info(account) for account in await accounts.run(users.listed)]

    @get("/api/users/{user_id:int}/sessions", guards=_ADMIN, summary="A user's sessions")
    async def of_user(request: WebRequest, user_id: FromPath[int]) -> list[SessionInfo]:
        now_ms = accounts.now_ms()
        found = await accounts.run(sessions.listed, bounded(user_id), now_ms)
        return [session_info(each, request.auth.session) for each in found]

    @get("/api/audit", guards=_ADMIN, summary="Who commanded what")
    async def lines(
        before: FromQuery[int | None] = None,
        most: Annotated[int, QueryParameter(ge=1, le=MOST_LINES)] = 100,
    ) -> list[AuditLine]:
        """The newest first; ask for older ones with `before` an id."""
        start = None if before is None else max(0, min(before, 2**62))
        return [AuditLine(*each) for each in await accounts.run(audit.listed, start, most)]

    return [listed, of_user, lines]


def _changes(services: Services) -> list[Any]:
    accounts = services.accounts
    guards = [*_ADMIN, needs_password(services.confirmations)]

    @post("/api/users", guards=guards, summary="Make an account")
    async def add(request: WebRequest, data: JSONBody[NewUser]) -> UserInfo:
        role, name = Role.of(data.role), users.checked_name(data.name)
        kept = await accounts.passwords.hash_of(data.password)
        account = await accounts.run(users.add, name, role, kept, accounts.now_ms())
        services.audit(request, f"new user {account.name} as {role.word}", "done")
        return _info(account)

    @patch("/api/users/{user_id:int}", guards=guards, summary="Change an account")
    async def change(
        request: WebRequest, user_id: FromPath[int], data: JSONBody[UserChange]
    ) -> UserInfo:
        """A new password ends the user's sessions and tokens."""
        account = await accounts.run(users.get, bounded(user_id))
        # First what may be refused: a change is made whole or not at all.
        kept = None if data.password is None else await accounts.passwords.hash_of(data.password)
        if data.role is not None:
            await accounts.run(users.set_role, account.id, Role.of(data.role))
            services.audit(request, f"{account.name} becomes {data.role}", "done")
        if kept is not None:
            await accounts.run(users.set_password, account.id, kept)
            services.audit(request, f"new password of {account.name}", "done")
        return _info(await accounts.run(users.get, account.id))

    @delete("/api/users/{user_id:int}", status_code=200, guards=guards, summary="Remove a user")
    async def remove(request: WebRequest, user_id: FromPath[int]) -> Done:
        account = await accounts.run(users.get, bounded(user_id))
        await accounts.run(users.remove, account.id)
        services.audit(request, f"removal of {account.name}", "done")
        return Done()

    return [add, change, remove]


def _sessions(services: Services) -> list[Any]:
    accounts = services.accounts
    guards = [*_ADMIN, needs_password(services.confirmations)]

    @delete(
        "/api/users/{user_id:int}/sessions",
        status_code=200,
        guards=guards,
        summary="End a user's sessions",
    )
    async def log_out(request: WebRequest, user_id: FromPath[int]) -> Done:
        account = await accounts.run(users.get, bounded(user_id))
        count = await accounts.run(sessions.end_all, account.id)
        services.audit(request, f"end of all sessions of {account.name}", f"{count} ended")
        return Done()

    return [log_out]


def _info(account: Account) -> UserInfo:
    return UserInfo(account.id, account.name, account.role.word, account.created_ms)
