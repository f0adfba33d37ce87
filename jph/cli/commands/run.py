"""`run`: runs nodes in this process."""

import click

from jph.cli.supervise.lifeline import end_with_stdin
from jph.cli.terminal.context import App, codifier
from jph.node import program


@click.command()
@click.argument("codes", nargs=-1, type=codifier, metavar="[CODE]…")
@click.option("--with-parent", is_flag=True, hidden=True, help="End when standard input ends.")
@click.pass_obj
def run(app: App, codes: tuple[str, ...], with_parent: bool) -> None:
    """Run these nodes in this process until SIGTERM or Ctrl-C; without CODE the one of --code.

    Exit status 3: a newer instance has the codifier.
    """
    for code in codes:
        if codes.count(code) > 1:
            raise click.UsageError(f"{code} is named more than once")
    if with_parent:
        end_with_stdin()
    program.run(codes or ((app.code,) if app.code else ()), app.url)
