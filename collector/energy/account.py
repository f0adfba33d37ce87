"""Cost of a span of days, so far and estimated to its end, for console and page. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import NamedTuple

from collector.energy.cost import Bill, Wh, bill, extrapolated
from collector.energy.meters import indexes
from collector.energy.money import Drawn
from collector.energy.tariff import Tariff
from collector.statistics.local_days import ONE_DAY, LocalDays
from jph.config.model import Network
from jph.errors import ConfigError


class Span(NamedTuple):
    """The days from `first` to before `after`, and what they are called."""

    name: str
    first: date
    after: date


class Account(NamedTuple):
    """A bill, what it was made of, and that of the whole span while it is running."""

    span: Span
    meter: str
    currency: str
    drawn: Drawn
    bill: Bill
    expected: Bill | None


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
    """Return the bill of a span up to today, and what the whole may come to."""
    today = now.date()
    until = max(span.first, min(span.after, today + ONE_DAY))
    billed = bill(tariffs, drawn.energy, span.first, until)
    expected = None
    if span.first <= today < span.after:
        whole = _whole(span, drawn, days)
        expected = bill(tariffs, whole, span.first, span.after) if whole else None
    currency = tariffs[-1].currency if tariffs else ""
    return Account(span, meter, currency, drawn, billed, expected)


def _whole(span: Span, drawn: Drawn, days: LocalDays) -> dict[date, dict[str, Wh]] | None:
    if drawn.since is None or drawn.until is None:
        return None
    since_ms, until_ms = (round(each.timestamp() * 1000) for each in (drawn.since, drawn.until))
    return extrapolated(drawn.energy, days, since_ms, until_ms, span.after)
