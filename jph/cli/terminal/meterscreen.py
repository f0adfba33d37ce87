"""Output of `teleinfo --device`: a table that is updated in place on a terminal, else changes."""

import shutil
import sys
from typing import Final

import click

from jph.cli.terminal.output import echo_json, paint, table
from jph.devices.tic.explain import describe, show_line, why
from jph.devices.tic.line import Cause, Group, causes
from jph.devices.tic.link import MeterLine
from jph.devices.tic.reader import JudgedLine, ReaderEvent

HOME: Final = "\x1b[H"
REST_OF_LINE: Final = "\x1b[K"
REST_OF_SCREEN: Final = "\x1b[J"
CLEAR: Final = "\x1b[2J"
LABELS_KEPT: Final = 256


class MeterScreen:
    """Keeps the last group of each label and shows it. Times are monotonic seconds."""

    def __init__(self, *, raw: bool, as_json: bool) -> None:
        self._raw = raw
        self._as_json = as_json
        self._in_place = sys.stdout.isatty() and not raw and not as_json
        self._drawn = False
        self._last: dict[str, tuple[Group, float]] = {}

    def take(self, events: list[ReaderEvent], now_s: float) -> None:
        """Keep the groups of `events`, and print what is new where there is no table in place."""
        for event in events:
            if not isinstance(event, Group):
                continue
            before = self._last.get(event.label)
            if before is not None or len(self._last) < LABELS_KEPT:
                self._last[event.label] = (event, now_s)
            if self._as_json and not self._raw:
                _print_json(event)
            elif not (self._in_place or self._raw) and _changed(before, event):
                click.echo(f"{event.label:<9} {event.text}  {describe(event)}")

    def show_line(self, judged: JudgedLine) -> None:
        """Print one line as it came: `--raw`."""
        shown, outcome = show_line(judged.raw), judged.outcome
        reason = ""
        if isinstance(outcome, Cause):
            reason = f"{outcome.value}: {why(judged.raw, outcome)}"
        if self._as_json:
            echo_json({"offset": judged.offset, "line": shown, "bad": reason})
        else:
            click.echo(f"{shown:<40}  {paint(reason, 'silent')}".rstrip())

    def draw(self, line: MeterLine, silent: bool, now_s: float) -> None:
        """Draw the table anew, in its place."""
        if not self._in_place:
            return
        size = shutil.get_terminal_size()
        rows = [*self._state(line, silent), "", *self._table(now_s)]
        if len(rows) > size.lines - 1:
            hidden = len(rows) - size.lines + 2
            rows = [*rows[: size.lines - 2], f"… {hidden} more: a higher window shows them"]
        begin = HOME if self._drawn else CLEAR + HOME
        self._drawn = True
        text = "\n".join(row[: size.columns] + REST_OF_LINE for row in rows)
        click.echo(f"{begin}{text}\n{REST_OF_SCREEN}", nl=False)

    def finish(self, line: MeterLine, now_s: float) -> None:
        """Leave the last state behind."""
        if self._as_json:
            return
        if self._drawn:
            click.echo(CLEAR + HOME, nl=False)
        else:
            click.echo()
        for row in [*self._state(line, False), "", *self._table(now_s)]:
            click.echo(row)

    def _state(self, line: MeterLine, silent: bool) -> list[str]:
        reader = line.reader
        judged = reader.groups + reader.bad
        quality = f"{100 * reader.groups / judged:.1f} %" if judged else "–"
        if not line.link.is_open:
            state = "port lost"
        elif not reader.groups:
            state = "nothing understood yet" if reader.bytes else "not a byte yet"
        else:
            state = "silent" if silent else reader.mode.value if reader.mode else "mode not sure"
        parity = "even parity" if reader.parity else "bit 7 stripped"
        return [
            f"{line.link.url}  {line.baud_rate} baud  {state}" + (f"  {parity}" * bool(judged)),
            f"quality {quality}  frames {reader.frames}  groups {reader.groups}",
            f"bad {reader.bad}  by cause: {causes(reader.errors)}",
        ]

    def _table(self, now_s: float) -> list[str]:
        rows = [
            (label, group.text, describe(group), f"{now_s - at_s:.1f} s")
            for label, (group, at_s) in self._last.items()
        ]
        return table(("label", "value", "meaning", "age"), rows, "age") if rows else []


def _changed(before: tuple[Group, float] | None, group: Group) -> bool:
    return before is None or before[0].text != group.text


def _print_json(group: Group) -> None:
    echo_json(
        {
            "label": group.label,
            "value": group.value,
            "horodate": group.horodate,
            "meaning": describe(group),
            "mode": group.mode.value,
        }
    )
