"""Opens frames: proof, rights, replay and freshness of what arrives. Pure: time is passed in.

A sender's start is trusted once it has answered a random number of ours. The answer is a hello: it
gives the salt, from where on its counters may come, and its clock. Frames that arrive before wait.
"""

import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, cast

from cryptography.exceptions import InvalidTag

from jph.seal.frame import (
    DIGEST_BYTES,
    SALT_BYTES,
    SIGNATURE_BYTES,
    START_BYTES,
    TAG_BYTES,
    Bus,
    Fields,
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
from jph.seal.keyring import Generation, Keyring, StartCiphers
from jph.seal.rules import Rules
from jph.seal.sealer import LONGEST_HELD_MS
from jph.seal.window import Window
from jph.util.token_bucket import TokenBucket
from jph.wire.codec import EVERY_NODE, HEADER_SIZE
from jph.wire.columns import Block

Key = tuple[str, int]
"""A member and its epoch."""
NONCE_BYTES: Final = 8
_ASK_AGAIN_MS: Final = 1000
_ASK_AT_MS: Final = (300, 1000, 2000)
"""When a start that has not answered is asked again, after the first time."""
_BY_BUS_FROM_MS: Final = 1000
"""From then on the bus carries question and answer too: a router may lie between."""
_SYNC_MS: Final = 600_000
"""Clocks of two machines drift apart: after so long the sender is asked again."""
_SOON_MS: Final = 5000
"""A stale message has the sender asked again, once in this time."""
_MOST_STARTS: Final = 512
_MOST_WAITING: Final = 256
_MOST_HELD: Final = 64
_MOST_HELD_BYTES: Final = 2**20
_MOST_COUNTS: Final = 1000
_MOST_ALLOWED: Final = 4096
_HELLOS: Final = -1
"""The windows of hellos."""
_ASKS_PER_S: Final = 50.0
_ASKS_AT_ONCE: Final = 200
_HELLOS_PER_S: Final = 200.0


class Cause(StrEnum):
    """Reasons to refuse a message."""

    OPEN = "open"
    GENERATION = "generation"
    KEY = "key"
    SIGNATURE = "signature"
    RIGHT = "right"
    REPLAY = "replay"
    STALE = "stale"
    UNFRESH = "unfresh"
    SERIAL = "serial"

    __hash__ = str.__hash__  # that of an Enum is a function of Python


class Refused(NamedTuple):
    """A refused message or frame: why, the node of the frame, and what it claims to be."""

    cause: Cause
    node: str
    claimed: Fields | None = None


class Ask(NamedTuple):
    """A hello to send: to a node, with a random number to repeat, or one that is repeated.

    `by_bus` is whether it goes to the control bus too.
    """

    node: str
    ask: str = ""
    answer: str = ""
    by_bus: bool = False


class Due(NamedTuple):
    """A question that is due again; `context` is what came with the last frame of its start."""

    ask: Ask
    context: Any


class Released(NamedTuple):
    """Messages of one frame that may be passed on; `context` is what came with the frame."""

    bus: Bus
    context: Any
    blocks: Sequence[Block]

    @property
    def messages(self) -> list[bytes]:
        """The messages, each alone."""
        return [each for block in self.blocks for each in block.datagrams()]


class Proved(NamedTuple):
    """Digests of messages that a member has sent in the clear."""

    node: str
    signed: bool
    digests: list[bytes]


class Outcome(NamedTuple):
    """What follows from a frame."""

    released: Sequence[Released] = ()
    asks: Sequence[Ask] = ()
    proved: Sequence[Proved] = ()


_NOTHING: Final = Outcome()


class _Start:
    """A trusted start of a sender.

    Attributes:
        floors: the counters that came next when it was trusted.
        earliest_ms, offset_ms: bounds of the moment at which its clock began.
    """

    __slots__ = ("ciphers", "earliest_ms", "floors", "offset_ms", "salt", "synced_ms", "windows")

    def __init__(
        self,
        key: Key,
        salt: bytes,
        floors: Sequence[int],
        earliest_ms: int,
        offset_ms: int,
        now_ms: int,
    ) -> None:
        self.salt = salt
        self.ciphers = StartCiphers(*key, salt)
        self.floors = [0, *floors]
        self.windows: dict[tuple[int, int], Window] = {}
        self.earliest_ms, self.offset_ms = earliest_ms, offset_ms
        self.synced_ms = now_ms

    def window(self, listener: int, bus: Bus) -> Window:
        """Return the window of a listener."""
        window = self.windows.get((listener, bus))
        if window is None:
            window = self.windows[listener, bus] = Window(self.floors[bus])
        return window


class _Held(NamedTuple):
    bus: Bus
    frame: bytes
    context: Any
    at_ms: int
    listener: int


class _Waiting:
    """A start that was asked and has not answered yet, with the frames that wait for it.

    Attributes:
        numbers: the random numbers that it was asked to repeat, and when.
        began_ms, tries: when it was asked first, and how often again; None before.
        context: what came with its last frame or hello.
        proven: whether a member has signed that it exists.
    """

    __slots__ = ("asked_ms", "began_ms", "context", "held", "numbers", "proven", "tries")

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.asked_ms: int | None = None
        self.began_ms: int | None = None
        self.tries = 0
        self.context: Any = None
        self.proven = False
        self.held: list[_Held] = []

    @property
    def due_ms(self) -> float:
        """When it is asked again."""
        if self.began_ms is None or self.tries >= len(_ASK_AT_MS):
            return float("inf")
        return self.began_ms + _ASK_AT_MS[self.tries]


class Opener:
    """Opens what arrives at one start of a member.

    `random` gives random bytes.

    Attributes:
        on_refused: is called with each refusal.
        counts: refusals by cause and node.
        newer: the highest serial heard that is above our own, and the node that has it.
    """

    def __init__(
        self,
        node: str,
        keyring: Keyring,
        rules: Rules,
        random: Callable[[int], bytes],
    ) -> None:
        self.keyring = keyring
        self.rules = rules
        self.counts: Counter[tuple[Cause, str]] = Counter()
        self.on_refused: Callable[[Refused], None] = lambda _: None
        self.newer: tuple[int, str] | None = None
        self._node = node
        self._own: Key | None = None
        self._began_ms = 0
        self._random = random
        self._starts: OrderedDict[Key, _Start] = OrderedDict()
        self._waiting: OrderedDict[Key, _Waiting] = OrderedDict()
        self._held_bytes = 0
        self._asks = TokenBucket(_ASKS_PER_S, _ASKS_AT_ONCE)
        self._proven_asks = TokenBucket(_ASKS_PER_S, _ASKS_AT_ONCE)  # a flood does not use it up
        self._now_ms = 0
        self._hellos = TokenBucket(_HELLOS_PER_S, _HELLOS_PER_S)

    @property
    def rules(self) -> Rules:
        """The rules; other ones after a reload."""
        return self._rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._rules = rules
        self._allowed: set[tuple[str, int, bool, bytes]] = set()

    def trust(self, key: Key, salt: bytes, now_ms: int) -> None:
        """Trust a start that is known otherwise: our own, which begins now."""
        self._own, self._began_ms = key, now_ms
        floors = [0] * len(Bus)
        self._starts[key] = _Start(key, salt, floors, now_ms, now_ms, now_ms)

    def forget_listener(self, listener: int) -> None:
        """Forget the windows of a listener that has ended."""
        for start in self._starts.values():
            for key in [key for key in start.windows if key[0] == listener]:
                del start.windows[key]

    def trusts(self, key: Key) -> bool:
        """Say whether a start is trusted."""
        return key in self._starts

    def refuse(self, cause: Cause, node: str, claimed: Fields | None = None) -> None:
        """Count a refusal."""
        key = cause, node if self.keyring.is_member(node) else "??"
        if key in self.counts or len(self.counts) < _MOST_COUNTS:
            self.counts[key] += 1
        self.on_refused(Refused(cause, node, claimed))

    def open(
        self, bus: Bus, frame: bytes, context: object, now_ms: int, listener: int = 0
    ) -> Outcome:
        """Open a frame; `context` comes back with its messages, at once or later.

        Each listener of the program gets each frame once.
        """
        head = read_header(frame)
        if head is None or not self.keyring.is_member(head.node):
            self.refuse(Cause.KEY, head.node if head else "??")
            return _NOTHING
        generation = self.keyring.accepted(head.generation, now_ms / 1000)
        if generation is None:
            self.refuse(Cause.GENERATION, head.node)
            if head.level == Level.HELLO:
                self._read_serial(head, frame, now_ms)
            return _NOTHING
        if head.level == Level.HELLO:
            return self._take_hello(bus, head, generation, _Held(bus, frame, context, now_ms, 0))
        key = head.node, head.epoch
        start = self._starts.get(key)
        held = _Held(bus, frame, context, now_ms, listener)
        if start is None:
            return self._hold(key, held)
        return self._open_trusted(start, head, generation, held, now_ms)

    def due_ms(self) -> float:
        """Return when `poll` has something to do next."""
        return min((each.due_ms for each in self._waiting.values()), default=float("inf"))

    def poll(self, now_ms: int) -> list[Due]:
        """Return the questions that are due again; frames that wait too long are refused."""
        found = []
        for key, waiting in list(self._waiting.items()):
            if waiting.held and now_ms - waiting.held[0].at_ms > LONGEST_HELD_MS:
                self._drop_held(key[0], waiting)
            bucket = self._proven_asks if waiting.proven else self._asks
            if now_ms >= waiting.due_ms and bucket.take(now_ms / 1000):
                late = now_ms - (waiting.began_ms or 0) >= _BY_BUS_FROM_MS
                waiting.tries += 1
                found.append(Due(self._question(key, waiting, now_ms, late), waiting.context))
        return found

    # Frames of a trusted start

    def _open_trusted(
        self, start: _Start, head: Head, generation: Generation, held: _Held, now_ms: int
    ) -> Outcome:
        bus, frame = held.bus, held.frame
        window = start.window(held.listener, bus)
        counter = whole_counter(head.counter, max(window.highest, 0))
        # A frame of before the exchange counts only if it left after we began: no earlier start of
        # ours can have taken it.
        early = counter < start.floors[bus]
        if not window.may_come(counter) or (
            early and start.earliest_ms + head.since_start_ms < self._began_ms
        ):
            self.refuse(Cause.REPLAY, head.node)
            return _NOTHING
        old = now_ms - start.synced_ms
        payload = self._decrypt(start.ciphers, generation, bus, counter, head, frame)
        if payload is None:  # perhaps another start with the same epoch
            return Outcome(asks=self._ask_again(head, now_ms) if old > _SOON_MS else ())
        window.accept(counter)
        since_ms = now_ms - head.since_start_ms
        start.offset_ms = min(start.offset_ms, since_ms)
        signed = head.level != Level.GROUP
        if signed and since_ms - start.offset_ms > LONGEST_HELD_MS:
            self.refuse(Cause.STALE, head.node)
            return Outcome(asks=self._ask_again(head, now_ms) if old > _SOON_MS else ())
        asks: Sequence[Ask]
        asks = self._ask_again(head, now_ms) if old > _SYNC_MS else ()
        if head.level == Level.PROOF:
            return Outcome((), asks, [self._proof(head.node, payload)])
        if bus is Bus.LOG:
            return Outcome([Released(bus, held.context, (Block(payload, len(payload)),))], asks)
        size = one_size(payload)
        if (
            size
            and bus is not Bus.UNICAST
            and self._allows_all(head.node, bus, payload, size, signed)
        ):
            return Outcome([Released(bus, held.context, (Block(payload, size),))], asks)
        messages = messages_in(payload)
        if messages is None:
            self.refuse(Cause.KEY, head.node)
            return Outcome(asks=asks)
        allowed = [
            Block(message, len(message))
            for message in messages
            if self.allows(head.node, bus, message, signed=signed)
        ]
        return Outcome([Released(bus, held.context, allowed)] if allowed else (), asks)

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

    def allows(self, node: str, bus: Bus, message: bytes, *, signed: bool) -> bool:
        """Say whether a member may send a message with this proof; count it if not."""
        fields = fields_of(message)
        if not self.rules.may_send(node, bus, message, fields):
            self.refuse(Cause.RIGHT, node, fields)
            return False
        if not signed and self.rules.needs_signature(bus, message, fields):
            self.refuse(Cause.SIGNATURE, node, fields)
            return False
        return True

    @staticmethod
    def _proof(node: str, payload: bytes) -> Proved:
        starts = range(0, len(payload) - len(payload) % DIGEST_BYTES, DIGEST_BYTES)
        return Proved(node, True, [payload[at : at + DIGEST_BYTES] for at in starts])

    def _decrypt(
        self,
        ciphers: StartCiphers,
        generation: Generation,
        bus: Bus,
        counter: int,
        head: Head,
        frame: bytes,
    ) -> bytes | None:
        """Return the payload of a frame; None, counted, if it is not genuine."""
        signs = head.level != Level.GROUP
        begin = HEADER_SIZE + START_BYTES * (head.level == Level.HELLO)
        end = len(frame) - SIGNATURE_BYTES * signs
        if end < begin + TAG_BYTES:
            self.refuse(Cause.KEY, head.node)
            return None
        try:
            payload = ciphers.of(generation).decrypt(
                nonce(bus, counter), frame[begin:end], frame[:begin]
            )
        except InvalidTag:
            self.refuse(Cause.KEY, head.node)
            return None
        if head.level == Level.HELLO and not self._hellos.take(self._now_ms / 1000):
            return None
        if signs and not self.keyring.verifies(head.node, frame[end:], frame[:end]):
            self.refuse(Cause.SIGNATURE, head.node)
            return None
        return payload

    # Starts that are not trusted yet

    def _hold(self, key: Key, held: _Held) -> Outcome:
        """Keep a frame of an unknown start for a moment, and ask the start for its hello."""
        waiting = self._wait(key)
        waiting.context = held.context
        if waiting.held and held.at_ms - waiting.held[0].at_ms > LONGEST_HELD_MS:
            self._drop_held(key[0], waiting)
        full = self._held_bytes + len(held.frame) > _MOST_HELD_BYTES
        if full or len(waiting.held) >= _MOST_HELD:
            self.refuse(Cause.UNFRESH, key[0])
        else:
            waiting.held.append(held)
            self._held_bytes += len(held.frame)
        return Outcome(asks=self._ask(key, waiting, held.at_ms))

    def _ask(self, key: Key, waiting: _Waiting, now_ms: int) -> Sequence[Ask]:
        recent = waiting.asked_ms is not None and now_ms - waiting.asked_ms < _ASK_AGAIN_MS
        bucket = self._proven_asks if waiting.proven else self._asks
        if recent or not bucket.take(now_ms / 1000):
            return ()
        waiting.began_ms, waiting.tries = now_ms, 0
        return (self._question(key, waiting, now_ms),)

    def _question(self, key: Key, waiting: _Waiting, now_ms: int, by_bus: bool = False) -> Ask:
        """Return a question with a new random number; those of before count on for a while."""
        number = self._random(NONCE_BYTES).hex()
        waiting.asked_ms = now_ms
        waiting.numbers = {
            old: at for old, at in waiting.numbers.items() if now_ms - at <= LONGEST_HELD_MS
        }
        waiting.numbers[number] = now_ms
        return Ask(key[0], ask=number, by_bus=by_bus)

    def _ask_again(self, head: Head, now_ms: int) -> Sequence[Ask]:
        key = head.node, head.epoch
        return () if key == self._own else self._ask(key, self._wait(key), now_ms)

    def _wait(self, key: Key) -> _Waiting:
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting()
            while len(self._waiting) > _MOST_WAITING:
                unproven = (each for each, of in self._waiting.items() if not of.proven)
                self._forget(next(unproven, next(iter(self._waiting))))
        return waiting

    def _forget(self, key: Key) -> None:
        waiting = self._waiting.pop(key)
        self._drop_held(key[0], waiting)

    def _drop_held(self, node: str, waiting: _Waiting) -> None:
        for held in waiting.held:
            self._held_bytes -= len(held.frame)
            self.refuse(Cause.UNFRESH, node)
        waiting.held = []

    # Hellos

    def _take_hello(self, bus: Bus, head: Head, generation: Generation, held: _Held) -> Outcome:
        """Take a hello: it may answer our number, and ask us to repeat one."""
        frame, context, now_ms = held.frame, held.context, held.at_ms
        key = head.node, head.epoch
        if key == self._own or head.to not in (self._node, EVERY_NODE):
            return _NOTHING
        if len(frame) < HEADER_SIZE + START_BYTES + TAG_BYTES + SIGNATURE_BYTES:
            self.refuse(Cause.KEY, head.node)
            return _NOTHING
        salt = frame[HEADER_SIZE : HEADER_SIZE + SALT_BYTES]
        counter = int.from_bytes(
            frame[HEADER_SIZE + SALT_BYTES : HEADER_SIZE + SALT_BYTES + 8], "little"
        )
        ciphers = StartCiphers(head.node, head.epoch, salt)
        known = self._starts.get(key)
        window = known.window(_HELLOS, bus) if known is not None and known.salt == salt else None
        if window is not None and not window.may_come(counter):
            return _NOTHING  # an answer by the bus may come twice
        self._now_ms = now_ms
        payload = self._decrypt(ciphers, generation, bus, counter, head, frame)
        if payload is None:
            return _NOTHING
        if window is not None:
            window.accept(counter)
        content = _content(payload)
        self._compare(_serial(frame), head.node)
        outcome = self._take_answer(salt, head, content, now_ms)
        asks = list(outcome.asks)
        if key not in self._starts:  # it is proven that this start exists, not that it runs now
            waiting = self._wait(key)
            waiting.context, waiting.proven = context, True
            asks += self._ask(key, waiting, now_ms)
        number = content.get("ask")
        if isinstance(number, str) and head.to == self._node:
            answer = number[: 2 * NONCE_BYTES]
            asks.append(Ask(head.node, answer=answer, by_bus=bus is Bus.CONTROL))
        return outcome._replace(asks=asks)

    def _read_serial(self, head: Head, frame: bytes, now_ms: int) -> None:
        """Take the serial of a hello with a key that this node lacks: it may have been away."""
        if len(frame) < HEADER_SIZE + START_BYTES + TAG_BYTES + SIGNATURE_BYTES:
            return
        serial = _serial(frame)
        if serial <= self.keyring.serial or not self._hellos.take(now_ms / 1000):
            return
        if self.keyring.verifies(head.node, frame[-SIGNATURE_BYTES:], frame[:-SIGNATURE_BYTES]):
            self._compare(serial, head.node)

    def _compare(self, serial: int, node: str) -> None:
        """Note who has a newer roster, and count who has an older one."""
        if serial < self.keyring.serial:
            self.refuse(Cause.SERIAL, node)
        elif serial > max(self.keyring.serial, self.newer[0] if self.newer else 0):
            self.newer = serial, node

    def _take_answer(
        self, salt: bytes, head: Head, content: dict[str, Any], now_ms: int
    ) -> Outcome:
        """Trust a start whose hello repeats our number, and open what waited for it."""
        key = head.node, head.epoch
        waiting = self._waiting.get(key)
        floors = content.get("floors")
        answer = content.get("answer")
        if waiting is None or not isinstance(answer, str) or not _are_counters(floors):
            return _NOTHING
        asked_ms = waiting.numbers.get(answer)
        if asked_ms is None or now_ms - asked_ms > LONGEST_HELD_MS:
            return _NOTHING
        self._waiting.pop(key)
        offset_ms = now_ms - head.since_start_ms
        known = self._starts.get(key)
        if known is not None and known.salt == salt:
            known.offset_ms, known.synced_ms = offset_ms, now_ms
            start = known
        else:
            earliest_ms = asked_ms - head.since_start_ms
            start = _Start(key, salt, cast("list[int]", floors), earliest_ms, offset_ms, now_ms)
            self._starts[key] = start
            self._forget_starts(key)
        released: list[Released] = []
        asks: list[Ask] = []
        proved: list[Proved] = []
        for held in waiting.held:
            self._held_bytes -= len(held.frame)
            held_head = read_header(held.frame)
            if held_head is None or now_ms - held.at_ms > LONGEST_HELD_MS:
                self.refuse(Cause.UNFRESH, head.node)
                continue
            generation = self.keyring.accepted(held_head.generation, now_ms / 1000)
            if generation is None:
                self.refuse(Cause.GENERATION, head.node)
                continue
            outcome = self._open_trusted(start, held_head, generation, held, now_ms)
            released += outcome.released
            asks += outcome.asks
            proved += outcome.proved
        return Outcome(released, asks, proved)

    def _forget_starts(self, newest: Key) -> None:
        """Forget the oldest starts, never our own."""
        while len(self._starts) > _MOST_STARTS:
            oldest = next(key for key in self._starts if key[0] != self._node and key != newest)
            del self._starts[oldest]


def _serial(frame: bytes) -> int:
    """Return the serial in the clear part of a hello."""
    end = HEADER_SIZE + START_BYTES
    return int.from_bytes(frame[end - 4 : end], "little")


def _content(payload: bytes) -> dict[str, Any]:
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
