"""Notices that wait for a service: in order, bounded, held in quiet hours, with retries. Pure."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from jph.alerts.rules import Alert
from jph.heating.explain.sentences import span
from jph.util.backoff import Backoff

MOST_WAITING: Final = 200
_FIRST_RETRY_S: Final = 5.0
_LONGEST_RETRY_S: Final = 300.0
_HOURS: Final = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


class Notice(msgspec.Struct, frozen=True):
    """A message to a person: a title, a text, and whether quiet hours let it through.

    `number` is that of its alert; `end` is whether the alert is over.
    """

    number: int
    rule: str
    title: str
    text: str
    urgent: bool
    end: bool
    at_ms: int


def notice_of(alert: Alert, *, urgent: bool) -> Notice:
    """Return the notice of an alert that begins or has ended."""
    end = alert.ended_ms > 0
    words = alert.words()
    title = f"over: {alert.rule}" if end else alert.rule
    if end:
        words = f"Over after {span((alert.ended_ms - alert.began_ms) / 1000)}: {words}"
    at_ms = alert.ended_ms or alert.began_ms
    return Notice(alert.number, alert.rule, title, words, urgent, end, at_ms)


class QuietHours:
    """A part of each day, `22:00-07:00`; empty for none."""

    def __init__(self, text: str = "") -> None:
        """Read the hours.

        Raises:
            ValueError: they are not like `22:00-07:00`.
        """
        match = _HOURS.fullmatch(text)
        if text and match is None:
            raise ValueError(f"Quiet: expected hours as 22:00-07:00, found {text!r}")
        numbers = [int(number) for number in match.groups()] if match else [0, 0, 0, 0]
        if max(numbers[0], numbers[2]) > 23 or max(numbers[1], numbers[3]) > 59:
            raise ValueError(f"Quiet: {text!r} names a time that no day has")
        self._begin, self._end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]

    def include(self, moment: datetime) -> bool:
        """Whether a local time lies in them."""
        minute = moment.hour * 60 + moment.minute
        if self._begin <= self._end:
            return self._begin <= minute < self._end
        return minute >= self._begin or minute < self._end


class Outbox:
    """The notices that wait for one service.

    Attributes:
        waiting: in order, the oldest first; dropped: how many were too many.
    """

    def __init__(self, waiting: Iterable[Notice] = (), dropped: int = 0) -> None:
        self.waiting = list(waiting)[-MOST_WAITING:]
        self.dropped = dropped
        self._backoff = Backoff(_FIRST_RETRY_S, _LONGEST_RETRY_S)
        self._retry_s = 0.0

    def put(self, notice: Notice) -> None:
        """Add a notice; of too many, the oldest that is not urgent goes."""
        self.waiting.append(notice)
        if len(self.waiting) > MOST_WAITING:
            calm = (place for place, each in enumerate(self.waiting) if not each.urgent)
            del self.waiting[next(calm, 0)]
            self.dropped += 1

    def next(self, now_s: float, *, quiet: bool) -> Notice | None:
        """Return the notice to send now, if there is one."""
        if now_s < self._retry_s:
            return None
        return next((each for each in self.waiting if each.urgent or not quiet), None)

    def sent(self, notice: Notice) -> None:
        """Note that a notice has arrived."""
        if notice in self.waiting:
            self.waiting.remove(notice)
        self.dropped = 0
        self._backoff.reset()
        self._retry_s = 0.0

    def failed(self, now_s: float) -> float:
        """Note that a notice did not arrive; return the time until the next attempt."""
        wait_s = self._backoff.next_s()
        self._retry_s = now_s + wait_s
        return wait_s
