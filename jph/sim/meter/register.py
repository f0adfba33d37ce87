"""Counters and maxima of a meter, and the values of its groups."""

from collections.abc import Mapping
from typing import Any, Final

from jph.sim.physics.spec import VOLTS
from jph.sim.physics.weather import DAY_S, HOUR_S

OFF_PEAK_FROM_S: Final = 22.5 * HOUR_S
OFF_PEAK_TO_S: Final = 6.5 * HOUR_S

JOULES_PER_WH: Final = 3600.0
INDEX_LIMIT_WH: Final = 1_000_000_000
"""An index has nine digits and starts again at zero."""

FIRST_INDEXES_WH: Final = (8_123_456.0, 21_654_321.0)
"""Off-peak and peak index at the first start; the meter is not new."""


def off_peak(time_s: float) -> bool:
    """Return whether a house time lies in the eight cheap hours of the night."""
    passed_s = time_s % DAY_S
    return passed_s >= OFF_PEAK_FROM_S or passed_s < OFF_PEAK_TO_S


class Register:
    """A three-phase meter of the off-peak tariff; `address` has twelve digits."""

    def __init__(self, address: str, subscribed_a: int) -> None:
        self.address = address
        self.subscribed_a = subscribed_a
        self.off_peak_wh, self.peak_wh = FIRST_INDEXES_WH
        self.most_a = [0, 0, 0]
        self.most_w = 0
        self._amps = (0.0, 0.0, 0.0)
        self._off_peak = False

    def observe(self, time_s: float, amps: tuple[float, float, float], joules: float) -> None:
        """Take the currents at a house time, and the energy (J) drawn since the last call."""
        self._off_peak = off_peak(time_s)
        self._amps = amps
        if self._off_peak:
            self.off_peak_wh += joules / JOULES_PER_WH
        else:
            self.peak_wh += joules / JOULES_PER_WH
        self.most_a = [max(most, now) for most, now in zip(self.most_a, self.amps, strict=True)]
        self.most_w = max(self.most_w, self.apparent_va)

    @property
    def amps(self) -> tuple[int, int, int]:
        """Currents as the meter shows them, to the nearest ampere."""
        one, two, three = self._amps
        return round(one), round(two), round(three)

    @property
    def apparent_va(self) -> int:
        """Apparent power of the three phases, to the nearest 10 VA."""
        return round(sum(self._amps) * VOLTS / 10) * 10

    def overrun(self, phase: int) -> bool:
        """Return whether a phase (1–3) is over the subscribed current."""
        return self.amps[phase - 1] > self.subscribed_a

    def value(self, label: str) -> str:
        """Return the value of a label as characters of the line."""
        name, phase = (label[:-1], int(label[-1])) if label[-1] in "123" else (label, 0)
        match name:
            case "ADCO":
                return self.address
            case "OPTARIF":
                return "HC.."
            case "ISOUSC":
                return f"{self.subscribed_a:02d}"
            case "HCHC":
                return f"{int(self.off_peak_wh) % INDEX_LIMIT_WH:09d}"
            case "HCHP":
                return f"{int(self.peak_wh) % INDEX_LIMIT_WH:09d}"
            case "PTEC":
                return "HC.." if self._off_peak else "HP.."
            case "IINST" | "ADIR":
                return f"{self.amps[phase - 1]:03d}"
            case "IMAX":
                return f"{self.most_a[phase - 1]:03d}"
            case "PMAX":
                return f"{self.most_w:05d}"
            case "PAPP":
                return f"{self.apparent_va:05d}"
            case _:
                return _CONSTANT[name]

    def snapshot(self, ahead_s: float = 0.0) -> dict[str, Any]:
        """Return the state of the meter for JSON.

        The running index is that of `ahead_s` later at twice the present power: an index must not
        go back if no further snapshot follows.
        """
        ahead_wh = 2 * self.apparent_va * ahead_s / JOULES_PER_WH
        return {
            "off_peak_wh": self.off_peak_wh + (ahead_wh if self._off_peak else 0.0),
            "peak_wh": self.peak_wh + (0.0 if self._off_peak else ahead_wh),
            "most_a": self.most_a,
            "most_w": self.most_w,
        }

    def resume(self, snapshot: Mapping[str, Any]) -> None:
        """Resume from a snapshot."""
        self.off_peak_wh = float(snapshot["off_peak_wh"])
        self.peak_wh = float(snapshot["peak_wh"])
        self.most_a = [int(most) for most in snapshot["most_a"]]
        self.most_w = int(snapshot["most_w"])


_CONSTANT: Final = {"HHPHC": "A", "MOTDETAT": "000000", "PPOT": "00"}
"""Off-peak hours of kind A, no fault, voltage on all three phases."""
