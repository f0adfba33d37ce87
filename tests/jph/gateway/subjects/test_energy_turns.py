"""Questions about energy: one span is asked once, and another client does not wait for it."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from jph.config.model import Network
from jph.gateway.subjects.energy import web
from jph.gateway.subjects.energy.structs import Report
from tests.support import until


class Questions:
    """Questions to PostgreSQL that wait for the test."""

    def __init__(self) -> None:
        self.under_way: list[str] = []
        self.going = asyncio.Event()

    def about(self, name: str) -> Callable[[], Any]:
        async def ask() -> Report:
            self.under_way.append(name)
            await self.going.wait()
            return cast("Report", name)

        return ask


async def test_a_span_is_asked_once_and_keeps_no_other_waiting(
    network: Callable[..., Network],
) -> None:
    house, answers, questions = network(), web._Answers(), Questions()
    asked = [
        asyncio.ensure_future(answers.of(house, key, questions.about(key)))
        for key in ("month", "month", "year")
    ]
    await until(lambda: sorted(questions.under_way) == ["month", "year"])
    questions.going.set()
    assert [str(each) for each in await asyncio.gather(*asked)] == ["month", "month", "year"]
    assert sorted(questions.under_way) == ["month", "year"]
