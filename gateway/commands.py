"""Commands to nodes, and what the nodes answer: never a hope, always what was heard."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec

from jph.errors import JphError
from jph.outbox import ping_number
from jph.wire import Control, Flag

FLAGS: Final = {"P": "ping", "S": "start", "H": "halt"}
LIMIT_S: Final = 1.0
"""How long an answer may take; nodes answer within a few ms, or are busy with a slow device."""

MOST_WAITING: Final = 32


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
    """Sends commands with `send_control(flag, to, number)` and matches the answers.

    Every control message that the node hears must be given to `hear`.
    """

    def __init__(
        self, send_control: Callable[[str, str, float], None], limit_s: float = LIMIT_S
    ) -> None:
        self._send = send_control
        self._limit_s = limit_s
        self._waiting: set[_Question] = set()

    async def ask(self, codifier: str, flag: str, source: str) -> Answer:
        """Send `flag` (P, S or H) to `codifier` and wait for what the node `source` says.

        Raises:
            TooManyWaiting: too many commands wait already.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise TooManyWaiting
        question = _Question(flag, source)
        self._waiting.add(question)
        started = time.perf_counter()
        try:
            self._send(flag, codifier, question.number)
            async with asyncio.timeout(self._limit_s):
                await question.answered.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(question)
        milliseconds = 1000 * (time.perf_counter() - started)
        if question.heard is None:
            text = f"{source} did not answer within {self._limit_s:g} s"
            return Answer(codifier, flag, False, text)
        text = _words(flag, question.heard, milliseconds)
        active = question.heard.active
        return Answer(codifier, flag, True, text, round(milliseconds, 3), active)

    def hear(self, message: Control) -> None:
        """Take a control message from the bus."""
        for question in self._waiting:
            question.hear(message)


class _Question:
    """A command under way, and the best answer to it so far."""

    def __init__(self, flag: str, source: str) -> None:
        self.flag = flag
        self.source = source
        self.number = ping_number()
        self.heard: Control | None = None
        self.answered = asyncio.Event()

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
        elif message.flag in (Flag.ALIVE, Flag.NEW):
            self._take(message, final=message.active is (self.flag == Flag.START))

    def _take(self, message: Control, *, final: bool) -> None:
        self.heard = message
        if final:
            self.answered.set()


def _words(flag: str, heard: Control, milliseconds: float) -> str:
    state = "is sending" if heard.active else "is halted"
    if flag == Flag.PING:
        return f"{heard.source} answered in {milliseconds:.1f} ms; it {state}"
    if heard.active is (flag == Flag.START):
        return f"{heard.source} says that it {state}"
    return f"{heard.source} says that it {state} all the same"
