"""Commands and what the nodes answer."""

import asyncio
import time

import pytest

from jph.client.commands import MOST_WAITING, Commander, NodeAnswer, TooManyWaiting
from jph.client.limits import Limits
from jph.gateway.live.commands import Answer, answer_of
from jph.gateway.platform.language import LANGUAGES
from jph.wire.codec import Control
from jph.wire.notes import with_notes
from tests.support import until


class Bus:
    """Records what is sent; the test gives the answers."""

    def __init__(self, limit_s: float = 5.0) -> None:
        self.sent: list[tuple[str, str, float]] = []
        self.limits = Limits(answer_s=limit_s, reload_s=limit_s)
        self.commander = Commander(lambda *sent: self.sent.append(sent), self.limits, "CC")

    async def asked(self, codifier: str, flag: str, source: str) -> "asyncio.Task[NodeAnswer]":
        """Ask, and return when it is sent."""
        before = len(self.sent)
        task = asyncio.create_task(self.commander.ask(codifier, flag, source))
        await until(lambda: len(self.sent) > before)
        return task

    def say(self, flag: str, source: str, number: float = 0, active: bool = True) -> None:
        """Let a node speak."""
        self.commander.hear(Control(1, 2, 3, flag, source, "@@", 1, number, active))


def words(bus: Bus, heard: NodeAnswer) -> Answer:
    return answer_of(heard.node, heard, bus.limits)


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
    assert answer.round_trip_ms is not None
    assert words(bus, answer).text.startswith("TI answered in ")


@pytest.mark.parametrize(
    ("flag", "active", "text"),
    [("H", False, "TI says that it is halted"), ("S", True, "TI says that it is sending")],
)
async def test_start_and_halt_are_what_the_node_says(flag: str, active: bool, text: str) -> None:
    bus = Bus()
    asked = await bus.asked("TI", flag, "TI")
    bus.say("I", "TI", active=active)
    assert words(bus, await asked).text == text
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
    assert words(bus, answer).text == "R1 says that it is sending all the same"
    assert answer.active is True


async def test_silence_is_told() -> None:
    bus = Bus(limit_s=0.01)
    answer = await bus.commander.ask("TI", "P", "TI")
    assert not answer.answered
    assert words(bus, answer).text == "TI did not answer within 0.01 s"


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
    await until(lambda: len(bus.commander._under_way) < MOST_WAITING)
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
    assert [(each.node, each.answered) for each in answers] == [
        ("TI", True),
        ("P1", False),
        ("SH", True),
    ]
    assert words(bus, answers[2]).text.endswith("ms; it is halted")
    assert await bus.commander.ask_all("P", []) == []


async def test_a_reload_is_answered_by_a_new_sequence() -> None:
    bus = Bus()
    asked = await bus.asked("TI", "C", "TI")
    bus.say("I", "TI")
    bus.say("N", "P1")
    assert not asked.done()
    bus.say("N", "TI")
    assert words(bus, await asked).text == "TI read its configuration again"
    asked = await bus.asked("TI", "C", "TI")
    bus.say("N", "TI", with_notes(1_796_000_000_000, ("Ring", "Port"), shared=False))
    answer = words(bus, await asked)
    assert answer.text == "TI read its configuration again; needs a restart: Ring, Port"
    assert answer.restart == ("Ring", "Port")


async def test_answers_in_another_language() -> None:
    bus = Bus(0.01)
    heard = await bus.commander.ask("TI", "P", "TI")
    answer = answer_of("TI", heard, bus.limits, LANGUAGES["fr"].say)
    assert answer.text == "TI n’a pas répondu en 0.01 s"


async def test_the_ping_after_a_halt_shows_a_node_that_does_not_obey() -> None:
    bus = Bus()
    asked = await bus.asked("R1", "H", "R1")
    await until(lambda: len(bus.sent) == 2)
    assert [sent[:2] for sent in bus.sent] == [("H", "R1"), ("P", "R1")]
    bus.say("T", "R1", bus.sent[1][2], active=True)
    answer = await asked
    assert answer.active is True
    assert words(bus, answer).text == "R1 says that it is sending all the same"


async def test_strangers_are_listed_but_no_console_of_our_own_name() -> None:
    bus = Bus()
    asked = asyncio.create_task(bus.commander.ask_all("P", ["TI"], strangers=True))
    await until(lambda: bus.sent)
    number = bus.sent[0][2]
    bus.say("T", "ZZ", number)
    bus.say("T", "CC", number)
    bus.say("T", "TI", number)
    assert [each.node for each in await asked] == ["TI", "ZZ"]


async def test_the_clock_offset_and_the_address_are_facts_of_the_answer() -> None:
    bus = Bus()
    asked = await bus.asked("TI", "P", "TI")
    ahead_ms = time.time() * 1000 + 86_400_000
    message = Control(1, 2, int(ahead_ms), "T", "TI", "@@", 1, bus.sent[0][2], True)
    bus.commander.hear(message, ("192.0.2.1", 4711))
    answer = await asked
    assert answer.offset_ms is not None
    assert abs(answer.offset_ms - 86_400_000) < 60_000
    assert answer.address == ("192.0.2.1", 4711)
