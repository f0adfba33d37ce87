"""Many days in a few numbers."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean

from bench.judge.scorer import DayScore


@dataclass(frozen=True, slots=True)
class Figures:
    """Means a day of one policy in one house, except where a name says otherwise.

    `over_as` A·s; `longest_s`, `median_s`, `p99_s` of all overruns of all days; `switchings` per
    heater; `cold` and `coldest` degree-hours, of the mean room and of the worst; `share` is the
    energy over that of the bound.
    """

    trips: float
    over_as: float
    longest_s: float
    median_s: float
    p99_s: float
    switchings: float
    cold: float
    coldest: float
    energy_kwh: float
    share: float
    cpu_s: float

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name, not-a-number left out."""
        return {name: value for name, value in asdict(self).items() if math.isfinite(value)}


def summarise(days: Sequence[DayScore], bound: Sequence[DayScore]) -> Figures:
    """Return the figures of some days, beside those of the bound on the same days."""
    overs = sorted(over for day in days for over in day.overs)
    energy_kwh = fmean(day.energy_kwh for day in days)
    return Figures(
        trips=fmean(sum(day.trips.values()) for day in days),
        over_as=fmean(day.over_as for day in days),
        longest_s=overs[-1] if overs else 0.0,
        median_s=quantile(overs, 0.5),
        p99_s=quantile(overs, 0.99),
        switchings=fmean(day.switchings for day in days),
        cold=fmean(fmean(day.cold) for day in days),
        coldest=fmean(max(day.cold) for day in days),
        energy_kwh=energy_kwh,
        share=energy_kwh / fmean(day.energy_kwh for day in bound),
        cpu_s=fmean(day.cpu_s for day in days),
    )


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the smallest of ascending numbers that this share of them does not exceed."""
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
