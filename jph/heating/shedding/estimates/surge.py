"""Peak of the rest of the house that may come again soon: its highest load lately. Pure.

Ovens, hobs and washing machines pulse.  The headroom that a pulsing load leaves between pulses is
reserved for its next pulse.
"""

from collections import deque
from typing import Final

LEAST_RESTS: Final = 1 / 3
MOST_RESTS: Final = 5 / 3
"""Range of the time a pulse is remembered, in minimum off times: 40 to 200 s with 120 s."""

PULSE_A: Final = 1.5
"""A rise above this is a pulse: 1 A may be rounding."""

SPARE: Final = 1.4
"""The next pulse may be this much later than the last one was."""


class Surge:
    """The highest load of the rest of the house, over as long as its pulses are apart."""

    def __init__(self, rest_s: float) -> None:
        self._least_s = LEAST_RESTS * rest_s
        self._most_s = MOST_RESTS * rest_s
        self._peaks: deque[tuple[float, float]] = deque()  # (last seen, A), falling
        self._pulse_s: float | None = None
        self._last_a = 0.0
        self._hold_s = self._least_s

    def take(self, now_s: float, base_a: float) -> None:
        """Take the load of the rest of the house as it is now."""
        apart_s = self._most_s if self._pulse_s is None else now_s - self._pulse_s
        if base_a - self._last_a > PULSE_A:
            if apart_s < self._most_s:
                self._hold_s = max(self._least_s, SPARE * apart_s, 0.9 * self._hold_s)
                self._hold_s = min(self._most_s, self._hold_s)
            self._pulse_s = now_s
        elif apart_s > 2 * self._most_s:
            self._hold_s = self._least_s
        self._last_a = base_a
        while self._peaks and self._peaks[-1][1] <= base_a:
            self._peaks.pop()
        self._peaks.append((now_s, base_a))

    def expected_a(self, now_s: float) -> float:
        """Return what it may draw within the next while."""
        peaks = self._peaks
        while len(peaks) > 1 and now_s - peaks[0][0] > self._hold_s:
            peaks.popleft()
        return peaks[0][1] if peaks else 0.0
