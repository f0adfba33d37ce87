"""Connections to the history, and PostgreSQL's errors as `StoreError`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

_CONNECT_TIMEOUT_S: Final = 5


def connect(
    dsn: str,
    name: str,
    *,
    read_only: bool = False,
    settings: Mapping[str, object] | None = None,
    any_encoding: bool = False,
) -> "connection":
    """Connect as the program `name`; times are UTC, texts UTF-8.

    `settings` are PostgreSQL's for this session; `any_encoding` is for a database that is not the
    history.

    Raises:
        StoreError: PostgreSQL is away or refuses, or the database is not in UTF-8.
    """
    import psycopg2

    options: dict[str, object] = {"timezone": "UTC", **(settings or {})}
    if read_only:
        options["default_transaction_read_only"] = "on"
    try:
        given = psycopg2.extensions.parse_dsn(dsn).get("options", "")
        opened = psycopg2.connect(
            dsn,
            application_name=f"jph {name}",
            client_encoding="UTF8",
            connect_timeout=_CONNECT_TIMEOUT_S,
            tcp_user_timeout=2000 * _CONNECT_TIMEOUT_S,
            options=" ".join([given, *(f"-c {key}={value}" for key, value in options.items())]),
        )
    except psycopg2.Error as error:
        raise StoreError(error_text(error)) from error
    encoding = opened.info.parameter_status("server_encoding")
    if encoding != "UTF8" and not any_encoding:
        database = opened.info.dbname
        opened.close()
        raise StoreError(
            f"PostgreSQL: the database {database} has the encoding {encoding}, the history needs "
            "UTF8: create another one with ENCODING 'UTF8' TEMPLATE template0, as "
            "`control.py sql database` does"
        )
    return opened


@contextmanager
def transaction(connection: "connection") -> "Iterator[cursor]":
    """Yield a cursor; commit at the end of the block, or roll back.

    With `autocommit` each statement is a transaction of its own, without further round trips.

    Raises:
        StoreError: PostgreSQL went away or refuses a statement.
    """
    import psycopg2

    try:
        whole = nullcontext() if connection.autocommit else connection
        with whole, connection.cursor() as cursor:
            yield cursor
    except psycopg2.errors.UndefinedTable as error:
        message = f"this database has no tables of this version ({error_text(error)})"
        raise StoreError(message) from error
    except psycopg2.Error as error:
        raise StoreError(error_text(error)) from error


def query(
    connection: "connection",
    statement: str,
    values: tuple[object, ...] | Mapping[str, object] = (),
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, run in a transaction of its own.

    Raises:
        StoreError: PostgreSQL went away or refuses it.
    """
    with transaction(connection) as cursor:
        cursor.execute(statement, values or None)  # without values % is no placeholder
        return cursor.fetchall()


def error_text(error: Exception) -> str:
    """Return an error of PostgreSQL as one line."""
    return f"PostgreSQL: {' '.join(str(error).split()) or type(error).__name__}"
