"""Prices of electricity from the config's `Tariffs`: typed, checked, with dates of validity.

Amounts are read as the decimals that are written, never as binary floats: 0.2065 is 2065/10000.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

import msgspec

from jph.config.validation import read_struct
from jph.devices.tic.fields import INDEXES, index_field
from jph.errors import ConfigError, Problem

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

Amount = str | int | float
"""A decimal number; best as text."""


class Tax(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """One tax: so much per kWh, or per month, or percent of the lines named in `Of`.

    `Of` names `Subscription`, `Energy` (all periods together) or taxes further up.
    """

    name: str
    per_kwh: Amount | None = msgspec.field(default=None, name="PerKWh")
    per_month: Amount | None = None
    percent: Amount | None = None
    of: list[str] = []

    def __post_init__(self) -> None:
        if len(self._rates()) != 1:
            raise ValueError("expected one of PerKWh, PerMonth and Percent")
        exact(self._rates()[0], self.name)
        if (self.percent is not None) != bool(self.of):
            raise ValueError("Of: expected with Percent, the lines it is taken of, and only there")

    @property
    def rate(self) -> Fraction:
        """The amount per kWh or month, or the percentage."""
        return exact(self._rates()[0], self.name)

    def _rates(self) -> list[Amount]:
        return [key for key in (self.per_kwh, self.per_month, self.percent) if key is not None]


class Tariff(msgspec.Struct, rename="pascal", frozen=True, kw_only=True):
    """What a contract costs from the day `From` to the day `Until`, both included.

    `subscription` is per month by power in kVA, `prices` per kWh by period. `meter` is the node
    whose indexes are priced; it may be left out where there is one meter.
    """

    name: str
    since: str = msgspec.field(name="From")
    until: str = "9999-12-30"
    power: Amount
    subscription: dict[str, Amount]
    prices: dict[str, Amount]
    taxes: list[Tax] = []
    currency: str = "EUR"
    meter: str = ""

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"Until: {self.until} is before From, {self.since}")
        for key, amounts in (("Subscription", self.subscription), ("Prices", self.prices)):
            for name, amount in amounts.items():
                if exact(amount, f"{key}.{name}") < 0:
                    raise ValueError(f"{key}.{name}: expected 0 or more, found {amount}")
        if exact(self.power, "Power") not in self._by_power():
            powers = ", ".join(self.subscription)
            raise ValueError(f"Subscription: none for Power {self.power} (there are: {powers})")
        if not self.prices:
            raise ValueError("Prices: expected at least one period")
        if unknown := [name for name in self.prices if name not in PERIODS]:
            raise ValueError(f"Prices: no period {unknown[0]!r}; known: {', '.join(PERIODS)}")
        known = {SUBSCRIPTION, ENERGY}
        for tax in self.taxes:
            if tax.name in {*known, *PERIODS}:
                raise ValueError(f"Taxes: {tax.name!r} is the name of another line")
            if wrong := [name for name in tax.of if name not in known]:
                raise ValueError(f"Taxes[{tax.name}].Of: no line {wrong[0]!r} further up")
            known.add(tax.name)

    @property
    def first(self) -> date:
        """The first day."""
        return _day(self.since, "From")

    @property
    def last(self) -> date:
        """The last day."""
        return _day(self.until, "Until")

    @property
    def contract_va(self) -> int:
        """The power that is subscribed, VA."""
        return int(exact(self.power, "Power") * 1000)

    @property
    def monthly(self) -> Fraction:
        """The subscription of a month."""
        return self._by_power()[exact(self.power, "Power")]

    def price(self, period: str) -> Fraction | None:
        """Return what a kWh costs in a period; a price of BASE alone is that of every period."""
        if period in self.prices:
            return exact(self.prices[period], period)
        return exact(self.prices[BASE], BASE) if set(self.prices) == {BASE} else None

    def _by_power(self) -> dict[Fraction, Fraction]:
        return {
            exact(power, "Subscription"): exact(amount, f"Subscription.{power}")
            for power, amount in self.subscription.items()
        }


def exact(amount: Amount, name: str) -> Fraction:
    """Return the decimal that is written; `name` says in an error what it is.

    Raises:
        ValueError: it is no finite number.
    """
    try:
        return Fraction(Decimal(str(amount)))
    except (InvalidOperation, ValueError, OverflowError):
        raise ValueError(f"{name}: expected a decimal number, found {amount!r}") from None


def read(raw: Sequence[Any]) -> tuple[Tariff, ...]:
    """Return the tariffs of a config, the oldest first.

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
            tariffs.append(tariff)
    tariffs.sort(key=lambda tariff: (tariff.meter, tariff.first))
    problems += _overlaps(tariffs)
    if problems:
        raise ConfigError("the tariffs have mistakes:", problems)
    return tuple(tariffs)


def check(raw: Sequence[Any]) -> Sequence[Problem]:
    """Return the mistakes in the tariffs of a config."""
    try:
        read(raw)
    except ConfigError as error:
        return error.problems
    return ()


def on(tariffs: Iterable[Tariff], day: date) -> Tariff | None:
    """Return the tariff in force on a day, if there is one."""
    return next((tariff for tariff in tariffs if tariff.first <= day <= tariff.last), None)


def _overlaps(tariffs: Sequence[Tariff]) -> Iterator[Problem]:
    for before, after in pairwise(tariffs):
        if before.meter == after.meter and after.first <= before.last:
            hint = f"{before.name!r} is in force until {before.until}: give it an earlier Until"
            yield Problem(f"Tariffs[{after.name}].From", hint)


def _day(text: str, name: str) -> date:
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{name}: expected a day like 2026-08-01, found {text!r}") from None
