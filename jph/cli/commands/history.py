"""`history`: stored values as a table, a picture, CSV or JSON."""

import csv
import io
import shutil
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import click

from collector.db.location import zone_of
from collector.history.export import with_comma
from collector.history.query import DEFAULT_MOST, Level, Point, PointSeries, Range, read_history
from collector.history.stored import read_changes
from collector.statistics.buckets import to_datetime
from jph.cli.terminal.context import App, codifier, json_option
from jph.cli.terminal.database import parse_moment, reading
from jph.cli.terminal.output import echo_json, show_value, table
from jph.cli.terminal.plot import plot
from jph.config.model import Sensor

_TEXT: Final = frozenset({"text", "string"})


@click.command()
@click.argument("code", type=codifier)
@click.option("--from", "start", default="24h", metavar="today|30min|2h|7d|DATE", show_default=True)
@click.option("--to", "end", default="now", metavar="today|30min|2h|7d|DATE", show_default=True)
@click.option(
    "--every",
    type=click.Choice([level.value for level in Level]),
    help="How fine.  [default: as a screen can show]",
)
@click.option(
    "--most",
    default=DEFAULT_MOST,
    type=click.IntRange(min=1),
    show_default=True,
    help="Without --every: at most as many lines.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated, times in UTC.")
@click.option(
    "--decimal-comma",
    is_flag=True,
    help="With --csv: numbers with a comma, fields separated by semicolons.",
)
@click.option("--plot", "as_plot", is_flag=True, help="A picture.")
@json_option
@click.pass_obj
def history(
    app: App,
    code: str,
    start: str,
    end: str,
    every: str | None,
    most: int,
    as_csv: bool,
    decimal_comma: bool,
    as_plot: bool,
    as_json: bool,
) -> None:
    r"""Show the history of CODE: of each stretch of time the mean, minimum, maximum and count.

    \b
      control.py history I1                               the last 24 hours
      control.py history I1 --from 7d --plot
      control.py history RA --from 2026-10-01 --to 2026-11-01 --every day --csv

    A line's time is the end of its stretch. Dates are local days (TimeZone of the calculator). Of a
    codifier that sends text the changes are shown.
    """
    sensor, zone = app.network.sensor(code), zone_of(app.network)
    wanted = _range(code, start, end, zone)
    with reading(app, "history") as connection:
        if sensor.data_type in _TEXT:
            changes = read_changes(connection, wanted, most)
            _echo_changes(
                changes, as_csv=as_csv, as_json=as_json, zone=zone, decimal_comma=decimal_comma
            )
            return
        level = None if every is None else Level(every)
        found = read_history(connection, wanted, most, level, zone)
    if as_json:
        echo_json({"every": found.level, "points": [point._asdict() for point in found.points]})
    elif as_csv:
        _echo_csv(Point._fields, found.points, decimal_comma=decimal_comma)
    elif not found.points:
        click.echo(f"{code} has no readings there", err=True)
    elif as_plot:
        width = shutil.get_terminal_size().columns
        click.echo("\n".join(plot(found.points, zone, width)))
    else:
        click.echo("\n".join(show(found, sensor, zone)))


def _range(code: str, start: str, end: str, zone: ZoneInfo) -> Range:
    """Return the time that is asked for.

    Raises:
        UsageError: it ends before it starts.
    """
    now = datetime.now(zone)
    moments = [parse_moment(text, now, zone) for text in (start, end)]
    wanted = Range(code, *(round(moment.timestamp() * 1000) for moment in moments))
    if wanted.start_ms >= wanted.end_ms:
        raise click.UsageError(f"--from {start} is not before --to {end}")
    return wanted


def show(found: PointSeries, sensor: Sensor, zone: ZoneInfo) -> list[str]:
    """Lay a history out as lines."""
    if all(point.count == 1 for point in found.points):
        head: tuple[str, ...] = ("time", "value")
        rows: list[tuple[str, ...]] = [
            (_moment(point.timestamp_ms, zone), show_value(point.mean, sensor.symbol))
            for point in found.points
        ]
    else:
        head = ("until", "mean", "min", "max", "readings")
        rows = [_cells(point, sensor, zone) for point in found.points]
    return table(head, rows, right="value mean min max readings")


def _cells(point: Point, sensor: Sensor, zone: ZoneInfo) -> tuple[str, ...]:
    values = (show_value(value, sensor.symbol) for value in point[1:4])
    return _moment(point.timestamp_ms, zone), *values, str(point.count)


def _moment(ms: int, zone: ZoneInfo) -> str:
    """Return a local time; its offset tells the two hours of the same name apart."""
    moment = datetime.fromtimestamp(ms / 1000, zone)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d} {moment:%z}"


def _echo_changes(
    changes: list[tuple[int, str]],
    *,
    as_csv: bool,
    as_json: bool,
    zone: ZoneInfo,
    decimal_comma: bool,
) -> None:
    if as_json:
        echo_json([{"timestamp_ms": ms, "value": text} for ms, text in changes])
    elif as_csv:
        _echo_csv(("timestamp_ms", "value"), changes, decimal_comma=decimal_comma)
    else:
        rows = [(_moment(ms, zone), show_value(text)) for ms, text in changes]
        click.echo("\n".join(table(("since", "value"), rows)))


def _echo_csv(
    head: tuple[str, ...],
    rows: "list[Point] | list[tuple[int, str]]",
    *,
    decimal_comma: bool,
) -> None:
    """Print CSV; times in ISO 8601, ms, UTC."""
    delimiter = ";" if decimal_comma else ","
    click.echo(delimiter.join(("time", *head[1:])))
    for row in rows:
        line = io.StringIO()
        moment = to_datetime(row[0] * 1000).isoformat(timespec="milliseconds")
        cells: tuple[object, ...] = (moment.replace("+00:00", "Z"), *row[1:])
        writer = csv.writer(line, lineterminator="", delimiter=delimiter)
        writer.writerow(with_comma(cells) if decimal_comma else cells)
        click.echo(line.getvalue())
