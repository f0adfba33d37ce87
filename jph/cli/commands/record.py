"""`record`: records the buses, and shows recordings, those of the flight recorder too."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from jph.cli.commands.watch import Filter, Printer, filter_options
from jph.cli.recording import Rotation, record_buses
from jph.cli.terminal.context import App, json_option, run_async
from jph.cli.terminal.output import echo_json, show_clock, table
from jph.cli.terminal.place import require_here_if_known
from jph.config.model import state_dir
from jph.errors import DecodeError, StoreError
from jph.heating.explain.sentences import span
from jph.recorder import recording_files
from jph.recorder.frames import (
    RecordDamage,
    RecordedDatagram,
    RecordedEvent,
    RecordEnd,
    find_events,
    unpack,
)
from jph.recorder.overruns import Overrun, from_lines
from jph.wire.codec import Control, Reading
from nodes.recorder import Recorder

_DEFAULT_COUNT: Final = 30


@click.group()
def record() -> None:
    """Record both buses, and read recordings: these and the flight recorder's, and the overruns.

    It reads the files of this machine's state directory (`JPH_STATE`), which needs no bus.
    """


@record.command("list")
@json_option
def list_recordings(as_json: bool) -> None:
    """List the recordings, the newest first: what happened, and how often."""
    rows = [_Row.of(path) for path in recording_files.recordings(_directory())]
    if as_json:
        echo_json([row.as_json() for row in rows])
    elif rows:
        cells = [row.cells() for row in rows]
        head = ("file", "first event", "MB", "events", "")
        click.echo("\n".join(table(head, cells, right="MB events")))
    else:
        require_here_if_known(Recorder.types, "the recorder")
        click.echo(f"nothing is recorded in {_directory()}", err=True)


@record.command()
@click.argument("file", required=False, metavar="[FILE]")
@filter_options
@click.option("--bus", type=click.Choice(["control", "data"]), help="Of this bus only.")
@json_option
@click.pass_obj
def show(
    app: App,
    file: str | None,
    source: tuple[str, ...],
    to: tuple[str, ...],
    either: tuple[str, ...],
    flag: tuple[str, ...],
    bus: str | None,
    as_json: bool,
) -> None:
    r"""Replay a recording as `watch` prints messages, with its events marked.

    \b
      control.py record show                        the newest
      control.py record show 17 --either 21         number 17, heater 21
      control.py record show FILE --flag I --json

    FILE is a path, a name or a number of `record list`. What is damaged or cut is left out and
    reported on stderr; exit status 1 then.
    """
    path = find_recording(file)
    wanted = Filter(frozenset(source), frozenset(to), frozenset(either), frozenset(flag))
    replay = _Replay(wanted, bus, as_json, Printer(app.network))
    for entry in unpack(read_recording(path)):
        replay.show(entry)
    for complaint in replay.complaints():
        click.echo(f"{path.name}: {complaint}", err=True)
    raise SystemExit(1 if replay.damaged else 0)


@record.command("to")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--for", "seconds", type=click.FloatRange(0, min_open=True), help="End after.")
@click.option(
    "--megabytes", type=click.FloatRange(0.01), default=16.0, show_default=True, help="Of a file."
)
@click.option(
    "--files", type=click.IntRange(1), default=20, show_default=True, help="The oldest goes."
)
@click.pass_obj
def record_to(app: App, folder: Path, seconds: float | None, megabytes: float, files: int) -> None:
    r"""Record both buses into rotating files, until Ctrl-C or --for SECONDS.

    \b
      control.py record to /var/tmp/house --for 3600
      control.py record show /var/tmp/house/000001-20261118T110640Z-buses.rec

    The files have the form of the flight recorder's: `record show`, `play` and `convert` read them.
    """
    run_async(record_buses(app, folder, Rotation(files, int(megabytes * 2**20)), seconds))


@record.command()
@click.option(
    *("-n", "--count"),
    type=click.IntRange(min=1),
    default=_DEFAULT_COUNT,
    show_default=True,
    help="So many, the newest.",
)
@json_option
def overruns(count: int, as_json: bool) -> None:
    """List when a phase was over its limit, how far, and what was shed; the newest last."""
    path = _directory() / recording_files.OVERRUNS
    text = read_recording(path).decode(errors="replace") if path.exists() else ""
    known = list(from_lines(text))
    good = [overrun for overrun in known if overrun is not None][-count:]
    if as_json:
        for overrun in good:
            echo_json(overrun._asdict())
    elif good:
        head = ("began", "lasted", "phase", "peak", "limit", "A·s", "shed", "")
        rows = [_overrun_cells(overrun) for overrun in good]
        click.echo("\n".join(table(head, rows, right="lasted phase peak limit A·s")))
    else:
        click.echo(f"no overrun is noted in {path}", err=True)
    if unreadable := known.count(None):
        click.echo(f"{path}: lines that cannot be read: {unreadable}", err=True)


@dataclass(frozen=True)
class _Row:
    """A recording in the list."""

    path: Path
    size: int
    events: list[RecordedEvent]

    @classmethod
    def of(cls, path: Path) -> "_Row":
        content = read_recording(path)
        return cls(path, len(content), list(find_events(content)))

    def cells(self) -> tuple[str, ...]:
        first = self.events[0] if self.events else None
        return (
            self.path.name,
            _date(first.arrival_us // 1000) if first else "–",
            f"{self.size / 1e6:.1f}",
            str(len(self.events)),
            f"{first.kind}: {_harmless(first.text)}" if first else "",
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "file": str(self.path),
            "bytes": self.size,
            "events": [event._asdict() for event in self.events],
        }


class _Replay:
    """Shows the entries of a recording, and remembers what is wrong with it."""

    def __init__(self, wanted: Filter, bus: str | None, as_json: bool, printer: Printer) -> None:
        self._wanted, self._bus, self._as_json = wanted, bus, as_json
        self._printer = printer
        self._damage: list[RecordDamage] = []
        self._unknown = 0
        self._ended = False

    @property
    def damaged(self) -> bool:
        return bool(self._damage) or self._unknown > 0

    def show(self, entry: RecordedDatagram | RecordedEvent | RecordDamage | RecordEnd) -> None:
        self._ended = isinstance(entry, RecordEnd)
        if isinstance(entry, RecordedDatagram):
            self._show_heard(entry)
        elif isinstance(entry, RecordedEvent):
            self._show_event(entry)
        elif isinstance(entry, RecordDamage):
            self._damage.append(entry)

    def complaints(self) -> Iterator[str]:
        for damage in self._damage:
            yield f"{damage.size} bytes from byte {damage.offset} on are damaged and left out"
        if self._unknown:
            yield f"messages that this version cannot read: {self._unknown}"
        if not self._ended:
            yield "it ends without its end: it is being recorded still, or was cut"

    def _show_heard(self, heard: RecordedDatagram) -> None:
        if self._bus is not None and heard.bus != self._bus:
            return
        try:
            message = heard.message()
        except DecodeError:
            self._unknown += 1
            return
        if not self._wanted.passes(message):
            return
        if self._as_json:
            _show_heard_json(heard, message)
        else:
            self._printer.show(message, heard.arrival_us // 1000)

    def _show_event(self, event: RecordedEvent) -> None:
        if self._as_json:
            echo_json({"event": event.kind, "arrival_us": event.arrival_us, "text": event.text})
            return
        self._printer.show_day_once(event.arrival_us // 1000)
        kind, text = _harmless(event.kind), _harmless(event.text)
        click.echo(
            f"{show_clock(event.arrival_us // 1000, self._printer.zone)} ━━━ {kind}: {text} ━━━"
        )


def _show_heard_json(heard: RecordedDatagram, message: Control | Reading) -> None:
    echo_json(
        {
            "bus": heard.bus,
            **message._asdict(),
            "arrival_us": heard.arrival_us,
            "address": heard.address,
            "port": heard.port,
        }
    )


def _overrun_cells(overrun: Overrun) -> tuple[str, ...]:
    return (
        _date(overrun.start_ms),
        f"{overrun.seconds:.1f} s" if overrun.seconds < 60 else span(overrun.seconds),
        str(overrun.phase),
        f"{overrun.peak_a:g} A",
        f"{overrun.limit_a:g} A",
        f"{overrun.ampere_seconds:.0f}",
        _harmless(" ".join(overrun.shed)) or "nothing",
        "" if overrun.ended == "under the limit" else _harmless(overrun.ended),
    )


def _date(timestamp_ms: int) -> str:
    try:
        return f"{datetime.fromtimestamp(timestamp_ms / 1000).astimezone():%Y-%m-%d %H:%M:%S}"
    except (ValueError, OverflowError, OSError):
        return "????-??-?? ??:??:??"


def _harmless(text: str) -> str:
    """Return text from a file as it may be shown on a terminal."""
    return "".join(c if c.isprintable() else "·" for c in text)


def _directory() -> Path:
    return state_dir() / "record"


def find_recording(file: str | None) -> Path:
    """Return the recording of a path, a name or a number, by default the newest.

    Raises:
        StoreError: there is none.
    """
    directory = _directory()
    if file is not None and Path(file).is_file():
        return Path(file)
    known = recording_files.recordings(directory)
    if file is None and known:
        return known[0]
    if file is not None and (directory / file).is_file():
        return directory / file
    if file is not None and file.isdecimal():
        for path in known:
            if recording_files.number(path) == int(file):
                return path
    require_here_if_known(Recorder.types, "the recorder")
    what = "nothing is recorded" if file is None else f"there is no recording {file!r}"
    raise StoreError(f"{what} in {directory} (JPH_STATE names another state; `record list` lists)")


def read_recording(path: Path) -> bytes:
    """Return the bytes of a recording.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
