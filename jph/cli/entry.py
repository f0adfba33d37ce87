"""Entry point of control.py: starts a plain `run` directly and hands all else to the commands.

`run CODE…` runs for months on a machine with 512 MB, once for each node. It does not load what
only other commands need: click, and TLS until a connection uses it.
"""

import os
import sys
from collections.abc import Sequence
from typing import Final, NamedTuple

from jph.cli.config_path import default_config
from jph.util.secrets import print_without_secrets, scrub

WITH_PARENT: Final = "--with-parent"


class Plain(NamedTuple):
    """A `run` command without other options; `url` is None if no option names it."""

    url: str | None
    codes: tuple[str, ...]
    with_parent: bool


def plain(arguments: Sequence[str]) -> Plain | None:
    """Read `[--config URL] run [--with-parent] CODE…`; None for any other command."""
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


def main() -> None:
    """Run control.py."""
    _open_missing_descriptors()
    print_without_secrets()
    asked = plain(sys.argv[1:])
    try:
        if asked is None:
            from jph.cli.main import main as command

            command()
        else:
            sys.exit(_run(asked))
    except ModuleNotFoundError as error:
        from jph.extras import explained

        if (advice := explained(error)) is None:
            raise
        sys.exit(f"control.py: {advice}")


def _open_missing_descriptors() -> None:
    """Open what is closed of the first three file descriptors on the null device.

    Otherwise a socket or a file could get the number of standard output.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


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
        print(f"control.py: {scrub(str(error))}", file=sys.stderr)
        return error.exit_status
    return 0
