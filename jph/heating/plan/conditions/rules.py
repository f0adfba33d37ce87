"""Rules: which schedule holds and which limit, by the kind of day, the tariff and values. Pure.

A condition that is not known does not hold, and the rule says so. Rules have fixed words and no
expressions.
"""

import datetime
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from jph.config.settings import described
from jph.heating.plan.conditions.calendar import ONE_DAY


class When(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """The conditions of a rule; all that are given must hold."""

    holiday: Annotated[bool | None, described("a public holiday")] = None
    eve: Annotated[bool | None, described("the day before a public holiday")] = None
    school: Annotated[bool | None, described("a day of school holidays")] = None
    from_: Annotated[datetime.date | None, described("the first date, ISO")] = msgspec.field(
        name="From", default=None
    )
    until: Annotated[datetime.date | None, described("the last date, included")] = None
    days: Annotated[tuple[str, ...] | None, described("days of the week, 1 is Monday")] = None
    away: Annotated[bool | None, described("an absence is running")] = None
    presence: Annotated[bool | None, described("people are at home")] = None
    motion: Annotated[bool | None, described("something has moved lately")] = None
    tempo: Annotated[str | None, described("colour of the Tempo day: blue, white or red")] = None
    tomorrow: Annotated[str | None, described("colour of the next Tempo day")] = None
    period: Annotated[str | None, described("tariff period, such as HP or HC")] = None
    surplus: Annotated[bool | None, described("solar power is being fed in")] = None
    after: Annotated[str | None, described("from this time of day on, or sunrise or sunset")] = None
    before: Annotated[str | None, described("until this time of day, or sunrise or sunset")] = None
    codifier: Annotated[
        dict[str, float] | None, described("codifier to the number it must have")
    ] = None


class Rule(msgspec.Struct, frozen=True, rename="pascal", forbid_unknown_fields=True):
    """Use a schedule, or cap the wishes of all rooms but some, while its conditions hold."""

    when: Annotated[When, described("the conditions, all of them")] = When()
    name: Annotated[str, described("name of the rule")] = ""
    use: Annotated[str | None, described("the schedule that holds; empty for none")] = None
    at_most: Annotated[float | str | None, described("highest temperature, or an order", "°C")] = (
        None
    )
    except_: Annotated[tuple[str, ...], described("rooms that AtMost does not limit")] = (
        msgspec.field(name="Except", default=())
    )


class RoomFacts(msgspec.Struct, frozen=True):
    """What a room's own sensors say; None: it has none, or they are not known."""

    presence: bool | None = None
    motion: bool | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at a local time; None: not known.

    Attributes:
        at: local wall time.
        values: codifier → its number, only while it is fresh.
        sunrise: local time of today's sunrise; `sunset` likewise.
        rooms: rooms with sensors of their own, which count for the limits of that room.
    """

    at: datetime.datetime
    holiday: bool | None = None
    eve: bool | None = None
    school: bool | None = None
    away: bool = False
    presence: bool | None = None
    motion: bool | None = None
    tempo: str | None = None
    tomorrow: str | None = None
    period: str | None = None
    surplus: bool | None = None
    sunrise: datetime.time | None = None
    sunset: datetime.time | None = None
    values: Mapping[str, float] = {}
    rooms: Mapping[str, RoomFacts] = {}

    def in_room(self, room: str) -> "Facts":
        """Return the facts with what the sensors of a room say instead of those of the house."""
        own = self.rooms.get(room)
        if own is None:
            return self
        presence = self.presence if own.presence is None else own.presence
        motion = self.motion if own.motion is None else own.motion
        return msgspec.structs.replace(self, presence=presence, motion=motion)


_SAME: Final = ("holiday", "eve", "school", "away", "presence", "motion")
_WORDS: Final = ("tempo", "tomorrow", "period")
"""Conditions that hold when the fact is equal."""


def holds(when: When, facts: Facts) -> bool | None:
    """Say whether all conditions hold; None if one of them is not known and none is false."""
    answers = list(_answers(when, facts))
    if False in answers:
        return False
    return None if None in answers else True


def _answers(when: When, facts: Facts) -> list[bool | None]:
    found: list[bool | None] = []
    for name in (*_SAME, *_WORDS, "surplus"):
        wanted: Any = getattr(when, name)
        if wanted is not None:
            known = getattr(facts, name)
            found.append(None if known is None else known == wanted)
    date = facts.at.date()
    if when.from_ is not None:
        found.append(date >= when.from_)
    if when.until is not None:
        found.append(date < when.until + ONE_DAY)
    if when.days is not None:
        found.append(str(date.isoweekday()) in when.days)
    found.extend(_times(when, facts))
    for codifier, number in (when.codifier or {}).items():
        value = facts.values.get(codifier)
        found.append(None if value is None else value == number)
    return found


def _times(when: When, facts: Facts) -> list[bool | None]:
    """Judge `after` and `before`: a span that ends before it begins runs over midnight."""
    if when.after is None and when.before is None:
        return []
    start = time_of(when.after or "00:00", facts)
    end = time_of(when.before, facts) if when.before is not None else datetime.time.max
    if start is None or end is None:
        return [None]
    now = facts.at.time()
    return [start <= now < end if start <= end else now >= start or now < end]


def time_of(text: str, facts: Facts) -> datetime.time | None:
    """Return the local time that a text stands for; None where sunrise or sunset is not known."""
    if text in ("sunrise", "sunset"):
        return facts.sunrise if text == "sunrise" else facts.sunset
    return datetime.time.fromisoformat(text)


def schedule_in_force(rules: Sequence[Rule], facts: Facts) -> Rule | None:
    """Return the first rule that chooses a schedule and holds."""
    return next((rule for rule in rules if rule.use is not None and holds(rule.when, facts)), None)


def cap_of(
    rules: Sequence[Rule], facts: Facts, room: str, degrees: Mapping[str, float]
) -> tuple[float | str, str] | None:
    """Return the lowest limit that holds for a room, and the name of its rule.

    A condition on presence or motion is judged by the room's own sensors, if it has some.
    """
    facts = facts.in_room(room)
    caps = [
        (rule.at_most, rule.name)
        for rule in rules
        if rule.at_most is not None and room not in rule.except_ and holds(rule.when, facts)
    ]

    def height(cap: tuple[float | str, str]) -> float:
        return degrees[cap[0]] if isinstance(cap[0], str) else cap[0]

    return min(caps, key=height, default=None)


def unknown_conditions(rules: Sequence[Rule], facts: Facts) -> list[Rule]:
    """Return the rules that may hold, but whose conditions are not known."""
    return [rule for rule in rules if holds(rule.when, facts) is None]
