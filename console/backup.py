"""`backup` and `restore`: the whole history in one file, by PostgreSQL's own programs."""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import click

from collector.connecting import connect, query
from collector.place import dsn_of, sql_of
from collector.roles import HIDE_PASSWORDS
from console.context import App
from console.pgprograms import find_programs, pour, run, target
from console.servers import PostgresServer
from jph.errors import StoreError

_OTHERS: Final = """
    SELECT DISTINCT application_name FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'jph %'
    ORDER BY 1
"""
_NOBODYS: Final = ("--no-owner", "--no-privileges")
"""A file knows no roles: they may have other names, or none, where it is restored."""
# The rights of the roles come with the tables (`sql database` sees to that); one goes too far.
_RIGHTS: Final = f"SET search_path = public;{HIDE_PASSWORDS}"
# What is there goes in the transaction that brings back what was: tables of a later version too.
_CLEAR: Final = """
    SET client_min_messages = error;
    SET search_path = public;
    DO $$ DECLARE each record; BEGIN
        FOR each IN
            SELECT CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                ELSE 'TABLE' END AS kind, relname AS name
            FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
        LOOP
            EXECUTE format('DROP %s IF EXISTS %I CASCADE', each.kind, each.name);
        END LOOP;
        FOR each IN
            SELECT oid::regprocedure::text AS name FROM pg_proc
            WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS (
                SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
        LOOP
            EXECUTE format('DROP FUNCTION IF EXISTS %s CASCADE', each.name);
        END LOOP;
    END $$;
"""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_obj
def backup(app: App, file: Path, force: bool) -> None:
    """Write the whole history into FILE, while everything goes on running.

    It is an archive of pg_dump: what was committed when it began, compressed. The embedded server
    is started for it if it does not run.
    """
    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; --force replaces it")
    part = file.with_name(f".{file.name}.part")
    with _served(app) as dsn:
        there = target(dsn)
        dump = find_programs(_server_version(dsn)) / "pg_dump"
        options = ["--format=custom", *_NOBODYS, f"--file={part}", f"--dbname={there.dsn}"]
        try:
            run([dump, *options], there)
            part.replace(file)
        except OSError as error:
            raise StoreError(f"cannot write {file}: {error}") from error
        finally:
            part.unlink(missing_ok=True)
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def restore(app: App, file: Path, yes: bool) -> None:
    """Put back what `backup` wrote into FILE, in place of the history that is there; asks first.

    All of it or, if anything fails, nothing. Whatever uses the history must be ended before.
    """
    with _served(app) as dsn:
        there = target(dsn)
        programs = find_programs(_server_version(dsn))
        run([programs / "pg_restore", "--list", file], there)  # whether it is an archive at all
        if not yes:
            click.confirm("Replace the history that is there?", abort=True)
        if others := [name for (name,) in _ask(dsn, _OTHERS)]:
            raise StoreError(f"{', '.join(others)}: in use; end what uses the history first")
        reader: list[str | Path] = [programs / "pg_restore", *_NOBODYS, "--file=-", file]
        psql: list[str | Path] = [programs / "psql", "--no-psqlrc", "--quiet"]
        psql += ["--set=ON_ERROR_STOP=1", f"--dbname={there.dsn}"]
        pour(reader, psql, there, _CLEAR, _RIGHTS)
    click.echo(f"restored {file}")


def _server_version(dsn: str) -> int:
    ((number,),) = _ask(dsn, "SHOW server_version_num")
    return int(number) // 10_000


def _ask(dsn: str, statement: str) -> list[tuple[str]]:
    with closing(connect(dsn, "backup", read_only=True)) as connection:
        return query(connection, statement)


@contextmanager
def _served(app: App) -> Iterator[str]:
    """Give the history's dsn; an embedded server that does not run, runs for the block.

    Raises:
        StoreError: PostgreSQL is away.
    """
    dsn = dsn_of(app.network)
    try:
        connect(dsn, "backup").close()
    except StoreError:
        if sql_of(app.network) is not None:
            raise
    else:
        yield dsn
        return
    server = PostgresServer()
    with asyncio.Runner() as runner:
        runner.run(_start(server))
        try:
            yield dsn
        finally:
            runner.run(server.stop())


async def _start(server: PostgresServer) -> None:
    await server.start()
    await server.wait_ready()
