"""`convert`: a recording as CSV, JSON lines, SQLite or pcap."""

import csv
import io
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import click
import msgspec

from jph.cli.commands.record import find_recording, read_recording
from jph.cli.terminal.context import App
from jph.errors import StoreError
from jph.recorder import exports
from jph.recorder.frames import RecordDamage, RecordEntry, unpack

_TABLE: Final = (
    "CREATE TABLE messages (arrival_us INTEGER NOT NULL, bus TEXT NOT NULL, timestamp_ms INTEGER,"
    " flag TEXT NOT NULL, source TEXT NOT NULL, destination TEXT NOT NULL, sequence INTEGER,"
    " epoch INTEGER, quality INTEGER, value, address TEXT, port INTEGER)"
)


@click.command()
@click.argument("file", required=False, metavar="[FILE]")
@click.option(
    "--to",
    "form",
    type=click.Choice(["csv", "jsonl", "sqlite", "pcap"]),
    help="The form; by default that of the name of --out, else csv.",
)
@click.option(
    *("-o", "--out"), type=click.Path(dir_okay=False, path_type=Path), help="[default: stdout]"
)
@click.pass_obj
def convert(app: App, file: str | None, form: str | None, out: Path | None) -> None:
    r"""Convert a recording to CSV, JSON lines, SQLite or pcap (for Wireshark).

    \b
      control.py convert 17 > shed.csv
      control.py convert house.rec --out house.sqlite

    FILE is a path, a name or a number of `record list`, by default the newest recording. Damaged
    parts are left out and reported; exit status 1 then.
    """
    suffixes = {".jsonl": "jsonl", ".sqlite": "sqlite", ".db": "sqlite", ".pcap": "pcap"}
    form = form or suffixes.get(out.suffix if out else "", "csv")
    path = find_recording(file)
    entries = list(unpack(read_recording(path)))
    if form == "sqlite":
        if out is None:
            raise click.UsageError("--out: SQLite needs a file")
        _to_sqlite(out, entries)
    elif form == "pcap":
        multicast = app.network.multicast
        ends = {"control": multicast.control, "data": multicast.data}
        groups = {bus: (end.address, end.port) for bus, end in ends.items()}
        _write(out, exports.pcap(entries, groups))
    else:
        _write(out, _TEXTS[str(form)](exports.rows(entries)))
    damaged = sum(entry.size for entry in entries if isinstance(entry, RecordDamage))
    if damaged:
        click.echo(f"{path.name}: {damaged} bytes are damaged and left out", err=True)
    raise SystemExit(1 if damaged else 0)


def _csv(rows: Iterable[exports.Row]) -> Iterator[bytes]:
    for row in (exports.COLUMNS, *rows):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(row)
        yield line.getvalue().encode()


def _jsonl(rows: Iterable[exports.Row]) -> Iterator[bytes]:
    for row in rows:
        yield msgspec.json.encode(dict(zip(exports.COLUMNS, row, strict=True))) + b"\n"


_TEXTS: Final[dict[str, Callable[[Iterable[exports.Row]], Iterator[bytes]]]] = {
    "csv": _csv,
    "jsonl": _jsonl,
}


def _write(out: Path | None, parts: Iterable[bytes]) -> None:
    if out is None:
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
        return
    try:
        with out.open("wb") as file:
            file.writelines(parts)
    except OSError as error:
        raise StoreError(f"{out} cannot be written: {error}") from error


def _to_sqlite(out: Path, entries: Iterable[RecordEntry]) -> None:
    """Write a new database; an existing file stays."""
    if out.exists():
        raise StoreError(f"{out} exists already: name another file, or remove it")
    marks = ", ".join("?" * len(exports.COLUMNS))
    try:
        with closing(sqlite3.connect(out)) as database, database:
            database.execute(_TABLE)
            rows = (tuple(map(_bounded, row)) for row in exports.rows(entries))
            database.executemany(f"INSERT INTO messages VALUES ({marks})", rows)
            database.execute("CREATE INDEX by_source ON messages (source, arrival_us)")
    except sqlite3.Error as error:
        raise StoreError(f"{out} cannot be written: {error}") from error


def _bounded(value: object) -> object:
    """Return a number as SQLite can hold it: beyond 64 bits as text."""
    return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**63 else value
