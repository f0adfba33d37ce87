"""Follows the overruns of each phase and the heaters shed in them. Pure.

A monotonic clock counts durations and ampere-seconds. A current counts until the next one comes,
but not for longer than `SILENCE_S`.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from jph.heating.overrun import is_overrun

SILENCE_S: Final = 15.0
"""An overrun without a current for this long is closed: whether it goes on is not known."""


class Overrun(NamedTuple):
    """One overrun: wall times in ms, amperes, A·s above the limit, and the heaters shed in it.

    `ended` is one of `under the limit`, `meter silent` or `recorder stopped`.
    """

    start_ms: int
    end_ms: int
    seconds: float
    phase: int
    peak_a: float
    limit_a: float
    ampere_seconds: float
    shed: tuple[str, ...]
    ended: str


class _Open:
    """An overrun that is not over."""

    def __init__(self, phase: int, current_a: float, limit_a: float, s: float, ms: int) -> None:
        self.phase, self.limit_a = phase, limit_a
        self.start_s = self.last_s = s
        self.start_ms = self.last_ms = ms
        self.peak_a = self.current_a = current_a
        self.ampere_seconds = 0.0
        self.shed: dict[str, None] = {}  # an ordered set

    def hold(self, now_s: float, now_ms: int) -> None:
        """Count the last current until now."""
        held_s = min(now_s - self.last_s, SILENCE_S)
        self.ampere_seconds += max(0.0, self.current_a - self.limit_a) * held_s
        self.last_s, self.last_ms = now_s, now_ms

    def close(self, ended: str) -> Overrun:
        return Overrun(
            self.start_ms,
            self.last_ms,
            round(self.last_s - self.start_s, 3),
            self.phase,
            self.peak_a,
            self.limit_a,
            round(self.ampere_seconds, 1),
            tuple(self.shed),
            ended,
        )


class Overruns:
    """Follows each phase; `now_s` is monotonic, `ms` the wall clock."""

    def __init__(self) -> None:
        self._open: dict[int, _Open] = {}

    def current(
        self, phase: int, current_a: float, limit_a: float | None, now_s: float, ms: int
    ) -> Overrun | None:
        """Take a current; return the overrun that it ends."""
        known = self._open.get(phase)
        if known is not None:
            known.hold(now_s, ms)
            known.current_a = current_a
            known.limit_a = known.limit_a if limit_a is None else limit_a
            known.peak_a = max(known.peak_a, current_a)
            if not is_overrun(current_a, known.limit_a):
                return self._open.pop(phase).close("under the limit")
        elif limit_a is not None and is_overrun(current_a, limit_a):
            self._open[phase] = _Open(phase, current_a, limit_a, now_s, ms)
        return None

    def shed(self, phase: int, heaters: Iterable[str]) -> None:
        """Note that heaters of a phase were shed."""
        if phase in self._open:
            self._open[phase].shed.update(dict.fromkeys(heaters))

    def silent(self, now_s: float) -> list[Overrun]:
        """Close and return the overruns whose phase had no current for too long."""
        quiet = [p for p, known in self._open.items() if now_s - known.last_s > SILENCE_S]
        return [self._open.pop(phase).close("meter silent") for phase in quiet]

    def stop(self, now_s: float, ms: int) -> list[Overrun]:
        """Close and return all: the recorder ends."""
        for known in self._open.values():
            known.hold(now_s, ms)
        closed = [known.close("recorder stopped") for known in self._open.values()]
        self._open.clear()
        return closed


def to_line(overrun: Overrun) -> str:
    """Return an overrun as a line of the log."""
    return json.dumps(overrun._asdict()) + "\n"


def from_lines(text: str) -> Iterator[Overrun | None]:
    """Yield the overruns of a log; None for a damaged line."""
    for line in text.splitlines():
        try:
            yield _read(json.loads(line))
        except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
            yield None


def _read(fields: Any) -> Overrun:  # noqa: ANN401
    return Overrun(
        int(fields["start_ms"]),
        int(fields["end_ms"]),
        float(fields["seconds"]),
        int(fields["phase"]),
        float(fields["peak_a"]),
        float(fields["limit_a"]),
        float(fields["ampere_seconds"]),
        tuple(str(code) for code in fields["shed"]),
        str(fields["ended"]),
    )
