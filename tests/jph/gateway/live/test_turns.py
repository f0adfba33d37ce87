"""Limits of one client: waiting logins, questions to the history."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from jph.config.model import Network
from jph.gateway.accounts import passwords
from jph.gateway.accounts.passwords import MOST_OF_ADDRESS, Passwords, TooManyLogins
from jph.gateway.live import history_reader
from jph.gateway.live.history_reader import Busy, HistoryReader


async def test_waiting_logins_of_one_address_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    going = asyncio.Event()

    async def slow(*_: object) -> bool:
        await going.wait()
        return True

    monkeypatch.setattr(asyncio, "to_thread", slow)
    kept = Passwords()
    assert passwords.MOST_WAITING > MOST_OF_ADDRESS
    waiting = [
        asyncio.ensure_future(kept.matches("x", "y", "192.0.2.1")) for _ in range(MOST_OF_ADDRESS)
    ]
    await asyncio.sleep(0)
    with pytest.raises(TooManyLogins):
        await kept.matches("x", "y", "192.0.2.1")
    other = asyncio.ensure_future(kept.matches("x", "y", "192.0.2.2"))
    going.set()
    assert all(await asyncio.gather(*waiting, other))
    assert await kept.matches("x", "y", "192.0.2.1")


class Slow(HistoryReader):
    """A reader whose questions wait for the test."""

    def __init__(self, network: Network) -> None:
        super().__init__(lambda: network, logging.getLogger("test"), connections=0)
        self.under_way: list[str] = []
        self.going = asyncio.Event()

    async def _ask(self, question: Callable[[Any], Any]) -> Any:
        self.under_way.append(question(None))
        await self.going.wait()


def named(name: str, _: object) -> str:
    return name


async def test_one_question_of_an_address_is_under_way_at_a_time(
    network: Callable[..., Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_reader, "MOST_OF_ADDRESS", 3)
    reader = Slow(network())
    asked = [
        asyncio.ensure_future(reader.ask(partial(named, name), name[0]))
        for name in ("a1", "a2", "a3", "b1")
    ]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert reader.under_way == ["a1", "b1"]
    with pytest.raises(Busy):
        await reader.ask(lambda _: "a4", "a")
    reader.going.set()
    await asyncio.gather(*asked)
    assert reader.under_way == ["a1", "b1", "a2", "a3"]
    assert reader._turns == {}
