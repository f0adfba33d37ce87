"""Sessions of logged-in users. Every function blocks: call it from a thread.

A session is 256 random bits in a cookie. The file holds a hash only, so that a reader of the file
cannot log in with it.
"""

import hashlib
import secrets
import sqlite3
from typing import Final, NamedTuple

from jph.gateway.accounts.database import note
from jph.gateway.accounts.roles import Role, User

_DAY_MS: Final = 86_400_000
IDLE_MS: Final = 30 * _DAY_MS
"""A session that was not used for so long has ended."""
LONGEST_MS: Final = 180 * _DAY_MS
_SEEN_EVERY_MS: Final = 60_000
_LONGEST_AGENT: Final = 200
_SEEN: Final = "UPDATE sessions SET seen_ms = ? WHERE id = ?"
MOST_OF_A_USER: Final = 50
"""The oldest ends when a user has more."""


class Session(NamedTuple):
    """One login; the times are ms since 1970 UTC."""

    id: int
    user: User
    created_ms: int
    seen_ms: int
    address: str
    agent: str


def begin(
    accounts: sqlite3.Connection, user: User, address: str, agent: str, now_ms: int
) -> tuple[str, Session]:
    """Return a new session and its secret, which is not stored."""
    secret = secrets.token_urlsafe(32)
    agent = agent[:_LONGEST_AGENT]
    row = (hashed(secret), user.id, now_ms, now_ms, address, agent)
    done = accounts.execute(
        "INSERT INTO sessions (hash, user, created_ms, seen_ms, address, agent) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        row,
    )
    accounts.execute(
        "DELETE FROM sessions WHERE user = ? AND id NOT IN "
        "(SELECT id FROM sessions WHERE user = ? ORDER BY seen_ms DESC, id DESC LIMIT ?)",
        (user.id, user.id, MOST_OF_A_USER),
    )
    return secret, Session(int(done.lastrowid or 0), user, now_ms, now_ms, address, agent)


def find(accounts: sqlite3.Connection, secret: str, now_ms: int) -> Session | None:
    """Return the session of a secret, None if it never was or is no more."""
    row = accounts.execute(
        f"{_SELECT} WHERE sessions.hash = ? AND seen_ms > ? AND sessions.created_ms > ?",
        (hashed(secret), now_ms - IDLE_MS, now_ms - LONGEST_MS),
    ).fetchone()
    if row is None:
        return None
    if now_ms - row["seen_ms"] > _SEEN_EVERY_MS:
        note(accounts, _SEEN, now_ms, row["id"])
    return _session(row)


def exists(accounts: sqlite3.Connection, session_id: int, now_ms: int) -> bool:
    """Whether a session has not ended; being asked so keeps it alive, as a page that is open."""
    row = accounts.execute(
        "SELECT seen_ms FROM sessions WHERE id = ? AND seen_ms > ? AND created_ms > ?",
        (session_id, now_ms - IDLE_MS, now_ms - LONGEST_MS),
    ).fetchone()
    if row is not None and now_ms - row["seen_ms"] > _SEEN_EVERY_MS:
        note(accounts, _SEEN, now_ms, session_id)
    return row is not None


def listed(accounts: sqlite3.Connection, user_id: int, now_ms: int) -> list[Session]:
    """Return the sessions of a user, the newest first; those that have ended are forgotten."""
    accounts.execute(
        "DELETE FROM sessions WHERE seen_ms <= ? OR created_ms <= ?",
        (now_ms - IDLE_MS, now_ms - LONGEST_MS),
    )
    rows = accounts.execute(
        f"{_SELECT} WHERE sessions.user = ? ORDER BY seen_ms DESC, sessions.id DESC", (user_id,)
    )
    return [_session(row) for row in rows]


def end(accounts: sqlite3.Connection, session_id: int, user_id: int) -> bool:
    """End a session of a user; False if there was none."""
    done = accounts.execute("DELETE FROM sessions WHERE id = ? AND user = ?", (session_id, user_id))
    return done.rowcount > 0


def end_all(accounts: sqlite3.Connection, user_id: int) -> int:
    """End every session of a user; return how many there were."""
    return accounts.execute("DELETE FROM sessions WHERE user = ?", (user_id,)).rowcount


def hashed(secret: str) -> bytes:
    """Return what is kept of a secret. It is random, so that no slow hash is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


_SELECT: Final = (
    "SELECT sessions.id, user, name, role, sessions.created_ms, seen_ms, address, agent "
    "FROM sessions JOIN users ON users.id = sessions.user"
)


def _session(row: sqlite3.Row) -> Session:
    user = User(row["user"], row["name"], Role(row["role"]))
    return Session(row["id"], user, row["created_ms"], row["seen_ms"], row["address"], row["agent"])
