"""A house with one part broken: its surfaces say so, nothing is lost and nothing restarts.

One here, all fifteen faults with `make test-faults`; an hour by hand:
`python -m tests.faults.blindness --minutes 60 --step 60`.
"""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.faults.blindness import (
    FAULTS,
    LOG_LIMIT_BYTES,
    log_bytes,
    lost,
    measure,
    recovered,
    stored,
)
from tests.faults.broken_house import NODES, STORES, BrokenHouse, broken_house
from tests.faults.claims import CLAIMS
from tests.faults.surfaces import watching
from tests.house.conftest import eventually
from tests.support import LIMIT_S

SHORT = ("shedder frozen",)
BUSY_S = 20.0
"""A busy machine has twice the time, and more if it needs it: no time is judged here.

`python -m tests.faults.blindness` measures with 10 s.
"""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrokenHouse]:
    with broken_house(tmp_path_factory.mktemp("broken")) as house:
        eventually(lambda: recovered(house), 3 * LIMIT_S)
        yield house


def check(house: BrokenHouse, name: str) -> None:
    """Break one part; each surface that must say so does, and makes no false statement later."""
    before = house.pids()
    with watching(house.address) as watcher:
        cells = measure(house, watcher, name, BUSY_S, LIMIT_S)
    wrong = {surface: cell for surface, cell in cells.items() if cell.said_s is None or cell.false}
    assert wrong == {}
    eventually(lambda: recovered(house), 3 * LIMIT_S)
    assert house.pids() == before
    assert lost(house) == 0
    assert log_bytes(house) < LOG_LIMIT_BYTES


def test_each_fault_has_claims_in_64_cells() -> None:
    assert CLAIMS.keys() == FAULTS.keys()
    assert sum(len(claims.false) for claims in CLAIMS.values()) == 64


@pytest.mark.parametrize("name", SHORT)
def test_a_fault_is_said(house: BrokenHouse, name: str) -> None:
    check(house, name)


@pytest.mark.faults
@pytest.mark.parametrize("name", [name for name in FAULTS if name not in SHORT])
def test_every_fault_is_said(house: BrokenHouse, name: str) -> None:
    check(house, name)


@pytest.mark.faults
@pytest.mark.parametrize("part", [*NODES, *STORES])
def test_a_kill_of_each_kind_of_process_loses_nothing(house: BrokenHouse, part: str) -> None:
    before = house.pids()
    os.kill(before[part], signal.SIGKILL)
    eventually(lambda: house.house.pid(part) != before[part], 3 * LIMIT_S)
    eventually(lambda: recovered(house), 3 * LIMIT_S)
    after = house.pids()
    changed = {each for each in before if before[each] != after[each]}
    assert changed == {part}
    began_s = time.monotonic()
    eventually(lambda: stored(house) and time.monotonic() > began_s + 5, 3 * LIMIT_S)
    assert lost(house) == 0
