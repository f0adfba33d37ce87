"""What every command is given: which configuration, and who we are on the bus."""

import asyncio
import logging
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeVar

import click

from jph.config.model import Network, Sensor, load
from jph.errors import ConfigError
from jph.wire.codec import EVERY_NODE, is_codifier
from nodes.controlprogram import ControlProgram, ListeningProgram, with_console

T = TypeVar("T")

CONSOLE_TYPE: Final = "ControlProgram"
DEFAULT_CODE: Final = "CC"


@dataclass
class App:
    """The global options; the configuration is loaded when a command first asks for it.

    `patience` stretches every limit on how long nodes may take to answer.
    """

    url: str
    code: str | None = None
    patience: float = 1.0

    @cached_property
    def network(self) -> Network:
        """The configuration.

        Raises:
            ConfigError: it cannot be read or has mistakes.
        """
        return load(self.url)

    @cached_property
    def console(self) -> Sensor:
        """Who speaks: `--code`, the config's first ControlProgram, or CC.

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
        """Nodes that should answer when everybody is asked."""
        return {s.codifier for s in self.network.nodes() if s.active and s.type != CONSOLE_TYPE}

    def make_console(self) -> ControlProgram:
        """Return a console that hears the control bus."""
        return ControlProgram(self.console.codifier, with_console(self.network, self.console))

    def make_listener(self) -> ListeningProgram:
        """Return a console that hears both buses."""
        return ListeningProgram(self.console.codifier, with_console(self.network, self.console))


def codifier_or_all(text: str) -> str:
    """Take a codifier, in capitals, or `@@`; whether the config has it the command says."""
    return text.upper()


def codifier(text: str) -> str:
    """Take one codifier, in capitals."""
    if text == EVERY_NODE:
        raise click.BadParameter(f"{EVERY_NODE} will not do here: name one codifier")
    return text.upper()


codifier_argument = click.argument("code", type=codifier_or_all)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs to read.")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end; what nodes log goes to stderr, mistakes only."""
    debug = os.environ.get("JPH_DEBUG") == "1"
    logging.basicConfig(
        level=logging.DEBUG if debug else logging.WARNING, format="control.py: %(message)s"
    )
    return asyncio.run(work)
