"""Passwords: argon2id, in threads, a few at a time."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from functools import cache
from typing import TYPE_CHECKING, Final

from jph.errors import JphError
from jph.extras import need
from jph.gateway.accounts.users import UserError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 8
LONGEST: Final = 256
"""Characters; a password of megabytes would be work for the server."""
AT_ONCE: Final = 2
MOST_WAITING: Final = 16
MOST_OF_ADDRESS: Final = 4
"""Logins of one address that wait at a time; the rest of `MOST_WAITING` is for others."""
_MEMORY_KIB: Final = 32 * 1024
_PASSES: Final = 3


class TooManyLogins(JphError):
    """More passwords are being looked at than the machine has time for."""


def check(password: str) -> str:
    """Return a password that may be one.

    Raises:
        UserError: it is too short or too long.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UserError(f"a password has {SHORTEST} to {LONGEST} characters")
    return password


def hash_of(password: str) -> str:
    """Return what is kept of a password. Takes tens of milliseconds and 32 MiB.

    Raises:
        UserError: it is too short or too long.
        JphError: argon2-cffi is not installed.
    """
    return _hasher().hash(check(password))


def matches(kept: str | None, password: str) -> bool:
    """Whether this is the password; takes as long when there is none (`kept` is None)."""
    from argon2.exceptions import Argon2Error, InvalidHashError

    try:
        right = _hasher().verify(kept or _hash_of_no_account(), password[:LONGEST])
    except (Argon2Error, InvalidHashError):
        return False
    return right and kept is not None


class Passwords:
    """Hashes and compares without keeping the loop from its work."""

    def __init__(self) -> None:
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting: Counter[str] = Counter()

    async def hash_of(self, password: str) -> str:
        """Return what is kept of a password, as the function of this name does."""
        check(password)
        async with self._turn():
            return await asyncio.to_thread(hash_of, password)

    async def matches(self, kept: str | None, password: str, place: str = "") -> bool:
        """Compare, as the function of this name does; `place` is where the login comes from."""
        async with self._turn(place):
            return await asyncio.to_thread(matches, kept, password)

    @contextlib.asynccontextmanager
    async def _turn(self, place: str = "") -> AsyncIterator[None]:
        """Wait for one of the few turns."""
        too_many = self._waiting.total() >= MOST_WAITING
        if too_many or (place and self._waiting[place] >= MOST_OF_ADDRESS):
            raise TooManyLogins("too many are logging in; try again soon")
        self._waiting[place] += 1
        try:
            async with self._room:
                yield
        finally:
            self._waiting[place] -= 1
            if not self._waiting[place]:
                del self._waiting[place]


@cache
def _hasher() -> "PasswordHasher":
    need("an account", "argon2")
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)


@cache
def _hash_of_no_account() -> str:
    """A hash that a password is compared with when there is no such user."""
    return _hasher().hash("no account has this password")
