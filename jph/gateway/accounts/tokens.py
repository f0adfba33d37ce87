"""Tokens for programs: each of a user, with a role no higher than theirs and an end if wanted.

Every function blocks: call it from a thread. As of sessions, only a hash is kept.
"""

import secrets
import sqlite3
from typing import Final, NamedTuple

from jph.gateway.accounts.database import note
from jph.gateway.accounts.roles import Role, User
from jph.gateway.accounts.sessions import hashed
from jph.gateway.accounts.users import UserError

PREFIX: Final = "jph_"
"""A token that is found somewhere shows what it is."""
MOST_OF_A_USER: Final = 50
LONGEST_NAME: Final = 64
DAY_MS: Final = 86_400_000
LONGEST_DAYS: Final = 3650
_SEEN_EVERY_MS: Final = 60_000


class Token(NamedTuple):
    """One token; the times are ms since 1970 UTC, `expires_ms` None for never."""

    id: int
    user: User
    name: str
    role: Role
    created_ms: int
    expires_ms: int | None
    seen_ms: int | None


def add(
    accounts: sqlite3.Connection,
    user: User,
    name: str,
    role: Role,
    days: float | None,
    now_ms: int,
) -> tuple[str, Token]:
    """Return a new token and its secret, which is kept nowhere; it ends after `days`.

    Raises:
        UserError: the role is higher than the user's, the name is no name, or there are too many.
    """
    if role > user.role:
        raise UserError(f"{user.name} is {user.role.word}: a token cannot be {role.word}")
    name = name.strip()
    if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
        raise UserError(f"the name of a token has 1 to {LONGEST_NAME} visible characters")
    if days is not None and not 0 < days <= LONGEST_DAYS:
        raise UserError(f"a token lasts up to {LONGEST_DAYS} days")
    (many,) = accounts.execute("SELECT count(*) FROM tokens WHERE user = ?", (user.id,)).fetchone()
    if many >= MOST_OF_A_USER:
        raise UserError(f"a user has {MOST_OF_A_USER} tokens at most")
    secret = PREFIX + secrets.token_urlsafe(32)
    expires_ms = None if days is None else now_ms + int(days * DAY_MS)
    done = accounts.execute(
        "INSERT INTO tokens (hash, user, name, role, created_ms, expires_ms) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (hashed(secret), user.id, name, int(role), now_ms, expires_ms),
    )
    made = Token(int(done.lastrowid or 0), user, name, role, now_ms, expires_ms, None)
    return secret, made


def find(accounts: sqlite3.Connection, secret: str, now_ms: int) -> Token | None:
    """Return the token of a secret, None if there is none or it has ended.

    Its user's role is that of the token: what a request with it may do.
    """
    row = accounts.execute(
        f"{_SELECT} WHERE tokens.hash = ? AND (expires_ms IS NULL OR expires_ms > ?)",
        (hashed(secret), now_ms),
    ).fetchone()
    if row is None:
        return None
    if now_ms - (row["seen_ms"] or 0) > _SEEN_EVERY_MS:
        note(accounts, "UPDATE tokens SET seen_ms = ? WHERE id = ?", now_ms, row["id"])
    token = _token(row)
    return token._replace(user=token.user._replace(role=min(token.role, token.user.role)))


def exists(accounts: sqlite3.Connection, token_id: int, now_ms: int) -> bool:
    """Whether a token has not ended."""
    row = accounts.execute(
        "SELECT 1 FROM tokens WHERE id = ? AND (expires_ms IS NULL OR expires_ms > ?)",
        (token_id, now_ms),
    ).fetchone()
    return row is not None


def listed(accounts: sqlite3.Connection, user_id: int) -> list[Token]:
    """Return the tokens of a user, those that have ended too, the newest first."""
    rows = accounts.execute(f"{_SELECT} WHERE user = ? ORDER BY tokens.id DESC", (user_id,))
    return [_token(row) for row in rows]


def end(accounts: sqlite3.Connection, token_id: int, user_id: int) -> bool:
    """End a token of a user; False if there was none."""
    done = accounts.execute("DELETE FROM tokens WHERE id = ? AND user = ?", (token_id, user_id))
    return done.rowcount > 0


_SELECT: Final = (
    "SELECT tokens.id, tokens.user, users.name AS who, users.role AS of_user, tokens.name, "
    "tokens.role, tokens.created_ms, expires_ms, seen_ms "
    "FROM tokens JOIN users ON users.id = tokens.user"
)


def _token(row: sqlite3.Row) -> Token:
    return Token(
        row["id"],
        User(row["user"], row["who"], Role(row["of_user"])),
        row["name"],
        Role(row["role"]),
        row["created_ms"],
        row["expires_ms"],
        row["seen_ms"],
    )
