"""The users in the file of the accounts. Every function blocks: call it from a thread."""

import sqlite3
import unicodedata
from typing import Final, NamedTuple

from jph.errors import JphError
from jph.gateway.accounts.roles import Role, User

LONGEST_NAME: Final = 64


class UserError(JphError):
    """What was asked of an account cannot be done; the message is for people."""


class Account(NamedTuple):
    """A user as it is kept; `password` is a hash with its parameters."""

    id: int
    name: str
    role: Role
    password: str
    created_ms: int

    @property
    def user(self) -> User:
        """Who this is when they are logged in."""
        return User(self.id, self.name, self.role)


def normalized(name: str) -> str:
    """Return a name without what does not tell it from another: blanks around it, its encoding."""
    return unicodedata.normalize("NFC", name).strip()


def checked_name(name: str) -> str:
    """Return a name as it is kept.

    Raises:
        UserError: it is empty, too long, or holds what cannot be seen.
    """
    name = normalized(name)
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise UserError(f"a name has 1 to {LONGEST_NAME} visible characters")
    return name


def find(accounts: sqlite3.Connection, name: str) -> Account | None:
    """Return the account of a name; capitals do not matter."""
    row = accounts.execute("SELECT * FROM users WHERE name = ?", (normalized(name),)).fetchone()
    return _account(row) if row else None


def get(accounts: sqlite3.Connection, user_id: int) -> Account:
    """Return the account of an id.

    Raises:
        UserError: there is none.
    """
    row = accounts.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    if row is None:
        raise UserError("there is no such user")
    return _account(row)


def listed(accounts: sqlite3.Connection) -> list[Account]:
    """Return every account by name."""
    return [_account(row) for row in accounts.execute("SELECT * FROM users ORDER BY name")]


def add(
    accounts: sqlite3.Connection, name: str, role: Role, password_hash: str, now_ms: int
) -> Account:
    """Make an account.

    Raises:
        UserError: the name cannot be had.
    """
    name = checked_name(name)
    try:
        done = accounts.execute(
            "INSERT INTO users (name, role, password, created_ms) VALUES (?, ?, ?, ?)",
            (name, int(role), password_hash, now_ms),
        )
    except sqlite3.IntegrityError:
        raise UserError(f"there is a user {name} already") from None
    return Account(int(done.lastrowid or 0), name, role, password_hash, now_ms)


def set_password(
    accounts: sqlite3.Connection, user_id: int, password_hash: str, keep: int = 0
) -> None:
    """Change a password; every session but `keep` (an id) and every token ends."""
    accounts.execute("BEGIN IMMEDIATE")
    with accounts:
        accounts.execute("UPDATE users SET password = ? WHERE id = ?", (password_hash, user_id))
        accounts.execute("DELETE FROM sessions WHERE user = ? AND id != ?", (user_id, keep))
        accounts.execute("DELETE FROM tokens WHERE user = ?", (user_id,))


def set_role(accounts: sqlite3.Connection, user_id: int, role: Role) -> None:
    """Give a user another role.

    Raises:
        UserError: no admin would be left.
    """
    accounts.execute("BEGIN IMMEDIATE")
    with accounts:
        accounts.execute("UPDATE users SET role = ? WHERE id = ?", (int(role), user_id))
        _keep_an_admin(accounts)


def remove(accounts: sqlite3.Connection, user_id: int) -> None:
    """Remove a user with sessions, tokens and graphs.

    Raises:
        UserError: no admin would be left.
    """
    accounts.execute("BEGIN IMMEDIATE")
    with accounts:
        accounts.execute("DELETE FROM users WHERE id = ?", (user_id,))
        _keep_an_admin(accounts)


def any_admin(accounts: sqlite3.Connection) -> bool:
    """Whether there is an admin."""
    found = accounts.execute("SELECT 1 FROM users WHERE role = ?", (int(Role.ADMIN),)).fetchone()
    return found is not None


def _keep_an_admin(accounts: sqlite3.Connection) -> None:
    if not any_admin(accounts):
        raise UserError("there must be an admin: this is the last one")


def _account(row: sqlite3.Row) -> Account:
    return Account(row["id"], row["name"], Role(row["role"]), row["password"], row["created_ms"])
