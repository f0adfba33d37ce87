"""People with accounts, logged in without a password's work."""

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx

from jph.gateway.accounts import sessions, users
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from jph.node.node import now_ms
from tests.support import LIMIT_S

PASSWORD = "correct horse"
COOKIE = "jph-CF"


async def add(gateway: Gateway, name: str, role: Role, kept: str = "no hash") -> users.Account:
    """Make an account if there is none of this name."""
    assert gateway._accounts is not None
    accounts = gateway._accounts
    found = await accounts.run(users.find, name)
    if found is not None:
        return found
    return await accounts.run(users.add, name, role, kept, now_ms())


async def session_of(
    gateway: Gateway, role: Role, name: str = "", *, confirmed: bool = True
) -> str:
    """Return the secret of a new session of a user with a role; `confirmed` by the password."""
    assert gateway._accounts is not None
    account = await add(gateway, name or role.word, role)
    secret, session = await gateway._accounts.run(
        sessions.begin, account.user, "127.0.0.1", "test", now_ms()
    )
    if confirmed:
        gateway.confirmations.note(session.id, time.monotonic())
    return secret


@contextlib.asynccontextmanager
async def logged_in(
    gateway: Gateway, role: Role, name: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """Give an HTTP client that is logged in and says, as a browser does, where it comes from."""
    secret = await session_of(gateway, role, name)
    async with httpx.AsyncClient(
        base_url=gateway.url,
        timeout=LIMIT_S,
        cookies={COOKIE: secret},
        headers={"Origin": gateway.url},
    ) as client:
        yield client


async def cookie_of(gateway: Gateway, role: Role, name: str = "") -> Any:
    """Return a session's cookie for a browser's context: `context.add_cookies([…])`."""
    secret = await session_of(gateway, role, name)
    return {"name": COOKIE, "value": secret, "url": gateway.url, "sameSite": "Lax"}
