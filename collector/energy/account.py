"""The bill of a span of days and its forecast, the same for console and page. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from collector.energy.cost import Bill, Wh, bill, extrapolated
from collector.energy.meters import indexes
from collector.energy.money import Drawn
from collector.energy.tariff import Tariff, on
from collector.statistics.local_days import ONE_DAY, LocalDays
from jph.config.model import Network
from jph.errors import ConfigError

FIRST_YEAR: Final = 1980
"""Meters had no digital output before."""


class Span(NamedTuple):
    """The days from `first` to before `after`, and their name."""

    name: str
    first: date
    after: date


def has_meters(day: date, today: date) -> bool:
    """Return whether a meter can have an index of a day: not before 1980, nor after next year."""
    return FIRST_YEAR <= day.year <= today.year + 1


class Account(NamedTuple):
    """A bill, the energy it is made of, and the forecast of a running span.

    The bill starts at the first day with readings. `sells` is whether a tariff pays for energy that
    is fed in.
    """

    span: Span
    meter: str
    currency: str
    drawn: Drawn
    bill: Bill
    expected: Bill | None
    sells: bool = False


def choose_meter(
    network: Network, tariffs: Sequence[Tariff], wanted: str | None
) -> tuple[str, list[Tariff]]:
    """Return the meter to bill, and its tariffs.

    Raises:
        ConfigError: there is none, or several to choose from.
    """
    known = sorted({index.meter for index in indexes(network)})
    priced = sorted({each.meter for each in tariffs if each.meter})
    choices = [wanted] if wanted else priced or known
    if len(choices) != 1 or choices[0] not in known:
        among = ", ".join(known) or "none: no Teleinfo has an element with a Field like INDEX_HC"
        raise ConfigError(f"say whose energy with --meter; the meters with an index: {among}")
    return choices[0], [each for each in tariffs if each.meter in ("", choices[0])]


def make_account(
    span: Span, meter: str, tariffs: Sequence[Tariff], drawn: Drawn, days: LocalDays, now: datetime
) -> Account:
    """Return the bill of a span up to today, and the forecast of the whole span."""
    today = now.date()
    first = min(max(span.first, drawn.first_day or span.first), span.after)
    until = max(first, min(span.after, today + ONE_DAY))
    total, injected = drawn.total, drawn.injected
    billed = bill(tariffs, drawn.energy, first, until, total=total, injected=injected)
    expected = None
    if span.first <= today < span.after:
        whole = _whole(span, drawn, days, on(tariffs, today))
        if whole is not None:
            expected = bill(tariffs, whole, first, span.after, total=total, injected=injected)
    currency = tariffs[-1].currency if tariffs else ""
    sells = any(each.sale_price is not None for each in tariffs)
    return Account(span, meter, currency, drawn, billed, expected, sells)


def _whole(
    span: Span, drawn: Drawn, days: LocalDays, tariff: Tariff | None
) -> dict[date, dict[str, Wh]] | None:
    """Return the energy of the whole span: the rest continues as under the tariff of today."""
    if drawn.since is None or drawn.until is None:
        return None
    since_ms, until_ms = (round(each.timestamp() * 1000) for each in (drawn.since, drawn.until))
    change = tariff.first if tariff else span.first
    if change <= span.first:
        return extrapolated(drawn.energy, days, since_ms, until_ms, span.after)
    since_ms = max(since_ms, days.midnight_ms(change))
    present = {day: periods for day, periods in drawn.energy.items() if day >= change}
    whole = extrapolated(present, days, since_ms, until_ms, span.after)
    past: dict[date, dict[str, Wh]] = {
        day: dict(each) for day, each in drawn.energy.items() if day < change
    }
    return None if whole is None else {**past, **whole}
