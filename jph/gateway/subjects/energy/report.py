"""Energy and costs of a day, a week, a month or a year, as the page and the API tell them. Pure.

Totals are those of `control.py cost`, to the cent: the same account of the same days.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from collector.energy.account import Account, Span, make_account
from collector.energy.consumed import HeaterTime, HourOfPeriod, PhaseDay
from collector.energy.cost import Wh, bill, month_of, round_cents
from collector.energy.money import Drawn
from collector.energy.tariff import Tariff, on
from collector.statistics.local_days import ONE_DAY, LocalDays
from jph.gateway.subjects.energy.structs import (
    Bar,
    Compared,
    Expected,
    HeaterHold,
    Line,
    PhasePeak,
    PhaseTotal,
    Report,
)

KINDS: Final = ("day", "week", "month", "year")
REST: Final = ""
"""The part of a bar's cost that is not energy: subscription and taxes."""


class Facts(NamedTuple):
    """What was read of a span: of itself, of the one before, of the one a year before.

    `hours` are the span's where it is one day, `hours_before` those of the day before.
    `so_far` is Wh up to `until`, the last full hour, of the three, if the span is running.
    """

    drawn: Drawn
    before: Drawn
    year_before: Drawn
    hours: Sequence[HourOfPeriod] = ()
    hours_before: Sequence[HourOfPeriod] = ()
    until: datetime | None = None
    so_far: tuple[int | None, int | None, int | None] = (None, None, None)
    phases: Sequence[PhaseDay] = ()
    heaters: Sequence[HeaterTime] = ()
    first_day: date | None = None


class Contract(NamedTuple):
    """A meter and its tariffs; without tariffs there are no costs."""

    meter: str
    tariffs: Sequence[Tariff]
    days: LocalDays


def span_of(kind: str, day: date) -> Span:
    """Return the span of a kind in which a day lies, named as `control.py cost` names it."""
    if kind == "day":
        return Span(day.isoformat(), day, day + ONE_DAY)
    if kind == "week":
        year, week, weekday = day.isocalendar()
        first = day - timedelta(days=weekday - 1)
        return Span(f"{year}-W{week:02}", first, first + timedelta(days=7))
    if kind == "month":
        return Span(f"{day:%Y-%m}", *month_of(day))
    return Span(f"{day.year}", date(day.year, 1, 1), date(day.year + 1, 1, 1))


def before(kind: str, span: Span) -> Span:
    """Return the span before one."""
    return span_of(kind, span.first - ONE_DAY)


def year_before(kind: str, span: Span) -> Span:
    """Return the span a year before: of a week 52 weeks, of 29 February the 28th."""
    if kind == "week":
        return span_of(kind, span.first - timedelta(weeks=52))
    first = span.first
    day = min(first.day, 28) if first.month == 2 else first.day
    return span_of(kind, date(first.year - 1, first.month, day))


def same_point(span: Span, other: Span, now: datetime) -> datetime:
    """Return the moment as far into `other` as `now` is into `span`, by days and local time.

    It is not beyond the end of `other`.
    """
    day = other.first + (now.date() - span.first)
    end = datetime.combine(other.after, time(), now.tzinfo)
    return min(end, datetime.combine(day, now.time(), now.tzinfo))


def report(
    kind: str,
    span: Span,
    facts: Facts,
    contract: Contract,
    heaters: Mapping[str, str],
    now: datetime,
) -> Report:
    """Return everything the page shows; `heaters` are the names of heaters by codifier."""
    account = _account(span, facts.drawn, contract, now)
    running = span.first <= now.date() < span.after
    last_year = None if kind == "year" else year_before(kind, span)
    known = facts.first_day is not None and facts.first_day < span.first
    expected = account.expected
    return Report(
        span=kind,
        name=span.name,
        first=span.first,
        last=span.after - ONE_DAY,
        running=running,
        meter=contract.meter,
        currency=account.currency,
        priced=bool(contract.tariffs),
        wh=round(account.bill.wh),
        amount=_amount(account),
        estimated_wh=facts.drawn.estimated,
        unpriced_wh={period: round(wh) for period, wh in account.bill.unpriced.items()},
        known_from=facts.drawn.since,
        known_until=facts.drawn.until,
        lines=list(_lines(account)) if contract.tariffs else [],
        bars=list(_bars(kind, span, facts, contract, now.date())),
        expected=expected and Expected(round(expected.wh), money(expected.cents)),
        before=_compared(before(kind, span), facts.before, facts.so_far[1], contract, now),
        year_before=last_year
        and _compared(last_year, facts.year_before, facts.so_far[2], contract, now),
        so_far_wh=facts.so_far[0],
        so_far_until=facts.until,
        first_day=facts.first_day,
        earlier=before(kind, span).first if known else None,
        later=span.after if span.after <= now.date() else None,
        phases=_phases(facts.phases),
        peaks=_peaks(kind, facts.phases),
        heaters=[_hold(each, heaters.get(each.codifier, "")) for each in facts.heaters],
    )


def _lines(account: Account) -> Iterator[Line]:
    """Yield the lines of the bill."""
    for each in account.bill.lines:
        amount = None if each.cents is None else money(each.cents)
        yield Line(each.tariff, each.what, _whole(each.wh), amount)


def money(cents: int) -> str:
    """Return an amount as decimal text."""
    return f"{'-' * (cents < 0)}{abs(cents) // 100}.{abs(cents) % 100:02}"


def _whole(wh: Wh | None) -> int | None:
    return None if wh is None else round(wh)


def _hold(time: HeaterTime, name: str) -> HeaterHold:
    shed, eco = round(time.shed_minutes, 1), round(time.eco_minutes, 1)
    return HeaterHold(time.codifier, name, round(time.known_h, 2), shed, eco)


def _account(span: Span, drawn: Drawn, contract: Contract, now: datetime) -> Account:
    return make_account(span, contract.meter, contract.tariffs, drawn, contract.days, now)


def _amount(account: Account) -> str | None:
    """Return what a bill comes to; None where nothing has a price."""
    priced = any(line.cents is not None for line in account.bill.lines)
    known = priced and account.drawn.since is not None
    return money(account.bill.cents) if known else None


def _compared(
    span: Span, drawn: Drawn, so_far: int | None, contract: Contract, now: datetime
) -> Compared | None:
    """Return another span to compare with; None if nothing is known of it."""
    if drawn.since is None:
        return None
    amount = _amount(_account(span, drawn, contract, now))
    last, whole = span.after - ONE_DAY, drawn.since.date() <= span.first
    return Compared(span.name, span.first, last, _total(drawn), amount, so_far, whole)


def _total(drawn: Drawn) -> int:
    return sum(wh for periods in drawn.energy.values() for wh in periods.values())


def _bars(kind: str, span: Span, facts: Facts, contract: Contract, today: date) -> Iterator[Bar]:
    """Yield the bars; what is ahead costs nothing yet, as in the bill."""
    if kind == "day":
        yield from _hour_bars(span, facts, contract)
        return
    cuts = list(_cuts(kind, span))
    earlier = list(_cuts(kind, before(kind, span)))
    for index, (first, after) in enumerate(cuts):
        wh = _summed(facts.drawn, first, after)
        ghost = None
        if index < len(earlier):
            ghost = sum(_summed(facts.before, *earlier[index]).values())
        cents = _cents(contract, facts.drawn, first, min(after, today + ONE_DAY))
        yield Bar(first.isoformat(), wh, cents, ghost)


def _cuts(kind: str, span: Span) -> Iterator[tuple[date, date]]:
    """Yield the days, or of a year the months, of a span."""
    first = span.first
    while first < span.after:
        after = month_of(first)[1] if kind == "year" else first + ONE_DAY
        yield first, after
        first = after


def _summed(drawn: Drawn, first: date, after: date) -> dict[str, int]:
    found: dict[str, int] = {}
    for day, periods in drawn.energy.items():
        if first <= day < after:
            for period, wh in periods.items():
                found[period] = found.get(period, 0) + wh
    return found


def _cents(contract: Contract, drawn: Drawn, first: date, after: date) -> dict[str, int]:
    """Return what a bar cost by period, with the rest under its own name."""
    cents: dict[str, int] = {}
    for line in bill(contract.tariffs, drawn.energy, first, after).lines:
        what = line.what if line.wh is not None else REST
        cents[what] = cents.get(what, 0) + (line.cents or 0)
    return cents


def _hour_bars(span: Span, facts: Facts, contract: Contract) -> Iterator[Bar]:
    """Yield the hours of a day, 23 or 25 when the clocks change; energy is all they cost."""
    days = contract.days
    tariff = on(contract.tariffs, span.first)
    drawn = _by_hour(facts.hours)
    earlier = _by_hour(facts.hours_before)
    ends = list(_ends(days, span.first))
    ends_before = list(_ends(days, span.first - ONE_DAY))
    for index, end in enumerate(ends):
        wh = drawn.get(end, {})
        prices = {period: tariff.price(period) for period in wh} if tariff else {}
        cents = {p: round_cents(price * wh[p] / 1000) for p, price in prices.items() if price}
        ghost = None
        if index < len(ends_before) and earlier:
            ghost = sum(earlier.get(ends_before[index], {}).values())
        start = datetime.fromtimestamp((end - 3_600_000) / 1000, days.zone)
        yield Bar(start.isoformat(timespec="minutes"), wh, cents, ghost)


def _ends(days: LocalDays, day: date) -> Iterator[int]:
    """Yield when the hours of a day end, ms."""
    at_ms, end_ms = days.midnight_ms(day), days.midnight_ms(day + ONE_DAY)
    while at_ms < end_ms:
        at_ms = days.hour_of(at_ms + 1).end_ms
        yield at_ms


def _by_hour(hours: Sequence[HourOfPeriod]) -> dict[int, dict[str, int]]:
    found: dict[int, dict[str, int]] = {}
    for each in hours:
        found.setdefault(round(each.end.timestamp() * 1000), {})[each.period] = each.wh
    return found


def _phases(days: Sequence[PhaseDay]) -> list[PhaseTotal]:
    totals: dict[int, PhaseTotal] = {}
    for each in days:
        old = totals.get(each.phase) or PhaseTotal(each.phase, 0.0, 0, 0.0, None, None, 0.0)
        higher = each.peak_a is not None and (old.peak_a is None or each.peak_a > old.peak_a)
        totals[each.phase] = PhaseTotal(
            phase=each.phase,
            shed_minutes=round(old.shed_minutes + each.shed_minutes, 1),
            overruns=old.overruns + each.overruns,
            overrun_s=round(old.overrun_s + each.overrun_s, 1),
            peak_a=each.peak_a if higher else old.peak_a,
            peak_time=each.peak_time if higher else old.peak_time,
            known_h=round(old.known_h + each.known_s / 3600, 2),
        )
    return [totals[phase] for phase in sorted(totals)]


def _peaks(kind: str, days: Sequence[PhaseDay]) -> list[PhasePeak]:
    """Return the highest current and the minutes shed of each day, of a year of each month."""
    found: dict[tuple[date, int], PhasePeak] = {}
    for each in days:
        day = each.day.replace(day=1) if kind == "year" else each.day
        old = found.get((day, each.phase)) or PhasePeak(day, each.phase, None, 0.0, 0)
        peaks = [peak for peak in (old.peak_a, each.peak_a) if peak is not None]
        found[day, each.phase] = PhasePeak(
            day,
            each.phase,
            max(peaks, default=None),
            round(old.shed_minutes + each.shed_minutes, 1),
            old.overruns + each.overruns,
        )
    return list(found.values())
