"""Commands to nodes, and what the nodes answer: never a hope, always what was heard."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import msgspec

from jph.errors import JphError
from jph.heating.explain import Say, english
from jph.node.outbox import ping_number
from jph.wire.codec import EVERY_NODE, Control, Flag

FLAGS: Final = {"P": "ping", "S": "start", "H": "halt", "C": "reload"}
LIMIT_S: Final = 1.0
"""How long an answer may take; nodes answer within a few ms, or are busy with a slow device."""
RELOAD_LIMIT_S: Final = 3.0
"""A config may come over the network, and its channels are opened anew."""

MOST_WAITING: Final = 32
_NO_RELOAD: Final = (
    "no sign within {limit} s that {node} read its configuration again: "
    "it is away, or has refused it (its log says why)"
)


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a node said to a command: `text` for people, `milliseconds` of the round trip.

    `active` is whether the node says that it sends data.
    """

    codifier: str
    flag: str
    answered: bool
    text: str
    milliseconds: float | None = None
    active: bool | None = None


class TooManyWaiting(JphError):
    """More commands wait for an answer than the gateway keeps."""


class Commander:
    """Sends commands with `send(flag, to, number)` and matches the answers.

    Every control message that the node hears must be given to `hear`.
    """

    def __init__(self, send: Callable[[str, str, float], None], limit_s: float = LIMIT_S) -> None:
        self.send = send
        self._limit_s = limit_s
        self._waiting: set[_Question] = set()
        self._singles = 0
        self._asks_all = False

    async def ask(self, codifier: str, flag: str, source: str, say: Say = english) -> Answer:
        """Send `flag` (of FLAGS) to `codifier` and wait for what the node `source` says.

        Raises:
            TooManyWaiting: too many commands wait already.
        """
        if self._singles >= MOST_WAITING:
            raise TooManyWaiting
        question = _Question(flag, source)
        self._singles += 1
        try:
            await self._put(codifier, [question])
        finally:
            self._singles -= 1
        return self._answer(codifier, question, say)

    async def ask_all(self, flag: str, sources: Sequence[str], say: Say = english) -> list[Answer]:
        """Send `flag` to everybody and wait for what each node of `sources` says.

        Raises:
            TooManyWaiting: that is being done already.
        """
        if self._asks_all:
            raise TooManyWaiting
        self._asks_all = True
        try:
            questions = [_Question(flag, source) for source in sources]
            await self._put(EVERY_NODE, questions)
        finally:
            self._asks_all = False
        return [self._answer(each.source, each, say) for each in questions]

    def hear(self, message: Control) -> None:
        """Take a control message from the bus."""
        for question in self._waiting:
            question.hear(message)

    def _limit(self, flag: str) -> float:
        return RELOAD_LIMIT_S if flag == Flag.RELOAD else self._limit_s

    async def _put(self, codifier: str, questions: "Sequence[_Question]") -> None:
        """Send what the questions ask, all the same, and wait for their answers."""
        self._waiting.update(questions)
        number, flag = ping_number(), questions[0].flag if questions else Flag.PING
        for question in questions:
            question.put(number)
        try:
            self.send(flag, codifier, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limit(flag)):
                    await _all_of(question.answered for question in questions)
        finally:
            self._waiting.difference_update(questions)

    def _answer(self, codifier: str, question: "_Question", say: Say) -> Answer:
        flag, source = question.flag, question.source
        if question.heard is None:
            text = "{node} did not answer within {limit} s"
            if flag == Flag.RELOAD:
                text = _NO_RELOAD
            limit = f"{self._limit(flag):g}"
            return Answer(codifier, flag, False, say(text, node=source, limit=limit))
        milliseconds = 1000 * (question.heard_s - question.asked_s)
        text = _words(flag, question.heard, milliseconds, say)
        return Answer(codifier, flag, True, text, round(milliseconds, 3), question.heard.active)


class _Question:
    """A command under way, and the best answer to it so far."""

    def __init__(self, flag: str, source: str) -> None:
        self.flag = flag
        self.source = source
        self.number = 0.0
        self.asked_s = self.heard_s = 0.0
        self.heard: Control | None = None
        self.answered = asyncio.Event()

    def put(self, number: float) -> None:
        """Note that it is sent now, with a number that a ping's answer repeats."""
        self.number, self.asked_s = number, time.perf_counter()

    def hear(self, message: Control) -> None:
        """Take a message if it answers.

        A keep-alive that was on its way when a halt was sent still says "active": one that does not
        agree is the answer only if none follows that does.
        """
        if message.source != self.source or self.answered.is_set():
            return
        if self.flag == Flag.PING:
            if message.flag == Flag.TIME and message.number == self.number:
                self._take(message, final=True)
        elif self.flag == Flag.RELOAD:
            if message.flag == Flag.NEW:
                self._take(message, final=True)
        elif message.flag in (Flag.ALIVE, Flag.NEW):
            self._take(message, final=message.active is (self.flag == Flag.START))

    def _take(self, message: Control, *, final: bool) -> None:
        self.heard, self.heard_s = message, time.perf_counter()
        if final:
            self.answered.set()


async def _all_of(events: Iterable[asyncio.Event]) -> None:
    for event in events:
        await event.wait()


def _words(flag: str, heard: Control, milliseconds: float, say: Say) -> str:
    node, active = heard.source, heard.active
    if flag == Flag.PING:
        text = "{node} answered in {time} ms; it is halted"
        if active:
            text = "{node} answered in {time} ms; it is sending"
        return say(text, node=node, time=f"{milliseconds:.1f}")
    if flag == Flag.RELOAD:
        return say("{node} read its configuration again", node=node)
    if active is (flag == Flag.START):
        text = "{node} says that it is sending" if active else "{node} says that it is halted"
        return say(text, node=node)
    text = "{node} says that it is halted all the same"
    if active:
        text = "{node} says that it is sending all the same"
    return say(text, node=node)
