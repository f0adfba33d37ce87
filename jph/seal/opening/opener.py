"""Opens frames: proof, rights, replay and freshness of what arrives. Pure: time is passed in.

A sender's start is trusted once it has answered a random number of ours. The answer is a hello: it
gives the salt, from where on its counters may come, and its clock. Frames that arrive before wait.
"""

from collections.abc import Callable, Sequence
from typing import Final

from jph.seal.frame import (
    DIGEST_BYTES,
    SIGNATURE_BYTES,
    TAG_BYTES,
    Bus,
    Head,
    Level,
    fields_of,
    heads,
    like,
    messages_in,
    nonce,
    one_size,
    read_header,
    whole_counter,
)
from jph.seal.keyring import Generation, Keyring, decrypted
from jph.seal.opening.hellos import Hellos
from jph.seal.opening.outcome import NOTHING, Ask, Due, Outcome, Proved, Released
from jph.seal.opening.refusals import NO_MEMBER, Cause, Refusals
from jph.seal.opening.starts import Key, TrustedStart, TrustedStarts
from jph.seal.opening.untrusted import Held, UntrustedStarts
from jph.seal.rules import Rules
from jph.seal.sealer import LONGEST_HELD_MS
from jph.wire.codec import HEADER_SIZE
from jph.wire.columns import Block

_SYNC_MS: Final = 600_000
"""Clocks of two machines drift apart: after so long the sender is asked again."""
_SOON_MS: Final = 5000
"""A stale message has the sender asked again, once in this time."""
_MOST_ALLOWED: Final = 4096
_GROUP: Final = int(Level.GROUP)
_HELLO: Final = int(Level.HELLO)
_LEVELS: Final = frozenset(int(each) for each in Level)


class Opener:
    """Opens what arrives at one start of a member.

    `random` gives random bytes.

    Attributes:
        refusals: what was refused, by cause and node.
    """

    def __init__(
        self,
        node: str,
        keyring: Keyring,
        rules: Rules,
        random: Callable[[int], bytes],
    ) -> None:
        self.rules = rules
        self.refusals = Refusals(keyring.members)
        self._refuse = self.refusals.add
        self._starts = TrustedStarts()
        self.untrusted = UntrustedStarts(self.refusals, random)
        self.hellos = Hellos(node, keyring, self._starts, self.untrusted, self.refusals)
        self.keyring = keyring

    @property
    def keyring(self) -> Keyring:
        """The keys; other ones after a reload."""
        return self._keyring

    @keyring.setter
    def keyring(self, keyring: Keyring) -> None:
        self._keyring = self.hellos.keyring = keyring
        self.refusals.members = self._members = keyring.members
        self.hellos.newer = None

    @property
    def rules(self) -> Rules:
        """The rules; other ones after a reload."""
        return self._rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._rules = rules
        self._allowed: set[tuple[str, int, bool, bytes]] = set()

    def trust_own(self, key: Key, salt: bytes, now_ms: int) -> None:
        """Trust our own start, which begins now."""
        self._starts.add_own(key, salt, now_ms)

    def forget_listener(self, listener: int) -> None:
        """Forget the windows of a listener that has ended."""
        self._starts.forget_listener(listener)

    def trusts(self, key: Key) -> bool:
        """Say whether a start is trusted."""
        return key in self._starts

    def open(
        self, bus: Bus, frame: bytes, context: object, now_ms: int, listener: int = 0
    ) -> Outcome:
        """Open a frame; `context` comes back with its messages, at once or later.

        Each listener of the program gets each frame once.
        """
        head = read_header(frame)
        if head is None or head.node not in self._members or head.level not in _LEVELS:
            self._refuse(Cause.KEY, head.node if head else NO_MEMBER)
            return NOTHING
        generation = self._keyring.accepted(head.generation, now_ms)
        if generation is None:
            self._refuse(Cause.GENERATION, head.node)
            if head.level == _HELLO:
                self.hellos.take_foreign(head, frame, now_ms)
            return NOTHING
        if head.level == _HELLO:
            return self._take_hello(head, generation, Held(bus, frame, context, now_ms, 0))
        start = self._starts.get((head.node, head.epoch))
        if start is not None:
            return self._open_trusted(
                start, head, generation, bus, frame, context, now_ms, listener
            )
        key = head.node, head.epoch
        if self.untrusted.turns_away(key, now_ms):
            self._refuse(Cause.UNFRESH, head.node)
            return NOTHING
        asks = self.untrusted.hold(key, Held(bus, frame, context, now_ms, listener))
        return Outcome(asks=asks)

    def due_ms(self) -> float:
        """Return when `poll` has something to do next."""
        return self.untrusted.due_ms()

    def poll(self, now_ms: int) -> list[Due]:
        """Return the questions that are due again; frames that wait too long are refused."""
        return self.untrusted.poll(now_ms)

    def allows(self, node: str, bus: Bus, message: bytes, *, signed: bool) -> bool:
        """Say whether a member may send a message with this proof; count it if not."""
        fields = fields_of(message)
        if not self._rules.may_send(node, bus, message, fields):
            self._refuse(Cause.RIGHT, node, fields)
            return False
        if not signed and self._rules.needs_signature(bus, message, fields):
            self._refuse(Cause.SIGNATURE, node, fields)
            return False
        return True

    # Frames of a trusted start

    def _open_trusted(
        self,
        start: TrustedStart,
        head: Head,
        generation: Generation,
        bus: Bus,
        frame: bytes,
        context: object,
        now_ms: int,
        listener: int,
    ) -> Outcome:
        window = start.window(listener, bus)
        counter = whole_counter(head.counter, max(window.highest, 0))
        if not window.may_come(counter):
            self._refuse(Cause.REPLAY, head.node)
            return NOTHING
        # A frame of before the exchange counts only if it left after we began: no earlier start of
        # ours can have taken it.
        early = counter < start.floors[bus]
        if early and start.earliest_ms + head.since_start_ms < self._starts.began_ms:
            self._refuse(Cause.EARLY, head.node)
            return NOTHING
        signed = head.level != _GROUP
        end = len(frame) - SIGNATURE_BYTES * signed
        payload = None
        if end >= HEADER_SIZE + TAG_BYTES:
            cipher = start.ciphers.of(generation)
            payload = decrypted(
                cipher, nonce(bus, counter), frame[HEADER_SIZE:end], frame[:HEADER_SIZE]
            )
        if payload is None:  # perhaps another start with the same epoch
            self._refuse(Cause.KEY, head.node)
            return self._asked_again(start, head, now_ms, _SOON_MS)
        if signed and not self._keyring.verifies(head.node, frame[end:], frame[:end]):
            self._refuse(Cause.SIGNATURE, head.node)
            return self._asked_again(start, head, now_ms, _SOON_MS)
        window.accept(counter)
        since_ms = now_ms - head.since_start_ms
        start.offset_ms = min(start.offset_ms, since_ms)
        if signed and since_ms - start.offset_ms > LONGEST_HELD_MS:
            self._refuse(Cause.STALE, head.node)
            return self._asked_again(start, head, now_ms, _SOON_MS)
        asks = self._asked_again(start, head, now_ms, _SYNC_MS).asks
        if head.level == Level.PROOF:
            return Outcome((), asks, [_proof(head.node, payload)])
        blocks = self._allowed_blocks(head.node, bus, payload, signed)
        return Outcome((Released(bus, context, blocks),) if blocks else (), asks)

    def _allowed_blocks(self, node: str, bus: Bus, payload: bytes, signed: bool) -> Sequence[Block]:
        """Return the messages of a payload that its sender may send."""
        if bus is Bus.LOG:
            return (Block(payload, len(payload)),)
        size = one_size(payload)
        if size and bus is not Bus.UNICAST and self._allows_all(node, bus, payload, size, signed):
            return (Block(payload, size),)
        messages = messages_in(payload)
        if messages is None:
            self._refuse(Cause.KEY, node)
            return ()
        return [
            Block(message, len(message))
            for message in messages
            if self.allows(node, bus, message, signed=signed)
        ]

    def _allows_all(self, node: str, bus: Bus, payload: bytes, size: int, signed: bool) -> bool:
        """Say whether a member may send messages of one size; what is allowed is remembered."""
        for head in heads(payload, size):
            key = (node, bus, signed, head)
            if key in self._allowed:
                continue
            message = like(head)
            fields = fields_of(message)
            if not self._rules.may_send(node, bus, message, fields) or (
                not signed and self._rules.needs_signature(bus, message, fields)
            ):
                return False
            if len(self._allowed) >= _MOST_ALLOWED:
                self._allowed.clear()
            self._allowed.add(key)
        return True

    def _asked_again(self, start: TrustedStart, head: Head, now_ms: int, after_ms: int) -> Outcome:
        """Return a question to a trusted start that has not answered for so long."""
        if now_ms - start.synced_ms <= after_ms:
            return NOTHING
        key = head.node, head.epoch
        return NOTHING if key == self._starts.own else Outcome(asks=self.untrusted.ask(key, now_ms))

    # Hellos

    def _take_hello(self, head: Head, generation: Generation, hello: Held) -> Outcome:
        """Take a hello, and open what waited for it."""
        heard = self.hellos.take(head, generation, hello)
        released: list[Released] = []
        asks: list[Ask] = list(heard.asks)
        proved: list[Proved] = []
        for held in heard.held:
            outcome = self._open_held(heard.start, held, hello.at_ms) if heard.start else NOTHING
            released += outcome.released
            asks += outcome.asks
            proved += outcome.proved
        return Outcome(released, asks, proved)

    def _open_held(self, start: TrustedStart, held: Held, now_ms: int) -> Outcome:
        head = read_header(held.frame)
        if head is None:
            return NOTHING
        if now_ms - held.at_ms > LONGEST_HELD_MS:
            self._refuse(Cause.UNFRESH, head.node)
            return NOTHING
        generation = self._keyring.accepted(head.generation, now_ms)
        if generation is None:
            self._refuse(Cause.GENERATION, head.node)
            return NOTHING
        bus, frame, context, _, listener = held
        return self._open_trusted(start, head, generation, bus, frame, context, now_ms, listener)


def _proof(node: str, payload: bytes) -> Proved:
    starts = range(0, len(payload) - len(payload) % DIGEST_BYTES, DIGEST_BYTES)
    return Proved(node, True, [payload[at : at + DIGEST_BYTES] for at in starts])
