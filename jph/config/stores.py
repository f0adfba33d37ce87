"""Addresses of Redis and PostgreSQL: those of the config, else the embedded servers' sockets.

Clients and the supervisor of the servers share this module.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import Final
from urllib.parse import quote

from jph.config.model import Network, Sql, state_dir
from jph.errors import StoreError
from jph.util.secrets import remember
from jph.util.unixpath import MAX_SOCKET_PATH

DATABASE: Final = "jph"
"""Name of the embedded server's database, and of the role that owns it."""
PORT: Final = 5432
"""PostgreSQL's port; on a Unix socket only a part of the socket's name."""


def socket_directory(state: Path | None = None) -> Path:
    """Return the directory of the embedded servers' Unix sockets.

    It lies in the state directory, unless the sockets' paths would then be longer than the kernel
    takes: then it is a private directory, named after the user and the state, in the runtime
    directory of the system, else in /tmp. One that is there already stays in use, so that servers
    and clients agree.
    """
    state = (state or state_dir()).absolute()
    directory = state / "run"
    if len(os.fsencode(postgres_socket(directory))) <= MAX_SOCKET_PATH:
        return directory
    digest = hashlib.sha256(os.fsencode(state)).hexdigest()[:16]
    name = f"jph-{os.getuid()}-{digest}"
    places = [place / name for place in _runtime_directories()]
    return next(filter(_is_ours, places), places[0])


def _runtime_directories() -> list[Path]:
    """Return the places for sockets, the best first; only /tmp is always there."""
    own = Path("/run") if os.getuid() == 0 else Path(f"/run/user/{os.getuid()}")
    return [*filter(_writable, [own]), Path("/tmp")]


def _writable(path: Path) -> bool:
    return path.is_dir() and os.access(path, os.W_OK | os.X_OK)


def _is_ours(path: Path) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def redis_socket(directory: Path) -> Path:
    """Return the embedded Redis's socket in the socket directory."""
    return directory / "redis.sock"


def postgres_socket(directory: Path) -> Path:
    """Return the embedded PostgreSQL's socket in the socket directory."""
    return directory / "postgres" / f".s.PGSQL.{PORT}"


def redis_url(network: Network) -> str:
    """Return the URL of Redis: the config's `Redis.URL`, or the embedded server's socket."""
    return network.redis_url or f"unix://{quote(str(redis_socket(socket_directory())))}"


def postgres_dsn(network: Network, sql: Sql | None = None) -> str:
    """Return libpq's connection string for `sql`, else the config's `SQL`, else the embedded one.

    Raises:
        StoreError: the password file cannot be read.
    """
    sql = sql or network.sql or embedded_sql()
    parts = {"host": sql.host, "port": str(sql.port), "dbname": sql.database, "user": sql.user}
    if sql.schema:  # quoted as in SQL, for its name may begin with a digit
        parts["options"] = f'-c search_path="{sql.schema}"'
    if sql.password:
        parts["password"] = read_password(sql.password)
    return " ".join(f"{key}={_quoted(value)}" for key, value in parts.items())


def embedded_sql() -> Sql:
    """Return the address of the embedded server."""
    directory = postgres_socket(socket_directory()).parent
    return Sql(database=DATABASE, user=DATABASE, host=str(directory), port=PORT)


def read_password(path: str) -> str:
    """Return the password in a file.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        password = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        hint = "SQL.Password is the path of the file that holds it"
        message = f"cannot read PostgreSQL's password from {path}: {error} ({hint})"
        raise StoreError(message) from error
    remember(password)
    return password


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
