"""Command line of a measurement, its rows, tables and JSON."""

import argparse
import contextlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Row = dict[str, Any]
"""One row of a table: its `name`, and figures by names that end in their unit."""

Option = tuple[Any, str]
"""Default value and help of an option.

The default of a list option is empty; the list holds the choices. `names` are positional.
"""

Column = tuple[str, str, str]
"""Key of a row, head, and format with its width: `("p50_us", "p50 µs", "8.0f")`."""


def run(
    name: str,
    description: str | None,
    measure: Callable[[argparse.Namespace], Sequence[Row]],
    options: Mapping[str, Option],
    arguments: Sequence[str] | None = None,
) -> None:
    """Read the command line, measure, and write the rows to the file after `--json`."""
    parser = argparse.ArgumentParser(
        prog=f"python -m bench.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for key, (default, text) in options.items():
        flag = "--" + key.replace("_", "-")
        if key == "names":
            parser.add_argument("names", nargs="*", metavar="NAME", help=text)
        elif isinstance(default, bool):
            parser.add_argument(flag, action="store_true", help=text)
        elif isinstance(default, list):
            parser.add_argument(flag, action="append", choices=default, help=text)
        else:
            parser.add_argument(flag, type=type(default), default=default, help=text)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    found = parser.parse_args(arguments)
    if unknown := set(getattr(found, "names", ())) - set(options.get("names", ((),))[0]):
        parser.error(f"unknown name: {', '.join(sorted(unknown))}")
    rows = measure(found)
    if found.json is not None:
        found.json.write_text(json.dumps({"name": name, "rows": rows}, indent=2) + "\n")


def table(rows: Sequence[Row], columns: Sequence[Column], width: int = 30, head: str = "") -> None:
    """Print rows under their heads; a figure that a row lacks stays blank."""
    widths = [_width(spec) for _, _, spec in columns]
    heads = [f"{text:>{cells}}" for (_, text, _), cells in zip(columns, widths, strict=True)]
    print(f"{head:{width}}" + "".join(heads))
    for row in rows:
        cells = [
            format(row[key], spec) if row.get(key) is not None else " " * blank
            for (key, _, spec), blank in zip(columns, widths, strict=True)
        ]
        print(f"{row['name']:{width}}" + "".join(cells), flush=True)


def _width(spec: str) -> int:
    found = re.search(r"\d+", spec)
    assert found is not None
    return int(found.group())


def figure(name: str, value: float, spec: str = ",.0f") -> Row:
    """Print one figure and return it as a row."""
    print(f"{name:44}{format(value, spec):>16}", flush=True)
    return {"name": name, "figure": value}


def met(reached: bool) -> str:
    """Return the word for an aim that is reached or not."""
    return "met" if reached else "missed"


@contextlib.contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the duration of a block."""
    started_s = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - started_s:.0f} s", flush=True)
