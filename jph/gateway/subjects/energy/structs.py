"""Structures of the energy API; the OpenAPI document is made from them."""

from datetime import date, datetime

import msgspec


class Line(msgspec.Struct, frozen=True):
    """A line of a bill: tariff, subject, Wh of energy; `amount` is null where it is not priced."""

    tariff: str
    what: str
    wh: int | None
    amount: str | None


class Bar(msgspec.Struct, frozen=True):
    """An hour, a day or a month that begins at `at` (local).

    `wh` by tariff period; `cents` too, subscription and taxes under ""; `before_wh` is the whole of
    the same bar of the span before.
    """

    at: str
    wh: dict[str, int]
    cents: dict[str, int]
    before_wh: int | None


class Compared(msgspec.Struct, frozen=True):
    """Another span: all of it, and up to the same point if the span asked for is running.

    `whole` is whether it is known from its beginning; else a comparison would mislead.
    """

    name: str
    first: date
    last: date
    wh: int
    amount: str | None
    so_far_wh: int | None
    whole: bool


class Expected(msgspec.Struct, frozen=True):
    """What a running span comes to if it goes on as it began."""

    wh: int
    amount: str


class PhaseTotal(msgspec.Struct, frozen=True):
    """A phase over the span: minutes shed, overruns and their seconds, the highest current, A."""

    phase: int
    shed_minutes: float
    overruns: int
    overrun_s: float
    peak_a: float | None
    peak_time: datetime | None
    known_h: float


class PhasePeak(msgspec.Struct, frozen=True):
    """A phase on a day, of a year in a month."""

    day: date
    phase: int
    peak_a: float | None
    shed_minutes: float
    overruns: int


class HeaterHold(msgspec.Struct, frozen=True):
    """How long a heater was forced off, and held at eco, over the span; hours that are known."""

    code: str
    name: str
    known_h: float
    shed_minutes: float
    eco_minutes: float


class Report(msgspec.Struct, frozen=True):
    """Energy and costs of a span; days are local, moments are UTC, amounts decimal texts.

    `priced` is false where no tariff is configured. `earlier` and `later` are days of the spans
    beside this one, null where there is nothing; `first_day` is the first with energy. `so_far_wh`
    goes to `so_far_until`, the last full hour, of a running span.
    """

    span: str
    name: str
    first: date
    last: date
    running: bool
    meter: str
    currency: str
    priced: bool
    wh: int
    amount: str | None
    estimated_wh: int
    unpriced_wh: dict[str, int]
    known_from: datetime | None
    known_until: datetime | None
    lines: list[Line]
    bars: list[Bar]
    expected: Expected | None
    before: Compared | None
    year_before: Compared | None
    so_far_wh: int | None
    so_far_until: datetime | None
    first_day: date | None
    earlier: date | None
    later: date | None
    phases: list[PhaseTotal]
    peaks: list[PhasePeak]
    heaters: list[HeaterHold]
