"""A bad network on purpose: the order by the command line, and what it does to a node."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jph.config import model as config
from jph.net.fault_injection import FaultInjector
from jph.node.node import Node
from jph.retransmit.messages import Envelope, Faults
from jph.wire.codec import Reading, Value
from tests.jph.cli.programs import CONSOLE, control
from tests.support import running, until

WriteConfig = Callable[..., Path]


ORDER = (
    *("drill", "--loss", "40%", "--duplicate", "0.1", "--reorder", "5%", "--delay", "2ms"),
    *("--for", "1s", "--seed", "7"),
)


class Ear(Node, type="DrilledEar"):
    """A node that must not lose."""

    repairs = True

    def __init__(self, code: str, network: config.Network) -> None:
        super().__init__(code, network)
        self.values: list[Value] = []

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.values += [r.value for r in readings if r.flag != "n"]


class Mouth(Node, type="DrilledMouth"):
    """A node that receives no readings."""


@pytest.fixture
def path(config_file: WriteConfig) -> Path:
    """Write a network of a node that hears readings, one that does not, and the console."""
    return config_file(
        {"Codifier": "EA", "Type": "DrilledEar"},
        {"Codifier": "MO", "Type": "DrilledMouth"},
        CONSOLE,
        Drill=True,
    )


async def test_a_drill_is_taken_told_and_survived(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    network = config.load(str(path))
    ear, mouth = Ear("EA", network), Mouth("MO", network)
    async with running(ear, mouth):
        done = await asyncio.to_thread(control, path, *ORDER)
        assert (done.returncode, done.stdout) == (0, "EA: for 1 s, seed 7\n"), done.stderr
        for number in range(100):
            mouth.send(number)
        await until(lambda: len(ear.values) == 100)
        await until(lambda: "the drill is over" in caplog.text)
    assert sorted(ear.values, key=int) == list(range(100))
    assert (
        "drill for 1 s, seed 7: loss 40 %, duplicate 10 %, reorder 5 %, delay 2 ms" in caplog.text
    )


async def test_only_the_named_nodes_are_drilled(path: Path) -> None:
    network = config.load(str(path))
    async with running(Ear("EA", network), Mouth("MO", network)):
        done = await asyncio.to_thread(control, path, "drill", "--for", "1s", "--node", "mo")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "MO receives no readings\n"


async def test_nobody_who_receives_readings_is_told(path: Path) -> None:
    async with running(Mouth("MO", config.load(str(path)))):
        done = await asyncio.to_thread(control, path, "drill", "--for", "1s", patience=3)
        assert (done.returncode, done.stderr) == (1, "no node that answers receives readings\n")


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--loss", "120%"], "expected 0% to 100%, found '120%'"),
        (["--delay", "soon"], "expected a time such as 20ms"),
        (["--for", "2h"], "expected up to 3600 s"),
        (["--node", "ZZ"], "codifier 'ZZ' is not in the config"),
    ],
)
def test_mistakes_are_told(path: Path, words: list[str], shown: str) -> None:
    done = control(path, "drill", *words)
    assert done.returncode == 2
    assert shown in done.stderr


def test_nobody_there(path: Path) -> None:
    done = control(path, "drill", "--node", "EA", patience=1)
    assert (done.returncode, done.stderr) == (1, "no answer from EA\n")
    done = control(path, "drill", patience=1)
    assert (done.returncode, done.stderr) == (1, "no node answers: is none running?\n")


def injector(**shares: float) -> FaultInjector[int]:
    return FaultInjector(Faults(Envelope(1, 0, "CC", "EA"), 0, 60.0, **shares, seed=3), now_s=10.0)  # type: ignore[arg-type]


def test_the_same_seed_is_the_same_injector() -> None:
    twice = [injector(loss=0.3, duplicate=0.2, reorder=0.3) for _ in range(2)]
    blown = [each.pass_through(range(1_000), 10.0) + each.release(1e9) for each in twice]
    assert blown[0] == blown[1]
    assert 650 * 1.1 < len(blown[0]) < 750 * 1.3
    assert str(twice[0]) == str(twice[1])


def test_delay_keeps_the_order_and_the_end_releases_all() -> None:
    bad = injector(delay_s=0.5)
    assert bad.pass_through([1, 2], 10.0) == []
    assert bad.pass_through([3], 10.2) == []
    assert bad.due_s == 10.5
    assert bad.release(10.6) == [1, 2]
    assert not bad.over(69.9)
    assert bad.over(70.0)
    assert bad.release(70.0) == [3]


def test_reordering_overtakes() -> None:
    bad = injector(reorder=0.5)
    first = bad.pass_through(range(20), 10.0)
    late = bad.release(10.1)
    assert sorted(first + late) == list(range(20))
    assert first == sorted(first)
    assert first + late != list(range(20))
    assert bad.reordered == len(late)
