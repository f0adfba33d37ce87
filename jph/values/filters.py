"""Filters of values: a chain from what a device wrote to what is sent. Pure; the caller gives time.

A filter maps a value, keeps it back, or rejects it. A rejected value goes on with quality
*implausible* and its reason, or, with `"Rejected": "drop"`, is not sent; the reason is reported in
both cases. Filters that remember values (`Median`, `Mean`, `Rate` …) do not see rejected ones.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from jph.values.mappings import MAPPINGS, Mapping, RejectedError, key_of, number_of
from jph.wire.codec import Quality, Value

MOST_FILTERS: Final = 20
_MOST_REMEMBERED: Final = 99
_AGREE: Final = 3
"""Readings in a row after which a lower counter is a new counter."""


class Sample(NamedTuple):
    """A value on its way through the chain; `at_ms` is when it was measured."""

    value: Value
    at_ms: int
    quality: Quality = Quality.GOOD
    reason: str = ""


class Filter:
    """Base: passes every value. `feed` returns what goes on, None for nothing."""

    drops = False
    """Whether rejected values are not sent."""

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        """Take one value."""
        return sample

    def tick(self, now_s: float) -> Sample | None:
        """Return a value that is due without a new one."""
        return None

    def sees(self, sample: Sample) -> bool:
        """Whether the filter takes a value of this quality; others pass it by."""
        return sample.quality != Quality.IMPLAUSIBLE


class _Mapped(Filter):
    """A function of the value alone; rejected values are mapped too, for their unit."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        return sample._replace(value=self._mapping(sample.value))

    def sees(self, sample: Sample) -> bool:
        return True


class _Median(Filter):
    def __init__(self, size: int) -> None:
        self._size = size
        self._values: list[float] = []

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        self._values = [*self._values, number_of(sample.value)][-self._size :]
        return sample._replace(value=self._result())

    def _result(self) -> float:
        ordered = sorted(self._values)
        middle = len(ordered) // 2
        if len(ordered) % 2:
            return ordered[middle]
        return (ordered[middle - 1] + ordered[middle]) / 2


class _Mean(_Median):
    def _result(self) -> float:
        return sum(self._values) / len(self._values)


class _Delta(Filter):
    """Keeps back a value that differs from the last one passed on by less than the band."""

    def __init__(self, band: float) -> None:
        self._band = band
        self._last: Value | None = None

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        last, value = self._last, sample.value
        if last is not None:
            if isinstance(last, str) or isinstance(value, str):
                if last == value:
                    return None
            elif abs(value - last) < self._band or value == last:
                return None
        self._last = value
        return sample


class _Throttle(Filter):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next_s: float | None = None

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        if self._next_s is not None and now_s < self._next_s:
            return None
        self._next_s = now_s + self._seconds
        return sample

    def sees(self, sample: Sample) -> bool:
        return True


class _Heartbeat(Filter):
    """Repeats the last value when filters before it kept newer ones back for so long.

    It repeats nothing for a device that gives nothing: `Chain` calls `alive` for each value.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: Sample | None = None
        self._sent_s = 0.0
        self._alive: Sample | None = None

    def alive(self, sample: Sample, now_s: float) -> None:
        """Note that the device gave a good value."""
        self._alive = sample

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        self._last, self._sent_s, self._alive = sample, now_s, None
        return sample

    def tick(self, now_s: float) -> Sample | None:
        if self._last is None or self._alive is None or now_s - self._sent_s < self._seconds:
            return None
        self._last = self._last._replace(at_ms=self._alive.at_ms)
        self._sent_s, self._alive = now_s, None
        return self._last


class _Timeout(Filter):
    """Sends the last value once as stale when no new one came for so long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: Sample | None = None
        self._at_s = 0.0

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        self._last, self._at_s = sample, now_s
        return sample

    def tick(self, now_s: float) -> Sample | None:
        if self._last is None or now_s - self._at_s < self._seconds:
            return None
        stale = self._last._replace(
            quality=Quality.STALE, reason=f"no value for {self._seconds:g} s"
        )
        self._last = None
        return stale


class _Monotonic(Filter):
    """Rejects a counter that goes back, until three readings in a row show that it is a new one."""

    def __init__(self) -> None:
        self._last: float | None = None
        self._lower: list[float] = []

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        value = number_of(sample.value)
        if self._last is None or value >= self._last:
            self._last, self._lower = value, []
            return sample
        rising = not self._lower or value >= self._lower[-1]
        self._lower = [*self._lower, value] if rising else [value]
        if len(self._lower) >= _AGREE:
            self._last, self._lower = value, []
            return sample
        raise RejectedError(f"{value:g} is below {self._last:g}, and a counter does not go back")


class _Rate(Filter):
    """The change of a counter a second, times a factor; nothing for a first or a lower reading."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._last: tuple[float, int] | None = None

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        value, before = number_of(sample.value), self._last
        if before is not None and sample.at_ms <= before[1]:
            return None
        self._last = (value, sample.at_ms)
        if before is None or value < before[0]:
            return None
        rate = (value - before[0]) * 1000 / (sample.at_ms - before[1]) * self._factor
        return sample._replace(value=rate)


class _Debounce(Filter):
    """Passes a value on once it has stayed the same for so long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._waiting: Sample | None = None
        self._since_s = 0.0
        self._passed: Value | None = None

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        if sample.value == self._passed:
            self._waiting = None
            return sample
        if self._waiting is None or self._waiting.value != sample.value:
            self._since_s = now_s
        self._waiting = sample
        return self.tick(now_s)

    def tick(self, now_s: float) -> Sample | None:
        if self._waiting is None or now_s - self._since_s < self._seconds:
            return None
        passed, self._waiting = self._waiting, None
        self._passed = passed.value
        return passed


class _Leap(Filter):
    """Rejects a leap away from the last value, unless the next reading agrees with it."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._last: float | None = None
        self._candidate: float | None = None

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        value = number_of(sample.value)
        for known in (self._last, self._candidate):
            if known is not None and abs(value - known) <= self._most:
                self._last, self._candidate = value, None
                return sample
        if self._last is None:
            self._last = value
            return sample
        self._candidate = value
        raise RejectedError(f"{value:g} after {self._last:g}: a leap of more than {self._most:g}")


class _Not(Filter):
    """Drops values that mean "no reading": 85 °C of a DS18B20 after power-on, 999, -127."""

    drops = True

    def __init__(self, values: Sequence[Any]) -> None:
        self._words = {key_of(value) for value in values}

    def feed(self, sample: Sample, now_s: float) -> Sample | None:
        if key_of(sample.value) in self._words:
            raise RejectedError(f"{sample.value} is no reading of this device")
        return sample


def _real(value: Any, least: float = float("-inf")) -> float:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        limit = "" if least == float("-inf") else f" of {least:g} or more"
        raise ValueError(f"expected a number{limit}, found {str(value)[:40]}")
    return float(value)


def _count(value: Any) -> int:  # noqa: ANN401
    if type(value) is not int or not 1 <= value <= _MOST_REMEMBERED:
        raise ValueError(f"expected 1 to {_MOST_REMEMBERED} readings, found {str(value)[:40]}")
    return value


def _true(value: Any) -> _Monotonic:  # noqa: ANN401
    if value is not True:
        raise ValueError(f"expected true, found {str(value)[:40]}")
    return _Monotonic()


def _values(value: Any) -> _Not:  # noqa: ANN401
    if not isinstance(value, list) or not all(isinstance(v, str | int | float) for v in value):
        raise ValueError(f"expected a list of values, found {str(value)[:40]}")
    return _Not(value)


_MAKERS: Final[dict[str, Callable[[Any], Filter]]] = {
    "Median": lambda value: _Median(_count(value)),
    "Mean": lambda value: _Mean(_count(value)),
    "Delta": lambda value: _Delta(_real(value, 0.0)),
    "Throttle": lambda value: _Throttle(_real(value, 0.0)),
    "Heartbeat": lambda value: _Heartbeat(_real(value, 0.0)),
    "Timeout": lambda value: _Timeout(_real(value, 0.0)),
    "Monotonic": _true,
    "Rate": lambda value: _Rate(_real(value)),
    "Debounce": lambda value: _Debounce(_real(value, 0.0)),
    "Leap": lambda value: _Leap(_real(value, 0.0)),
    "Not": _values,
}
NAMES: Final = sorted({*_MAKERS, *MAPPINGS})
_OPTION: Final = "Rejected"


def make_filter(described: dict[str, Any]) -> tuple[str, Filter]:
    """Return name and filter of one entry such as `{"Range": [0, 40], "Rejected": "drop"}`.

    Raises:
        ValueError: it is none.
    """
    names = [key for key in described if key != _OPTION]
    if len(names) != 1:
        raise ValueError(f"expected one filter an entry, found {', '.join(names) or 'none'}")
    (name,) = names
    made: Filter
    try:
        if name in MAPPINGS:
            made = _Mapped(MAPPINGS[name](described[name]))
        elif name in _MAKERS:
            made = _MAKERS[name](described[name])
        else:
            raise ValueError(f"no such filter; expected one of {' '.join(NAMES)}")
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    choice = described.get(_OPTION, "drop" if made.drops else "implausible")
    if choice not in ("drop", "implausible"):
        raise ValueError(f'{_OPTION}: expected "drop" or "implausible", found {choice!r}')
    made.drops = choice == "drop"
    return name, made


def _finite(sample: Sample | None) -> Sample | None:
    if sample is not None and isinstance(sample.value, float) and not math.isfinite(sample.value):
        raise RejectedError("the result is no finite number")
    return sample


def _implausible(sample: Sample, reason: str) -> Sample:
    return sample._replace(quality=Quality.IMPLAUSIBLE, reason=sample.reason or reason)


class Step(NamedTuple):
    """What one filter made of a value; `sample` is None where it kept it back or dropped it."""

    name: str
    sample: Sample | None
    reason: str = ""


class Chain:
    """The filters of one element, in their order."""

    def __init__(self, described: Sequence[dict[str, Any]]) -> None:
        """Make the filters.

        Raises:
            ValueError: one of them is wrong.
        """
        if len(described) > MOST_FILTERS:
            raise ValueError(f"Filter: {len(described)} filters, expected up to {MOST_FILTERS}")
        self._filters: list[tuple[str, Filter]] = []
        for index, each in enumerate(described):
            try:
                self._filters.append(make_filter(each))
            except ValueError as error:
                raise ValueError(f"Filter[{index}]: {error}") from None

    def input_type(self, raw: object, data_type: str) -> str:
        """Return the type that the first filter takes, for values of `data_type`.

        Numbers stay unrounded until they are sent; a table (`Map`, `Not`) may begin with words.
        """
        if isinstance(raw, str) and self._filters and self._filters[0][0] in ("Map", "Not"):
            return "text" if data_type != "json" else data_type
        return "float" if self._filters and data_type == "integer" else data_type

    def feed(self, sample: Sample, now_s: float) -> list[Step]:
        """Return what each filter made of a value; the last step has what is sent."""
        steps: list[Step] = []
        for _, each in self._filters:
            if isinstance(each, _Heartbeat) and sample.quality != Quality.IMPLAUSIBLE:
                each.alive(sample, now_s)
        self._run(0, sample, now_s, steps)
        return steps or [Step("", sample)]

    def tick(self, now_s: float) -> Iterator[Sample]:
        """Yield what filters send without a new value, each through the filters behind it."""
        for index, (_, each) in enumerate(self._filters):
            due = each.tick(now_s)
            if due is not None:
                steps = [Step("", due)]
                self._run(index + 1, due, now_s, steps)
                if (sample := steps[-1].sample) is not None:
                    yield sample

    def _run(self, start: int, sample: Sample, now_s: float, steps: list[Step]) -> None:
        current = sample
        for name, each in self._filters[start:]:
            if not each.sees(current):
                continue
            reason = ""
            try:
                found = _finite(each.feed(current, now_s))
            except RejectedError as error:
                reason = str(error)
                found = None if each.drops else _implausible(current, reason)
            steps.append(Step(name, found, reason))
            if found is None:
                return
            current = found
