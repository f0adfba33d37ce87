"""Connections to the history for programs other than the collector; PostgreSQL's errors as ours."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

from jph.errors import StoreError

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

_CONNECT_TIMEOUT_S: Final = 5


def connect(dsn: str, name: str, *, read_only: bool = False) -> "connection":
    """Connect as the program `name`; times are UTC.

    Raises:
        StoreError: PostgreSQL is away or refuses us.
    """
    import psycopg2

    options = "-c timezone=UTC" + " -c default_transaction_read_only=on" * read_only
    try:
        return psycopg2.connect(
            dsn,
            application_name=f"jph {name}",
            connect_timeout=_CONNECT_TIMEOUT_S,
            tcp_user_timeout=2000 * _CONNECT_TIMEOUT_S,
            options=options,
        )
    except psycopg2.Error as error:
        raise StoreError(error_text(error)) from error


@contextmanager
def transaction(connection: "connection") -> "Iterator[cursor]":
    """Give a cursor; commit at the end of the block, or roll back.

    With `autocommit` each statement is its own transaction, and costs no round trips but its own.

    Raises:
        StoreError: PostgreSQL went away or refuses something.
    """
    import psycopg2

    try:
        whole = nullcontext() if connection.autocommit else connection
        with whole, connection.cursor() as cursor:
            yield cursor
    except psycopg2.errors.UndefinedTable as error:
        message = f"no collector of this version has been in this database ({error_text(error)})"
        raise StoreError(message) from error
    except psycopg2.Error as error:
        raise StoreError(error_text(error)) from error


def query(
    connection: "connection",
    statement: str,
    values: tuple[object, ...] | Mapping[str, object] = (),
) -> list[tuple[Any, ...]]:
    """Return the rows of a statement, a transaction of its own.

    Raises:
        StoreError: PostgreSQL went away or refuses it.
    """
    with transaction(connection) as cursor:
        cursor.execute(statement, values or None)  # without values % is itself
        return cursor.fetchall()


def error_text(error: Exception) -> str:
    """Return an error of PostgreSQL as one line."""
    return f"PostgreSQL: {' '.join(str(error).split())}"
