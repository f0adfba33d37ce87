"""The file of the accounts: SQLite, readable by its owner only."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from jph.config.model import state_dir
from jph.errors import JphError

_WAIT_S: Final = 5.0
"""How long a write waits for that of another program (`control.py user`)."""
_VERSION: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,
    role INTEGER NOT NULL,
    password TEXT NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    created_ms INTEGER NOT NULL,
    seen_ms INTEGER NOT NULL,
    address TEXT NOT NULL,
    agent TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tokens (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hash BLOB NOT NULL UNIQUE,
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    name TEXT NOT NULL,
    role INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    seen_ms INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS graphs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    shared INTEGER NOT NULL DEFAULT 0,
    changed_ms INTEGER NOT NULL,
    UNIQUE (user, name)
) STRICT;
CREATE TABLE IF NOT EXISTS audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    who TEXT NOT NULL,
    address TEXT NOT NULL,
    what TEXT NOT NULL,
    answer TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS audit_programs (
    id INTEGER PRIMARY KEY REFERENCES audit ON DELETE CASCADE
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_user ON sessions (user);
CREATE INDEX IF NOT EXISTS tokens_user ON tokens (user);
"""


class AccountsError(JphError):
    """The file of the accounts cannot be used."""


def accounts_path() -> Path:
    """Return where the accounts are kept."""
    return state_dir() / "accounts.sqlite"


def note(accounts: sqlite3.Connection, statement: str, *values: object) -> None:
    """Write something of little value without waiting: a full disk must not prevent logins."""
    accounts.execute("PRAGMA busy_timeout = 0")
    try:
        accounts.execute(statement, values)
    except sqlite3.OperationalError:
        pass  # what is asked for was read already, and the next request tries again
    finally:
        accounts.execute(f"PRAGMA busy_timeout = {round(1000 * _WAIT_S)}")


def copy_accounts(source: Path, target: Path) -> None:
    """Replace the accounts of one file by those of another, while both are in use.

    Sessions are not copied: a session that was ended since must not become valid again.

    Raises:
        AccountsError: one of them cannot be used; the target is unchanged then.
    """
    with closing(open_accounts(source)) as one, closing(open_accounts(target)) as other:
        try:
            one.backup(other)
            other.execute("DELETE FROM sessions")
        except sqlite3.Error as error:
            message = f"the accounts in {source} cannot be copied to {target}: {error}"
            raise AccountsError(message) from error


def admins_in(path: Path) -> list[str]:
    """Return the names of the admins in a file of accounts.

    Raises:
        AccountsError: the file cannot be read.
    """
    from jph.gateway.accounts.roles import Role  # which imports much

    with closing(open_accounts(path)) as accounts:
        found = accounts.execute(
            "SELECT name FROM users WHERE role = ? ORDER BY name", (int(Role.ADMIN),)
        )
        return [str(name) for (name,) in found]


def open_accounts(path: Path) -> sqlite3.Connection:
    """Open the accounts at `path`, made first if there are none. For one thread.

    Raises:
        AccountsError: they cannot be used.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # SQLite gives its other files (-wal, -shm) the mode of the first.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        path.chmod(0o600)
        connection = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA secure_delete = ON")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > _VERSION:
            raise AccountsError(f"the accounts in {path} are of a newer version of jph")
        # Tables that came after version 0.1.0 are added to its files; it leaves them alone.
        connection.executescript(_TABLES)
        if version < _VERSION:
            connection.execute(f"PRAGMA user_version = {_VERSION}")
    except (OSError, sqlite3.Error) as error:
        raise AccountsError(f"the accounts in {path} cannot be used: {error}") from error
    return connection
