"""Order of the information groups of a meter.

ERDF-NOI-CPT_02E: when a phase exceeds the subscribed current, the long frame ends with the current
group.  Cycles of twenty short frames and one long frame follow until a minute after the
overrun has gone; the warnings ADIR1–3 come only for phases over the limit.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

from jph.sim.meter.frames import ADIR, EOT, ETX, LONG_FRAME, SHORT_FRAME, STX, group
from jph.sim.meter.register import Register

BITS_A_CHARACTER: Final = 10
"""Start, seven data, parity, stop."""

BAUD: Final = 1200
FRAME_GAP_S: Final = 0.025
"""Silence between frames: 16.7 to 33.4 ms."""

SHORT_FRAMES_A_CYCLE: Final = 20
AFTER_OVERRUN_S: Final = 60.0


def duration_s(characters: bytes) -> float:
    """Return the time on the line, s, including the gap after a frame."""
    pause_s = FRAME_GAP_S if characters.endswith((ETX, EOT)) else 0.0
    return len(characters) * BITS_A_CHARACTER / BAUD + pause_s


class MeterLine:
    """The output of a meter, one group a call; the first frame is a long one.

    A frame carries the values of the moment it was composed.
    """

    def __init__(self, register: Register) -> None:
        self._register = register
        self._groups: deque[bytes] = deque()
        self._alarm_until_s: float | None = None
        self._short_left = 0

    def next(self, now_s: float) -> bytes:
        """Return the next characters, without parity, at `now_s` (any clock that goes forward)."""
        if any(self._register.overrun(phase) for phase in (1, 2, 3)):
            begins = self._alarm_until_s is None
            self._alarm_until_s = now_s + AFTER_OVERRUN_S
            if begins:
                self._short_left = SHORT_FRAMES_A_CYCLE
                if self._groups:
                    self._groups.clear()
                    return EOT
        opening = b""
        if not self._groups:
            self._groups.extend(self._compose(self._next_frame(now_s)))
            opening = STX
        characters = self._groups.popleft()
        closing = b"" if self._groups else ETX
        return opening + characters + closing

    def _next_frame(self, now_s: float) -> tuple[str, ...]:
        if self._alarm_until_s is not None and now_s >= self._alarm_until_s:
            self._alarm_until_s = None
        if self._alarm_until_s is None:
            return LONG_FRAME
        if self._short_left:
            self._short_left -= 1
            return SHORT_FRAME
        self._short_left = SHORT_FRAMES_A_CYCLE
        return LONG_FRAME

    def _compose(self, labels: Iterable[str]) -> Iterator[bytes]:
        for label in labels:
            if label not in ADIR or self._register.overrun(int(label[-1])):
                yield group(label, self._register.value(label))
