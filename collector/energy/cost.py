"""Bills to the cent, in exact fractions. Pure.

The rule of rounding: each line is computed exactly for each calendar month (or the part of it that
is asked for) and each tariff in force in it, and rounded once to the cent, half a cent away from
zero. Percentages are taken of the rounded lines they name. Everything else is a sum of rounded
lines, so that a bill adds up on paper, and a year is the sum of its months.
"""

from calendar import monthrange
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Final, NamedTuple

from collector.energy.tariff import ENERGY, SUBSCRIPTION, Tariff, Tax, on, period_name
from collector.statistics.local_days import ONE_DAY, LocalDays

Wh = int | Fraction
Energy = Mapping[date, Mapping[str, Wh]]
"""Wh by local day and period."""

_WH: Final = 1000


IN_NO_INDEX: Final = "in no index"
"""Energy that the index of all periods counted, and no index of a period."""
INJECTED: Final = "INJECTED"
_NOISE_WH: Final = 10
"""Indexes are read one after the other: smaller differences between them mean nothing."""


class Line(NamedTuple):
    """A line of a bill: tariff ("" for none), subject, Wh of energy, cents if it is priced."""

    tariff: str
    what: str
    wh: Wh | None
    cents: int | None


class Bill(NamedTuple):
    """The costs of the days from `first` to before `after`.

    `unpriced` is energy in Wh by period for which no tariff has a price; each has a line too.
    """

    first: date
    after: date
    lines: tuple[Line, ...]
    unpriced: Mapping[str, Wh]

    @property
    def cents(self) -> int:
        """The sum of the lines."""
        return sum(line.cents or 0 for line in self.lines)

    @property
    def wh(self) -> Wh:
        """The energy that was drawn, priced or not."""
        drawn = (line for line in self.lines if line.what != INJECTED)
        return sum((line.wh for line in drawn if line.wh is not None), start=0)

    @property
    def subscription_cents(self) -> int:
        """The part that does not depend on energy: the subscription without taxes."""
        return sum(line.cents or 0 for line in self.lines if line.what == SUBSCRIPTION)


class _Part(NamedTuple):
    """The days of one calendar month with one tariff, or with none, and the energy of these days.

    A part without days has the energy of a neighbouring tariff on the day of a change.
    """

    first: date
    after: date
    tariff: Tariff | None
    consumed: Mapping[str, Wh] = MappingProxyType({})
    injected: Wh = 0

    @property
    def share(self) -> Fraction:
        """The part of its month, by days."""
        length = monthrange(self.first.year, self.first.month)[1]
        return Fraction((self.after - self.first).days, length)


def round_cents(amount: Fraction) -> int:
    """Return an amount in cents, half a cent away from zero."""
    magnitude = int(abs(amount) * 100 + Fraction(1, 2))
    return magnitude if amount >= 0 else -magnitude


def bill(
    tariffs: Sequence[Tariff],
    energy: Energy,
    first: date,
    after: date,
    *,
    total: Mapping[date, Wh] = MappingProxyType({}),
    injected: Mapping[date, Wh] = MappingProxyType({}),
) -> Bill:
    """Return the bill of the days from `first` to before `after`.

    `total` is the energy of the index of all periods, by day: the part of it that no other index
    counted gets a line. `injected` is the energy that was fed in.
    """
    lines: dict[tuple[str, str, int], Line] = {}
    unpriced: dict[str, Wh] = {}
    rest: Wh = 0
    for days in _parts(tariffs, first, after):
        consumed = _sum(energy, days)
        known = sum((total.get(day, 0) for day in _days(days)), start=Fraction(0))
        missing = known - sum(consumed.values())
        rest += missing if missing > _NOISE_WH else 0
        strays = list(_strays(tariffs, energy, days))
        for stray in strays:
            for period, wh in stray.consumed.items():
                consumed[period] -= wh
        fed_in = sum((injected.get(day, 0) for day in _days(days)), start=Fraction(0))
        own = days._replace(consumed=consumed, injected=fed_in)
        for part in (own, *strays):
            names: Counter[str] = Counter()  # two taxes may have one name
            for line in _lines(part):
                key = (line.tariff, line.what, names[line.what])
                names[line.what] += 1
                lines[key] = _added(lines[key], line) if key in lines else line
    for line in lines.values():
        if line.wh and line.cents is None and line.what != INJECTED:
            unpriced[line.what] = unpriced.get(line.what, 0) + line.wh
    if rest:
        unpriced[IN_NO_INDEX] = rest
        lines["", IN_NO_INDEX, 0] = Line("", IN_NO_INDEX, rest, None)
    ordered = sorted(lines.values(), key=lambda line: not line.tariff)  # those of tariffs first
    return Bill(first, after, tuple(ordered), unpriced)


def extrapolated(
    energy: Energy, days: LocalDays, since_ms: int, until_ms: int, after: date
) -> dict[date, dict[str, Wh]] | None:
    """Return energy, continued until `after` with the mean of the known time.

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


def _days(part: _Part) -> Iterator[date]:
    day = part.first
    while day < part.after:
        yield day
        day += ONE_DAY


def _sum(energy: Energy, part: _Part) -> dict[str, Wh]:
    found: dict[str, Wh] = {}
    for day in _days(part):
        for period, wh in energy.get(day, {}).items():
            found[period] = found.get(period, 0) + wh
    return found


def _strays(tariffs: Sequence[Tariff], energy: Energy, part: _Part) -> Iterator[_Part]:
    """Yield the energy of a day of change in periods that only the neighbouring tariff prices.

    A contract changes in the middle of a day: both tariffs are billed for it.
    """
    if part.tariff is None:
        return
    for day, beside in (
        (part.tariff.first, part.tariff.first - ONE_DAY),
        (part.tariff.last, part.tariff.last + ONE_DAY),
    ):
        other = on(tariffs, beside)
        if not part.first <= day < part.after or other is None:
            continue
        consumed = {
            period: wh
            for period, wh in energy.get(day, {}).items()
            if part.tariff.price(period) is None and other.price(period) is not None
        }
        if consumed:
            yield _Part(day, day, other, consumed)


def _lines(part: _Part) -> Iterator[Line]:
    tariff = part.tariff
    if tariff is None:
        for period, wh in part.consumed.items():
            if wh:
                yield Line("", period, wh, None)
        if part.injected:
            yield Line("", INJECTED, part.injected, None)
        return
    cents: dict[str, int] = {SUBSCRIPTION: round_cents(tariff.monthly * part.share), ENERGY: 0}
    if part.share:
        yield Line(tariff.name, SUBSCRIPTION, None, cents[SUBSCRIPTION])
    priced: Wh = 0
    order = [period_name(name) for name in tariff.prices]
    for period in sorted(part.consumed, key=lambda p: (order.index(p) if p in order else 99, p)):
        price, wh = tariff.price(period), part.consumed[period]
        if price is not None:
            amount = round_cents(price * Fraction(wh) / _WH)
            cents[ENERGY] += amount
            priced += wh
            yield Line(tariff.name, period, wh, amount)
        elif wh:
            yield Line("", period, wh, None)
    for tax in tariff.taxes:
        amount = round_cents(_tax(tax, part, priced, cents))
        cents[tax.name] = cents.get(tax.name, 0) + amount
        yield Line(tariff.name, tax.name, None, amount)
    if part.injected:
        sale = tariff.sale_price
        income = None if sale is None else -round_cents(sale * Fraction(part.injected) / _WH)
        yield Line(tariff.name if income is not None else "", INJECTED, part.injected, income)


def _tax(tax: Tax, part: _Part, wh: Wh, cents: Mapping[str, int]) -> Fraction:
    """Return a tax, exactly; the amounts it is taken of are rounded already."""
    if tax.per_kwh is not None:
        return tax.rate * Fraction(wh) / _WH
    if tax.per_month is not None:
        return tax.rate * part.share
    return tax.rate * sum(cents[name] for name in tax.of) / 10_000  # percent, of cents


def _added(one: Line, other: Line) -> Line:
    wh = one.wh if other.wh is None else other.wh + (one.wh or 0)
    cents = one.cents if other.cents is None else other.cents + (one.cents or 0)
    return Line(one.tariff, one.what, wh, cents)
