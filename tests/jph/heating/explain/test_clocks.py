"""Offsets of nodes' clocks, and the board that names them."""

from collections.abc import Callable

from jph.config.model import Network
from jph.gateway.live.board import Board
from jph.heating.explain.clocks import Clocks
from jph.wire.codec import Control
from jph.wire.notes import with_notes
from tests.jph.gateway.houses import house, node
from tests.jph.gateway.stage import reading

Make = Callable[..., Network]
NOW_MS = 1_795_000_000_000


def test_a_control_message_shows_the_offset(network: Make) -> None:
    clocks = Clocks(network(*house()))
    clocks.hear("TI", NOW_MS + 86_400_000, NOW_MS)
    clocks.hear("SH", NOW_MS - 7_000, NOW_MS)
    clocks.hear("ZZ", 0, NOW_MS)
    assert clocks.offsets == {"TI": 86_400, "SH": -7}


def test_a_reading_shows_only_a_clock_that_is_ahead(network: Make) -> None:
    clocks = Clocks(network(*house()))
    clocks.read("I1", NOW_MS - 60_000, NOW_MS)
    assert clocks.offsets == {}
    clocks.read("I1", NOW_MS + 60_000, NOW_MS)
    assert clocks.offsets == {"TI": 60}
    clocks.read("I1", NOW_MS, NOW_MS)
    assert clocks.offsets == {"TI": 0}


def test_the_board_names_a_node_that_shares_its_codifiers(network: Make) -> None:
    board = Board(network(*house()))
    for shared in (True, False):
        number = with_notes(NOW_MS, (), shared=shared)
        board.note(Control(1, 7, NOW_MS, "I", "TI", "@@", 1, number, True))
        board.refresh(1.0)
        found = [each.words() for each in board.blind if each.part == "shared"]
        text = "Meter shares codifiers with another program: their values may be of either."
        assert found == ([text] if shared else [])


def test_the_board_names_the_node(network: Make) -> None:
    board = Board(network(*house()))
    board.update({"I1": reading(5, NOW_MS)}, NOW_MS, 0.0, old=True)
    board.update({"I1": reading(5, NOW_MS + 60_000)}, NOW_MS + 1000, 1.0, old=False)
    board.refresh(1.0)
    clocks = [each.words() for each in board.blind if each.part == "clock"]
    assert clocks == ["The clock of Meter is 59 s ahead."]


def test_the_board_tells_a_cache_and_a_collector_that_do_not_store(network: Make) -> None:
    entries = [each for each in house() if each["Codifier"] != "R1"]
    stores = [
        node("R1", "jphRedis", "Cache", KeepAliveInterval=5),
        node("Q1", "jphPostgreSQL", "Collector", KeepAliveInterval=5),
    ]
    board = Board(network(*entries, *stores))
    board.set_cache(True)
    good = {"R1": reading(60, NOW_MS), "Q1": reading(60, NOW_MS)}
    board.update(good, NOW_MS, 0.0, old=False)
    board.refresh(0.0)
    assert not {"cache", "history"} & {each.part for each in board.blind}
    failing = reading(0, NOW_MS - 120_000) | {"Quality": "1"}
    board.update({"Q1": failing}, NOW_MS + 8000, 8.0, old=False)
    board.hear("R1", True, 8.5)
    board.refresh(9.0)
    said = {each.part: each.words() for each in board.blind}
    assert said["cache"].startswith("Cache lives, but Redis does not store")
    assert said["history"] == "Collector cannot store: the last reading was stored 2 min ago."
    assert next(iter(said)) == "cache"
    board.update(
        {"R1": reading(60, NOW_MS + 9500), "Q1": reading(9, NOW_MS + 9500)},
        NOW_MS + 9500,
        9.5,
        old=False,
    )
    board.refresh(9.6)
    assert not {"cache", "history"} & {each.part for each in board.blind}
