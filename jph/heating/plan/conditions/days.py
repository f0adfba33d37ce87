"""Calendars: public holidays and school holidays from well-kept libraries, and the sun.

The libraries load when a rule first needs them. A date that a library does not know is "not
known", never "no holiday".
"""

import datetime
import importlib
import importlib.util
from collections.abc import Sequence
from functools import cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from jph.errors import ConfigError
from jph.extras import advice
from jph.heating.plan.conditions.inputs import Days
from jph.heating.plan.conditions.rules import Rule
from jph.heating.plan.conditions.sun import sun_times

ALSACE_MOSELLE: Final = "FR-AM"
"""Two further holidays: Good Friday and the second day of Christmas."""
_FIRST_YEAR: Final = 1945
_LAST_YEAR: Final = 2100


class Place(NamedTuple):
    """The place of the house: degrees north and east, and its time zone."""

    latitude: float
    longitude: float
    zone: ZoneInfo


def days_of(
    holidays: str, school_zone: str, rules: Sequence[Rule], place: Place | None = None
) -> Days:
    """Return the calendars of a country code (`FR`, `FR-AM`; empty: none) and a school zone.

    A calendar that no rule needs is not loaded: nothing is known of its days. The sun of a place
    that is not given is not known.

    Raises:
        ConfigError: a rule needs a calendar whose library is not installed.
    """
    if not any(r.when.holiday is not None or r.when.eve is not None for r in rules):
        holidays = ""
    if not any(r.when.school is not None for r in rules):
        school_zone = ""
    for wanted, library in ((holidays, "holidays"), (school_zone, "vacances_scolaires_france")):
        if wanted and importlib.util.find_spec(library) is None:
            raise ConfigError(advice("a rule on holidays", [library]))

    @cache
    def of_year(year: int) -> frozenset[datetime.date]:
        return frozenset(_holidays_of(holidays, year))

    def holiday(date: datetime.date) -> bool | None:
        if not holidays or not _FIRST_YEAR <= date.year <= _LAST_YEAR:
            return None
        return date in of_year(date.year)

    def school(date: datetime.date) -> bool | None:
        return _school_holiday(date, school_zone) if school_zone else None

    @cache
    def sun(date: datetime.date) -> tuple[datetime.time, datetime.time] | None:
        return None if place is None else sun_times(date, *place)

    return Days(holiday, school, sun)


def _holidays_of(code: str, year: int) -> list[datetime.date]:
    library = importlib.import_module("holidays")
    country, _, part = code.partition("-")
    subdivision = {"AM": "57"}.get(part, part) or None
    found: dict[datetime.date, str] = library.country_holidays(
        country, subdiv=subdivision, years=year
    )
    return list(found)


@cache
def _school_dates() -> tuple[Any, datetime.date]:
    """Return the data of the school holidays, and the last date that they have."""
    dates = importlib.import_module("vacances_scolaires_france").SchoolHolidayDates()
    return dates, max(dates.data)


def _school_holiday(date: datetime.date, zone: str) -> bool | None:
    """Say whether a date is in the school holidays of a zone (A, B, C); None beyond the data.

    The last year of the data may be published in part only, so it ends with its last holiday.
    """
    dates, last = _school_dates()
    if date > last or date.year < dates.min_year:
        return None
    return bool(dates.is_holiday_for_zone(date, zone))
