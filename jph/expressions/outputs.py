"""Evaluates a node's outputs over the newest readings: freshness, fallbacks, own values. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from jph.expressions.language import (
    BOOL,
    FUNCTIONS,
    NUMBER,
    TEXT,
    Expression,
    NoResultError,
    evaluate,
)
from jph.wire.codec import Quality, Value

_SEVERITY: Final = {
    Quality.GOOD: 0,
    Quality.ESTIMATED: 1,
    Quality.SIMULATED: 2,
    Quality.STALE: 3,
    Quality.IMPLAUSIBLE: 4,
}
ORDERED: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})
"""Qualities on which an order may be based."""


def worst(qualities: Iterable[Quality]) -> Quality:
    """Return the worst of some qualities; good where there are none."""
    return max(qualities, key=_SEVERITY.__getitem__, default=Quality.GOOD)


class Output(NamedTuple):
    """One computed value: its expressions in the order in which they are tried."""

    codifier: str
    expressions: Sequence[Expression]
    low: float | None = None
    high: float | None = None
    first: float | None = None


class Result(NamedTuple):
    """What an output is now; `value` is None, with a reason, where it has none."""

    codifier: str
    value: Value | None
    quality: Quality = Quality.GOOD
    reason: str = ""


class _Input:
    """The newest reading of one codifier."""

    __slots__ = ("at_s", "changed_s", "limit_s", "quality", "value")

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s
        self.value: Any = None
        self.at_s = -math.inf
        self.changed_s = -math.inf
        self.quality = Quality.GOOD


class Outputs:
    """The outputs of one node. Times are in seconds of any clock that the caller keeps to.

    `limits_s` has each input with the age from which it does not count, 0 for never.
    """

    def __init__(
        self, outputs: Sequence[Output], types: Mapping[str, str], limits_s: Mapping[str, float]
    ) -> None:
        self._outputs = outputs
        self._types = types
        self._inputs = {codifier: _Input(limit) for codifier, limit in limits_s.items()}
        self._own: dict[str, Any] = {}
        self._poor: dict[str, Quality] = {}
        self._now_s = 0.0
        self._values: dict[str, Any] = {
            **FUNCTIONS,
            "_age": self._age,
            "_changed": self._changed,
            "_fresh": self._fresh,
            "_last": self._last,
        }
        for output in outputs:
            if output.first is not None:
                self._own[output.codifier] = self._typed(output.codifier, output.first)

    @property
    def inputs(self) -> frozenset[str]:
        """The codifiers of other nodes that the outputs read."""
        return frozenset(self._inputs)

    def take(self, codifier: str, value: Any, at_s: float, quality: Quality) -> bool:  # noqa: ANN401
        """Note a reading; return whether an output may change by it."""
        known = self._inputs.get(codifier)
        if known is None:
            return False
        typed = self._typed(codifier, value)
        if typed is None or at_s < known.at_s:
            return False
        if known.at_s > -math.inf and typed != known.value:
            known.changed_s = at_s
        changed = typed != known.value or quality != known.quality or codifier not in self._values
        known.value, known.at_s, known.quality = typed, at_s, quality
        return changed

    def run(self, now_s: float) -> list[Result]:
        """Evaluate every output in its order; each sees the new values of those before it."""
        self._now_s = now_s
        values = self._values
        self._poor.clear()
        for codifier, known in self._inputs.items():
            if not self._fresh(codifier):
                values.pop(codifier, None)
                continue
            values[codifier] = known.value
            if known.quality != Quality.GOOD:
                self._poor[codifier] = known.quality
        return [self._one(output) for output in self._outputs]

    def _one(self, output: Output) -> Result:
        code, reason, values = output.codifier, "", self._values
        if code not in values and code in self._own:
            values[code] = self._own[code]
        for expression in output.expressions:
            try:
                value = evaluate(expression, values)
            except NoResultError as error:
                reason = reason or str(error)
                continue
            if output.low is not None or output.high is not None:
                value = self._bounded(output, value)
            quality = self._quality(expression.needed, code) if self._poor else Quality.GOOD
            self._own[code] = values[code] = value
            if value is True or value is False:
                value = int(value)
            # Result(…) would take three times as long
            return tuple.__new__(Result, (code, value, quality, reason))
        values.pop(code, None)
        return Result(code, None, Quality.GOOD, reason)

    @staticmethod
    def _bounded(output: Output, value: Any) -> Any:  # noqa: ANN401
        if not isinstance(value, float):
            return value
        if output.low is not None:
            value = max(value, output.low)
        return value if output.high is None else min(value, output.high)

    def _quality(self, needed: frozenset[str], code: str) -> Quality:
        """Return the worst quality of what an expression uses, and note it as that of `code`."""
        poor = self._poor
        quality = worst(poor[each] for each in needed if each in poor and each != code)
        if quality:
            poor[code] = quality
        else:
            poor.pop(code, None)
        return quality

    def _typed(self, codifier: str, value: Any) -> Any:  # noqa: ANN401
        """Return a value in the language's type, None where it has none."""
        kind = self._types[codifier]
        if kind == TEXT:
            return value if isinstance(value, str) else None
        if isinstance(value, str) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        if kind == BOOL:
            return bool(value)
        assert kind == NUMBER
        return float(value)

    # Functions of inputs

    def _age(self, codifier: str) -> float:
        return self._now_s - self._known(codifier).at_s

    def _changed(self, codifier: str) -> float:
        return self._now_s - self._known(codifier).changed_s

    def _fresh(self, codifier: str) -> bool:
        known = self._inputs.get(codifier)
        if known is None:
            return codifier in self._values
        if known.value is None or known.quality == Quality.STALE:
            return False
        return known.limit_s <= 0 or self._now_s - known.at_s <= known.limit_s

    def _last(self, codifier: str) -> Any:  # noqa: ANN401
        known = self._inputs.get(codifier)
        value = self._own.get(codifier) if known is None else known.value
        if value is None:
            raise NoResultError(f"{codifier} never had a value")
        return value

    def _known(self, codifier: str) -> _Input:
        known = self._inputs.get(codifier)
        if known is None:
            raise NoResultError(f"{codifier} is computed here and has no age")
        return known
