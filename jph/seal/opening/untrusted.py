"""Starts that have not proved that they run now: their frames wait while they are asked. Pure.

A flood of unknown starts costs bounded memory, and little time: while no question may be sent, a
frame of a start that was not asked is refused at once.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from jph.seal.frame import Bus
from jph.seal.opening.outcome import Ask, Due
from jph.seal.opening.refusals import Cause, Refusals
from jph.seal.opening.starts import Key
from jph.seal.sealer import LONGEST_HELD_MS
from jph.util.token_bucket import TokenBucket

NONCE_BYTES: Final = 8
_ASK_AGAIN_MS: Final = 1000
_ASK_AT_MS: Final = (300, 1000, 2000)
"""When a start that has not answered is asked again, after the first time."""
_BY_BUS_FROM_MS: Final = 1000
"""From then on the bus carries question and answer too: a router may lie between."""
_MOST_WAITING: Final = 256
_MOST_HELD: Final = 64
_MOST_HELD_BYTES: Final = 2**20
_ASKS_PER_S: Final = 50.0
_ASKS_AT_ONCE: Final = 200


class Held(NamedTuple):
    """A frame that waits, with what came with it."""

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
        self.held: list[Held] = []

    @property
    def due_ms(self) -> float:
        """When it is asked again."""
        if self.began_ms is None or self.tries >= len(_ASK_AT_MS):
            return float("inf")
        return self.began_ms + _ASK_AT_MS[self.tries]


class Answered(NamedTuple):
    """A start that repeated our number: when it was asked, and its frames that waited."""

    asked_ms: int
    held: Sequence[Held]


class UntrustedStarts:
    """The starts that have not answered yet.

    Attributes:
        held_bytes: bytes of all frames that wait.
    """

    def __init__(self, refusals: Refusals, random: Callable[[int], bytes]) -> None:
        self.held_bytes = 0
        self._refusals = refusals
        self._random = random
        self._waiting: OrderedDict[Key, _Waiting] = OrderedDict()
        self._asks = TokenBucket(_ASKS_PER_S, _ASKS_AT_ONCE)
        self._proven_asks = TokenBucket(_ASKS_PER_S, _ASKS_AT_ONCE)  # a flood does not use it up
        self._next_ask_ms = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def turns_away(self, key: Key, now_ms: int) -> bool:
        """Say whether a frame of this start is refused at once: no question may be sent now."""
        return now_ms < self._next_ask_ms and key not in self._waiting

    def hold(self, key: Key, held: Held) -> Sequence[Ask]:
        """Keep a frame of an unknown start for a moment; return what to ask the start."""
        waiting = self._wait(key)
        waiting.context = held.context
        if waiting.held and held.at_ms - waiting.held[0].at_ms > LONGEST_HELD_MS:
            self._drop_held(key[0], waiting)
        full = self.held_bytes + len(held.frame) > _MOST_HELD_BYTES
        if full or len(waiting.held) >= _MOST_HELD:
            self._refusals.add(Cause.UNFRESH, key[0])
        else:
            waiting.held.append(held)
            self.held_bytes += len(held.frame)
        return self._ask(key, waiting, held.at_ms)

    def ask(
        self, key: Key, now_ms: int, *, context: object = None, proven: bool = False
    ) -> Sequence[Ask]:
        """Return what to ask a start, if it was not asked a moment ago.

        `proven` is whether a member has signed that it exists; `context` came with that.
        """
        waiting = self._wait(key)
        if proven:
            waiting.context, waiting.proven = context, True
        return self._ask(key, waiting, now_ms)

    def answered(self, key: Key, number: str, now_ms: int) -> Answered | None:
        """Take a number that a start repeats; None if it is not a recent one of ours."""
        waiting = self._waiting.get(key)
        asked_ms = waiting.numbers.get(number) if waiting else None
        if waiting is None or asked_ms is None or now_ms - asked_ms > LONGEST_HELD_MS:
            return None
        del self._waiting[key]
        self.held_bytes -= sum(len(held.frame) for held in waiting.held)
        return Answered(asked_ms, waiting.held)

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

    def _ask(self, key: Key, waiting: _Waiting, now_ms: int) -> Sequence[Ask]:
        if waiting.asked_ms is not None and now_ms - waiting.asked_ms < _ASK_AGAIN_MS:
            return ()
        bucket = self._proven_asks if waiting.proven else self._asks
        if not bucket.take(now_ms / 1000):
            if not waiting.proven:
                self._next_ask_ms = 1000 * bucket.free_s
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

    def _wait(self, key: Key) -> _Waiting:
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = _Waiting()
            while len(self._waiting) > _MOST_WAITING:
                unproven = (each for each, of in self._waiting.items() if not of.proven)
                oldest = next(unproven, next(iter(self._waiting)))
                self._drop_held(oldest[0], self._waiting.pop(oldest))
        return waiting

    def _drop_held(self, node: str, waiting: _Waiting) -> None:
        for held in waiting.held:
            self.held_bytes -= len(held.frame)
            self._refusals.add(Cause.UNFRESH, node)
        waiting.held = []
