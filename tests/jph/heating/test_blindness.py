"""Unknowns of a house, from the state of its codifiers."""

from collections.abc import Callable

import pytest

from jph.config.model import Network
from jph.heating.blindness import Blind, Seen, Watch
from jph.util.freshness import State
from tests.jph.gateway.houses import house

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


def test_what_protects_comes_first(watch: Watch) -> None:
    found = watch.blindness({}, cache="x")
    assert [blind.part for blind in found] == ["meter", "shedder", "card", "card", "cache"]
