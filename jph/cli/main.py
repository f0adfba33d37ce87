"""The command group: global options, commands imported on demand, errors as one line."""

import importlib
import os
import sys
from typing import Any, Final

import click

from jph.cli.config_path import default_config
from jph.cli.terminal.context import App
from jph.errors import JphError
from jph.util.secrets import scrub
from jph.version import __version__

COMMANDS: Final = {
    "ping": "jph.cli.commands.ping:ping",
    "start": "jph.cli.commands.lifecycle:start",
    "halt": "jph.cli.commands.lifecycle:halt",
    "reload": "jph.cli.commands.lifecycle:reload",
    "set": "jph.cli.commands.setting:set_value",
    "step": "jph.cli.commands.setting:step",
    "order": "jph.cli.commands.order:order",
    "status": "jph.cli.commands.status:status",
    "watch": "jph.cli.commands.watch:watch",
    "drill": "jph.cli.commands.drill:drill",
    "run": "jph.cli.commands.run:run",
    "up": "jph.cli.supervise.up:up",
    "teleinfo": "jph.cli.commands.teleinfo:teleinfo",
    "gaps": "jph.cli.commands.gaps:gaps",
    "history": "jph.cli.commands.history:history",
    "export": "jph.cli.commands.export:export",
    "backup": "jph.cli.commands.backup:backup",
    "restore": "jph.cli.commands.backup:restore",
    "sql": "jph.cli.commands.sql:sql",
    "user": "jph.cli.commands.user:user",
    "cost": "jph.cli.commands.cost:cost",
    "schedule": "jph.cli.commands.schedule:schedule",
    "why": "jph.cli.commands.why:why",
    "record": "jph.cli.commands.record:record",
    "config": "jph.cli.commands.config:config",
}
"""Where each command is. `run` starts on a small machine too: only the one asked for is loaded."""

_HELP: Final = """Speak to the nodes of a house over its control bus, and run them.

\b
  control.py ping TI            is the meter node there, and how fast?
  control.py ping @@            who is there at all?
  control.py status             every codifier: alive, late, last value
  control.py watch --either I1  what I1 says and is told, as it passes
  control.py order 21 eco       tell a heater, a room, a phase or all what to do
  control.py why 21             why heater 21 is on or off
  control.py config check       every mistake in the configuration
  control.py up                 run everything that belongs on this machine

A codifier is two characters, of a node or of one of its elements; @@ is everybody. Exit status:
0 done, 1 no answer or failed, 2 a mistake in the command or the configuration, 3 (run) a newer
instance has taken the codifier.
"""


class CommandTable(click.Group):
    """The commands of `COMMANDS`. A JphError becomes one line and an exit status of its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order they are worth learning."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command `cmd_name`, or return None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        _keep_lines(command)
        return command

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401
        """Run the command; anything that is not a JphError is a bug and keeps its traceback."""
        try:
            return super().invoke(ctx)
        except JphError as error:
            click.echo(f"control.py: {scrub(str(error))}", err=True)
            ctx.exit(error.exit_status)
        except BrokenPipeError:  # `watch | head` has seen enough: an end as good as Ctrl-C
            _forget_output()
            ctx.exit(0)


def _keep_lines(command: click.Command) -> None:
    """Let the examples in a help text keep their lines.

    click asks for the character 8 before such a paragraph; a docstring that is written raw, as
    docstrings with backslashes are, has a backslash and a b instead.
    """
    command.help = command.help and command.help.replace("\\b\n", "\b\n")
    for below in getattr(command, "commands", {}).values():
        _keep_lines(below)


def _forget_output() -> None:
    """Let what is still buffered for a reader who has gone be written nowhere, without a word."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@click.command(
    cls=CommandTable, help=_HELP, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option(
    "--config",
    "url",
    envvar="JPH_CONFIG",
    default=default_config,
    metavar="PATH|URL",
    help="The configuration: a path, file: or http: URL (JPH_CONFIG).  "
    "[default: static/config.json here, else beside control.py]",
)
@click.option(
    "--code",
    envvar="JPH_SENSOR",
    metavar="CODE",
    help="Speak as this codifier (JPH_SENSOR).  "
    "[default: the config's first ControlProgram, or CC]",
)
@click.option(
    "--patience",
    envvar="JPH_PATIENCE",
    type=click.FloatRange(0, 1000, min_open=True),
    default=1.0,
    metavar="FACTOR",
    help="Wait so many times longer for answers, where machines are slow (JPH_PATIENCE).",
)
@click.version_option(__version__, prog_name="control.py")
@click.pass_context
def cli(ctx: click.Context, url: str, code: str | None, patience: float) -> None:
    """Keep the global options for the command that follows."""
    ctx.obj = App(url=url, code=code, patience=patience)


def main() -> None:
    """Run control.py."""
    cli(prog_name="control.py")
