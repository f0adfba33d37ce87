"""Thousands of control messages a second: judged together, and pings are answered meanwhile."""

import time

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.live.board import Board
from jph.gateway.live.stream import MERGE_S
from jph.gateway.node import Gateway
from jph.wire.codec import Control
from tests.jph.gateway.conftest import Plain
from tests.support import until


class Asker(Plain):
    """A node that floods, and takes note of the answers to its pings."""

    answered = 0.0

    def on_control(self, message: Control) -> None:
        if message.flag == "T" and message.source == "CF":
            self.answered = message.number


@pytest.fixture
def meter(home: Network) -> Plain:
    return Asker("TI", home)


async def test_a_flood_is_judged_by_the_clock_not_by_the_message(
    gateway: Gateway, meter: Asker, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, heard = [0], [0]
    refresh, on_control = Board.refresh, Gateway.on_control

    def counted(board: Board, now_s: float) -> bool:
        judged[0] += 1
        return refresh(board, now_s)

    def counting(node: Gateway, message: Control) -> None:
        heard[0] += 1
        on_control(node, message)

    monkeypatch.setattr(Board, "refresh", counted)
    monkeypatch.setattr(Gateway, "on_control", counting)
    began_s = time.monotonic()
    for turn in range(1, 21):
        for _ in range(100):
            meter.send_control("I")
        meter.send_control("P", "CF", float(turn))
        await until(lambda turn=turn: meter.answered == turn)
    most = (time.monotonic() - began_s) / MERGE_S + 3
    # Redis, too, has the board judged: once a second, and for each of its merged changes.
    most += (time.monotonic() - began_s) / 0.05 + 3
    assert heard[0] >= 1000
    assert judged[0] < most
    record = (await http.get("/sensor/TI")).json()[0]
    assert record["State"] == "alive"


def test_strangers_are_nothing_to_judge(home: Network) -> None:
    board = Board(home)
    assert not board.hear("ZZ", True, 1.0)
    assert not board.hear("I1", True, 1.0)
    assert board.hear("TI", True, 1.0)
