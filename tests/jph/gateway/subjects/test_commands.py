"""Commands and what the nodes answer."""

import asyncio

import pytest

from jph.gateway.live.commands import MOST_WAITING, Answer, Commander, TooManyWaiting
from jph.gateway.platform.language import LANGUAGES
from jph.wire.codec import Control
from tests.support import until


class Bus:
    """Records what is sent; answers are given by the test."""

    def __init__(self, limit_s: float = 5.0) -> None:
        self.sent: list[tuple[str, str, float]] = []
        self.commander = Commander(lambda *sent: self.sent.append(sent), limit_s)

    async def asked(self, codifier: str, flag: str, source: str) -> "asyncio.Task[Answer]":
        """Ask, and return when it is sent."""
        before = len(self.sent)
        task = asyncio.create_task(self.commander.ask(codifier, flag, source))
        await until(lambda: len(self.sent) > before)
        return task

    def say(self, flag: str, source: str, number: float = 0, active: bool = True) -> None:
        """Let a node speak."""
        self.commander.hear(Control(1, 2, 3, flag, source, "@@", 1, number, active))


async def test_a_ping_is_answered_with_its_own_number() -> None:
    bus = Bus()
    asked = await bus.asked("I1", "P", "TI")
    (flag, to, number) = bus.sent[0]
    assert (flag, to) == ("P", "I1")
    bus.say("T", "TI", number - 1)
    bus.say("T", "P1", number)
    bus.say("I", "TI", number)
    assert not asked.done()
    bus.say("T", "TI", number)
    answer = await asked
    assert answer.answered
    assert answer.milliseconds is not None
    assert answer.text.startswith("TI answered in ")


@pytest.mark.parametrize(
    ("flag", "active", "text"),
    [("H", False, "TI says that it is halted"), ("S", True, "TI says that it is sending")],
)
async def test_start_and_halt_are_what_the_node_says(flag: str, active: bool, text: str) -> None:
    bus = Bus()
    asked = await bus.asked("TI", flag, "TI")
    bus.say("I", "TI", active=active)
    assert (await asked).text == text
    assert (await asked).active is active


async def test_a_keep_alive_that_crosses_the_halt_is_not_its_answer() -> None:
    bus = Bus()
    asked = await bus.asked("TI", "H", "TI")
    bus.say("I", "TI", active=True)
    bus.say("I", "TI", active=False)
    assert (await asked).active is False


async def test_a_node_that_goes_on_sending_is_shown_as_it_is() -> None:
    bus = Bus(limit_s=0.05)
    asked = await bus.asked("R1", "H", "R1")
    bus.say("I", "R1", active=True)
    answer = await asked
    assert answer.text == "R1 says that it is sending all the same"
    assert answer.active is True


async def test_silence_is_told() -> None:
    answer = await Bus(limit_s=0.01).commander.ask("TI", "P", "TI")
    assert not answer.answered
    assert answer.text == "TI did not answer within 0.01 s"


async def test_two_pings_do_not_take_each_others_answers() -> None:
    bus = Bus()
    first, second = await bus.asked("TI", "P", "TI"), await bus.asked("TI", "P", "TI")
    bus.say("T", "TI", bus.sent[1][2])
    assert (await second).answered
    assert not first.done()
    bus.say("T", "TI", bus.sent[0][2])
    assert (await first).answered


async def test_what_waits_is_bounded() -> None:
    bus = Bus()
    waiting = [await bus.asked("TI", "P", "TI") for _ in range(MOST_WAITING)]
    with pytest.raises(TooManyWaiting):
        await bus.commander.ask("TI", "P", "TI")
    waiting.pop().cancel()
    await until(lambda: len(bus.commander._waiting) < MOST_WAITING)
    waiting.append(await bus.asked("TI", "P", "TI"))
    for task in waiting:
        task.cancel()


async def test_all_are_asked_by_one_message_and_answer_for_themselves() -> None:
    bus = Bus(0.2)
    asked = asyncio.create_task(bus.commander.ask_all("P", ["TI", "P1", "SH"]))
    await until(lambda: bus.sent)
    ((flag, to, number),) = bus.sent
    assert (flag, to) == ("P", "@@")
    with pytest.raises(TooManyWaiting):
        await bus.commander.ask_all("P", ["TI"])
    bus.say("T", "SH", number, active=False)
    bus.say("T", "TI", number)
    answers = await asked
    assert [(each.codifier, each.answered) for each in answers] == [
        ("TI", True),
        ("P1", False),
        ("SH", True),
    ]
    assert answers[2].text.endswith("ms; it is halted")
    assert await bus.commander.ask_all("P", []) == []


async def test_a_reload_is_answered_by_a_new_sequence() -> None:
    bus = Bus()
    asked = await bus.asked("TI", "C", "TI")
    bus.say("I", "TI")
    bus.say("N", "P1")
    assert not asked.done()
    bus.say("N", "TI")
    assert (await asked).text == "TI read its configuration again"


async def test_answers_in_another_language() -> None:
    bus = Bus(0.01)
    answer = await bus.commander.ask("TI", "P", "TI", LANGUAGES["fr"].say)
    assert answer.text == "TI n’a pas répondu en 0.01 s"
