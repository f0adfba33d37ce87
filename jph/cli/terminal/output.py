"""Formats values, tables and colours for a terminal. Pure but for asking the terminal."""

import os
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import click
import msgspec

from jph.wire.codec import Quality, Value

_SHOWN_TEXT: Final = 40
_COLOURS: Final = {
    "alive": "green",
    "late": "yellow",
    "halted": "yellow",
    "stale": "yellow",
    "silent": "red",
}


def colour_wanted() -> bool:
    """Whether output may be coloured: on a terminal, and `NO_COLOR` does not forbid it."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def paint(text: str, state: str) -> str:
    """Colour `text` as `state` deserves, where colour is wanted."""
    colour = _COLOURS.get(state)
    return click.style(text, fg=colour) if colour and colour_wanted() else text


def show_value(value: Value | None, symbol: str = "") -> str:
    """Return a value with its unit, short enough for a table."""
    if value is None:
        return "–"
    if isinstance(value, float):
        text = f"{value:.6g}" if abs(value) < 1e6 else f"{value:.10g}"
    else:
        # What comes from the network must not command the terminal.
        text = "".join(c if c.isprintable() else "·" for c in str(value))
    if len(text) > _SHOWN_TEXT:
        return text[: _SHOWN_TEXT - 1] + "…"  # a unit behind half a text would be of nothing
    return f"{text} {symbol}".rstrip()


def show_quality(quality: int) -> str:
    """Return the word for a quality, as `stale`; the number of one without a name."""
    try:
        return Quality(quality).name.lower()
    except ValueError:
        return str(quality)


def show_clock(timestamp_ms: int) -> str:
    """Return the local time of day to the ms; question marks where there is no such time."""
    try:
        clock = datetime.fromtimestamp(timestamp_ms / 1000).astimezone()
    except (ValueError, OverflowError, OSError):
        return "??:??:??.???"
    return f"{clock:%H:%M:%S}.{timestamp_ms % 1000:03d}"


def show_day(timestamp_ms: int) -> str:
    """Return the local day and the name of its time; question marks where there is no such day."""
    try:
        return f"{datetime.fromtimestamp(timestamp_ms / 1000).astimezone():%Y-%m-%d %Z}"
    except (ValueError, OverflowError, OSError):
        return "????-??-??"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: str = "") -> list[str]:
    """Lay out `rows` under `head`; columns whose heading is in `right` (spaced) align right."""
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    aligned = [name in right.split() for name in head]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(cells, widths, aligned, strict=True)
        )
        return "  ".join(padded).rstrip()

    return [line(head), *(line(row) for row in rows)]


def echo_json(value: Any) -> None:  # noqa: ANN401
    """Print one JSON document on one line, at once; what is no number in JSON (NaN) is null."""
    click.echo(msgspec.json.encode(value).decode())
