"""`sql`: database, roles, tables and views of the history, printed for psql or applied."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import click

from collector.db.connecting import connect, query, transaction
from collector.db.location import sql_of, zone_of
from collector.db.schema import TARGETS, migrate, schema_statements, target_statements
from collector.db.sql_roles import create_database, grant_all
from collector.db.tables import LATE_LOCK, WIDTHS, lock_statement
from collector.db.views import sync_views, views_of
from collector.energy.meters import phases
from collector.statistics.buckets import to_datetime, to_us
from collector.statistics.calculator import Calculator
from collector.statistics.touched import all_codifiers
from collector.statistics.touched import rebuild as touch_again
from jph.cli.terminal.context import App, codifier
from jph.cli.terminal.database import history_dsn
from jph.config.model import Sql
from jph.config.stores import DATABASE, read_password

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_SALT_BYTES: Final = 16
_OF_CODIFIERS: Final = (
    *("reading", "packed", "retired", "gap", "touched"),
    *(f"statistic_{width}" for width in WIDTHS),
    *("energy_hour", "energy_event", "energy_doubt", "energy_state", "energy_touched"),
    "heater_hour",
)
"""The tables that `truncate` empties, and `phase_hour`; the books of the sources stay, so that
nothing is asked again."""

apply_option = click.option(
    "--apply", "applied", is_flag=True, help="Do it, instead of printing SQL for psql."
)
only_argument = click.argument("codes", nargs=-1, type=codifier, metavar="[CODE]...")
all_option = click.option("--all", "every", is_flag=True, help="Every codifier.")


@click.group()
def sql() -> None:
    """Prepare and repair the database of the history.

    `database`, `tables` and `views` print SQL for psql, or do it with --apply. The programs
    make and update their tables by themselves; what they cannot do is make database and roles.
    """


@sql.command()
@click.option("--drop", is_flag=True, help="Drop the database first, with all that is in it.")
@click.option("--admin", metavar="DSN", help="With --apply: how a superuser connects.")
@apply_option
@click.pass_obj
def database(app: App, drop: bool, admin: str | None, applied: bool) -> None:
    r"""Create the config's database and user, the roles jph_writer and jph_reader.

    \b
      control.py sql database | sudo -u postgres psql
      control.py sql database --apply --admin "host=/run/postgresql dbname=postgres user=postgres"

    To let a person read: CREATE ROLE ann LOGIN PASSWORD '…'; GRANT jph_reader TO ann. The password
    of the config's user is that of its file, printed as SCRAM-SHA-256 only.
    """
    wanted = sql_of(app.network) or Sql(database=DATABASE, user=DATABASE, host="")
    make = create_database(wanted, _password(wanted), os.urandom(_SALT_BYTES), drop=drop)
    rights = grant_all(wanted)
    if not applied:
        name = wanted.database.replace('"', '""')
        _print([*make, f'\\connect "{name}"', *rights])
        return
    if drop:
        click.confirm(f"Drop the database {wanted.database} and all that is in it?", abort=True)
    _run_each(admin or f"{history_dsn(app)} dbname=postgres", make)
    _run_each(f"{admin} dbname={wanted.database}" if admin else history_dsn(app), rights)


@sql.command()
@click.option(
    "--on",
    "place",
    type=click.Choice(TARGETS),
    help="For a database that is still empty: on these, as docs/scale.md says.",
)
@apply_option
@click.pass_obj
def tables(app: App, place: str | None, applied: bool) -> None:
    """Create or update the tables, as the collector does when it starts."""
    if not applied:
        _print([*schema_statements(), *(target_statements(place) if place else ())])
        return
    with closing(connect(history_dsn(app), "sql")) as connection:
        migrate(connection)
    if place:
        _run_each(history_dsn(app), target_statements(place))


@sql.command()
@click.option("--only", type=codifier, metavar="CODE", help="Those of this codifier.")
@apply_option
@click.pass_obj
def views(app: App, only: str | None, applied: bool) -> None:
    """Create the original's tables as views: sensor_xx, sensor_xx_10min, sensor_xx_hour."""
    network = app.network
    chosen = [network.sensor(only)] if only else network.sensors
    if not applied:
        for sensor in chosen:
            for view in views_of(sensor):
                _print(view.statements)
        return
    with closing(connect(history_dsn(app), "sql")) as connection:
        for problem in sync_views(connection, chosen, only=only):
            click.echo(f"warning: {problem}", err=True)


@sql.command()
@only_argument
@all_option
@click.pass_obj
def rebuild(app: App, codes: tuple[str, ...], every: bool) -> None:
    """Compute the statistics of codifiers again from their readings, as far as those are kept."""
    chosen = _chosen(app, codes, every)
    calculator = Calculator(history_dsn(app), "sql", zone_of(app.network))
    with closing(calculator):
        calculator.advance(to_us(datetime.now(UTC)))
        with transaction(calculator.connection) as cursor:
            stayed = touch_again(cursor, chosen)
        for code, until in stayed.items():
            click.echo(
                f"{code}: statistics up to {to_datetime(until):%Y-%m-%d} (UTC) stay as they are, "
                "their readings are kept no longer",
                err=True,
            )
        if not calculator.alone():
            click.echo("a calculator is running: it will do it", err=True)
            return
        done = 0
        hours = _touched(calculator)
        with click.progressbar(length=hours, label="computing", file=sys.stderr) as bar:
            while (changed := calculator.work()) is not None:
                done += changed
                bar.update(max(0, (bar.length or 0) - _touched(calculator) - bar.pos))
        click.echo(f"{done} buckets changed")


@sql.command()
@only_argument
@all_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def truncate(app: App, codes: tuple[str, ...], every: bool, yes: bool) -> None:
    """Remove the readings, statistics and energy of codifiers for ever; asks first."""
    chosen = _chosen(app, codes, every)
    whose = "every codifier" if every else ", ".join(chosen)
    if not yes:
        click.confirm(f"Remove every reading and statistic of {whose}?", abort=True)
    with _changing(app) as cursor:
        cursor.execute(lock_statement(LATE_LOCK))
        for table in _OF_CODIFIERS:
            if every:
                cursor.execute(f"TRUNCATE {table}")
            else:
                cursor.execute(f"DELETE FROM {table} WHERE codifier = ANY(%s)", (chosen,))
        removed = [each.phase for each in phases(app.network) if {*each.codifiers} & {*chosen}]
        if every:
            cursor.execute("TRUNCATE phase_hour")
        else:
            cursor.execute("DELETE FROM phase_hour WHERE phase = ANY(%s::smallint[])", (removed,))
    click.echo(f"removed what there was of {whose}")


def _chosen(app: App, codes: Sequence[str], every: bool) -> list[str]:
    """Return the codifiers that are meant; with --all those that ever sent something.

    Raises:
        click.UsageError: none or both were named.
    """
    if bool(codes) == every:
        raise click.UsageError("name codifiers, or --all of them")
    if not every:
        return [app.network.sensor(code).codifier for code in codes]
    with _changing(app) as cursor:
        return all_codifiers(cursor)


@contextmanager
def _changing(app: App) -> "Iterator[cursor]":
    """Give a cursor on the history, one transaction."""
    with closing(connect(history_dsn(app), "sql")) as opened, transaction(opened) as cursor:
        yield cursor


def _touched(calculator: Calculator) -> int:
    """Return how much is to be computed, in hours of readings."""
    ((hours,),) = query(
        calculator.connection,
        "SELECT coalesce(sum(extract(epoch FROM to_time - from_time)), 0)::bigint / 3600 "
        "FROM touched",
    )
    return int(hours)


def _password(sql: Sql) -> str:
    return read_password(sql.password) if sql.password else ""


def _print(statements: Iterable[str]) -> None:
    for statement in statements:
        click.echo(statement if statement.startswith("\\") else f"{statement};")


def _run_each(dsn: str, statements: Iterable[str]) -> None:
    """Run statements one after the other, none in a transaction: databases are made so.

    Raises:
        StoreError: one was refused.
    """
    with closing(connect(dsn, "sql", any_encoding=True)) as connection:
        connection.autocommit = True
        for statement in statements:
            with transaction(connection) as cursor:
                cursor.execute(statement)
