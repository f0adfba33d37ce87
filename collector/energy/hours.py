"""Sheds, overruns and peaks of an hour, by phase and by heater. Pure.

A value is in force until the next reading, at most for the time after which it counts as late
(`hold_ms`). An hour depends on the readings from two holds before it to its end only: it can be
computed again at any time with the same result.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from jph.config.house.loads import Load, ceilings
from jph.heating.orders.coding import Order
from jph.heating.overrun import is_overrun

VOLTS: Final = 230.0
"""Turns A into VA where the meter does not measure the VA of a phase."""
_FED_IN: Final = 0.05
"""Less than this share of A x V is no drawn power."""


class Sample(NamedTuple):
    """A number at a moment, ms since 1970."""

    at_ms: int
    value: float


class Stream(NamedTuple):
    """Samples in order of time, and how long one is in force, ms."""

    samples: Sequence[Sample] = ()
    hold_ms: int = 60_000

    def spans(self, start_ms: int, end_ms: int) -> Iterator["Span"]:
        """Yield the times between two moments in which a value is in force."""
        following = [*(each.at_ms for each in self.samples[1:]), end_ms]
        for (at_ms, value), next_ms in zip(self.samples, following, strict=False):
            begin, end = max(at_ms, start_ms), min(next_ms, at_ms + self.hold_ms, end_ms)
            if begin < end:
                yield Span(begin, end, value)


class Span(NamedTuple):
    """A value from one moment to another."""

    start_ms: int
    end_ms: int
    value: float


class Together(NamedTuple):
    """The values of several streams from one moment to another; None is not known."""

    start_ms: int
    end_ms: int
    values: tuple[float | None, ...]


class PhaseStreams(NamedTuple):
    """The streams of a phase: A, A, A, a mask, VA; empty where the house has no such codifier."""

    current: Stream = Stream()
    limit: Stream = Stream()
    warning: Stream = Stream()
    mask: Stream = Stream()
    apparent_va: Stream = Stream()
    declared_a: float | None = None

    def over(
        self,
        current: float | None,
        limit: float | None,
        warning: float | None,
        apparent: float | None = None,
    ) -> bool:
        """Return whether the phase draws more than its limit.

        Where current or limit is not known, the meter's warning says so. A current without apparent
        power is fed in: some meters give its amount only.
        """
        known = [each for each in (limit, self.declared_a) if each is not None]
        if current is None or not known:
            return is_overrun(None, None, bool(warning))
        fed_in = apparent is not None and apparent < _FED_IN * current * VOLTS
        return is_overrun(current, min(known)) and not fed_in

    @property
    def reach_ms(self) -> int:
        """The time for which a reading matters to what follows, ms."""
        return 2 * max(stream.hold_ms for stream in self[:-1] if isinstance(stream, Stream))


@dataclass(frozen=True)
class PhaseHour:
    """A phase in an hour: seconds, A, VA; an overrun counts where it begins.

    `peak_a` was reached at `peak_ms` first. Means weigh each value with its time.
    """

    known_s: float
    mean_a: float | None
    mean_va: float | None
    peak_a: float | None
    peak_ms: int | None
    overruns: int
    overrun_s: float
    shed_s: float


@dataclass(frozen=True)
class HeaterHour:
    """A heater in an hour: seconds in which its mask was known, forced it off, or to eco."""

    known_s: float
    shed_s: float
    eco_s: float


def phase_hour(phase: PhaseStreams, start_ms: int, end_ms: int) -> PhaseHour:
    """Return the figures of a phase between two moments."""
    current = list(phase.current.spans(start_ms, end_ms))
    apparent = list(phase.apparent_va.spans(start_ms, end_ms))
    mean_a = _mean(current)
    mean_va = _mean(apparent)
    if mean_va is None and mean_a is not None:
        mean_va = mean_a * VOLTS
    inside = [each for each in phase.current.samples if start_ms < each.at_ms <= end_ms]
    peak = max(inside, key=lambda each: each.value, default=None)
    runs = list(_overruns(phase, start_ms, end_ms))
    masks = phase.mask.spans(start_ms, end_ms)
    return PhaseHour(
        known_s=_seconds(current),
        mean_a=mean_a,
        mean_va=mean_va,
        peak_a=peak.value if peak else None,
        peak_ms=peak.at_ms if peak else None,
        overruns=sum(run.start_ms >= start_ms for run in runs),
        overrun_s=sum(run.end_ms - max(run.start_ms, start_ms) for run in runs) / 1000,
        shed_s=_seconds(span for span in masks if span.value),
    )


def heater_hours(
    heaters: Sequence[Load], mask: Stream, start_ms: int, end_ms: int
) -> Mapping[str, HeaterHour]:
    """Return the effect of a phase's mask on each of its heaters, by codifier."""
    times = {heater.codifier: {Order.OFF: 0, Order.ECO: 0} for heater in heaters}
    known_ms = 0
    for span in mask.spans(start_ms, end_ms):
        length_ms = span.end_ms - span.start_ms
        known_ms += length_ms
        for code, order in ceilings(heaters, int(span.value)).items():
            times[code][order] += length_ms
    return {
        code: HeaterHour(known_ms / 1000, held[Order.OFF] / 1000, held[Order.ECO] / 1000)
        for code, held in times.items()
    }


def together(streams: Sequence[Stream], start_ms: int, end_ms: int) -> Iterator[Together]:
    """Yield, one after the other, the times in which no stream changes."""
    spans = [list(stream.spans(start_ms, end_ms)) for stream in streams]
    edges = {edge for each in spans for span in each for edge in (span.start_ms, span.end_ms)}
    ordered = sorted(edges | {start_ms, end_ms})
    places = [0] * len(spans)
    for begin, end in pairwise(ordered):
        values: list[float | None] = []
        for index, each in enumerate(spans):
            while places[index] < len(each) and each[places[index]].end_ms <= begin:
                places[index] += 1
            span = each[places[index]] if places[index] < len(each) else None
            values.append(span.value if span and span.start_ms <= begin else None)
        yield Together(begin, end, tuple(values))


def clip(samples: Sequence[Sample], start_ms: int, end_ms: int) -> Sequence[Sample]:
    """Return the samples after one moment, up to and with another."""
    low = bisect_left(samples, start_ms + 1, key=lambda each: each.at_ms)
    return samples[low : bisect_left(samples, end_ms + 1, key=lambda each: each.at_ms)]


def _overruns(phase: PhaseStreams, start_ms: int, end_ms: int) -> Iterator[Span]:
    """Yield the overruns that reach into an hour; one from before it begins before it."""
    streams = (phase.current, phase.limit, phase.warning, phase.apparent_va)
    since_ms = start_ms - phase.reach_ms // 2
    begun: int | None = None
    for begin, end, values in together(streams, since_ms, end_ms):
        if phase.over(*values):
            begun = begin if begun is None else begun
            if end == end_ms:
                yield Span(begun, end, 1)
        elif begun is not None:
            if begin > start_ms:
                yield Span(begun, begin, 1)
            begun = None


def _seconds(spans: Iterable[Span]) -> float:
    return sum(span.end_ms - span.start_ms for span in spans) / 1000


def _mean(spans: Sequence[Span]) -> float | None:
    whole = sum(span.end_ms - span.start_ms for span in spans)
    weighed = sum(span.value * (span.end_ms - span.start_ms) for span in spans)
    return weighed / whole if whole else None
