"""Ping, start, halt and reload, and the answer of each node."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from jph.client.limits import Limits
from jph.errors import JphError
from jph.node.outbox import ping_number
from jph.wire.codec import EVERY_NODE, Control, Flag
from jph.wire.notes import notes_of

Address = tuple[str, int]
Send = Callable[[str, str, float], None]
"""Sends a control message: flag, destination, number."""

MOST_WAITING: Final = 32
"""How many commands to single nodes may wait for an answer at the same time."""


class NodeAnswer(msgspec.Struct, frozen=True):
    """The answer of one node to one command; all but `node` and `flag` is None without one.

    `offset_ms` is positive when the node's clock is ahead of ours. `active` is whether the node
    sends data; `restart` are the config keys that a reload left to a restart. `address` is the UDP
    source address, `epoch` the epoch of the node.
    """

    node: str
    flag: str
    answered: bool = False
    round_trip_ms: float | None = None
    offset_ms: float | None = None
    active: bool | None = None
    address: Address | None = None
    epoch: int | None = None
    restart: tuple[str, ...] = ()


class TooManyWaiting(JphError):
    """More commands wait for an answer than the limit allows."""


class Commander:
    """Sends commands by `send` and matches the answers; pass each control message to `hear`.

    Attributes:
        own: the codifier of this program.
    """

    def __init__(self, send: Send, limits: Limits | None = None, own: str = "") -> None:
        self.send = send
        self.limits = limits or Limits()
        self.own = own
        self._under_way: set[_Exchange] = set()
        self._singles = 0
        self._asks_all = False

    async def ask(self, to: str, flag: str, node: str) -> NodeAnswer:
        """Send `flag` to the codifier `to` and wait for the answer of `node`.

        Raises:
            TooManyWaiting: too many commands wait already.
        """
        if self._singles >= MOST_WAITING:
            raise TooManyWaiting("too many commands are waiting")
        self._singles += 1
        try:
            exchange = await self._exchange(to, _Exchange(flag, {node}))
        finally:
            self._singles -= 1
        return exchange.answer_of(node)

    async def ping(self, node: str) -> NodeAnswer:
        """Ping one node, however many commands wait."""
        return (await self._exchange(node, _Exchange(Flag.PING, {node}))).answer_of(node)

    async def ask_all(
        self,
        flag: str,
        nodes: Collection[str],
        *,
        strangers: bool = False,
        limit_s: float | None = None,
    ) -> list[NodeAnswer]:
        """Send `flag` to every node and wait until all of `nodes` have answered.

        `limit_s` replaces the usual limit. With `strangers`, the answers of other nodes follow,
        except those of our own codifier.

        Raises:
            TooManyWaiting: a command to every node is under way.
        """
        if self._asks_all:
            raise TooManyWaiting("a command to every node is under way")
        self._asks_all = True
        try:
            exchange = _Exchange(flag, nodes, strangers_but=self.own if strangers else None)
            await self._exchange(EVERY_NODE, exchange, limit_s)
        finally:
            self._asks_all = False
        others = sorted(exchange.answers.keys() - set(nodes))
        return [exchange.answer_of(node) for node in [*nodes, *others]]

    def hear(self, message: Control, address: Address | None = None) -> None:
        """Take a control message from the bus."""
        for exchange in self._under_way:
            exchange.hear(message, address)

    async def _exchange(
        self, to: str, exchange: "_Exchange", limit_s: float | None = None
    ) -> "_Exchange":
        """Send a command and wait until it is answered or its time is over."""
        flag = exchange.flag
        if limit_s is None:
            limit_s = self.limits.reload_s if flag == Flag.RELOAD else self.limits.answer_s
        self._under_way.add(exchange)
        try:
            exchange.begin()
            if flag != Flag.PING:
                self.send(flag, to, 0.0)
            if flag != Flag.RELOAD:
                # A ping after a start or halt returns the state that the command has led to.
                self.send(Flag.PING, to, exchange.number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await exchange.complete.wait()
        finally:
            self._under_way.discard(exchange)
        return exchange


class _Exchange:
    """A command under way, and the best answer of each node so far."""

    def __init__(self, flag: str, nodes: Collection[str], strangers_but: str | None = None) -> None:
        self.flag = flag
        self.number = 0.0
        self.answers: dict[str, NodeAnswer] = {}
        self.complete = asyncio.Event()
        self._nodes = frozenset(nodes)
        self._strangers_but = strangers_but
        self._waiting = set(nodes)
        self._final: set[str] = set()
        self._sent_s = self._sent_ms = 0.0
        if not nodes and strangers_but is None:
            self.complete.set()

    def begin(self) -> None:
        """Note the time of sending, and choose the number that the answer to a ping repeats."""
        self.number = ping_number()
        self._sent_s, self._sent_ms = time.perf_counter(), time.time() * 1000

    def answer_of(self, node: str) -> NodeAnswer:
        """Return the answer of a node, one that is not `answered` if none came."""
        return self.answers.get(node) or NodeAnswer(node, self.flag)

    def hear(self, message: Control, address: Address | None) -> None:
        """Take a message if it is an answer."""
        source = message.source
        if source in self._final or not (source in self._nodes or self._is_stranger(source)):
            return
        final = self._judge(message)
        if final is None:
            return
        self.answers[source] = self._answer(message, address)
        if final:
            self._final.add(source)
            self._waiting.discard(source)
            if not self._waiting:
                self.complete.set()

    def _is_stranger(self, source: str) -> bool:
        return self._strangers_but is not None and source != self._strangers_but

    def _judge(self, message: Control) -> bool | None:
        """Return whether a message is the final answer; None if it is no answer.

        A keep-alive that was under way when the command was sent carries the old state: it is the
        answer only if no other follows.
        """
        if self.flag == Flag.RELOAD:
            return True if message.flag == Flag.NEW else None
        if message.flag == Flag.TIME:
            return True if message.number == self.number else None
        if self.flag != Flag.PING and message.flag in (Flag.ALIVE, Flag.NEW):
            return message.active is (self.flag == Flag.START)
        return None

    def _answer(self, message: Control, address: Address | None) -> NodeAnswer:
        round_trip_ms = (time.perf_counter() - self._sent_s) * 1000
        # A timestamp is cut to whole ms: half a ms is missing on average.
        offset_ms = message.timestamp_ms + 0.5 - (self._sent_ms + round_trip_ms / 2)
        answered = (self.flag, True, round_trip_ms, offset_ms, message.active, address)
        return NodeAnswer(message.source, *answered, message.epoch, notes_of(message).restart)
