"""Sunrise and sunset of a date at a place: the equations of NOAA's solar calculator. Pure.

They follow Meeus, Astronomical Algorithms, chapter 25 (low accuracy), and are good to a minute
between the polar circles. Rise and set are those of the upper limb with a refraction of 34'.
"""

import datetime
from math import acos, asin, cos, degrees, pi, radians, sin, tan
from typing import Final
from zoneinfo import ZoneInfo

ZENITH_DEG: Final = 90.833
_NOON_J2000: Final = datetime.datetime(2000, 1, 1, 12, tzinfo=datetime.UTC)
_CENTURY_S: Final = 36525 * 86400.0
_MINUTE: Final = datetime.timedelta(minutes=1)


def sun_times(
    date: datetime.date, latitude: float, longitude: float, zone: ZoneInfo
) -> tuple[datetime.time, datetime.time] | None:
    """Return the local times of sunrise and sunset; None where the sun does not rise or set."""
    rise = _event(date, latitude, longitude, -1)
    down = _event(date, latitude, longitude, 1)
    if rise is None or down is None:
        return None
    first, last = (each.astimezone(zone).replace(tzinfo=None).time() for each in (rise, down))
    return first, last


def _event(
    date: datetime.date, latitude: float, longitude: float, sign: int
) -> datetime.datetime | None:
    """Return the moment of sunrise (−1) or sunset (+1), in UTC."""
    midnight = datetime.datetime.combine(date, datetime.time(0), datetime.UTC)
    minutes = 720.0 - 4 * longitude
    for _ in range(3):  # the sun moves while the day passes
        declination, equation_min = _sun(midnight + minutes * _MINUTE)
        cosine = cos(radians(ZENITH_DEG)) / (cos(radians(latitude)) * cos(declination))
        cosine -= tan(radians(latitude)) * tan(declination)
        if not -1 <= cosine <= 1:
            return None
        minutes = 720 - 4 * longitude - equation_min + sign * 4 * degrees(acos(cosine))
    return midnight + minutes * _MINUTE


def _sun(moment: datetime.datetime) -> tuple[float, float]:
    """Return the sun's declination, rad, and the equation of time, min."""
    t = (moment - _NOON_J2000).total_seconds() / _CENTURY_S
    mean = radians((280.46646 + t * (36000.76983 + t * 0.0003032)) % 360)
    anomaly = radians(357.52911 + t * (35999.05029 - 0.0001537 * t))
    eccentricity = 0.016708634 - t * (0.000042037 + 0.0000001267 * t)
    centre = (
        sin(anomaly) * (1.914602 - t * (0.004817 + 0.000014 * t))
        + sin(2 * anomaly) * (0.019993 - 0.000101 * t)
        + sin(3 * anomaly) * 0.000289
    )
    node = radians(125.04 - 1934.136 * t)
    apparent = mean + radians(centre - 0.00569 - 0.00478 * sin(node))
    obliquity = radians(23.439291 - 0.0130042 * t + 0.00256 * cos(node))
    y = tan(obliquity / 2) ** 2
    equation = (
        y * sin(2 * mean)
        - 2 * eccentricity * sin(anomaly)
        + 4 * eccentricity * y * sin(anomaly) * cos(2 * mean)
        - 0.5 * y * y * sin(4 * mean)
        - 1.25 * eccentricity**2 * sin(2 * anomaly)
    )
    return asin(sin(obliquity) * sin(apparent)), 4 * equation * 180 / pi
