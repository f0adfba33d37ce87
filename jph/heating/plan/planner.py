"""The wish of every room now, and its next changes: the plan applied to what is known. Pure."""

import datetime
from collections.abc import Callable, Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo

import msgspec

from jph.heating.plan import rules as rule_book
from jph.heating.plan import timeline
from jph.heating.plan.calendar import ONE_DAY, TEMPO_DAY_BEGINS, instant_of, wall_time
from jph.heating.plan.check import Tree, schedule_named
from jph.heating.plan.rules import Facts, Rule
from jph.heating.plan.value import Scheduled, Week
from jph.heating.plan.wish import DEGREES, Decision, Degrees, Limits, Wish, decide
from jph.heating.plan.wishes import absence_of, running_wish

FactsAt = Callable[[datetime.datetime], Facts]
"""Returns what is known at a local wall time."""


class PlannedRoom(msgspec.Struct, frozen=True):
    """A room as the plan sees it.

    Attributes:
        name: its name in the document.
        default: what it has without any other wish.
        limits: its minimum, maximum, frost floor and window temperature.
        lead_ms: how long before a wished moment it starts to warm up.
    """

    name: str
    default: Wish = Wish("comfort")
    limits: Limits = Limits()
    lead_ms: int = 0


class Coming(msgspec.Struct, frozen=True):
    """A change of a room's wish."""

    at_ms: int
    room: str
    decision: Decision


class Planner:
    """Evaluates a document for rooms.

    Attributes:
        rooms: by name.
        zone: the time zone of the house.
        week: the letter of a week.
        rules: in order; the first one that holds chooses the schedule.
        degrees: order → °C.
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

    def decide(
        self, document: Tree, now_ms: int, facts: Facts, windows: Mapping[str, bool | None]
    ) -> dict[str, Decision]:
        """Return the wish in force of every room; `windows` are those that are open, by room."""
        scheduler = self.scheduler_in_force(document["scheduler"], facts)
        values = timeline.values_at(scheduler, _moment(now_ms), self.zone, self.week)
        return {
            name: self._decide(document, room, now_ms, facts, values.get(name), windows.get(name))
            for name, room in self.rooms.items()
        }

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
                leads = {room.lead_ms for room in self.rooms.values()}
                found |= {absence.until_ms - lead for lead in leads} | {absence.until_ms}
        return sorted(moment for moment in found if start_ms < moment <= end_ms)

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
    ) -> Decision:
        absence = absence_of(document)
        away = absence is not None and absence.holds(now_ms, room.lead_ms)
        limits = msgspec.structs.replace(
            room.limits,
            at_most=rule_book.cap_of(self.rules, facts, room.name, self.degrees),
            window_open=window_open,
        )
        return decide(
            running_wish(document, room.name, now_ms),
            Wish(absence.value, absence.author, absence.start_ms, absence.until_ms)
            if away and absence is not None
            else None,
            None
            if planned is None
            else Wish(planned.value, source=f"{planned.schedule} · {planned.temperature_set}"),
            room.default,
            limits,
            self.degrees,
        )


def _moment(at_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)


def _ms(moment: datetime.datetime) -> int:
    return round(moment.timestamp() * 1000)
