"""`export`: writes the history into a file for other programs."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from collector.db.connecting import connect, transaction
from collector.db.location import zone_of
from collector.history.export import Progress, write_csv, write_sqlite
from collector.history.measures import write_measures
from collector.history.query import Range
from collector.history.stored import from_first_reading
from collector.statistics.touched import all_codifiers
from jph.cli.terminal.context import App, codifier
from jph.cli.terminal.database import history_dsn, parse_moment
from jph.config.model import Network
from jph.errors import StoreError
from jph.util import durable

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_SQLITE: Final = frozenset({".sqlite", ".sqlite3", ".db"})


@click.command()
@click.argument("codes", nargs=-1, type=codifier, metavar="[CODE]...")
@click.option(
    "--from", "start", default="1970-01-01", metavar="yesterday|7d|DATE", help="[default: all]"
)
@click.option("--to", "end", default="now", metavar="yesterday|7d|DATE", show_default=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="FILE.csv, FILE.sqlite, or - for CSV to standard output.",
)
@click.option(
    "--sqlite",
    "measures",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A SQLite file with one table for each kind of measure (temperature, power …).",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.option(
    "--decimal-comma",
    is_flag=True,
    help="In CSV numbers with a comma, fields separated by semicolons.",
)
@click.pass_obj
def export(
    app: App,
    codes: tuple[str, ...],
    start: str,
    end: str,
    output: Path | None,
    measures: Path | None,
    force: bool,
    decimal_comma: bool,
) -> None:
    r"""Write the readings of these codifiers, or of all, exactly as they were sent.

    \b
      control.py export I1 I2 I3 --from 2026-10-01 --to 2026-11-01 -o october.csv
      control.py export -o house.sqlite
      control.py export --sqlite measures.sqlite

    A SQLite file has the statistics too, in tables of their own.
    """
    if (output is None) == (measures is None):
        raise click.UsageError("give one of --output and --sqlite")
    into = output or measures
    assert into is not None
    if str(into) != "-" and into.exists() and not force:
        raise click.UsageError(f"{into} is there already; --force replaces it")
    for code in codes:
        app.network.sensor(code)
    zone = zone_of(app.network)
    now = datetime.now(zone)
    moments = [parse_moment(text, now, zone) for text in (start, end)]
    start_ms, end_ms = (round(moment.timestamp() * 1000) for moment in moments)
    with closing(connect(history_dsn(app), "export", read_only=True)) as connection:
        with transaction(connection) as cursor:
            asked = [Range(code, start_ms, end_ms) for code in codes or all_codifiers(cursor)]
            wanted = [from_first_reading(cursor, each) for each in asked]
        with _bar(wanted) as progress:
            network = app.network if measures is not None else None
            options = {"decimal_comma": decimal_comma}
            count = _write(connection, wanted, into, progress, measures_of=network, **options)
    click.echo(f"{count} readings of {len(wanted)} codifiers", err=True)


def _write(
    connection: "connection",
    wanted: Sequence[Range],
    output: Path,
    progress: Progress,
    *,
    decimal_comma: bool,
    measures_of: Network | None = None,
) -> int:
    """Write a file under another name until it is whole; with `measures_of` tables of measures."""
    if str(output) == "-":
        return write_csv(connection, wanted, sys.stdout, progress, decimal_comma=decimal_comma)
    part = output.with_name(f".{output.name}.part")
    try:
        part.unlink(missing_ok=True)
        if measures_of is not None:
            count = write_measures(connection, wanted, measures_of, part, progress)
        elif output.suffix in _SQLITE:
            count = write_sqlite(connection, wanted, part, progress)
        else:
            with part.open("w", encoding="utf-8", newline="") as file:
                count = write_csv(connection, wanted, file, progress, decimal_comma=decimal_comma)
        durable.put_in_place(part, output)
    except OSError as error:
        raise StoreError(f"cannot write {output}: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return count


@contextmanager
def _bar(wanted: Sequence[Range]) -> Iterator[Progress]:
    """Show on a terminal how far through the time of all codifiers it is, in seconds."""
    starts, total_s = {}, 0
    for each in wanted:
        starts[each.codifier] = total_s
        total_s += max(0, each.end_ms - each.start_ms) // 1000
    with click.progressbar(length=total_s, label="writing", file=sys.stderr) as bar:

        def progress(each: Range, reached_ms: int) -> None:
            position = starts[each.codifier] + max(0, reached_ms - each.start_ms) // 1000
            bar.update(position - bar.pos)

        yield progress
