"""Takes hellos: they prove that a start runs now, and ask for that proof. Pure.

Cheap checks come before expensive ones: a tag that needs the generation key alone stops what
outsiders send, before the key of the claimed start is derived and its signature verified.
"""

import json
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from jph.seal.frame import (
    HELLO_CLEAR,
    MAC_BYTES,
    SALT_BYTES,
    SIGNATURE_BYTES,
    TAG_BYTES,
    Bus,
    Head,
    nonce,
)
from jph.seal.keyring import Generation, Keyring, StartCiphers, decrypted, hello_mac
from jph.seal.opening.outcome import Ask
from jph.seal.opening.refusals import Cause, Refusals
from jph.seal.opening.starts import HELLOS, TrustedStart, TrustedStarts
from jph.seal.opening.untrusted import NONCE_BYTES, Held, UntrustedStarts
from jph.util.token_bucket import TokenBucket
from jph.wire.codec import EVERY_NODE, HEADER_SIZE

_HELLOS_PER_S: Final = 200.0
_FOREIGN_PER_S: Final = 20.0
"""Hellos of a generation that this node lacks: outsiders can send them, so few are verified."""
_BEGIN: Final = HEADER_SIZE + HELLO_CLEAR
_LEAST: Final = _BEGIN + TAG_BYTES + SIGNATURE_BYTES
_COUNTER_AT: Final = HEADER_SIZE + SALT_BYTES
_SERIAL_AT: Final = _COUNTER_AT + 8
_MAC_AT: Final = _BEGIN - MAC_BYTES


class Heard(NamedTuple):
    """What follows from a hello: hellos to send, and a start that is trusted now.

    `held` are the frames that waited for it.
    """

    asks: Sequence[Ask] = ()
    start: TrustedStart | None = None
    held: Sequence[Held] = ()


_NOTHING: Final = Heard()


class Hellos:
    """Takes the hellos that arrive at one start of the member `node`.

    Attributes:
        keyring: the keys; other ones after a reload.
        newer: the highest serial heard that is above our own, and the node that has it.
    """

    def __init__(
        self,
        node: str,
        keyring: Keyring,
        starts: TrustedStarts,
        untrusted: UntrustedStarts,
        refusals: Refusals,
    ) -> None:
        self.keyring = keyring
        self.newer: tuple[int, str] | None = None
        self._node = node
        self._starts, self._untrusted, self._refusals = starts, untrusted, refusals
        self._verified = TokenBucket(_HELLOS_PER_S, _HELLOS_PER_S)
        self._foreign = TokenBucket(_FOREIGN_PER_S, _FOREIGN_PER_S)

    def take(self, head: Head, generation: Generation, held: Held) -> Heard:
        """Take a hello: it may answer our number, and ask us to repeat one."""
        key = head.node, head.epoch
        if key == self._starts.own or head.to not in (self._node, EVERY_NODE):
            return _NOTHING
        salt = held.frame[HEADER_SIZE:_COUNTER_AT]
        content = self._content(head, salt, generation, held)
        if content is None:
            return _NOTHING
        self._compare(_serial(held.frame), head.node)
        heard = self._take_answer(salt, head, content, held.at_ms)
        asks: list[Ask] = []
        if key not in self._starts:  # it is proven that this start exists, not that it runs now
            asks += self._untrusted.ask(key, held.at_ms, context=held.context, proven=True)
        number = content.get("ask")
        if isinstance(number, str) and head.to == self._node:
            answer = number[: 2 * NONCE_BYTES]
            asks.append(Ask(head.node, answer=answer, by_bus=held.bus is Bus.CONTROL))
        return heard._replace(asks=asks)

    def take_foreign(self, head: Head, frame: bytes, now_ms: int) -> None:
        """Take the serial of a hello with a key that this node lacks: it may have been away."""
        if len(frame) < _LEAST:
            return
        serial = _serial(frame)
        if serial <= self.keyring.serial or not self._foreign.take(now_ms / 1000):
            return
        if self.keyring.verifies(head.node, frame[-SIGNATURE_BYTES:], frame[:-SIGNATURE_BYTES]):
            self._compare(serial, head.node)

    def _content(
        self, head: Head, salt: bytes, generation: Generation, held: Held
    ) -> dict[str, Any] | None:
        """Return the content of a genuine hello that comes for the first time."""
        frame, bus = held.frame, held.bus
        if len(frame) < _LEAST or frame[_MAC_AT:_BEGIN] != hello_mac(generation, frame[:_MAC_AT]):
            self._refusals.add(Cause.KEY, head.node)
            return None
        counter = int.from_bytes(frame[_COUNTER_AT:_SERIAL_AT], "little")
        known = self._starts.get((head.node, head.epoch))
        window = None
        if known is not None and known.salt == salt:
            window = known.window(HELLOS, bus)
            if not window.may_come(counter):
                return None  # an answer by the bus may come twice
        ciphers = known.ciphers if window and known else StartCiphers(head.node, head.epoch, salt)
        end = len(frame) - SIGNATURE_BYTES
        payload = decrypted(
            ciphers.of(generation), nonce(bus, counter), frame[_BEGIN:end], frame[:_BEGIN]
        )
        if payload is None:
            self._refusals.add(Cause.KEY, head.node)
            return None
        if not self._verified.take(held.at_ms / 1000):
            return None
        if not self.keyring.verifies(head.node, frame[end:], frame[:end]):
            self._refusals.add(Cause.SIGNATURE, head.node)
            return None
        if window is not None:
            window.accept(counter)
        return _decoded(payload)

    def _compare(self, serial: int, node: str) -> None:
        """Note who has a newer roster, and count who has an older one."""
        if serial < self.keyring.serial:
            self._refusals.add(Cause.SERIAL, node)
        elif serial > max(self.keyring.serial, self.newer[0] if self.newer else 0):
            self.newer = serial, node

    def _take_answer(self, salt: bytes, head: Head, content: dict[str, Any], now_ms: int) -> Heard:
        """Trust a start whose hello repeats our number."""
        key = head.node, head.epoch
        floors = content.get("floors")
        answer = content.get("answer")
        if not isinstance(answer, str) or not _are_counters(floors):
            return _NOTHING
        answered = self._untrusted.answered(key, answer, now_ms)
        if answered is None:
            return _NOTHING
        offset_ms = now_ms - head.since_start_ms
        start = self._starts.get(key)
        if start is not None and start.salt == salt:
            start.offset_ms, start.synced_ms = offset_ms, now_ms
        else:
            earliest_ms = answered.asked_ms - head.since_start_ms
            counters = cast("list[int]", floors)
            start = TrustedStart(key, salt, counters, earliest_ms, offset_ms, now_ms)
            self._starts.add(key, start)
        return Heard(start=start, held=answered.held)


def _serial(frame: bytes) -> int:
    """Return the serial in the clear part of a hello."""
    return int.from_bytes(frame[_SERIAL_AT:_MAC_AT], "little")


def _decoded(payload: bytes) -> dict[str, Any]:
    try:
        content = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _are_counters(floors: object) -> bool:
    return (
        isinstance(floors, list)
        and len(floors) == len(Bus)
        and all(isinstance(each, int) and 0 <= each < 2**63 for each in floors)
    )
