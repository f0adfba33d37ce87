"""Facts for rules and rooms, from the values heard on the bus: an old value is not known. Pure."""

import datetime
from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from jph.heating.plan.conditions.calendar import IsDay, is_eve, tempo_date
from jph.heating.plan.conditions.rules import Facts, RoomFacts

MOTION_MS: Final = 900_000
"""Motion counts for a quarter of an hour: people who read or sleep do not move."""
PERIOD_LIMIT_S: Final = 900.0
"""A meter sends its period with each frame: without one for so long it is not known."""
_COLOURS: Final = {
    "bleu": "blue",
    "blue": "blue",
    "blan": "white",
    "blanc": "white",
    "white": "white",
    "roug": "red",
    "rouge": "red",
    "red": "red",
    "1": "blue",
    "2": "white",
    "3": "red",
}
"""Words and numbers that meters use for the colour of a Tempo day (STGE, DEMAIN)."""


class HeardValue(NamedTuple):
    """A value and when it was measured, ms since 1970."""

    value: float | str
    at_ms: int


class Sources(NamedTuple):
    """Codifiers that rules look at; empty: none."""

    tempo: str = ""
    tomorrow: str = ""
    period: str = ""
    surplus: str = ""
    presence: tuple[str, ...] = ()
    rooms: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    """Room → its sensors of presence and of motion."""


class Days(NamedTuple):
    """Calendars: functions of a date that return None for "not known"."""

    holiday: IsDay
    school: IsDay
    sun: Callable[[datetime.date], tuple[datetime.time, datetime.time] | None]


def colour_of(value: float | str) -> str | None:
    """Return the colour of a Tempo day; None for any other text."""
    text = value if isinstance(value, str) else f"{value:g}"
    return _COLOURS.get(text.strip().casefold())


class Inputs:
    """The newest values of the codifiers that rules and rooms look at.

    `limits_s` is the age up to which the value of a codifier counts; 0 for one that sends only
    changes, which counts for ever.
    """

    def __init__(self, limits_s: Mapping[str, float]) -> None:
        self._limits_s = limits_s
        self._heard: dict[str, HeardValue] = {}
        self._on_ms: dict[str, int] = {}

    def take(self, codifier: str, value: float | str, at_ms: int) -> bool:
        """Keep a value; return whether it differs from the one before."""
        if codifier not in self._limits_s:
            return False
        before = self._heard.get(codifier)
        if before is not None and before.at_ms > at_ms:
            return False
        if isinstance(value, int | float) and value != 0:
            self._on_ms[codifier] = at_ms
        elif before is not None and before.value not in (0, ""):
            self._on_ms[codifier] = at_ms  # it was on until now
        self._heard[codifier] = HeardValue(value, at_ms)
        return before is None or before.value != value

    def fresh(self, codifier: str, now_ms: int) -> float | str | None:
        """Return the value of a codifier; None if it is not known now."""
        heard = self._heard.get(codifier)
        if heard is None:
            return None
        limit_s = self._limits_s.get(codifier, 0.0)
        return None if 0 < limit_s < (now_ms - heard.at_ms) / 1000 else heard.value

    def age_s(self, codifier: str, now_ms: int) -> float | None:
        """Return the age of a codifier's value."""
        heard = self._heard.get(codifier)
        return None if heard is None else (now_ms - heard.at_ms) / 1000

    def any_on(self, codifiers: Iterable[str], now_ms: int) -> bool | None:
        """Say whether one of some codifiers is not 0; None if none is and one is not known."""
        values = [self.fresh(codifier, now_ms) for codifier in codifiers]
        if any(isinstance(value, int | float) and value != 0 for value in values):
            return True
        return None if None in values else False

    def any_lately(self, codifiers: Iterable[str], now_ms: int) -> bool | None:
        """Say whether one of some codifiers was not 0 within `MOTION_MS`; None: not known."""
        listed = list(codifiers)
        if any(now_ms - self._on_ms[code] < MOTION_MS for code in listed if code in self._on_ms):
            return True
        return self.any_on(listed, now_ms)

    def facts(
        self,
        at: datetime.datetime,
        now_ms: int,
        sources: Sources,
        days: Days,
        *,
        away: bool,
        zone: ZoneInfo,
    ) -> Facts:
        """Return the facts at local time `at`; values are those of now."""
        today = at.date()
        same_tempo_day = tempo_date(_local(now_ms, zone)) == tempo_date(at)
        colour = self._colour(sources.tempo if same_tempo_day else sources.tomorrow, now_ms)
        sun = days.sun(today)
        period = self.fresh(sources.period, now_ms)
        surplus = self.fresh(sources.surplus, now_ms)
        moving = [code for _, motion in sources.rooms.values() for code in motion]
        return Facts(
            at=at,
            holiday=days.holiday(today),
            eve=is_eve(days.holiday, today),
            school=days.school(today),
            away=away,
            presence=self.any_on(sources.presence, now_ms) if sources.presence else None,
            motion=self.any_lately(moving, now_ms) if moving else None,
            tempo=colour,
            tomorrow=self._colour(sources.tomorrow, now_ms) if same_tempo_day else None,
            period=period if isinstance(period, str) else None,
            surplus=surplus > 0 if isinstance(surplus, int | float) else None,
            sunrise=sun[0] if sun else None,
            sunset=sun[1] if sun else None,
            values={
                codifier: value
                for codifier in self._heard
                if isinstance(value := self.fresh(codifier, now_ms), int | float)
            },
            rooms={
                name: RoomFacts(
                    self.any_on(presence, now_ms) if presence else None,
                    self.any_lately(motion, now_ms) if motion else None,
                )
                for name, (presence, motion) in sources.rooms.items()
            },
        )

    def _colour(self, codifier: str, now_ms: int) -> str | None:
        value = self.fresh(codifier, now_ms)
        return None if value is None else colour_of(value)


def _local(now_ms: int, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(now_ms / 1000, zone).replace(tzinfo=None)
