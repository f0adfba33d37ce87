"""Context of every command: the configuration, and our own codifier on the bus."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

import click
from click.shell_completion import CompletionItem

from jph.cli.config_path import default_config
from jph.client.client import Client
from jph.client.limits import Limits
from jph.client.replies import Replies
from jph.client.survey import CONSOLE_TYPE
from jph.config.last_good import fetch_or_copy
from jph.config.model import Network, Sensor, parse
from jph.errors import ConfigError
from jph.util.secrets import SecretUrl
from jph.wire.codec import EVERY_NODE, Control, is_codifier
from nodes.controlprogram import ControlProgram, ListeningProgram, on_bus, with_console

T = TypeVar("T")

DEFAULT_CODE: Final = "CC"


class Session(NamedTuple):
    """A console on the bus, and the client that speaks through it."""

    console: ControlProgram
    client: Client


@dataclass
class App:
    """The global options; the configuration is loaded when a command first needs it.

    `patience` multiplies every time limit on the answers of nodes. `house` is one that the
    config's hub collects: commands then read its history there.
    """

    url: str
    code: str | None = None
    patience: float = 1.0
    house: str | None = None

    @cached_property
    def network(self) -> Network:
        """The configuration; its last good copy if its server does not answer.

        Raises:
            ConfigError: it cannot be read or has mistakes, or its hub has no such house.
            StoreError: the hub's PostgreSQL is away.
        """
        fetched = fetch_or_copy(self.url)
        if fetched.copy_of:
            click.echo(f"control.py: {fetched.copy_of}", err=True)
        network = parse(fetched.document, str(SecretUrl(self.url)))
        if self.house is None:
            return network
        from collector.hub.reading import house_network  # needs PostgreSQL's client

        return house_network(network, self.house)

    @cached_property
    def console(self) -> Sensor:
        """Our own entry: `--code`, the config's first ControlProgram, or CC.

        Raises:
            ConfigError: `--code` is no codifier.
        """
        if self.code is not None and not is_codifier(self.code):
            raise ConfigError(f"--code {self.code!r} is not two characters of 0-9 and A-Z")
        for sensor in self.network.sensors:
            if sensor.codifier == self.code if self.code else sensor.type == CONSOLE_TYPE:
                return sensor
        return Sensor(codifier=self.code or DEFAULT_CODE, type=CONSOLE_TYPE, name="Console")

    def node_of(self, code: str) -> Sensor:
        """Return the node that answers for `code`: itself, or the node of an element.

        Raises:
            ConfigError: `code` is not in the config; the message names near ones.
        """
        sensor = self.network.sensor(code)
        return self.network.sensor(sensor.parent) if sensor.parent else sensor

    @property
    def expected_nodes(self) -> set[str]:
        """Nodes that should answer a command to every node."""
        return {s.codifier for s in self.network.nodes() if s.active and s.type != CONSOLE_TYPE}

    @property
    def limits(self) -> Limits:
        """How long a command waits for answers."""
        return Limits().times(self.patience)

    @asynccontextmanager
    async def session(self, *, data: bool = False) -> AsyncIterator[Session]:
        """Join the control bus, and with `data` the data bus, for the length of a block.

        Raises:
            BusError: the network is not there.
            ConfigError: the house is one of a hub, which is not on its buses.
        """
        if self.house is not None:
            raise ConfigError(f"--house {self.house}: this command works in the house itself only")
        code, network = self.console.codifier, with_console(self.network, self.console)
        console = ListeningProgram(code, network) if data else ControlProgram(code, network)
        replies = Replies()

        def send(flag: str, to: str, number: float) -> None:
            console.send_control(flag, to, number)

        client = Client(send, replies, self.limits, code)

        def heard(message: Control) -> None:
            client.hear(message, console.sender)

        console.heard = heard
        if isinstance(console, ListeningProgram):
            console.read = replies.take
        async with on_bus(console):
            yield Session(console, client)


def codifier_or_all(text: str) -> str:
    """Read a codifier, in capitals, or `@@`; the command looks it up in the config."""
    return text.upper()


def codifier(text: str) -> str:
    """Read one codifier, in capitals."""
    if text == EVERY_NODE:
        raise click.BadParameter(f"{EVERY_NODE} is not possible here: name one codifier")
    return text.upper()


def complete_codifier(
    ctx: click.Context, _: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the codifiers of the configuration that begin with `incomplete`, for a shell."""
    app = ctx.find_object(App) or App(url=_option(ctx, "url"))
    try:
        sensors = app.network.sensors
    except ConfigError:
        return []
    return [
        CompletionItem(sensor.codifier, help=sensor.name or sensor.type)
        for sensor in sensors
        if sensor.codifier.startswith(incomplete.upper())
    ]


def _option(ctx: click.Context, name: str) -> str:
    """Return a global option while a shell completes: no command has run then."""
    return str(ctx.find_root().params.get(name) or default_config())


codifier_argument = click.argument("code", type=codifier_or_all, shell_complete=complete_codifier)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs to read.")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end; warnings of the console go to stderr."""
    debug = os.environ.get("JPH_DEBUG") == "1"
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING, format="control.py: %(message)s"
    )
    return asyncio.run(work)
