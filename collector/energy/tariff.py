"""The config's `Tariffs`: typed, checked, with dates of validity. Pure.

Amounts are read as the decimals that are written, never as binary floats: 0.2065 is 2065/10000.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import msgspec

from jph.config.validation import read_struct
from jph.devices.tic.fields import INDEXES, index_field
from jph.errors import ConfigError, Problem

NUMBERED: Final = tuple(f"EASF{number:02}" for number in range(1, 11))
"""Indexes of a supplier that no other name is known of."""
PERIODS: Final = tuple(
    str(index_field(label, None)).removeprefix("INDEX_")
    for labels in INDEXES.values()
    for label in labels
)
"""BASE; HC, HP; HN, PM (EJP); HCJB, HPJB, HCJW, HPJW, HCJR, HPJR (Tempo)."""
BASE: Final = "BASE"
ENERGY: Final = "Energy"
SUBSCRIPTION: Final = "Subscription"
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?")
_NUMBER_INSIDE: Final = re.compile(r"\d*[.,]?\d+")
_HIGHEST_PRICE: Final = 5
_NO_NAME: Final = re.compile(r"[^A-Z0-9]+")
_EURO: Final = "EUR"

Amount = str | int | float
"""A decimal number; best as text."""


class Tax(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """One tax: an amount per kWh or per month, or a percentage of the lines named in `Of`.

    `Of` names `Subscription`, `Energy` (all periods together) or taxes further up. Two taxes may
    have one name.
    """

    name: str
    per_kwh: Any = msgspec.field(default=None, name="PerKWh")
    per_month: Any = None
    percent: Any = None
    of: list[str] = []

    @property
    def rate(self) -> Fraction:
        """The amount per kWh or month, or the percentage."""
        return exact(next(iter(self.rates().values())))

    def rates(self) -> dict[str, Any]:
        """Return the amounts that are set, by key; a valid tax has one."""
        named = {"PerKWh": self.per_kwh, "PerMonth": self.per_month, "Percent": self.percent}
        return {key: amount for key, amount in named.items() if amount is not None}


class Tariff(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """The prices of a contract from the day `From` to the day `Until`, both included.

    `subscription` is per month by power in kVA, `prices` per kWh by period, `sale` the price of a
    kWh that is fed in. `meter` is the node whose indexes are priced; it is not needed where there
    is one meter.
    """

    name: str
    since: str = msgspec.field(name="From")
    until: str = "9999-12-30"
    power: Any
    subscription: dict[str, Any]
    prices: dict[str, Any]
    sale: Any = None
    taxes: list[Tax] = []
    currency: str = _EURO
    meter: str = ""

    @property
    def first(self) -> date:
        """The first day."""
        return _day(self.since)

    @property
    def last(self) -> date:
        """The last day."""
        return _day(self.until)

    @property
    def contract_va(self) -> int:
        """The subscribed power, VA."""
        return int(exact(self.power) * 1000)

    @property
    def monthly(self) -> Fraction:
        """The subscription of a month."""
        power = exact(self.power)
        return next(exact(each) for key, each in self.subscription.items() if exact(key) == power)

    def price(self, period: str) -> Fraction | None:
        """Return the price of a kWh in a period; a price of BASE alone is that of every period."""
        for name, price in self.prices.items():
            if period_name(name) == period:
                return exact(price)
        return exact(self.prices[BASE]) if set(self.prices) == {BASE} else None

    @property
    def sale_price(self) -> Fraction | None:
        """The price of a kWh that is fed in, if there is one."""
        return None if self.sale is None else exact(self.sale)


def period_name(name: str) -> str:
    """Return the name of a period as in the field of its index: `HEURE_WEEK_END`."""
    return _NO_NAME.sub("_", name.upper()).strip("_") if name not in PERIODS else name


def exact(amount: Any) -> Fraction:  # noqa: ANN401 - as it stands in the config
    """Return the decimal that is written.

    Raises:
        ValueError: it is no finite decimal number; says what to write.
    """
    if isinstance(amount, str):
        if _DECIMAL.fullmatch(amount.strip()):
            return Fraction(amount.strip())
        raise ValueError(f"expected a decimal number, found {amount!r}{_suggestion(amount)}")
    try:
        if isinstance(amount, bool) or not isinstance(amount, int | float):
            raise ValueError
        return Fraction(Decimal(str(amount)))
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"expected a decimal number, found {amount!r}") from None


def _suggestion(amount: str) -> str:
    """Return what the text may mean, in words."""
    found = _NUMBER_INSIDE.findall(amount)
    if len(found) != 1 or "_" in amount:
        return ": write digits and a point only" if amount else ": it is empty"
    number = found[0].replace(",", ".")
    return f": write {'0' * number.startswith('.')}{number}"


def read(raw: Sequence[Any], periods: Collection[str] = ()) -> tuple[Tariff, ...]:
    """Return the tariffs of a config, the oldest first.

    `periods` are the names of periods that the meters of this house have beside PERIODS.

    Raises:
        ConfigError: with every mistake.
    """
    problems: list[Problem] = []
    tariffs = []
    for index, entry in enumerate(raw):
        label = entry.get("Name") if isinstance(entry, dict) else None
        path = f"Tariffs[{label if isinstance(label, str) else index}]"
        tariff = read_struct(Tariff, entry, path, problems)
        if tariff is not None:
            found = list(_mistakes(tariff, path, {*PERIODS, *NUMBERED, *periods}))
            problems += found
            if not found:
                tariffs.append(tariff)
    tariffs.sort(key=lambda tariff: (tariff.meter, tariff.first))
    problems += _overlaps(tariffs)
    if problems:
        raise ConfigError("the tariffs have mistakes:", problems)
    return tuple(tariffs)


def check(raw: Sequence[Any], periods: Collection[str] = ()) -> Sequence[Problem]:
    """Return the mistakes in the tariffs of a config."""
    try:
        read(raw, periods)
    except ConfigError as error:
        return error.problems
    return ()


def on(tariffs: Iterable[Tariff], day: date) -> Tariff | None:
    """Return the tariff in force on a day, if there is one."""
    return next((tariff for tariff in tariffs if tariff.first <= day <= tariff.last), None)


def _mistakes(tariff: Tariff, path: str, periods: Collection[str]) -> Iterator[Problem]:
    yield from _wrong_days(tariff, path)
    amounts = {"Power": tariff.power, "Sale": tariff.sale}
    amounts |= {f"Subscription.{power}": each for power, each in tariff.subscription.items()}
    amounts |= {f"Prices.{period}": each for period, each in tariff.prices.items()}
    for key, amount in amounts.items():
        if key == "Sale" and amount is None:
            continue
        per_kwh = key == "Sale" or key.startswith("Prices.")
        if message := _wrong_amount(amount, tariff.currency, per_kwh=per_kwh):
            yield Problem(f"{path}.{key}", message)
    yield from _wrong_power(tariff, path)
    if not tariff.prices:
        yield Problem(f"{path}.Prices", "expected at least one period")
    for name in tariff.prices:
        if period_name(name) not in periods or (name != name.upper() and name.upper() in periods):
            meant = period_name(name)
            hint = f"; did you mean {meant!r}?" if meant in periods else ""
            known = ", ".join(sorted(periods))
            yield Problem(f"{path}.Prices", f"no period {name!r}{hint}; known: {known}")
    yield from _wrong_taxes(tariff, path, periods)


def _wrong_days(tariff: Tariff, path: str) -> Iterator[Problem]:
    days = []
    for key, text in (("From", tariff.since), ("Until", tariff.until)):
        try:
            days.append(_day(text))
        except ValueError as error:
            yield Problem(f"{path}.{key}", str(error))
    if len(days) == 2 and days[1] < days[0]:
        yield Problem(f"{path}.Until", f"{tariff.until} is before From, {tariff.since}")


def _wrong_amount(amount: object, currency: str, *, per_kwh: bool) -> str:
    """Return what is wrong with an amount, "" if nothing."""
    try:
        number = exact(amount)
    except ValueError as error:
        return str(error)
    if number < 0:
        return f"expected 0 or more, found {amount}"
    if per_kwh and currency == _EURO and number > _HIGHEST_PRICE:
        hint = f"is it in cents? Then write {float(number / 100):g}"
        return f"{amount} EUR per kWh is more than any contract costs: {hint}"
    return ""


def _wrong_power(tariff: Tariff, path: str) -> Iterator[Problem]:
    powers = set()
    for power in tariff.subscription:
        try:
            powers.add(exact(power))
        except ValueError as error:
            yield Problem(f"{path}.Subscription", f"the power {power!r}: {error}")
    try:
        wanted = exact(tariff.power)
    except ValueError:
        return
    if wanted not in powers:
        known = ", ".join(tariff.subscription)
        yield Problem(f"{path}.Subscription", f"none for Power {tariff.power} (there are: {known})")


def _wrong_taxes(tariff: Tariff, path: str, periods: Collection[str]) -> Iterator[Problem]:
    known = {SUBSCRIPTION, ENERGY}
    for index, tax in enumerate(tariff.taxes):
        where = f"{path}.Taxes[{index}]"
        rates = tax.rates()
        if len(rates) != 1:
            yield Problem(where, "expected one of PerKWh, PerMonth and Percent")
        for key, amount in rates.items():
            try:
                exact(amount)
            except ValueError as error:
                yield Problem(f"{where}.{key}", str(error))
        if (tax.percent is not None) != bool(tax.of):
            yield Problem(
                where, "Of: expected with Percent, and only there: the lines it is taken of"
            )
        if tax.name in {SUBSCRIPTION, ENERGY, *periods}:
            yield Problem(where, f"{tax.name!r} is the name of another line")
        for name in tax.of:
            if name not in known:
                yield Problem(f"{where}.Of", f"no line {name!r} further up")
        known.add(tax.name)


def _overlaps(tariffs: Sequence[Tariff]) -> Iterator[Problem]:
    for before, after in pairwise(tariffs):
        if before.meter == after.meter and after.first <= before.last:
            hint = f"{before.name!r} is in force until {before.until}: give it an earlier Until"
            yield Problem(f"Tariffs[{after.name}].From", hint)


def _day(text: str) -> date:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"expected a day like 2026-08-01, found {text!r}") from None
