"""Reads energy, sheds and peaks for pages: by hour, by day, up to a moment."""

from datetime import date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.energy.meters import INJECTED, TOTAL
from collector.energy.tariff import BASE

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_TOTAL: Final = "(period = %(total_period)s) = %(total)s AND period <> %(injected)s"
_HOURS: Final = f"""
    SELECT timestamp, period, sum(wh)::bigint, sum(estimated_wh)::bigint FROM energy_hour
    WHERE meter = %(meter)s AND day >= %(first)s AND day < %(after)s AND {_TOTAL}
    GROUP BY timestamp, period ORDER BY timestamp, period
"""
_UP_TO: Final = f"""
    SELECT sum(wh)::bigint FROM energy_hour
    WHERE meter = %(meter)s AND day >= %(first)s AND day < %(after)s AND {_TOTAL}
        AND timestamp <= %(until)s
"""
_FIRST: Final = "SELECT min(day) FROM energy_hour WHERE meter = %(meter)s"
_PHASES: Final = """
    SELECT phase, day, known_s, peak_a, peak_time, overruns::integer, overrun_s, shed_minutes
    FROM phase_day WHERE day >= %s AND day < %s ORDER BY day, phase
"""
_HEATERS: Final = """
    SELECT codifier, sum(known_s) / 3600, sum(shed_minutes), sum(eco_minutes)
    FROM heater_day WHERE day >= %s AND day < %s GROUP BY codifier ORDER BY codifier
"""


class HourOfPeriod(NamedTuple):
    """Wh of one tariff period in the hour that ends at `end`; `estimated` of them interpolated."""

    end: datetime
    period: str
    wh: int
    estimated: int


class PhaseDay(NamedTuple):
    """A phase on a local day: s known, the highest current (A) and when, overruns, minutes shed."""

    phase: int
    day: date
    known_s: float
    peak_a: float | None
    peak_time: datetime | None
    overruns: int
    overrun_s: float
    shed_minutes: float


class HeaterTime(NamedTuple):
    """A heater over some days: hours known, minutes forced off and held at eco."""

    codifier: str
    known_h: float
    shed_minutes: float
    eco_minutes: float


def hours(
    cursor: "cursor", meter: str, first: date, after: date, *, total: bool
) -> list[HourOfPeriod]:
    """Return the hours of some days; `total` as `collector.energy.money.read_energy` takes it."""
    cursor.execute(_HOURS, _wanted(meter, first, after, total=total))
    return [
        HourOfPeriod(end, BASE if total else period, wh, estimated)
        for end, period, wh, estimated in cursor.fetchall()
    ]


def up_to(
    cursor: "cursor", meter: str, first: date, after: date, until: datetime, *, total: bool
) -> int | None:
    """Return the Wh of some days up to the last hour that ends by `until`; None if none is."""
    cursor.execute(_UP_TO, {**_wanted(meter, first, after, total=total), "until": until})
    wh: int | None = (cursor.fetchone() or (None,))[0]
    return wh


def first_day(cursor: "cursor", meter: str) -> date | None:
    """Return the first local day with known energy."""
    cursor.execute(_FIRST, {"meter": meter})
    day: date | None = (cursor.fetchone() or (None,))[0]
    return day


def phase_days(cursor: "cursor", first: date, after: date) -> list[PhaseDay]:
    """Return the figures of the phases from one day to before another."""
    cursor.execute(_PHASES, (first, after))
    return [PhaseDay(*row) for row in cursor.fetchall()]


def heater_times(cursor: "cursor", first: date, after: date) -> list[HeaterTime]:
    """Return the times that heaters were held from one day to before another."""
    cursor.execute(_HEATERS, (first, after))
    return [HeaterTime(*row) for row in cursor.fetchall()]


def _wanted(meter: str, first: date, after: date, *, total: bool) -> dict[str, object]:
    return {
        "meter": meter,
        "first": first,
        "after": after,
        "total": total,
        "total_period": TOTAL,
        "injected": INJECTED,
    }
