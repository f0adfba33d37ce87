import contextlib
from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest

from collector.db.connecting import connect
from collector.db.schema import TARGETS, migrate, target_statements
from collector.history.packing import pack_all
from collector.ingest.writer import Store
from tests.collector.ingest.test_writer import NOW_MS, batch, dsn, query, sequences


def prepared(sql: dict[str, Any]) -> None:
    with contextlib.closing(connect(dsn(sql), "test")) as connection:
        migrate(connection)


def test_a_collector_works_on_a_table_that_something_else_cuts(sql: dict[str, Any]) -> None:
    prepared(sql)
    ours = [
        statement
        for statement in target_statements("timescaledb")
        if "RENAME TO reading" in statement
    ]
    assert len(ours) == 1
    query(sql, ours[0])
    with contextlib.closing(Store("Q1")) as store:
        store.open(dsn(sql), NOW_MS)
        store.write(batch(1, 2), NOW_MS)
        store.write(batch(2, 3), NOW_MS)
    assert sequences(sql) == sequences(sql, "readings") == [1, 2, 3]
    with contextlib.closing(connect(dsn(sql), "test")) as connection:
        assert list(pack_all(connection, datetime(2027, 1, 1, tzinfo=UTC))) == []
    assert query(sql, "SELECT relname FROM pg_class WHERE relname LIKE 'reading_2%'") == []


@pytest.mark.parametrize("place", TARGETS)
def test_without_the_extension_nothing_is_changed(sql: dict[str, Any], place: str) -> None:
    prepared(sql)
    with pytest.raises(psycopg2.Error, match=place):
        query(sql, next(target_statements(place)))
    assert query(sql, "SELECT relkind::text FROM pg_class WHERE relname = 'reading'") == [("p",)]


def test_every_distributed_table_has_the_codifier_in_its_key(sql: dict[str, Any]) -> None:
    """Citus asks for that."""
    prepared(sql)
    for line in list(target_statements("citus"))[1:]:
        table = line.split("'")[1]
        found = query(
            sql,
            "SELECT attname::text FROM pg_index JOIN pg_attribute ON attrelid = indrelid "
            f"AND attnum = ANY(indkey) WHERE indrelid = '{table}'::regclass AND indisprimary",
        )
        assert "codifier" in {name for (name,) in found}
