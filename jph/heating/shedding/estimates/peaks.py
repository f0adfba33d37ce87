"""Compares the day's highest power of a phase with the meter's own (SMAXSN1–3). Pure.

The meter does not say over how long it takes that power.  But it lies between the highest current
shown, which is of a moment, and the highest that the trip model's filter has let through, which is
of minutes: a value outside shows that currents were missed, or that the model is wrong.
"""

from typing import Final

from jph.heating.shedding.memory import DayPeaks

TOLERANCE: Final = 0.1
"""Shown currents are whole amperes, and the voltage is not quite the declared one."""


class Peaks:
    """A phase's peaks since the meter's day began; `compare` returns a whole day's difference."""

    def __init__(self) -> None:
        self._shown_a = self._filtered_a = 0.0
        self._said_va: float | None = None
        self._whole = False

    def take(self, current_a: float, filtered_a: float) -> None:
        """Take a current and what the filter makes of it."""
        self._shown_a = max(self._shown_a, current_a)
        self._filtered_a = max(self._filtered_a, filtered_a)

    def memory(self) -> DayPeaks:
        """Return the peaks of the day so far."""
        return DayPeaks(self._shown_a, self._filtered_a, self._said_va, self._whole)

    def recall(self, day: DayPeaks) -> None:
        """Go on with the peaks of a day that an earlier run began."""
        self._shown_a = max(self._shown_a, day.shown_a)
        self._filtered_a = max(self._filtered_a, day.filtered_a)
        self._said_va, self._whole = day.meter_va, day.whole

    def compare(self, peak_va: float, volts: float) -> float | None:
        """Take the meter's highest power of its day; return how far off the day before was.

        That is a share of the meter's own figure: 0 within the two peaks, negative below them,
        None as long as no whole day has ended.
        """
        said_va, self._said_va = self._said_va, peak_va
        if said_va is None or peak_va >= said_va:
            return None
        low_va, high_va = self._filtered_a * volts, self._shown_a * volts
        whole, self._whole = self._whole, True
        self._shown_a = self._filtered_a = 0.0
        if not whole or said_va <= 0:
            return None
        return min(0.0, said_va - low_va) / said_va + max(0.0, said_va - high_va) / said_va
