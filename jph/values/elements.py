"""Elements of a device: where each value is in an answer, and what is sent of it. Pure."""

import calendar
import datetime
import email.utils
import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any, Final, NamedTuple

from jph.config.settings import Settings, described
from jph.values.convert import NoValueError, convert
from jph.values.filters import Chain, Sample, Step
from jph.values.paths import MISSING, compile_path, literal
from jph.wire.codec import Quality, Value

MOST_ELEMENTS: Final = 500
_LATEST_S: Final = 60.0
"""Seconds that the clock of a device may be ahead of ours."""
_MAX_PATTERN: Final = 300
_SEARCHED: Final = 65_536
"""Characters of a text in which a pattern is searched."""


class Element(Settings, frozen=True):
    """One value of a device, and the filters that it passes."""

    codifier: Annotated[str, described("Codifier of the value: the node or an element of it")]
    filter: Annotated[
        tuple[dict[str, Any], ...],
        described('Filters in their order: [{"Range": [0, 40]}, {"Round": 1}]'),
    ] = ()

    def __post_init__(self) -> None:
        try:
            Chain(self.filter)
        except ValueError as error:
            raise ValueError(f"{self.codifier}: {error}") from None


class PathElement(Element, frozen=True):
    """A value in an answer of text or JSON."""

    path: Annotated[
        str, described("Where the value is: names and indexes (temps[0].value) or JMESPath")
    ] = ""
    key: Annotated[str, described("Key of the value, whatever characters it has")] = ""
    regex: Annotated[
        str, described("Pattern in a text; its first group, or all of it, is the value")
    ] = ""
    when: Annotated[
        str, described("JMESPath: only an answer for which this holds has the value")
    ] = ""
    time: Annotated[
        str, described("Path of the time of the value: ISO 8601, RFC 1123, or seconds since 1970")
    ] = ""

    def __post_init__(self) -> None:
        Element.__post_init__(self)
        try:
            Picker(self)
        except ValueError as error:
            raise ValueError(f"{self.codifier}: {error}") from None


class Picker:
    """Takes one value out of an answer."""

    def __init__(self, element: PathElement) -> None:
        """Compile the paths.

        Raises:
            ValueError: one of them is wrong.
        """
        given = [name for name in ("path", "key", "regex") if getattr(element, name)]
        if len(given) > 1:
            raise ValueError(f"expected one of Path, Key and Regex, found {len(given)}")
        self._find = literal(element.key) if element.key else compile_path(element.path)
        self._pattern = _pattern(element.regex) if element.regex else None
        self._when = compile_path(element.when) if element.when else None
        self._time = compile_path(element.time) if element.time else None

    @property
    def in_text(self) -> bool:
        """Whether a pattern in the text of the answer finds the value."""
        return self._pattern is not None

    def applies(self, record: Any) -> bool:  # noqa: ANN401
        """Return whether an answer has the value."""
        return self._when is None or self._when(record) is True

    def pick(self, record: Any) -> Any:  # noqa: ANN401
        """Return the value as the device wrote it, or `MISSING`."""
        if self._pattern is None:
            return self._find(record)
        if not isinstance(record, str):
            return MISSING
        match = self._pattern.search(record[:_SEARCHED])
        if match is None:
            return MISSING
        found = match.group(1) if self._pattern.groups else match.group()
        return MISSING if found is None else found

    def at_ms(self, record: Any) -> int | None:  # noqa: ANN401
        """Return the time that the answer has for the value, None without `Time`.

        Raises:
            NoValueError: there should be a time and is none.
        """
        return None if self._time is None else read_time(self._time(record))


def _pattern(text: str) -> re.Pattern[str]:
    if len(text) > _MAX_PATTERN:
        raise ValueError(f"Regex: {len(text)} characters, expected up to {_MAX_PATTERN}")
    try:
        return re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"Regex: {error}") from None


def read_time(raw: Any) -> int:  # noqa: ANN401
    """Return a time as ms since 1970. A time without a zone is UTC.

    Raises:
        NoValueError: it is none.
    """
    if isinstance(raw, bool) or raw is MISSING or raw is None:
        raise NoValueError("the answer has no time for it")
    try:
        number = float(raw)
    except (TypeError, ValueError):
        number = None
    try:
        if number is not None:
            if not 1e8 < number < 1e14:
                raise ValueError
            return int(number if number > 1e11 else number * 1000)
        text = str(raw).strip()
        if not text[:1].isdigit():
            fields = email.utils.parsedate_tz(text)
            if fields is None:
                raise ValueError
            return (calendar.timegm((*fields[:6], 0, 0, 0)) - (fields[9] or 0)) * 1000
        moment = datetime.datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=datetime.UTC)
        return int(moment.timestamp() * 1000)
    except (ValueError, OverflowError, TypeError):
        raise NoValueError(f"{str(raw)[:40]!r} is no time") from None


class Outgoing(NamedTuple):
    """A value that is sent."""

    codifier: str
    value: Value
    at_ms: int
    quality: Quality


class Trace(NamedTuple):
    """What became of one value: as the device wrote it, each step, and why nothing is sent."""

    codifier: str
    raw: Any
    steps: list[Step]
    reason: str


class Feed:
    """Turns what a device wrote into values that are sent.

    `types` returns the `DataType` of a codifier. `on_trace`, if it is set, gets each value.
    """

    def __init__(self, elements: Iterable[Element], types: Callable[[str], str]) -> None:
        self._chains = {each.codifier: Chain(each.filter) for each in elements}
        self._types = types
        self._newest_ms: dict[str, int] = {}
        self.last: dict[str, Value] = {}
        self.on_trace: Callable[[Trace], None] | None = None

    def take(
        self,
        codifier: str,
        raw: Any,  # noqa: ANN401
        now_ms: int,
        now_s: float,
        own_ms: int | None = None,
    ) -> tuple[Outgoing | None, str]:
        """Return what is sent of a raw value, and why it is rejected or not sent, empty if not.

        A value with a time of its own (`own_ms`) that was taken before is not taken again.
        """
        if own_ms is not None:
            if own_ms > now_ms + _LATEST_S * 1000:
                return self._no(codifier, raw, "its time is in the future")
            if own_ms <= self._newest_ms.get(codifier, -1):
                return None, ""
        chain = self._chains[codifier]
        try:
            value = convert(raw, chain.input_type(raw, self._types(codifier)))
        except NoValueError as error:
            return self._no(codifier, raw, str(error))
        if own_ms is not None:
            self._newest_ms[codifier] = own_ms
        steps = chain.feed(Sample(value, now_ms if own_ms is None else own_ms), now_s)
        reason = next((step.reason for step in steps if step.reason), "")
        sent = steps[-1].sample
        if sent is not None and isinstance(sent.value, str) and self._is_number(codifier):
            return self._no(
                codifier, raw, reason or f"expected a number, found {sent.value[:40]!r}"
            )
        if self.on_trace is not None:
            self.on_trace(Trace(codifier, raw, steps, reason))
        return (None if sent is None else self._outgoing(codifier, sent)), reason

    def tick(self, now_s: float) -> Iterable[Outgoing]:
        """Yield what is due without a new value."""
        for codifier, chain in self._chains.items():
            for sample in chain.tick(now_s):
                yield self._outgoing(codifier, sample)

    def _is_number(self, codifier: str) -> bool:
        return self._types(codifier) not in ("string", "text", "json")

    def _outgoing(self, codifier: str, sample: Sample) -> Outgoing:
        value = sample.value
        if self._types(codifier) in ("integer", "bool") and isinstance(value, float):
            value = round(value)
        self.last[codifier] = value
        return Outgoing(codifier, value, sample.at_ms, sample.quality)

    def _no(self, codifier: str, raw: Any, reason: str) -> tuple[None, str]:  # noqa: ANN401
        if self.on_trace is not None:
            self.on_trace(Trace(codifier, raw, [], reason))
        return None, reason
