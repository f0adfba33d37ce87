"""Where control.py begins: a plain `run` goes straight to the nodes, all else to the commands.

`run CODE…` is what lives for months on a machine with 512 MB, once for each node. It does without
what only the other commands need: click, and TLS until somebody speaks it.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

WITH_PARENT: Final = "--with-parent"
_USUAL: Final = Path("static") / "config.json"
_BESIDE: Final = Path(__file__).resolve().parents[2] / _USUAL


class Plain(NamedTuple):
    """A `run` without options that need explaining; `url` and `codes` may be missing."""

    url: str | None
    codes: tuple[str, ...]
    with_parent: bool


def plain(arguments: Sequence[str]) -> Plain | None:
    """Read `[--config URL] run [--with-parent] CODE…`; None if it says anything else."""
    rest = list(arguments)
    url = None
    if rest[:1] == ["--config"] and len(rest) > 1:
        url, rest = rest[1], rest[2:]
    if rest[:1] != ["run"]:
        return None
    with_parent = rest[1:2] == [WITH_PARENT]
    codes = tuple(code.upper() for code in rest[1 + with_parent :])
    if not codes or not all(code.isalnum() for code in codes) or len(set(codes)) < len(codes):
        return None
    return Plain(url, codes, with_parent)


def default_config() -> str:
    """Return the usual configuration: in the working directory, else beside control.py."""
    return str(_BESIDE if _BESIDE.exists() and not _USUAL.exists() else _USUAL)


def main() -> None:
    """Run control.py."""
    asked = plain(sys.argv[1:])
    if asked is None:
        from jph.cli.main import main as command

        command()
    else:
        sys.exit(_run(asked))


def _run(asked: Plain) -> int:
    from jph.util.lazy import SELDOM_USED, postpone

    postpone(SELDOM_USED)
    from jph.errors import JphError
    from jph.node.program import run

    if asked.with_parent:
        from jph.cli.supervise.lifeline import end_with_stdin

        end_with_stdin()
    try:
        run(asked.codes, asked.url or os.environ.get("JPH_CONFIG") or default_config())
    except JphError as error:
        print(f"control.py: {error}", file=sys.stderr)
        return error.exit_status
    return 0
