"""`backup` and `restore`: history and accounts in one file.

The file is a zip without compression of its own: the history as `pg_dump` writes it, and the file
of the accounts.
"""

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Final
from zipfile import BadZipFile, ZipFile, is_zipfile

import click

from collector.db.archive import Entry, entries, left_out
from collector.db.connecting import connect, query, transaction
from collector.db.load import VERSIONS, create_tables, finish, load, version_in
from collector.db.location import sql_of
from collector.db.sql_roles import HIDE_PASSWORDS
from collector.ingest.restoring import RECORD, REMEMBER
from jph.cli.supervise.pgprograms import find_programs, reading, run, target
from jph.cli.supervise.servers import PostgresServer
from jph.cli.terminal.context import App
from jph.cli.terminal.database import history_dsn
from jph.config.model import state_dir
from jph.errors import StoreError
from jph.gateway.accounts.database import accounts_path, admins_in, copy_accounts, open_accounts
from jph.util import durable

_HISTORY: Final = "history.dump"
_ACCOUNTS: Final = "accounts.sqlite"

_OTHERS: Final = """
    SELECT DISTINCT application_name FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE 'jph %'
    ORDER BY 1
"""
_TABLES: Final = """
    SELECT name FROM unnest(ARRAY['reading', 'packed']) AS name
    WHERE to_regclass(name) IS NOT NULL
"""
_ENDING_S: Final = 3.0
_LOOK_S: Final = 0.1
_NOBODYS: Final = ("--no-owner", "--no-privileges")
"""A file names no roles: the machine that restores it may have others."""
_NAMED: Final = 20
"""So many objects that were left out are named."""
# What is there goes in the transaction that brings back what was: tables of a later version too.
_CLEAR: Final = """
    SET LOCAL statement_timeout = 0;
    SET LOCAL client_min_messages = error;
    SET LOCAL search_path = public;
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
    """Write the whole history and the accounts into FILE, while everything goes on running.

    FILE is a zip with an archive of pg_dump (what was committed when it began, compressed) and, if
    this machine has the accounts of the page, these: users, tokens, saved graphs; without sessions.
    The embedded server is started for it if it does not run.
    """
    if file.exists() and not force:
        raise click.UsageError(f"{file} is there already; --force replaces it")
    accounts = accounts_path()
    part = file.with_name(f".{file.name}.part")
    with _served(app) as dsn:
        _require_readings(dsn)
        try:
            with _private(part) as opened, ZipFile(opened, "w") as archive:
                if accounts.exists():
                    _add_accounts(archive, accounts)
                with archive.open(_HISTORY, "w", force_zip64=True) as member:
                    _dump(dsn, member)
            durable.put_in_place(part, file)
        except OSError as error:
            raise StoreError(f"cannot write {file}: {error}") from error
        finally:
            part.unlink(missing_ok=True)
    what = "history and accounts" if accounts.exists() else "history; no accounts are here"
    click.echo(f"{file}: {file.stat().st_size / 1e6:.1f} MB, {what}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def restore(app: App, file: Path, yes: bool) -> None:
    """Put back what `backup` wrote into FILE, in place of what is there; asks first.

    All of the history or, if anything fails, nothing; then the accounts, if FILE has them. Programs
    that use the history must be ended before. Every user has to log in again. Only rows of FILE are
    taken, into tables of this version: nothing that FILE brings is executed. Its admins are named.
    """
    with _opened(file) as (archive, accounts), _served(app, create=True) as dsn:
        what = "history and accounts" if accounts else "history"
        contents = _contents(dsn, archive)
        if accounts:
            names = ", ".join(admins_in(accounts)) or "none"
            click.echo(f"{file} brings these admins: {names}", err=True)
        if not yes:
            click.confirm(f"Replace what is there by the {what} of {file}?", abort=True)
        if others := _others(dsn, _ENDING_S * app.patience):
            raise StoreError(f"{', '.join(others)}: in use; end what uses the history first")
        if omitted := _pour(dsn, archive, contents):
            names = ", ".join(omitted[:_NAMED])
            more = f" and {len(omitted) - _NAMED} more" if len(omitted) > _NAMED else ""
            click.echo(f"left out of {file}: {names}{more}", err=True)
        if accounts:
            copy_accounts(accounts, accounts_path())
    click.echo(f"restored {what} from {file}")


def _others(dsn: str, limit_s: float) -> list[str]:
    """Return which programs of ours use the history; one that is just ending is waited for.

    PostgreSQL lists a connection for a moment after it was closed, one of ours too.
    """
    until_s = time.monotonic() + limit_s
    with closing(connect(dsn, "backup", read_only=True)) as connection:
        while others := [str(name) for (name,) in query(connection, _OTHERS)]:
            if time.monotonic() > until_s:
                break
            time.sleep(_LOOK_S)
    return others


def _require_readings(dsn: str) -> None:
    """Make sure that there is something to back up.

    Raises:
        StoreError: the history has no reading.
    """
    tables = [name for (name,) in _ask(dsn, _TABLES)]
    if not any(_ask(dsn, f"SELECT 'one' FROM {name} LIMIT 1") for name in tables):
        raise StoreError("the history is empty: there is nothing to back up")


def _dump(dsn: str, into: IO[bytes]) -> None:
    there = target(dsn)
    dump = find_programs(_server_version(dsn)) / "pg_dump"
    run([dump, "--format=custom", *_NOBODYS, f"--dbname={there.dsn}"], there, into)


def _contents(dsn: str, archive: IO[bytes]) -> list[Entry]:
    """Return what an archive of pg_dump has.

    Raises:
        StoreError: the file is none.
    """
    command = find_programs(_server_version(dsn)) / "pg_restore"
    with reading([command, "--list"], target(dsn), archive) as listing:
        return entries(listing.read().decode(errors="replace"))


@contextmanager
def _script(dsn: str, archive: IO[bytes], numbers: Iterable[int]) -> Iterator[IO[bytes]]:
    """Give the script of these entries of an archive."""
    command = find_programs(_server_version(dsn)) / "pg_restore"
    with tempfile.NamedTemporaryFile("w") as wanted:
        wanted.writelines(f"{number};\n" for number in numbers)
        wanted.flush()
        words: list[str | Path] = [
            command,
            "--data-only",
            *_NOBODYS,
            f"--use-list={wanted.name}",
            "--file=-",
        ]
        with reading(words, target(dsn), archive) as script:
            yield script


def _pour(dsn: str, archive: IO[bytes], contents: list[Entry]) -> list[str]:
    """Replace the history by the rows of an archive; return what else the archive has.

    Raises:
        StoreError: anything fails; nothing has changed then.
    """
    versions = [each.number for each in contents if each[1:] == ("TABLE DATA", "public", VERSIONS)]
    if not versions:
        raise StoreError("the archive is no history: it has no version of a schema")
    with _script(dsn, archive, versions) as script:
        version = version_in(script)
    with closing(connect(dsn, "backup")) as connection, transaction(connection) as cursor:
        cursor.execute(REMEMBER + _CLEAR)
        tables = create_tables(cursor, version, contents)
        with _script(dsn, archive, tables.values()) as script:
            loaded = load(cursor, tables, script)
        if missing := sorted({*tables} - loaded):
            raise StoreError(f"the archive has no rows to copy of {', '.join(missing)}")
        known = finish(cursor, version)
        cursor.execute(HIDE_PASSWORDS + RECORD)
    return left_out(contents, known | {VERSIONS})


def _private(path: Path) -> IO[bytes]:
    """Open a new file that is its owner's alone: passwords' hashes are among what it gets."""
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b")


def _add_accounts(archive: ZipFile, accounts: Path) -> None:
    with tempfile.TemporaryDirectory(dir=accounts.parent) as directory:
        copy = Path(directory) / _ACCOUNTS
        copy_accounts(accounts, copy)
        archive.write(copy, _ACCOUNTS)


@contextmanager
def _opened(file: Path) -> Iterator[tuple[IO[bytes], Path | None]]:
    """Give what pg_dump wrote, and the accounts beside it; what pg_dump wrote alone will do too.

    Raises:
        StoreError: the file is damaged, or no backup.
    """
    if not is_zipfile(file):
        with file.open("rb") as history:
            yield history, None
        return
    with tempfile.TemporaryDirectory() as directory, ZipFile(file) as archive:
        try:
            whole = archive.testzip() is None and _HISTORY in archive.namelist()
        except BadZipFile:
            whole = False
        if not whole:
            raise StoreError(f"{file} is damaged, or no backup")
        accounts = None
        if _ACCOUNTS in archive.namelist():
            accounts = Path(directory) / _ACCOUNTS
            with archive.open(_ACCOUNTS) as kept, _private(accounts) as copy:
                shutil.copyfileobj(kept, copy)
            open_accounts(accounts).close()  # whether they can be used, before anything is changed
        with archive.open(_HISTORY) as history:
            yield history, accounts


def _server_version(dsn: str) -> int:
    ((number,),) = _ask(dsn, "SHOW server_version_num")
    return int(number) // 10_000


def _ask(dsn: str, statement: str) -> list[tuple[str]]:
    with closing(connect(dsn, "backup", read_only=True)) as connection:
        return query(connection, statement)


@contextmanager
def _served(app: App, *, create: bool = False) -> Iterator[str]:
    """Give the history's dsn; an embedded server that does not run, runs for the block.

    With `create` it may be a new one.

    Raises:
        StoreError: PostgreSQL is away, or the history is on another machine.
    """
    dsn = history_dsn(app)
    try:
        connect(dsn, "backup").close()
    except StoreError:
        if sql_of(app.network) is not None:
            raise
    else:
        yield dsn
        return
    server = PostgresServer()
    if not create and not server.data.exists():
        raise StoreError(f"there is no history in {state_dir()} (JPH_STATE names another state)")
    with asyncio.Runner() as runner:
        runner.run(_start(server))
        try:
            yield dsn
        finally:
            runner.run(server.stop())


async def _start(server: PostgresServer) -> None:
    await server.start()
    await server.wait_ready()
