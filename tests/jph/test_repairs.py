"""Asking again over real sockets on the loopback interface."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from jph.config import Network
from jph.letters import Drill
from jph.node import Node
from jph.repair import Hole
from jph.wire import Reading
from tests.support import LIMIT_S, running, until

NetworkMaker = Callable[..., Network]
SOURCE = {"Codifier": "MO", "Type": "Source", "SensorInterval": 60}
KEEPER = {"Codifier": "KE", "Type": "Keeper"}
ELEMENTS = [
    {"Codifier": code, "Type": "Proxy", "Sensor": {"Codifier": "MO"}} for code in ("M1", "M2", "M3")
]


class Source(Node, type="Source"):
    """A node that sends when it is told to."""


class Keeper(Node, type="Keeper"):
    """A node that must not lose."""

    repairs = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.kept: Counter[tuple[str, int, int]] = Counter()
        self.values: list[Any] = []
        self.given_up: list[Hole] = []

    def on_data(self, readings: list[Reading]) -> None:
        self.kept.update((r.source, r.epoch, r.sequence) for r in readings)
        self.values += [r.value for r in readings if r.flag != "n"]

    def on_holes(self, holes: list[Hole]) -> None:
        self.given_up += holes


class Orderly(Keeper, type="Orderly"):
    """One that wants each source's readings in order too."""

    ordered = True


def drill(seed: int = 1, seconds: float = 60.0, **shares: float) -> Drill:
    return Drill(1, 0, "CC", "KE", seconds, seed=seed, **shares)


async def send_steadily(source: Node, count: int, codes: tuple[str, ...] = ("MO",)) -> None:
    """Send `count` readings of each code, a few a millisecond."""
    for number in range(count):
        source.send_many([(code, number) for code in codes])
        if number % 10 == 9:
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("loss", [0.1, 0.3])
async def test_all_comes_through_loss_in_both_directions(
    network: NetworkMaker, loss: float
) -> None:
    net = network(SOURCE, KEEPER, *ELEMENTS)
    source, keeper = Source("MO", net), Keeper("KE", net)
    codes = ("MO", "M1", "M2", "M3")
    async with running(source, keeper):
        keeper._receiver.begin_drill(drill(loss=loss, duplicate=0.05, reorder=0.05))
        await send_steadily(source, 500, codes)
        await until(lambda: len(keeper.kept) == 4 * 501, 3 * LIMIT_S)
    assert set(keeper.kept.values()) == {1}
    assert Counter(keeper.values) == dict.fromkeys(range(500), 4)
    assert keeper.given_up == []
    assert keeper.data_sequences.lost("MO") == 0
