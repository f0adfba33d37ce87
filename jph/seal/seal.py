"""The seal of one program: what it sends and receives, sealed or in the clear. Pure.

With `watch` messages travel in the clear and a proof follows. All are accepted; those without a
proof, a right or a signature are counted. With `demand` only sealed frames travel.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from jph.seal.frame import Bus, fields_of, is_frame
from jph.seal.keyring import Keyring
from jph.seal.opening.opener import Opener
from jph.seal.opening.outcome import Ask, Due, Outcome, Proved, Released
from jph.seal.opening.refusals import Cause
from jph.seal.rules import Rules
from jph.seal.sealer import Sealer, digest
from jph.wire.codec import HEADER_SIZE
from jph.wire.columns import Block

Mode = Literal["watch", "demand"]
_PROOF_MS: Final = 1000
"""A proof follows its messages within this time."""
_MOST_UNPROVED: Final = 10_000
_SIGNS: Final = frozenset("NIPT")
"""Flags of the control bus that an open program may send."""


class _Unproved(NamedTuple):
    bus: Bus
    message: bytes
    at_ms: int


class Seal:
    """Closes and opens the messages of one start of a member.

    Attributes:
        mode: whether open messages are accepted.
        sealer, opener: the two directions.
        carrier: the bus that carries its frames now; another one after a reload.
    """

    def __init__(self, sealer: Sealer, opener: Opener, mode: Mode, now_ms: int = 0) -> None:
        self.sealer, self.opener, self.mode = sealer, opener, mode
        self.carrier: object = None
        self._unproved: OrderedDict[bytes, _Unproved] = OrderedDict()
        opener.trust_own((sealer.node, sealer.epoch), sealer.salt, now_ms)

    def adopt(self, keyring: Keyring, rules: Rules, mode: Mode) -> None:
        """Take a new roster; the counters and the trusted starts stay."""
        self.sealer.keyring = self.opener.keyring = keyring
        self.sealer.rules = self.opener.rules = rules
        self.mode = mode

    def closed_blocks(self, bus: Bus, blocks: Sequence[Block], now_ms: int) -> list[bytes]:
        """Return the frames to send as `closed` does."""
        if self.mode == "watch":
            return self.closed(bus, [m for block in blocks for m in block.datagrams()], now_ms)
        return self.sealer.frames_of(bus, blocks, now_ms)

    def closed(self, bus: Bus, messages: Sequence[bytes], now_ms: int) -> list[bytes]:
        """Return the frames to send: instead of the messages, or after them with `watch`."""
        if self.mode == "watch":
            return self.sealer.proofs(bus, messages, now_ms)
        return self.sealer.frames(bus, messages, now_ms)

    def hello(self, bus: Bus, ask: Ask, now_ms: int) -> bytes:
        """Return the hello that asks a node for proof that it runs now, or gives it."""
        content = {name: text for name, text in (("ask", ask.ask), ("answer", ask.answer)) if text}
        return self.sealer.hello(bus, dict(content), now_ms, ask.node)

    def opened(
        self, bus: Bus, datagram: bytes, context: object, now_ms: int, listener: int = 0
    ) -> Outcome:
        """Take a datagram; `context` comes back with its messages, at once or later."""
        if self._unproved:
            self._expire(now_ms)
        if not is_frame(datagram):
            return self._open_message(bus, datagram, context, now_ms)
        outcome = self.opener.open(bus, datagram, context, now_ms, listener)
        for proved in outcome.proved if self.mode == "watch" else ():
            self._prove(proved)
        return outcome

    def _open_message(self, bus: Bus, datagram: bytes, context: Any, now_ms: int) -> Outcome:  # noqa: ANN401
        released = Outcome([Released(bus, context, (Block(datagram, len(datagram)),))])
        if self.mode == "watch":
            if len(datagram) >= HEADER_SIZE and bus is not Bus.LOG:
                self._unproved[digest(datagram)] = _Unproved(bus, datagram, now_ms)
                if len(self._unproved) > _MOST_UNPROVED:
                    self._refuse_open(self._unproved.popitem(last=False)[1].message)
            return released
        if len(datagram) >= HEADER_SIZE:
            fields = fields_of(datagram)
            known = fields.source in self.opener.rules.open
            if known and (bus is Bus.DATA or fields.flag in _SIGNS):
                return released
        self._refuse_open(datagram)
        return Outcome()

    def _prove(self, proved: Proved) -> None:
        for each in proved.digests:
            unproved = self._unproved.pop(each, None)
            if unproved is not None:
                self.opener.allows(
                    proved.node, unproved.bus, unproved.message, signed=proved.signed
                )

    def due_ms(self) -> float:
        """Return when `poll` has something to do next."""
        first = next(iter(self._unproved.values()), None)
        return min(self.opener.due_ms(), first.at_ms + _PROOF_MS if first else float("inf"))

    def poll(self, now_ms: int) -> list[Due]:
        """Return the questions that are due again; what waited too long is refused."""
        self._expire(now_ms)
        return self.opener.poll(now_ms)

    def _expire(self, now_ms: int) -> None:
        while self._unproved:
            oldest = next(iter(self._unproved.values()))
            if now_ms - oldest.at_ms < _PROOF_MS:
                return
            self._unproved.popitem(last=False)
            self._refuse_open(oldest.message)

    def _refuse_open(self, datagram: bytes) -> None:
        fields = fields_of(datagram) if len(datagram) >= HEADER_SIZE else None
        self.opener.refusals.add(Cause.OPEN, fields.source if fields else "??", fields)
