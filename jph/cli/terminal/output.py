"""Values, tables and colours as text on a terminal."""

import os
import shutil
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any, Final

import click
import msgspec

from jph.wire.codec import Quality, Value

_SHOWN_TEXT: Final = 40
_GAP: Final = "  "
_NARROWEST: Final = 6
_COLOURS: Final = {
    "alive": "green",
    "late": "yellow",
    "dead": "red",
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
    """Return the word for a quality, as `stale`; the number of an unknown one."""
    try:
        return Quality(quality).name.lower()
    except ValueError:
        return str(quality)


def show_clock(timestamp_ms: int, zone: tzinfo | None = None) -> str:
    """Return the time of day to the ms in `zone`; question marks where there is no such time."""
    try:
        clock = datetime.fromtimestamp(timestamp_ms / 1000, UTC).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return "??:??:??.???"
    return f"{clock:%H:%M:%S}.{timestamp_ms % 1000:03d}"


def show_day(timestamp_ms: int, zone: tzinfo | None = None) -> str:
    """Return the day in `zone` and the zone's name; question marks where there is no such day."""
    try:
        return f"{datetime.fromtimestamp(timestamp_ms / 1000, UTC).astimezone(zone):%Y-%m-%d %Z}"
    except (ValueError, OverflowError, OSError):
        return "????-??-??"


def show_duration(seconds: float) -> str:
    """Return a time as `3.2 s`, `5 min`, `23 h 59 min` or `12 d`."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    if hours >= 48:
        return f"{hours // 24} d"
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


def terminal_width() -> int | None:
    """Return the columns of the terminal; None for another output, unless COLUMNS is set."""
    if not sys.stdout.isatty() and not os.environ.get("COLUMNS"):
        return None
    return shutil.get_terminal_size().columns


def fitted(
    widths: Sequence[int], heads: Sequence[int], width: int, gap: int = len(_GAP)
) -> list[int]:
    """Return column widths that fit into `width`: the widest column shrinks first.

    A column keeps the width of its heading; what does not fit even so is cut at the end.
    """
    fitting = list(widths)
    least = [min(now, max(head, _NARROWEST)) for now, head in zip(widths, heads, strict=True)]
    over = sum(fitting) + gap * (len(fitting) - 1) - width
    while over > 0:
        at = max(range(len(fitting)), key=lambda i: fitting[i] - least[i])
        if fitting[at] <= least[at]:
            break
        fitting[at] -= 1
        over -= 1
    return fitting


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: str = "",
    width: int | None = None,
) -> list[str]:
    """Lay out `rows` under `head`; columns whose heading is in `right` (spaced) align right.

    With a `width` in characters, long cells end in `…` so that every line fits.
    """
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    if width is not None:
        widths = fitted(widths, [len(name) for name in head], width)
    aligned = [name in right.split() for name in head]

    def line(cells: Sequence[str]) -> str:
        padded = (
            _cut(cell, wide).rjust(wide) if to_right else _cut(cell, wide).ljust(wide)
            for cell, wide, to_right in zip(cells, widths, aligned, strict=True)
        )
        return _cut(_GAP.join(padded).rstrip(), width)

    return [line(head), *(line(row) for row in rows)]


def _cut(text: str, width: int | None) -> str:
    return text if width is None or len(text) <= width else text[: max(0, width - 1)] + "…"


def echo_json(value: Any) -> None:  # noqa: ANN401
    """Print one JSON document on one line, at once; what is no number in JSON (NaN) is null."""
    click.echo(msgspec.json.encode(value).decode())
