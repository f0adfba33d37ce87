"""Unknowns of a house, from the state of its codifiers."""

from collections.abc import Callable

import pytest

from jph.config.model import Network
from jph.heating.explain.blindness import Blind, Seen, Watch
from jph.util.freshness import State
from tests.jph.gateway.houses import house, node

Make = Callable[..., Network]
FRESH = Seen(State.ALIVE, 0.5)
SEEN = dict.fromkeys(("I1", "I2", "S1", "S2", "P1", "P2", "R1", "TI", "SH", "11", "21"), FRESH)


@pytest.fixture
def watch(network: Make) -> Watch:
    return Watch(network(*house()))


def words(found: tuple[Blind, ...]) -> list[str]:
    return [blind.words() for blind in found]


def test_nothing_is_missing(watch: Watch) -> None:
    assert watch.blindness(SEEN) == ()


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"I1": Seen(State.ALIVE, 9), "I2": Seen(State.ALIVE, 9)},
            "Meter has sent no current of phase 1, 2 for 9 s: what it draws now is not known.",
        ),
        (
            {"I1": Seen(State.ALIVE, 0.5, doubted=True)},
            "Meter doubts its currents: what phase 1 draws is not known.",
        ),
        (
            {"I2": Seen(State.HALTED, 3)},
            "Meter is halted: what phase 2 draws is not known.",
        ),
        (
            {"S1": Seen(State.ALIVE, 200), "S2": FRESH},
            "Shedding has sent nothing for 3 min: phase 1 is not protected.",
        ),
        (
            {"S1": Seen(State.HALTED, 1), "S2": Seen(State.HALTED, 1)},
            "Shedding is halted: phase 1, 2 is not protected.",
        ),
        (
            {"11": Seen(State.ALIVE, 1, doubted=True)},
            "Card 1 does not reach its chip: whether its heaters obey is not known.",
        ),
        ({"R1": Seen(State.DEAD, 99)}, "Cache is silent: the newest values may be missing."),
    ],
)
def test_each_part_that_falls_silent_is_named(
    watch: Watch, changed: dict[str, Seen], expected: str
) -> None:
    assert words(watch.blindness({**SEEN, **changed})) == [expected]


def test_a_part_that_was_never_heard_is_named(watch: Watch) -> None:
    assert words(watch.blindness({**SEEN, "S1": Seen(State.SILENT), "S2": Seen(State.SILENT)})) == [
        "Shedding sends nothing: phase 1, 2 is not protected."
    ]
    without = {code: seen for code, seen in SEEN.items() if code not in ("I1", "I2")}
    assert words(watch.blindness(without)) == [
        "Meter sends no current of phase 1, 2: what it draws is not known."
    ]


def test_stores_and_clocks(watch: Watch) -> None:
    found = watch.blindness(
        SEEN, cache="Redis does not answer.", history="x", clocks={"TI": 86_400, "SH": 4.9}
    )
    assert [(blind.part, blind.words()) for blind in found] == [
        ("cache", "Redis does not answer."),
        ("history", "x"),
        ("clock", "The clock of Meter is 24 h ahead."),
    ]


def test_disks_sensors_and_currents(network: Make) -> None:
    watch = Watch(network(*house(), node("X9", "Pipe", "Outdoors")))
    stale = {"X9": Seen(State.ALIVE, 100, True, stale=True)}
    found = watch.blindness({**SEEN, **stale}, disks=["SH", "P1"], refused={"I1": 9876.0})
    assert [(blind.part, blind.codifier, blind.words()) for blind in found] == [
        (
            "disk",
            "P1",
            "The disk is full or read-only: Card 1, Shedding cannot write files and refuse orders.",
        ),
        ("sensor", "X9", "Outdoors cannot read its device: its last value is 2 min old."),
        ("current", "I1", "IINST1: 9876 A is not plausible and not believed; who sent it?"),
    ]


def test_the_cache_comes_first_then_what_protects(watch: Watch) -> None:
    """Every value comes through the cache: what else is not known may follow from it."""
    found = watch.blindness({}, cache="x", history="y")
    parts = ["cache", "meter", "shedder", "card", "card", "history"]
    assert [blind.part for blind in found] == parts


STORES = [
    node("R1", "jphRedis", "Cache", KeepAliveInterval=5, SensorInterval=10),
    node("Q1", "jphPostgreSQL", "Collector", KeepAliveInterval=5, SensorInterval=10),
]
SILENT_CACHE = "Cache is silent: the newest values may be missing."
SILENT_COLLECTOR = "Collector is silent: readings may not be stored."


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"R1": Seen(State.ALIVE, 9, life_s=9, cached_s=9)}, SILENT_CACHE),
        (
            {"R1": Seen(State.ALIVE, 9, life_s=1, cached_s=9)},
            "Cache lives, but Redis does not store: the newest values are missing.",
        ),
        (
            {"R1": Seen(State.ALIVE, 1, True, life_s=1, cached_s=1, stale=True)},
            "Cache lives, but Redis does not store: the newest values are missing.",
        ),
        ({"Q1": Seen(State.ALIVE, 9, life_s=9)}, SILENT_COLLECTOR),
        (
            {"Q1": Seen(State.ALIVE, 1, True, life_s=1, stale=True, not_stored_s=200)},
            "Collector cannot store: the last reading was stored 3 min ago.",
        ),
        ({"Q1": Seen(State.ALIVE, 7, life_s=7)}, ""),
    ],
)
def test_a_store_is_judged_by_its_own_signs(
    network: Make, changed: dict[str, Seen], expected: str
) -> None:
    watch = Watch(network(*[e for e in house() if e["Codifier"] != "R1"], *STORES))
    fresh = {"R1": Seen(State.ALIVE, 1, life_s=1, cached_s=1), "Q1": Seen(State.ALIVE, 1, life_s=1)}
    found = words(watch.blindness({**SEEN, **fresh, **changed}))
    assert found == ([expected] if expected else [])


def test_another_cache_is_enough(network: Make) -> None:
    second = node("R2", "jphRedis", "Second", KeepAliveInterval=5)
    watch = Watch(network(*house(), second))
    assert watch.blindness({**SEEN, "R2": Seen(State.DEAD, 99)}) == ()
