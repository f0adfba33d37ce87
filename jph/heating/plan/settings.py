"""Settings of a Schedule node, and its rooms as the planner sees them. Pure."""

import datetime
from collections.abc import Collection, Iterable
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from jph.config.house.rooms import Room
from jph.config.settings import Settings, described
from jph.heating.orders.coding import Order
from jph.heating.plan.conditions.calendar import alternating_week, iso_week
from jph.heating.plan.conditions.days import Place
from jph.heating.plan.conditions.inputs import Sources
from jph.heating.plan.conditions.rules import Rule
from jph.heating.plan.document.check import Tree
from jph.heating.plan.evaluation.planner import PlannedRoom, Planner
from jph.heating.plan.evaluation.value import Week
from jph.heating.plan.evaluation.wish import DEGREES, Limits, Wish


class TempoSettings(Settings, frozen=True):
    """Elements of the meter that carry the colour of the Tempo day."""

    today: Annotated[str, described("colour of this Tempo day")] = ""
    tomorrow: Annotated[str, described("colour of the next Tempo day")] = ""


class ScheduleSettings(Settings, frozen=True):
    """Settings of a Schedule node; the elements named here are its own."""

    active: Annotated[str, described("element: the schedule in force")] = ""
    next: Annotated[str, described("element: the next change, as JSON")] = ""
    state: Annotated[str, described("element: every room with its layers, as JSON")] = ""
    document: Annotated[str, described("element: the document, as JSON")] = ""
    urgent: Annotated[
        str, described("element: heaters of rooms with a boost or below the frost floor, as JSON")
    ] = ""
    answer: Annotated[str, described("element: the answer to an edit, as JSON")] = ""
    week_a: Annotated[str, described('a day of a week A, or "iso" for even ISO weeks')] = (
        "2024-01-08"
    )
    holidays: Annotated[str, described("public holidays: FR, FR-AM (Alsace-Moselle), or empty")] = (
        "FR"
    )
    school: Annotated[str, described("zone of the school holidays: A, B, C, or empty")] = ""
    time_zone: Annotated[str, described("time zone of the plan")] = "Europe/Paris"
    latitude: Annotated[
        Annotated[float, msgspec.Meta(ge=-90, le=90)] | None,
        described("degrees north, for sunrise and sunset", "°"),
    ] = None
    longitude: Annotated[
        Annotated[float, msgspec.Meta(ge=-180, le=180)] | None, described("degrees east", "°")
    ] = None
    tempo: Annotated[TempoSettings, described("elements with the colour of the Tempo day")] = (
        TempoSettings()
    )
    period: Annotated[str, described("element with the tariff period")] = ""
    surplus: Annotated[str, described("element with the power fed in")] = ""
    presence: Annotated[
        tuple[str, ...], described("codifiers that are 1 while people are at home")
    ] = ()
    degrees: Annotated[dict[str, float], described("order → temperature it stands for", "°C")] = (
        msgspec.field(default_factory=dict)
    )
    rules: Annotated[tuple[Rule, ...], described("rules, in order")] = ()
    first: Annotated[
        dict[str, Any], described("schedules and sets of the first start, while no document exists")
    ] = msgspec.field(default_factory=dict)
    warm_up: Annotated[float, described("rise of a room's temperature", "K/h", gt=0.05, le=20)] = (
        1.0
    )

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"TimeZone: there is no zone {self.time_zone!r}") from None
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("Latitude and Longitude: expected both or none")
        if self.week_a != "iso":
            try:
                datetime.date.fromisoformat(self.week_a)
            except ValueError:
                raise ValueError(f"WeekA: expected a date or iso, found {self.week_a!r}") from None
        for word in self.degrees:
            Order.named(word)

    def degrees_by_order(self) -> dict[str, float]:
        """Return the temperature of each order, °C."""
        return {**DEGREES, **{Order.named(word).word: c for word, c in self.degrees.items()}}

    def place(self) -> Place | None:
        """Return the place of the house, if it is given."""
        if self.latitude is None or self.longitude is None:
            return None
        return Place(self.latitude, self.longitude, ZoneInfo(self.time_zone))

    def sources(self, rooms: Iterable[Room] = ()) -> Sources:
        """Return the codifiers that rules look at; `rooms` adds their presence and motion."""
        tempo = self.tempo
        own = {
            room.name: (room.settings.presence, room.settings.motion)
            for room in rooms
            if room.settings.presence or room.settings.motion
        }
        house = (tempo.today, tempo.tomorrow, self.period, self.surplus)
        return Sources(*house, self.presence, own)

    def watched(self) -> set[str]:
        """Return every codifier that the rules look at."""
        sources = self.sources()
        conditions = (rule.when.codifier or () for rule in self.rules)
        return {*sources[:4], *self.presence, *(code for each in conditions for code in each)}


def make_planner(settings: ScheduleSettings, rooms: Iterable[Room]) -> Planner:
    """Return the planner of some rooms."""
    week: Week = iso_week
    if settings.week_a != "iso":
        week = alternating_week(datetime.date.fromisoformat(settings.week_a))
    degrees = settings.degrees_by_order()
    planned = [planned_room(room, settings.warm_up, degrees) for room in rooms]
    return Planner(planned, ZoneInfo(settings.time_zone), week, settings.rules, degrees)


def planned_room(room: Room, warm_up_k_h: float, degrees: dict[str, float]) -> PlannedRoom:
    """Return a room as the planner sees it."""
    settings = room.settings
    default = settings.default
    value = Order.named(default).word if isinstance(default, str) else float(default)
    limits = Limits(
        window_c=max(settings.frost, degrees["frost"]),
        frost_c=settings.frost,
        lowest_c=settings.minimum,
        highest_c=settings.maximum,
    )
    return PlannedRoom(room.name, Wish(value), limits, warm_up_k_h)


def guests_of(document: Tree, rooms: Collection[str]) -> dict[str, PlannedRoom]:
    """Return the devices of a document that are no rooms: thermostats that people have added."""
    names = [str(device["name"]) for device in document["devices"]]
    return {name: PlannedRoom(name) for name in names if name not in rooms}
