"""Command group of control.py: global options, commands on demand, errors as one line."""

import contextlib
import importlib
import os
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from jph.cli.config_path import default_config, default_state
from jph.cli.terminal import streams
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
    "doctor": "jph.cli.commands.doctor:doctor",
    "measure": "jph.cli.commands.measure:measure",
    "top": "jph.cli.commands.top:top",
    "watch": "jph.cli.commands.watch:watch",
    "drill": "jph.cli.commands.drill:drill",
    "run": "jph.cli.commands.run:run",
    "up": "jph.cli.supervise.up:up",
    "setup": "jph.cli.commands.setup:setup",
    "units": "jph.cli.commands.units:units",
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
    "mqtt": "jph.cli.commands.mqtt:mqtt",
    "why": "jph.cli.commands.why:why",
    "record": "jph.cli.commands.record:record",
    "play": "jph.cli.commands.play:play",
    "convert": "jph.cli.commands.convert:convert",
    "probe": "jph.cli.commands.probe:probe",
    "config": "jph.cli.commands.config:config",
    "seal": "jph.cli.commands.seal:seal",
    "enrol": "jph.cli.commands.members:enrol",
    "join": "jph.cli.commands.members:join",
    "revoke": "jph.cli.commands.members:revoke",
    "rotate": "jph.cli.commands.members:rotate",
}
"""Module and name of each command. Only the one asked for is loaded: machines may be small."""

DAEMONS: Final = frozenset({"run", "up"})
"""Commands that need no standard output."""

_HELP: Final = """Run the nodes of a house, and command them over its control bus.

\b
  control.py ping TI            is the meter node there, and how fast?
  control.py ping @@            which nodes are there at all?
  control.py status             every codifier: alive, late, last value
  control.py watch --either I1  messages from and to I1 as they arrive
  control.py order 21 eco       give an order to a heater, a room, a phase or all
  control.py why 21             why heater 21 is on or off
  control.py config check       every mistake in the configuration
  control.py up                 run everything that belongs on this machine

A codifier is two characters, of a node or of one of its elements; @@ is every node. Exit status:
0 done, 1 no answer or failed, 2 a mistake in the command or the configuration, 3 (run) a newer
instance has the codifier.
"""


class CommandTable(click.Group):
    """The commands of `COMMANDS`. A JphError becomes one line and an exit status of its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names, the most useful ones first."""
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
            result = super().invoke(ctx)
            streams.flush()
            return result
        except JphError as error:
            _fail(ctx, error)
        except BrokenPipeError:  # the reader of `watch | head` has gone: an end like Ctrl-C
            streams.forget()
            ctx.exit(0)
        except OSError as error:
            wrong = streams.as_output_error(error)
            if wrong is None:
                raise
            streams.forget()
            _fail(ctx, wrong)


def _fail(ctx: click.Context, error: JphError) -> NoReturn:
    """Print an error on one line and end with its status."""
    with contextlib.suppress(OSError):
        click.echo(f"control.py: {scrub(str(error))}", err=True)
    ctx.exit(error.exit_status)


def _keep_lines(command: click.Command) -> None:
    """Let the examples in a help text keep their lines.

    click asks for the character 8 before such a paragraph; a docstring that is written raw, as
    docstrings with backslashes are, has a backslash and a b instead.
    """
    command.help = command.help and command.help.replace("\\b\n", "\b\n")
    for below in getattr(command, "commands", {}).values():
        _keep_lines(below)


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
    help="Send with this codifier (JPH_SENSOR).  "
    "[default: the config's first ControlProgram, or CC]",
)
@click.option(
    "--patience",
    envvar="JPH_PATIENCE",
    type=click.FloatRange(0, 1000, min_open=True),
    default=1.0,
    metavar="FACTOR",
    help="Wait this many times longer for answers, on slow machines (JPH_PATIENCE).",
)
@click.option(
    "--house",
    metavar="NAME",
    help="Read the history of this house, which the config's hub collects.",
)
@click.version_option(__version__)
@click.pass_context
def cli(ctx: click.Context, url: str, code: str | None, patience: float, house: str | None) -> None:
    """Keep the global options for the command that follows."""
    if ctx.invoked_subcommand not in DAEMONS:
        streams.check_output()
        if not os.environ.get("JPH_STATE") and (state := default_state(url)) is not None:
            os.environ["JPH_STATE"] = str(state)
    ctx.obj = App(url=url, code=code, patience=patience, house=house)


def main() -> None:
    """Run control.py."""
    streams.prepare()
    cli(prog_name=program_name())


def program_name() -> str:
    """Return the name of the command: `jph` where it is installed, else `control.py`.

    Shells ask for completion by this name.
    """
    return "jph" if Path(sys.argv[0]).stem == "jph" else "control.py"
