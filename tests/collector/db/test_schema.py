"""The migrations: rules that keep them fit for one schema per house, and for Citus."""

import contextlib
import re
from typing import Any

import psycopg2
import pytest

from collector.db.connecting import connect
from collector.db.schema import (
    TARGETS,
    Migration,
    create_months,
    migrate,
    migrations,
    months_of,
    schema_statements,
    target_statements,
)
from collector.db.statements import split
from collector.ingest.writer import Store
from tests.collector.ingest.test_writer import NOW_MS, dsn, query

EVERY = [each for migration in migrations() for each in migration.statements]


def test_statements_end_where_sql_says() -> None:
    text = """
        -- a comment; with a semicolon
        SELECT ';', 'it''s', "odd;name";  /* another; */
        CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$;
        DO $body$ BEGIN PERFORM $$;$$; END $body$;
        SELECT 1 - 2 / 3
        -- the end;
    """
    found = list(split(text))
    assert len(found) == 4
    assert found[0].endswith('"odd;name"')
    assert found[1].endswith("END $$")
    assert found[2].endswith("END $body$")
    assert list(split("-- nothing\n /* here; */ ;")) in ([], ["-- nothing\n /* here; */"])


def test_versions_follow_each_other() -> None:
    assert [each.version for each in migrations()] == list(range(1, len(migrations()) + 1))
    assert isinstance(migrations()[0], Migration)


@pytest.mark.parametrize("statement", [*EVERY, *(s for t in TARGETS for s in target_statements(t))])
def test_no_statement_names_a_schema(statement: str) -> None:
    code = re.sub(r"--[^\n]*", "", statement)
    assert not re.search(r"\bpublic\b|\bpg_catalog\b", code)


@pytest.mark.parametrize("statement", EVERY)
def test_an_alter_has_one_subcommand(statement: str) -> None:
    code = re.sub(r"--[^\n]*", "", statement).strip()
    if code.startswith("ALTER"):
        code = re.sub(r"'[^']*'|\([^()]*\)", "", code)
        assert "," not in code


@pytest.mark.parametrize("statement", EVERY)
def test_no_function_in_the_sql_language_reads_a_table(statement: str) -> None:
    assert not re.search(r"LANGUAGE\s+sql\b", statement, re.IGNORECASE)


def test_a_collector_starts_after_the_statements_were_run_by_hand(sql: dict[str, Any]) -> None:
    """Each statement by itself, as psql does."""
    with contextlib.closing(connect(dsn(sql), "test")) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in schema_statements():
                cursor.execute(statement)
    with contextlib.closing(Store("Q1")) as store:
        store.open(dsn(sql), NOW_MS)
    versions = query(sql, "SELECT version FROM jph_schema ORDER BY 1")
    assert versions == [(each.version,) for each in migrations()]


def test_houses_in_schemas_of_their_own_do_not_see_each_other(sql: dict[str, Any]) -> None:
    query(sql, "CREATE SCHEMA one; CREATE SCHEMA two")
    for house in ("one", "two"):
        with contextlib.closing(psycopg2.connect(dsn(sql))) as connection:
            with connection, connection.cursor() as cursor:
                cursor.execute(f"SET search_path = {house}, one")
            migrate(connection)
            create_months(connection, [2026 * 12 + 9])
            with connection, connection.cursor() as cursor:
                assert months_of(cursor, "reading") == [2026 * 12 + 9]
                cursor.execute(
                    "INSERT INTO reading (codifier, timestamp, epoch, sequence, quality) "
                    "VALUES (%s, '2026-10-02', 1, 1, 0)",
                    (house[:2].upper(),),
                )
                cursor.execute("SELECT codifier FROM readings('ON', '-infinity', 'infinity')")
                assert cursor.rowcount == (house == "one")
    tables = query(
        sql,
        "SELECT relnamespace::regnamespace::text, count(*) FROM pg_class "
        "WHERE relname LIKE 'reading%' AND relkind IN ('r', 'p', 'v') GROUP BY 1 ORDER BY 1",
    )
    assert tables == [("one", 4), ("two", 4)]
