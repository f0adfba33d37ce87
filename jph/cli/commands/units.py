"""`units`: systemd units of the nodes of this machine."""

import socket
import sys
from pathlib import Path

import click

from jph.cli.supervise import plan
from jph.cli.supervise.process import CONTROL
from jph.cli.supervise.systemd import Installation, commands, unit_files
from jph.cli.terminal.context import App, codifier
from jph.config.model import Network
from jph.errors import JphError, StoreError
from jph.node import kinds


@click.command()
@click.argument("codes", nargs=-1, type=codifier, metavar="[CODE]…")
@click.option("--group", is_flag=True, help="One process for all nodes, for a small machine.")
@click.option("--user", default="jph", show_default=True, help="The user that runs the nodes.")
@click.option(
    "--write",
    "root",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="ROOT",
    help="Write the files below ROOT, which is / for this machine; else they are printed.",
)
@click.pass_obj
def units(app: App, codes: tuple[str, ...], group: bool, user: str, root: Path | None) -> None:
    r"""Make the systemd units of the nodes of this machine, or of these CODEs.

    \b
      control.py units                                print them
      sudo jph --config /etc/jph/config.json units --write /

    The nodes are those that `Hosts` gives to this machine, without it all of the config. Each
    gets jph@CODE.service under jph.target, or with --group all are one process. The last lines
    printed are the commands that enable them. Redis and PostgreSQL are the system's own: name
    them in the config.
    """
    wanted = Installation(
        _program(), _absolute(app.url), user, codes or _here(app.network), group=group
    )
    for code in wanted.nodes:
        app.network.sensor(code)
    for path, text in unit_files(wanted).items():
        if root is None:
            click.echo(f"# /{path}\n{text}")
        else:
            _write(root / path, text)
            click.echo(f"written: {root / path}")
    click.echo("then:" if root else "# then:")
    for line in commands(wanted):
        click.echo(f"  {line}" if root else f"#   {line}")


def _here(network: Network) -> tuple[str, ...]:
    """Return the nodes of this machine."""
    types = frozenset(filter(kinds.is_known, {node.type for node in network.nodes()}))
    found = plan.parts_here(network, socket.gethostname(), types)
    if not found:
        raise JphError("nothing in the config is for this machine to run")
    return tuple(part.codifier for part in found)


def _program() -> tuple[str, ...]:
    """Return the command that runs now, with its absolute path."""
    program = Path(sys.argv[0]).absolute()
    return (str(program),) if program.stem == "jph" else (sys.executable, str(CONTROL))


def _absolute(url: str) -> str:
    return url if "://" in url or url.startswith("file:") else str(Path(url).absolute())


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
