"""Values out of files: the parsing alone, then the node on a real bus."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.errors import ConfigError
from jph.wire.codec import Quality, Reading, Value
from nodes.controlprogram import ListeningProgram, on_bus
from nodes.pipe import MAX_BYTES, LastLine, Pipe, parse
from tests.support import running, until

MakeNetwork = Callable[..., Network]
CONSOLE = {"Codifier": "CC", "Type": "ControlProgram"}


def entry(path: Path, **changes: Any) -> dict[str, Any]:
    settings = {"Pipe": str(path), **changes.pop("Sensor", {})}
    return {
        "Codifier": "C1",
        "Type": "Pipe",
        "SensorInterval": 0.02,
        **changes,
        "Sensor": settings,
    }


@pytest.mark.parametrize(
    ("text", "field", "factor", "data_type", "value"),
    [
        ("48312\n", 0, 0.001, "float", 48.312),
        ("0.52 0.58 0.59 3/602 1234\n", 0, 1.0, "float", 0.52),
        ("0.52 0.58 0.59 3/602 1234\n", 2, 1.0, "float", 0.59),
        ("12.5", 0, 1.0, "integer", 12),
        ("on the way", 0, 1.0, "string", "on"),
        ("-5e1", 0, 2.0, "float", -100.0),
    ],
)
def test_values(text: str, field: int, factor: float, data_type: str, value: Value) -> None:
    found = parse(text, field, factor, data_type)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["", "  \n", "warm", "nan", "inf", "0x10", "1,5"])
def test_no_values(text: str) -> None:
    with pytest.raises(ValueError, match=r"no column|expected a"):
        parse(text, 0, 1.0, "float")


def test_the_last_whole_line_of_a_stream_in_pieces() -> None:
    lines = LastLine()
    assert lines.feed(b"1") is None
    assert lines.feed(b"2\n3\n4") == "3"
    assert lines.feed(b"5\n\n") == "45"
    assert lines.feed(b"x" * 3 * MAX_BYTES) is None
    assert lines.feed(b"\n6\n") == "6"


class House:
    """A pipe node's network, and what a console hears of it."""

    def __init__(self, network: Network, console: ListeningProgram) -> None:
        self.node = Pipe("C1", network)
        self.values: list[Value] = []
        self.readings: list[Reading] = []
        console.read = self._read

    def has(self, count: int) -> bool:
        """Whether so many values were heard."""
        return len(self.values) >= count

    def _read(self, readings: list[Reading]) -> None:
        heard = [r for r in readings if r.flag != "n"]
        self.readings += heard
        self.values += [r.value for r in heard]


@pytest.fixture
async def hear(network: MakeNetwork) -> AsyncIterator[Callable[..., Any]]:
    """Return a maker of houses: `await hear(entry)`."""
    async with on_bus(ListeningProgram("CC", network(CONSOLE))) as console:

        def make(document: dict[str, Any]) -> House:
            return House(network(document, CONSOLE), console)

        yield make


async def test_the_kernels_millidegrees(hear: Callable[..., House], tmp_path: Path) -> None:
    path = tmp_path / "temp"
    path.write_text("48312\n")
    house = hear(entry(path, Type="TempLinux"))
    async with running(house.node):
        await until(lambda: house.values)
        path.write_text("48813\n")
        await until(lambda: house.values[-1] == 48.813)
    assert house.values[0] == 48.312


async def test_a_file_that_comes_later_is_told_once_and_tried_again(
    hear: Callable[..., House], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "load"
    house = hear(entry(path))
    async with running(house.node):
        await until(lambda: "no value from" in caplog.text)
        path.write_text("warm")
        await until(lambda: "expected a number" in caplog.text)
        path.write_text("3.5 x")
        await until(lambda: house.values)
    assert house.values[0] == 3.5
    assert caplog.text.count("No such file") == 1
    assert caplog.text.count("expected a number") == 1


async def test_a_value_that_ends_is_sent_once_more_as_stale(
    hear: Callable[..., House], tmp_path: Path
) -> None:
    path = tmp_path / "temp"
    path.write_text("19.5")
    house = hear(entry(path))
    async with running(house.node):
        await until(lambda: house.has(1))
        path.unlink()
        await until(lambda: house.readings[-1].quality == Quality.STALE)
        *good, stale = house.readings
        assert (stale.value, stale.timestamp_ms) == (19.5, good[-1].timestamp_ms)
        path.write_text("20")
        await until(lambda: house.values[-1] == 20)
    assert [each.quality for each in house.readings].count(Quality.STALE) == 1


async def test_a_fifo_is_never_waited_for(hear: Callable[..., House], tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    house = hear(entry(path, Sensor={"Factor": 10, "Field": 1}))
    async with running(house.node):
        for count, value in enumerate((1.5, 2.5), 1):  # a writer that comes and leaves, twice
            await asyncio.to_thread(path.write_text, f"a {value}\n")
            await until(partial(house.has, count))
    assert house.values == [15.0, 25.0]


@pytest.fixture
def load_in_state(state: Path) -> None:
    """Put a file into the state directory."""
    state.mkdir()
    (state / "load").write_text("7")


@pytest.mark.usefixtures("load_in_state")
async def test_the_path_may_lie_in_the_state(hear: Callable[..., House]) -> None:
    house = hear(entry(Path("$JPH_STATE/load")))
    async with running(house.node):
        await until(lambda: house.values)
    assert house.values[0] == 7.0


async def test_after_a_reload_the_new_path_is_read(
    network: MakeNetwork, hear: Callable[..., House], tmp_path: Path
) -> None:
    fifo, path = tmp_path / "fifo", tmp_path / "file"
    os.mkfifo(fifo)
    path.write_text("5")
    house = hear(entry(fifo))

    async def reload() -> Network:
        return network(entry(path), CONSOLE)

    house.node = Pipe("C1", network(entry(fifo), CONSOLE), reload)
    async with running(house.node):
        await asyncio.to_thread(fifo.write_text, "4\n")
        await until(lambda: house.values == [4.0])
        async with on_bus(ListeningProgram("CC", network(CONSOLE))) as other:
            other.send_control("C", "C1")
            await until(lambda: house.values[-1] == 5.0)


@pytest.mark.parametrize("settings", [{}, {"Pipe": "/x", "Field": -1}, {"Pipe": 5}])
def test_settings_that_cannot_be(network: MakeNetwork, settings: dict[str, Any]) -> None:
    house = network({"Codifier": "C1", "Type": "Pipe", "Sensor": settings})
    with pytest.raises(ConfigError, match=r"Sensors\[C1\]\.Sensor"):
        Pipe("C1", house)
