"""Roles, users, and the checks that handlers put before themselves (Litestar's guards)."""

import time
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jph.errors import JphError
from jph.gateway.accounts.confirmations import Confirmations

if TYPE_CHECKING:
    from litestar.connection import ASGIConnection


PASSWORD_AGAIN: Final = "enter your password again"


class Role(IntEnum):
    """Rights of a user; each role includes the rights of those before it.

    A viewer reads, an operator commands nodes and heaters, an admin keeps the accounts too.
    """

    NOBODY = 0
    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3

    @property
    def word(self) -> str:
        """The role as it is written everywhere."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Role":
        """Return the role of a word.

        Raises:
            JphError: there is no such role, or no account can have it.
        """
        for role in GIVEN:
            if role.word == word:
                return role
        raise JphError(f"no such role: {word}; known: {', '.join(r.word for r in GIVEN)}")


GIVEN: Final = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
"""The roles that an account can have."""


class User(NamedTuple):
    """The user of a request; `id` is 0 and `name` empty without a login.

    `role` is what this request may do: a token may be given less than its user has.
    """

    id: int = 0
    name: str = ""
    role: Role = Role.NOBODY

    @property
    def known(self) -> bool:
        """Whether this user has an account."""
        return self.id != 0


NOBODY: Final = User()
PUBLIC: Final = User(role=Role.VIEWER)
"""A client without a login, where the settings say `"Public": "read"`."""


def needs(role: Role) -> "Callable[[ASGIConnection[Any, Any, Any, Any], Any], None]":
    """Return a guard for handlers: `guards=[needs(Role.OPERATOR)]`.

    It answers 401 without a login, and 403 if the user does not have the role.
    """

    def guard(connection: "ASGIConnection[Any, Any, Any, Any]", _: object) -> None:
        from litestar.exceptions import NotAuthorizedException, PermissionDeniedException

        user: User = connection.scope.get("user") or NOBODY
        if user.role >= role:
            return
        if not user.known:
            raise NotAuthorizedException(f"log in as {role.word}")
        raise PermissionDeniedException(f"this needs the role {role.word}")

    return guard


def needs_password(
    confirmations: Confirmations, clock: Callable[[], float] = time.monotonic
) -> "Callable[[ASGIConnection[Any, Any, Any, Any], Any], None]":
    """Return a guard for changes of accounts: a session whose password was entered lately.

    A token cannot change accounts, and neither can a browser that was left logged in.
    """

    def guard(connection: "ASGIConnection[Any, Any, Any, Any]", route: object) -> None:
        from litestar.exceptions import PermissionDeniedException

        needs_login(connection, route)
        identity: Any = connection.scope.get("auth")
        if not confirmations.is_recent(identity.session.id, clock()):
            raise PermissionDeniedException(PASSWORD_AGAIN, headers={"x-needs": "password"})

    return guard


def needs_login(connection: "ASGIConnection[Any, Any, Any, Any]", _: object) -> None:
    """Let a session pass, and no token: a token that leaked cannot make others."""
    from litestar.exceptions import NotAuthorizedException

    identity: Any = connection.scope.get("auth")
    if identity is None or identity.session is None:
        raise NotAuthorizedException("log in; a token is not enough")
