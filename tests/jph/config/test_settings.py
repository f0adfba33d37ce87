"""Every config key says what it does, its unit and its default."""

from typing import Annotated

import msgspec
import pytest
from click.testing import CliRunner

from jph.cli.main import cli
from jph.config.model import Network
from jph.config.settings import ConfigKey, Settings, described, keys_of
from jph.config.validation import read_struct
from jph.errors import Problem
from jph.node import kinds


class Inner(Settings, frozen=True):
    """Settings inside others."""

    level: Annotated[float, described("How much", "A", gt=0)] = 1.5


class Outer(Settings, frozen=True):
    """Settings of a test."""

    name: Annotated[str, described("Its name")]
    inner: Annotated[list[Inner], described("More")] = msgspec.field(default_factory=list)


def test_the_table_of_keys() -> None:
    assert list(keys_of(Outer)) == [
        ConfigKey("Name", "text", "", None, "Its name"),
        ConfigKey("Inner", "a list", "", "[]", "More"),
        ConfigKey("Inner[].Level", "a number (above 0)", "A", "1.5", "How much"),
    ]


def test_limits_are_checked_and_named() -> None:
    problems: list[Problem] = []
    assert read_struct(Inner, {"Level": 0}, "", problems) is None
    assert problems == [Problem("Level", "expected a number (above 0), found 0")]


@pytest.mark.parametrize("kind", sorted(kinds.table()))
def test_every_key_of_every_kind_is_described(kind: str) -> None:
    assert [key.path for key in keys_of(kinds.find(kind).settings_type) if not key.text] == []


@pytest.mark.parametrize("kind", sorted(kinds.table()))
def test_every_limit_suits_its_type(kind: str) -> None:
    """A limit on a type that may be null is refused only when the key is given."""
    msgspec.json.schema(kinds.find(kind).settings_type, schema_hook=lambda _: {})


def test_every_key_of_the_config_is_described() -> None:
    assert [key.path for key in keys_of(Network) if not key.text] == []


def test_the_command_lists_them() -> None:
    done = CliRunner().invoke(cli, ["config", "keys", "Shedding"])
    assert done.exit_code == 0, done.output
    line = next(line for line in done.stdout.splitlines() if line.startswith("MinimumOff"))
    assert line.split()[1:3] == ["120.0", "s"]
    assert "Shortest time for which a heater is shed" in line
    assert CliRunner().invoke(cli, ["config", "keys", "Nothing"]).exit_code != 0
