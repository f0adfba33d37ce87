"""Keeping a server: a stand-in that starts, dies and fails when the test says so."""

import asyncio

from jph.cli.supervise.storekeeper import StoreKeeper
from jph.errors import StoreError
from tests.support import LIMIT_S, until


class Server:
    """A server of the test's making."""

    name = "redis"

    def __init__(self) -> None:
        self.starts = 0
        self.stopped_within_s: list[float] = []
        self.refuses = 0
        self.death: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        self.starts += 1
        if self.refuses:
            self.refuses -= 1
            raise StoreError("redis-server is not installed")
        self.death = asyncio.get_running_loop().create_future()

    async def wait_ready(self) -> None:
        pass

    async def wait(self) -> int:
        return await asyncio.shield(self.death)

    async def stop(self, limit_s: float = 3.0) -> None:
        self.stopped_within_s.append(limit_s)


async def test_a_server_that_dies_is_started_again() -> None:
    server, said = Server(), list[str]()
    keeper = StoreKeeper(server, said.append)
    keeper.start()
    await asyncio.wait_for(keeper.settled.wait(), LIMIT_S)
    server.death.set_result(-9)
    await until(lambda: server.starts == 2 and len(said) == 3)
    assert "ready in" in said[0]
    assert said[1] == "redis      ended by SIGKILL; again in 0.2 s"
    assert "ready in" in said[2]
    await keeper.stop(1.5)
    assert server.stopped_within_s == [1.5]


async def test_a_server_that_cannot_start_holds_nobody_up() -> None:
    server, said = Server(), list[str]()
    server.refuses = 1
    keeper = StoreKeeper(server, said.append)
    keeper.start()
    await asyncio.wait_for(keeper.settled.wait(), LIMIT_S)
    await until(lambda: said)
    assert said == ["redis      redis-server is not installed; again in 0.2 s"]
    await until(lambda: server.starts == 2)
    await keeper.stop(1.0)


async def test_stopping_what_never_started() -> None:
    server = Server()
    await StoreKeeper(server, print).stop(1.0)
    assert server.stopped_within_s == [1.0]
