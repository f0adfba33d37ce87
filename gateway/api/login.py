"""Logging in and out."""

from typing import Any, Final

import msgspec
from litestar import Response, get, post
from litestar.exceptions import HTTPException
from litestar.params import JSONBody

from gateway.parts import Parts
from gateway.security import sessions, users
from gateway.security.passwords import TooManyLogins
from gateway.shell import WebRequest

_MAX_AGE_S: Final = sessions.LONGEST_MS // 1000


class Credentials(msgspec.Struct, frozen=True):
    """A name and a password."""

    name: str
    password: str


class Me(msgspec.Struct, frozen=True):
    """Who is asking: `name` is empty for who is not logged in."""

    name: str
    role: str


def handlers(parts: Parts) -> list[Any]:
    """Return login, logout and who I am."""
    accounts = parts.accounts

    @post("/api/login", status_code=200)
    async def login(request: WebRequest, data: JSONBody[Credentials]) -> Response[Me]:
        account = await accounts.run(users.find, data.name)
        try:
            right = await accounts.passwords.matches(account and account.password, data.password)
        except TooManyLogins as error:
            raise HTTPException(str(error), status_code=429) from error
        if account is None or not right:
            parts.audit(request, f"login as {data.name}", "refused")
            raise HTTPException("wrong name or password", status_code=401)
        address = request.client.host if request.client else ""
        agent = request.headers.get("user-agent", "")
        secret, _ = await accounts.run(
            sessions.begin, account.user, address, agent, accounts.now_ms()
        )
        parts.audit(request, f"login as {account.name}", "done")
        cookies = request.scope["cookies"]  # type: ignore[typeddict-item]
        cookie = cookies.cookie(cookies.session, secret, _MAX_AGE_S)
        return Response(Me(account.name, account.role.word), cookies=[cookie])

    @post("/api/logout", status_code=200)
    async def logout(request: WebRequest) -> Response[Me]:
        session = request.auth.session
        if session is not None:
            await accounts.run(sessions.end, session.id, session.user.id)
        cookies = request.scope["cookies"]  # type: ignore[typeddict-item]
        return Response(Me("", ""), cookies=[cookies.cookie(cookies.session, "", 0)])

    @get("/api/me", sync_to_thread=False)
    def me(request: WebRequest) -> Me:
        return Me(request.user.name, request.user.role.word)

    return [login, logout, me]
