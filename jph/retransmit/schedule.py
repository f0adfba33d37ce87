"""Schedule of requests to the source of an epoch: the next one, and the pauses. Pure."""

import math
from random import Random
from typing import Final

from jph.util.backoff import delay_after
from jph.util.token_bucket import TokenBucket

Address = tuple[str, int]

FIRST_REQUEST_S: Final = (0.002, 0.020)
"""Random, so that many receivers do not ask at once; a late reading may still arrive by itself."""
RETRY_S: Final = 0.040
_LAST_RETRY_S: Final = 30.0
_REQUESTS_A_SECOND: Final = 2.0
_REQUESTS_AT_ONCE: Final = 4.0
_OVERDUE: Final = 8.0
"""A source that is silent for so many of its usual intervals may have lost its last readings."""
_LEAST_SILENCE_S: Final = 1.0
_REORDER_S: Final = 2.0
_LONGEST_S: Final = 600.0
_UNKNOWN_S: Final = 20.0
"""Interval that is assumed for a source of which one reading was heard."""


class RequestTimer:
    """Times the requests of one epoch: a random start, growing delays, a limit a second.

    Attributes:
        due_s: time of the next request; infinite while none is needed.
        tries: requests since the last useful answer.
    """

    __slots__ = ("_bucket", "due_s", "tries")

    def __init__(self) -> None:
        self.due_s = math.inf
        self.tries = 0
        self._bucket = TokenBucket(_REQUESTS_A_SECOND, _REQUESTS_AT_ONCE)

    def start(self, at_s: float, random: Random) -> None:
        """Request soon after `at_s`, or earlier if that was planned."""
        soon_s = at_s + random.uniform(*FIRST_REQUEST_S)
        self.due_s = min(self.due_s, max(soon_s, self._bucket.free_s))

    def stop(self) -> None:
        """Request nothing for now."""
        self.due_s, self.tries = math.inf, 0

    def restart(self) -> None:
        """Count tries from the beginning: something new is missing."""
        self.tries = 0

    def count_try(self) -> int:
        """Count a request that is about to leave; return the tries so far."""
        self.tries += 1
        return self.tries

    def sent(self, now_s: float, random: Random) -> None:
        """Plan the repetition of a request that leaves now."""
        self._bucket.spend(now_s)
        retry_s = delay_after(self.tries - 1, RETRY_S, _LAST_RETRY_S)
        self.due_s = max(now_s + retry_s * random.uniform(0.75, 1.25), self._bucket.free_s)

    def answered(self, now_s: float, part_done: bool) -> None:
        """Plan the next request after a useful answer; at once when a long gap goes on."""
        self.tries = 0
        if part_done:
            self._bucket.give_back()  # the next part of the same request
            self.due_s = now_s
        else:
            self.due_s = max(now_s + RETRY_S, self._bucket.free_s)

    def repeat_now(self, now_s: float) -> None:
        """Repeat the last request at once: the source has challenged it."""
        self._bucket.give_back()
        self.due_s = now_s


class Activity:
    """Times at which the source of one epoch was heard.

    Attributes:
        heard_s: the last reading on the bus; answered_s: the last answer to a request.
        superseded_s: since when a later epoch of the source is heard; negative if none is.
        address: from where the epoch was heard last.
        ended: whether the epoch is over.
    """

    __slots__ = (
        "_interval_s", "_looked", "_probed_s", "address", "answered_s", "ended", "heard_s",
        "superseded_s",
    )  # fmt: skip

    def __init__(self, now_s: float, top: int) -> None:
        self.heard_s = self.answered_s = now_s
        self.superseded_s = -1.0
        self.address: Address | None = None
        self.ended = False
        self._interval_s = 0.0
        self._looked = (now_s, top)
        self._probed_s = -1.0

    @property
    def sign_s(self) -> float:
        """The last time that the source gave any sign."""
        return max(self.heard_s, self.answered_s)

    def hear(self, address: Address, now_s: float) -> None:
        """Note a reading on the bus."""
        self.heard_s, self.address = now_s, address

    def answer(self, now_s: float) -> None:
        """Note an answer to a request."""
        self.answered_s = now_s

    def supersede(self, now_s: float) -> None:
        """Note that a later epoch of the source is heard."""
        if self.superseded_s < 0:
            self.superseded_s = now_s

    def revive(self) -> None:
        """Note that the epoch goes on: two programs share the codifier."""
        self.superseded_s, self.ended = -1.0, False

    def silent(self, now_s: float) -> bool:
        """Whether nothing was heard for three of the usual intervals, and for two seconds."""
        usual_s = self._interval_s or _UNKNOWN_S
        return now_s - self.heard_s >= max(_REORDER_S, min(3 * usual_s, _LONGEST_S))

    def end(self) -> None:
        """Note that the epoch is over."""
        self.ended = True

    def measure(self, top: int) -> None:
        """Measure the usual interval between readings."""
        looked_s, looked_top = self._looked
        if top > looked_top and self.heard_s > looked_s:
            interval_s = (self.heard_s - looked_s) / (top - looked_top)
            self._interval_s = max(interval_s, 0.75 * self._interval_s)
            self._looked = (self.heard_s, top)

    def overdue(self, top: int, now_s: float) -> bool:
        """Whether the source is silent for long, for the first time since it was heard."""
        self.measure(top)
        if self.address is None or self._probed_s == self.heard_s:
            return False
        if now_s - self.heard_s <= max(_LEAST_SILENCE_S, _OVERDUE * self._interval_s):
            return False
        self._probed_s = self.heard_s
        return True
