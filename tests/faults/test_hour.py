"""Hours of traffic under random faults: each reading is stored or in a gap, and never both."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.faults.house import FULL
from tests.faults.world import World


@pytest.mark.parametrize("seed", range(20 if FULL else 3))
def test_an_hour_of_faults(tmp_path: Path, seed: int) -> None:
    """An hour at 3 readings a second, a fault of a random kind every 20 s on average."""
    world = World(seed, tmp_path, 1 + seed % 2)
    random = Random(seed)
    for second in range(3600):
        for code in world.sources:
            world.send(code)
        if random.random() < 0.05:
            random.choice(World.FAULTS)(world)
        world.run(1.0)
        assert world.now_s >= 1_000 + second
    world.heal()
    assert world.unaccounted() == []
    assert any(book.gaps for book in world.database.books.values())


faults = st.lists(
    st.tuples(st.sampled_from(World.FAULTS), st.integers(0, 40), st.sampled_from([0.0, 0.3, 5.0])),
    max_size=15,
)


@settings(
    max_examples=300 if FULL else 25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 2**32), st.integers(1, 2), faults)
def test_any_faults_in_any_order(
    tmp_path: Path,
    seed: int,
    collectors: int,
    faults: list[tuple[Callable[[World], None], int, float]],
) -> None:
    for left in tmp_path.rglob("*.spool"):
        left.unlink()
    world = World(seed, tmp_path, collectors)
    for fault, count, seconds in faults:
        for _ in range(count):
            world.send(world.random.choice([*world.sources]))
            world.run(0.02)
        fault(world)
        world.run(seconds)
    world.heal()
    assert world.unaccounted() == []
