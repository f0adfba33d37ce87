"""Connections: only databases in UTF-8, and errors in one line."""

import contextlib
from typing import Any

import pytest

from collector.db.connecting import connect, query
from collector.ingest.writer import Store
from jph.errors import StoreError
from tests.collector.ingest.test_writer import NOW_MS, dsn
from tests.stores_fixtures import connect as connect_plain


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_that_is_not_utf8_is_refused_in_words(
    sql: dict[str, Any], encoding: str
) -> None:
    other = {**sql, "Database": f"{sql['Database']}_{encoding.lower()}"}
    with contextlib.closing(connect_plain(sql)) as admin:
        admin.autocommit = True
        cursor = admin.cursor()
        cursor.execute(
            f"CREATE DATABASE {other['Database']} ENCODING '{encoding}' LOCALE 'C' "
            "TEMPLATE template0"
        )
        try:
            with pytest.raises(StoreError, match=f"encoding {encoding}, the history needs UTF8"):
                connect(dsn(other), "test")
            with pytest.raises(StoreError, match="ENCODING 'UTF8'"):
                Store("Q1").open(dsn(other), NOW_MS)
        finally:
            cursor.execute(f"DROP DATABASE {other['Database']}")


def test_texts_are_utf8_whatever_the_environment_says(
    sql: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with contextlib.closing(connect(dsn(sql), "test")) as connection:
        assert query(connection, "SHOW client_encoding") == [("UTF8",)]
        assert query(connection, "SELECT %s", ("é€",)) == [("é€",)]
