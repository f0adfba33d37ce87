"""Keeps an embedded server running: starts it, reports it, and restarts it when it ends."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from jph.cli.supervise.process import restart_backoff, tell_end
from jph.errors import StoreError


class Server(Protocol):
    """The part of a server that the keeper uses."""

    @property
    def name(self) -> str:
        """The name of the server."""

    async def start(self) -> None:
        """Start the process."""

    async def wait_ready(self) -> None:
        """Wait until it answers."""

    async def wait(self) -> int:
        """Wait for its end; return its status."""

    async def stop(self, limit_s: float = ...) -> None:
        """End it."""


class StoreKeeper:
    """Keeps one server running until `stop`; `settled` is set when it was ready or failed once."""

    def __init__(self, server: Server, say: Callable[[str], None]) -> None:
        self.server = server
        self.settled = asyncio.Event()
        self._say = say
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the server and keep it from now on."""
        self._task = asyncio.create_task(self._keep(), name=f"store {self.server.name}")

    async def stop(self, limit_s: float) -> None:
        """End the server; nothing of it is left after `limit_s` seconds."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.server.stop(limit_s)

    async def _keep(self) -> None:
        backoff = restart_backoff()
        name = self.server.name
        while True:
            started_s = time.monotonic()
            try:
                await self.server.start()
                await self.server.wait_ready()
                self._say(f"{name:<10} ready in {time.monotonic() - started_s:.1f} s")
                self.settled.set()
                end = tell_end(await self.server.wait())
            except StoreError as error:
                end = str(error)
                await self.server.stop(1.0)
                self.settled.set()
            delay_s = backoff.next_s(time.monotonic() - started_s)
            self._say(f"{name:<10} {end}; again in {delay_s:.1f} s")
            await asyncio.sleep(delay_s)
