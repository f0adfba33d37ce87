"""The wish of every room now, and its next changes: the plan applied to what is known. Pure."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from jph.heating.plan.conditions import rules as rule_book
from jph.heating.plan.conditions.calendar import ONE_DAY, TEMPO_DAY_BEGINS, instant_of, wall_time
from jph.heating.plan.conditions.rules import Facts, Rule
from jph.heating.plan.document.check import Tree, schedule_named
from jph.heating.plan.evaluation import timeline
from jph.heating.plan.evaluation.lead import Due, Rate, by_moments, due_values, lead_ms
from jph.heating.plan.evaluation.value import Scheduled, Week
from jph.heating.plan.evaluation.wish import (
    DEGREES,
    Decision,
    Degrees,
    Limits,
    Wish,
    decide,
    degrees_of,
)
from jph.heating.plan.evaluation.wishes import Absence, absence_of, running_wish

FactsAt = Callable[[datetime.datetime], Facts]
"""Returns what is known at a local wall time."""


class PlannedRoom(msgspec.Struct, frozen=True):
    """A room as the plan sees it.

    Attributes:
        name: its name in the document.
        default: what it has without any other wish.
        limits: its minimum, maximum, frost floor and window temperature.
        k_per_h: how fast it is taken to warm up while nothing is learned.
    """

    name: str
    default: Wish = Wish("comfort")
    limits: Limits = Limits()
    k_per_h: float = 1.0


class Warmth(msgspec.Struct, frozen=True):
    """What is known of a room's temperature and of how fast it warms up."""

    temperature_c: float | None = None
    rate: Rate = Rate()


class Coming(msgspec.Struct, frozen=True):
    """A change of a room's wish."""

    at_ms: int
    room: str
    decision: Decision


_UNKNOWN: Final = Warmth()
_INSTANT: Final = datetime.timedelta(milliseconds=1)


class Planner:
    """Evaluates a document for rooms.

    Attributes:
        rooms: by name.
        zone: the time zone of the house.
        week: the letter of a week.
        rules: in order; the first one that holds chooses the schedule.
        degrees: order → °C.
        warmth: room → what is known of its warmth; the caller keeps it new.
    """

    def __init__(
        self,
        rooms: Sequence[PlannedRoom],
        zone: ZoneInfo,
        week: Week,
        rules: Sequence[Rule] = (),
        degrees: Degrees = DEGREES,
    ) -> None:
        self.rooms = {room.name: room for room in rooms}
        self.zone = zone
        self.week = week
        self.rules = rules
        self.degrees = degrees
        self.warmth: dict[str, Warmth] = {}

    def decide(
        self, document: Tree, now_ms: int, facts: Facts, windows: Mapping[str, bool | None]
    ) -> dict[str, Decision]:
        """Return the wish in force of every room; `windows` are those that are open, by room."""
        scheduler = self.scheduler_in_force(document["scheduler"], facts)
        now = _moment(now_ms)
        values = timeline.values_at(scheduler, now, self.zone, self.week)
        due = due_values(scheduler, now, self.zone, self.week)
        absence = absence_of(document)
        if absence is not None and absence.holds(now_ms):
            due = self._due_at_return(scheduler, absence)
        return {
            name: self._decide(
                document,
                room,
                now_ms,
                facts,
                values.get(name),
                windows.get(name),
                due.get(name, ()),
            )
            for name, room in self.rooms.items()
        }

    def _due_at_return(self, scheduler: Tree, absence: Absence) -> dict[str, list[Due]]:
        """Return what the plan has for each room when people are back."""
        if absence.until_ms is None:
            return {}
        back = _moment(absence.until_ms)
        then = timeline.values_at(scheduler, back, self.zone, self.week)
        return {name: [Due(back, value)] for name, value in then.items()}

    def scheduler_in_force(self, scheduler: Tree, facts: Facts) -> Tree:
        """Return the scheduler with the schedule that the rules choose, if one does."""
        rule = rule_book.schedule_in_force(self.rules, facts)
        if rule is None or (rule.use and schedule_named(scheduler, rule.use) is None):
            return scheduler
        return {**scheduler, "active_schedule": rule.use or None}

    def at(
        self,
        document: Tree,
        at_ms: int,
        facts_at: FactsAt,
        windows: Mapping[str, bool | None],
    ) -> dict[str, Decision]:
        """Return the wish of every room at a moment."""
        return self.decide(document, at_ms, self._facts(facts_at, at_ms), windows)

    def coming(
        self,
        document: Tree,
        start_ms: int,
        end_ms: int,
        facts_at: FactsAt,
        windows: Mapping[str, bool | None],
    ) -> Iterator[Coming]:
        """Yield each change of a room's wish after `start_ms`, in order of time.

        Conditions on values are taken to stay as they are; those of the calendar are evaluated.
        """
        now = self.at(document, start_ms, facts_at, windows)
        for at_ms in self._moments(document, start_ms, end_ms, facts_at):
            then = self.at(document, at_ms, facts_at, windows)
            for name, decision in then.items():
                if decision.value != now[name].value:
                    yield Coming(at_ms, name, decision)
            now = then

    def _moments(self, document: Tree, start_ms: int, end_ms: int, facts_at: FactsAt) -> list[int]:
        """Return the moments at which a slot, a wish, an absence or a rule may begin or end."""
        found: set[int] = set()
        start, end = _moment(start_ms), _moment(end_ms)
        scheduler = document["scheduler"]
        chosen = {scheduler.get("active_schedule"), *(rule.use for rule in self.rules)}
        for name in chosen - {None, ""}:
            if schedule_named(scheduler, name) is not None:
                tree = {**scheduler, "active_schedule": name}
                for moment in timeline.moments(tree, start, end, self.zone, self.week):
                    found.add(_ms(moment))
        found |= self._rule_moments(start, end, facts_at)
        for wishes in document.get("hand", {}).values():
            found |= {
                each[key] for each in wishes for key in ("start_ms", "end_ms") if each.get(key)
            }
        if (absence := absence_of(document)) is not None:
            found.add(absence.start_ms)
            if absence.until_ms is not None:
                found.add(absence.until_ms)
                found |= {absence.until_ms - lead for lead in self._leads(document, absence)}
        found |= self._by_moments(document, start_ms, end_ms, facts_at)
        return sorted(moment for moment in found if start_ms < moment <= end_ms)

    def _leads(self, document: Tree, absence: Absence) -> set[int]:
        """Return the leads with which rooms are warm at the end of an absence."""
        back = _moment(absence.until_ms or 0)
        then = timeline.values_at(document["scheduler"], back, self.zone, self.week)
        away_c = degrees_of(absence.value, self.degrees)
        return {
            self._lead_ms(room, away_c, then[name].value if name in then else room.default.value)
            for name, room in self.rooms.items()
        }

    def _by_moments(
        self, document: Tree, start_ms: int, end_ms: int, facts_at: FactsAt
    ) -> set[int]:
        """Return when rooms start to warm up for slots marked `by`."""
        scheduler = self.scheduler_in_force(document["scheduler"], self._facts(facts_at, start_ms))
        span = (scheduler, _moment(start_ms), _moment(end_ms), self.zone, self.week)
        found = set()
        for at in by_moments(*span):
            before = timeline.values_at(scheduler, at - _INSTANT, self.zone, self.week)
            then = timeline.values_at(scheduler, at, self.zone, self.week)
            for name, room in self.rooms.items():
                if name in then:
                    value = before[name].value if name in before else room.default.value
                    from_c = degrees_of(value, self.degrees)
                    found.add(_ms(at) - self._lead_ms(room, from_c, then[name].value))
        return found

    def _lead_ms(self, room: PlannedRoom, from_c: float, wish: float | str) -> int:
        """Return how long a room takes from a plan's temperature, or its own if it is colder."""
        warmth = self.warmth.get(room.name, _UNKNOWN)
        if warmth.temperature_c is not None:
            from_c = min(from_c, warmth.temperature_c)
        rise_k = degrees_of(wish, self.degrees) - from_c
        return lead_ms(rise_k, warmth.rate.k_per_h(room.k_per_h))

    def _early(self, room: PlannedRoom, wish: Wish, now_ms: int, due: Sequence[Due]) -> Wish | None:
        """Return a warmer wish that is due soon, if it is time to start for it."""
        from_c = degrees_of(wish.value, self.degrees)
        for each in due:
            warmer = degrees_of(each.value.value, self.degrees) > from_c
            lead = self._lead_ms(room, from_c, each.value.value)
            if warmer and now_ms >= _ms(each.at) - lead:
                by = each.at.astimezone(self.zone).strftime("%H:%M")
                value = each.value
                source = f"{value.schedule} · {value.temperature_set}, by {by}"
                return Wish(value.value, source=source)
        return None

    def _rule_moments(
        self, start: datetime.datetime, end: datetime.datetime, facts_at: FactsAt
    ) -> set[int]:
        """Return midnights, 6:00 (Tempo) and the times of day that rules name."""
        found: set[int] = set()
        day = start.astimezone(self.zone).date()
        while day <= end.astimezone(self.zone).date():
            facts = facts_at(datetime.datetime.combine(day, datetime.time(12)))
            times = {datetime.time(0), TEMPO_DAY_BEGINS}
            for rule in self.rules:
                for text in (rule.when.after, rule.when.before):
                    time = None if text is None else rule_book.time_of(text, facts)
                    times |= {time} if time is not None else set()
            found |= {_ms(instant_of(day, time, self.zone)) for time in times}
            day += ONE_DAY
        return found

    def _facts(self, facts_at: FactsAt, at_ms: int) -> Facts:
        return facts_at(wall_time(_moment(at_ms), self.zone))

    def _decide(
        self,
        document: Tree,
        room: PlannedRoom,
        now_ms: int,
        facts: Facts,
        planned: Scheduled | None,
        window_open: bool | None,
        due: Sequence[Due],
    ) -> Decision:
        absence = absence_of(document)
        scheduled = (
            None
            if planned is None
            else Wish(planned.value, source=f"{planned.schedule} · {planned.temperature_set}")
        )
        absent = None
        if absence is not None and absence.holds(now_ms):
            absent = Wish(absence.value, absence.author, absence.start_ms, absence.until_ms)
            away_c = degrees_of(absence.value, self.degrees)
            back_ms = absence.until_ms
            target = due[0].value.value if due else room.default.value
            if back_ms is not None and now_ms >= back_ms - self._lead_ms(room, away_c, target):
                scheduled = self._early(room, absent, now_ms, due) or scheduled
                absent = None
        else:
            early = self._early(room, scheduled or room.default, now_ms, due)
            scheduled = early or scheduled
        limits = msgspec.structs.replace(
            room.limits,
            at_most=rule_book.cap_of(self.rules, facts, room.name, self.degrees),
            window_open=window_open,
        )
        return decide(
            running_wish(document, room.name, now_ms),
            absent,
            scheduled,
            room.default,
            limits,
            self.degrees,
        )


def _moment(at_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)


def _ms(moment: datetime.datetime) -> int:
    return round(moment.timestamp() * 1000)
