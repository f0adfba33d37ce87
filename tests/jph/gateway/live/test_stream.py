"""The stream of changes, with clients that are quick, slow, gone or stalled."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from jph.config.model import Network
from jph.gateway.live import stream
from jph.gateway.live.board import Board
from jph.gateway.live.stream import Hub
from tests.jph.gateway.houses import house
from tests.support import LIMIT_S, until


class Client:
    """One end of a stream, as an ASGI server shows it."""

    def __init__(
        self, hub: Hub, last_id: str = "", codes: frozenset[str] | None = None, place: str = ""
    ) -> None:
        self.heard: list[bytes] = []
        self.takes = asyncio.Event()
        self.takes.set()
        self._gone = asyncio.Event()
        self.status = 0
        self.ended = False
        self.task = asyncio.create_task(hub.serve(self._receive, self._send, last_id, codes, place))

    async def _receive(self) -> dict[str, Any]:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        await self.takes.wait()
        self.status = message.get("status", self.status)
        self.heard.append(message.get("body", b""))
        self.ended = message.get("more_body") is False

    @property
    def events(self) -> list[dict[str, Any]]:
        """The contents of the events that came."""
        return [json.loads(body.split(b"data: ")[1]) for body in self.heard if b"data: " in body]

    @property
    def last_id(self) -> str:
        """The id of the last event."""
        last = next(body for body in reversed(self.heard) if body.startswith(b"id: "))
        return last.split(b"\n")[0][4:].decode()

    async def leave(self) -> None:
        """Go away."""
        self._gone.set()
        await asyncio.wait_for(self.task, LIMIT_S)


@pytest.fixture
def board(network: Callable[..., Network]) -> Board:
    return Board(network(*house()))


@pytest.fixture
def hub(board: Board) -> Hub:
    return Hub(board, merge_s=0.01, keep_alive_s=60, stall_s=5)


def put(hub: Hub, codifier: str, value: object, at_s: float) -> None:
    """Change a value and tell the clients."""
    fields = {"Value": str(value), "DTimestamp": str(int(at_s * 1000))}
    hub.board.update({codifier: fields}, 0, at_s, old=False)
    hub.wake()


async def test_everything_first_then_changes(hub: Hub) -> None:
    client = Client(hub)
    await until(lambda: client.events)
    assert client.events[0]["rows"].keys() == set(hub.board.codifiers)
    put(hub, "I1", 17, 1)
    await until(lambda: len(client.events) == 2)
    assert client.events[1]["rows"].keys() == {"I1"}
    assert client.events[1]["rows"]["I1"]["value"] == "17"
    await client.leave()
    assert hub.clients == 0


async def test_a_client_that_comes_back_gets_what_it_missed(hub: Hub) -> None:
    client = Client(hub)
    await until(lambda: client.events)
    await client.leave()
    put(hub, "I1", 17, 1)
    back = Client(hub, client.last_id)
    await until(lambda: back.events)
    assert back.events[0]["rows"].keys() == {"I1"}
    await back.leave()


@pytest.mark.parametrize("last_id", ["0000-1", "nonsense", "-", f"{'9' * 5000}-{'9' * 5000}"])
async def test_an_id_of_another_life_gets_everything(hub: Hub, last_id: str) -> None:
    client = Client(hub, last_id)
    await until(lambda: client.events)
    assert client.events[0]["rows"].keys() == set(hub.board.codifiers)
    await client.leave()


async def test_an_id_from_the_future_is_now(hub: Hub) -> None:
    client = Client(hub, f"{hub.board.epoch}-{'9' * 18}")
    await until(lambda: client.heard)
    put(hub, "I1", 17, 1)
    await until(lambda: client.events)
    assert client.events[0]["rows"].keys() == {"I1"}
    await client.leave()


async def test_what_changes_quickly_is_merged(board: Board) -> None:
    hub = Hub(board, merge_s=1.0)
    client = Client(hub)
    await until(lambda: client.events)
    for value in range(200):
        put(hub, "I1", value, 1 + value)
        await asyncio.sleep(0)
    await until(lambda: client.events[-1]["rows"]["I1"].get("value") == "199")
    assert len(client.events) <= 4
    await client.leave()


async def test_a_stalled_client_is_dropped_and_slows_nobody(board: Board) -> None:
    hub = Hub(board, merge_s=0.001, stall_s=2.0)
    stalled, quick = Client(hub), Client(hub)
    await until(lambda: stalled.events and quick.events)
    stalled.takes.clear()
    put(hub, "I1", 1, 1)
    await until(lambda: len(quick.events) == 2)
    assert hub.clients == 2
    await asyncio.wait_for(stalled.task, LIMIT_S)
    assert (hub.clients, hub.dropped) == (1, 1)
    assert not quick.task.done()
    await quick.leave()


async def test_quiet_streams_are_kept_alive(board: Board) -> None:
    client = Client(Hub(board, merge_s=0, keep_alive_s=0.01))
    await until(lambda: client.heard.count(b": still here\n\n") >= 2)
    assert len(client.events) == 1
    await client.leave()


async def test_a_new_board_is_sent_whole(hub: Hub, network: Callable[..., Network]) -> None:
    client = Client(hub)
    await until(lambda: client.events)
    hub.use(Board(network(*house()[:3])))
    await until(lambda: len(client.events) == 2)
    assert client.events[1]["layout"] != client.events[0]["layout"]
    assert client.events[1]["rows"].keys() == set(hub.board.codifiers)
    await client.leave()


async def test_closing_ends_all_streams(hub: Hub) -> None:
    client = Client(hub)
    await until(lambda: client.events)
    hub.close()
    await asyncio.wait_for(client.task, LIMIT_S)
    assert client.ended
    late = Client(hub)
    await asyncio.wait_for(late.task, LIMIT_S)
    assert late.status == 503


async def test_the_number_of_clients_is_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_CLIENTS", 1)
    first = Client(hub)
    await until(lambda: first.events)
    second = Client(hub)
    await asyncio.wait_for(second.task, LIMIT_S)
    assert second.status == 503
    await first.leave()


async def test_one_address_keeps_out_nobody_else(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MOST_CLIENTS", 4)
    greedy = [Client(hub, place="10.0.0.7") for _ in range(4)]
    await until(lambda: all(client.events for client in greedy))
    others = []
    for _ in range(2):
        others.append(Client(hub, place="10.0.0.8"))
        await until(lambda: others[-1].events)
    await until(lambda: greedy[0].task.done() and greedy[1].task.done())
    assert not any(client.task.done() for client in greedy[2:])
    late = [Client(hub, place=place) for place in ("10.0.0.7", "10.0.0.8")]
    await until(lambda: all(client.status for client in late))
    assert [client.status for client in late] == [503, 503]
    put(hub, "I1", 17, 1)
    await until(lambda: all(len(client.events) == 2 for client in (*greedy[2:], *others)))
    for client in (*greedy[2:], *others):
        await client.leave()
    assert hub.clients == 0


class TestFewCodifiers:
    async def test_only_these_are_told(self, hub: Hub) -> None:
        client = Client(hub, codes=frozenset({"I1", "ZZ"}))
        other = Client(hub)
        await until(lambda: client.events and other.events)
        assert client.events[0]["rows"].keys() == {"I1"}
        assert "history" not in client.events[0]
        put(hub, "I2", 5, 1)
        await until(lambda: len(other.events) == 2)
        put(hub, "I1", 6, 2)
        await until(lambda: len(client.events) == 2)
        assert client.events[1]["rows"].keys() == {"I1"}

    async def test_how_the_house_is_is_told_all_the_same(self, hub: Hub) -> None:
        hub.board.set_cache(False)
        client = Client(hub, codes=frozenset({"I1"}))
        await until(lambda: client.events)
        assert client.events[0]["summary"]["redis"] is False
        hub.board.set_cache(True)
        hub.wake()
        await until(lambda: len(client.events) == 2)
        assert client.events[1]["rows"] == {}
        assert client.events[1]["summary"]["redis"] is True

    async def test_they_resume_too(self, hub: Hub) -> None:
        first = Client(hub, codes=frozenset({"I1", "I2"}))
        await until(lambda: first.events)
        last_id = first.last_id
        await first.leave()
        put(hub, "I1", 6, 1)
        put(hub, "RA", 7, 2)
        again = Client(hub, last_id, frozenset({"I1", "I2"}))
        await until(lambda: again.events)
        assert again.events[0]["rows"].keys() == {"I1"}
