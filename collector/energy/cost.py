"""Bills to the cent, in exact fractions. Pure.

The rule of rounding: each line is computed exactly for each calendar month (or the part of it that
is asked for) and each tariff in force in it, and rounded once to the cent, half a cent away from
zero. Percentages are taken of the rounded lines they name. Everything else is a sum of rounded
lines, so that a bill adds up on paper, and a year is the sum of its months.
"""

from calendar import monthrange
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Final, NamedTuple

from collector.energy.tariff import ENERGY, SUBSCRIPTION, Tariff, Tax, on
from collector.statistics.local_days import ONE_DAY, LocalDays

Wh = int | Fraction
Energy = Mapping[date, Mapping[str, Wh]]
"""Wh by local day and period."""

_WH: Final = 1000


class Line(NamedTuple):
    """A line of a bill: of what tariff, what for, how many Wh if it is energy, how many cents."""

    tariff: str
    what: str
    wh: Wh | None
    cents: int


class Bill(NamedTuple):
    """What the days from `first` to before `after` cost.

    `unpriced` is energy in Wh by period for which no tariff has a price.
    """

    first: date
    after: date
    lines: tuple[Line, ...]
    unpriced: Mapping[str, Wh]

    @property
    def cents(self) -> int:
        """The sum of the lines."""
        return sum(line.cents for line in self.lines)

    @property
    def wh(self) -> Wh:
        """The energy that was priced."""
        return sum((line.wh for line in self.lines if line.wh is not None), start=0)


class _Part(NamedTuple):
    """The days of one calendar month with one tariff, or with none."""

    first: date
    after: date
    tariff: Tariff | None

    @property
    def share(self) -> Fraction:
        """Which part of its month this is."""
        length = monthrange(self.first.year, self.first.month)[1]
        return Fraction((self.after - self.first).days, length)


def round_cents(amount: Fraction) -> int:
    """Return an amount in cents, half a cent away from zero."""
    magnitude = int(abs(amount) * 100 + Fraction(1, 2))
    return magnitude if amount >= 0 else -magnitude


def bill(tariffs: Sequence[Tariff], energy: Energy, first: date, after: date) -> Bill:
    """Return the bill of the days from `first` to before `after`."""
    lines: dict[tuple[str, str], Line] = {}
    unpriced: dict[str, Wh] = {}
    for part in _parts(tariffs, first, after):
        consumed = _sum(energy, part)
        for period, wh in consumed.items():
            if wh and (part.tariff is None or part.tariff.price(period) is None):
                unpriced[period] = unpriced.get(period, 0) + wh
        for line in _lines(part, consumed):
            key = (line.tariff, line.what)
            lines[key] = _added(lines[key], line) if key in lines else line
    return Bill(first, after, tuple(lines.values()), unpriced)


def extrapolated(
    energy: Energy, days: LocalDays, since_ms: int, until_ms: int, after: date
) -> dict[date, dict[str, Wh]] | None:
    """Return energy with the rest of the time until `after` as the mean of what was.

    `energy` was drawn between the two moments; None if that is less than an hour, too short.
    """
    length_ms = until_ms - since_ms
    if length_ms < 3_600_000:
        return None
    total: dict[str, Wh] = {}
    for periods in energy.values():
        for period, wh in periods.items():
            total[period] = total.get(period, 0) + wh
    whole = {day: dict(periods) for day, periods in energy.items()}
    day = days.day_of(until_ms)
    while day < after:
        rest_ms = days.midnight_ms(day + ONE_DAY) - max(until_ms, days.midnight_ms(day))
        drawn = whole.setdefault(day, {})
        for period, wh in total.items():
            drawn[period] = drawn.get(period, 0) + Fraction(wh) * rest_ms / length_ms
        day += ONE_DAY
    return whole


def month_of(day: date) -> tuple[date, date]:
    """Return the first day of the month of `day` and that of the next."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _parts(tariffs: Sequence[Tariff], first: date, after: date) -> Iterator[_Part]:
    """Cut days where a month begins and where a tariff begins or ends."""
    while first < after:
        now = on(tariffs, first)
        starts = [each.first for each in tariffs if each.first > first]
        ends = [now.last + ONE_DAY] if now else []
        cut = min([after, month_of(first)[1], *starts, *ends])
        yield _Part(first, cut, now)
        first = cut


def _sum(energy: Energy, part: _Part) -> dict[str, Wh]:
    total: dict[str, Wh] = {}
    day = part.first
    while day < part.after:
        for period, wh in energy.get(day, {}).items():
            total[period] = total.get(period, 0) + wh
        day += ONE_DAY
    return total


def _lines(part: _Part, consumed: Mapping[str, Wh]) -> Iterator[Line]:
    tariff = part.tariff
    if tariff is None:
        return
    cents: dict[str, int] = {}
    cents[SUBSCRIPTION] = round_cents(tariff.monthly * part.share)
    yield Line(tariff.name, SUBSCRIPTION, None, cents[SUBSCRIPTION])
    cents[ENERGY] = 0
    priced: Wh = 0
    order = list(tariff.prices)
    for period in sorted(consumed, key=lambda p: (order.index(p) if p in order else 99, p)):
        price, wh = tariff.price(period), consumed[period]
        if price is not None:
            amount = round_cents(price * Fraction(wh) / _WH)
            cents[ENERGY] += amount
            priced += wh
            yield Line(tariff.name, period, wh, amount)
    for tax in tariff.taxes:
        cents[tax.name] = round_cents(_tax(tax, part, priced, cents))
        yield Line(tariff.name, tax.name, None, cents[tax.name])


def _tax(tax: Tax, part: _Part, wh: Wh, cents: Mapping[str, int]) -> Fraction:
    """Return a tax, exactly; the amounts it is taken of are rounded already."""
    if tax.per_kwh is not None:
        return tax.rate * Fraction(wh) / _WH
    if tax.per_month is not None:
        return tax.rate * part.share
    return tax.rate * sum(cents[name] for name in tax.of) / 10_000  # percent, of cents


def _added(one: Line, other: Line) -> Line:
    wh = one.wh if other.wh is None else other.wh + (one.wh or 0)
    return Line(one.tariff, one.what, wh, one.cents + other.cents)
