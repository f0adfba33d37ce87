"""Structs of the API of the plan. Moments are ms since 1970, temperatures °C."""

from typing import Annotated, Any, Literal

import msgspec

Value = Annotated[
    float | str, msgspec.Meta(description="°C, or an order: comfort, eco, frost, off, …")
]
_Moment = Annotated[int, msgspec.Meta(ge=946_684_800_001, le=4_102_444_799_999)]


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of what the API takes."""


class WishGiven(Given, frozen=True):
    """A wish by hand: until a moment, for some seconds, to the next change, or without an end."""

    value: Value
    until: _Moment | Literal["next"] | None = None
    seconds: Annotated[float, msgspec.Meta(gt=0, le=31_622_400)] | None = None
    boost: bool = False


class AwayGiven(Given, frozen=True):
    """An absence; the rooms are warm again at `until`."""

    until: _Moment | None = None
    start: _Moment | None = None
    value: Value = "frost"


class ActiveGiven(Given, frozen=True):
    """The schedule to follow; null for none."""

    schedule: Annotated[str, msgspec.Meta(max_length=200)] | None


class EditGiven(Given, frozen=True):
    """One of the fifteen edits of the heating control app, with the version it is made from."""

    verb: Annotated[str, msgspec.Meta(max_length=40)]
    params: Any
    version: int | None = None


class Slot(Given, frozen=True):
    """A slot begins at `start` (HH:MM); the first of a day at 00:00."""

    start: Annotated[str, msgspec.Meta(max_length=8)]
    value: Value


class Day(Given, frozen=True):
    """The slots of a day, 1 (Monday) to 7; `week` is A or B, empty for both."""

    day: Annotated[int, msgspec.Meta(ge=1, le=7)]
    slots: Annotated[list[Slot], msgspec.Meta(max_length=48)]
    week: Literal["", "A", "B"] = ""


class WeekGiven(Given, frozen=True):
    """The week of a room; `version` is that of the plan it was made from."""

    days: Annotated[list[Day], msgspec.Meta(max_length=14)]
    schedule: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    version: int | None = None


class Done(msgspec.Struct, frozen=True):
    """A change is done; `version` is that of the plan after it."""

    version: int


class Coming(msgspec.Struct, frozen=True):
    """A change of a room's wish, and the layer that decides then."""

    at: int
    room: str
    wish: float | str
    by: str


class Boost(msgspec.Struct, frozen=True):
    """What a boost of an hour would do, as far as known."""

    wish: float
    warm_at: int | None
    said: list[str]


class Layer(msgspec.Struct, frozen=True):
    """One layer of a wish, by rank; `label` and `text` are in the language of who asks."""

    layer: str
    label: str
    text: str
    decides: bool


class RoomNow(msgspec.Struct, frozen=True):
    """A room. What is not known is null; `state` is its word, `phrase` one sentence on it.

    `state` is heating, waits, warm, window, rest or unknown. `ribbon` is today's plan: from
    midnight, `[moment, wish, layer]` at each change. `age` is that of the temperature, s.
    """

    codifier: str
    name: str
    thermometers: list[str]
    temperature: float | None
    age: float | None
    wish: float | str | None
    degrees: float | None
    minimum: float
    maximum: float
    by: str
    hand: bool
    until: int | None
    state: str
    phrase: str
    then: Coming | None
    ribbon: list[Any]
    heaters: list[str]
    boost: Boost | None


class Breaker(msgspec.Struct, frozen=True):
    """The breaker in one sentence; `level` is ok, high, over or unknown."""

    said: str
    level: str


class Change(msgspec.Struct, frozen=True):
    """A change of the plan, newest first; the first one is what `undo` takes back."""

    at: int
    author: str
    what: str


class PlanNow(msgspec.Struct, frozen=True):
    """The rooms and their plan. `known` is false while the Schedule node does not answer.

    The ribbons of the rooms reach from `day_start` to `day_end`.
    """

    known: bool
    said: str
    headline: str
    version: int
    day_start: int
    day_end: int
    away: dict[str, Any] | None
    schedule: str | None
    rooms: list[RoomNow]
    breaker: Breaker | None
    changes: list[Change]


class Explained(msgspec.Struct, frozen=True):
    """Why a room has its wish, and what comes."""

    room: str
    layers: list[Layer]
    coming: list[Coming]
    heaters: list[str]


class SlotNow(msgspec.Struct, frozen=True):
    """A slot; `set` is its temperature set, `value` null where the parent schedule decides."""

    start: str
    value: float | str | None
    set: str


class WeekNow(msgspec.Struct, frozen=True):
    """The week of a room in a schedule; `own` is whether it has slots of its own there.

    `a` and `b` are the days by number; `now` is the letter of this week, `schedules` all names.
    """

    room: str
    name: str
    schedule: str | None
    schedules: list[str]
    own: bool
    alternates: bool
    now: str
    version: int
    a: dict[str, list[SlotNow]]
    b: dict[str, list[SlotNow]]


class Preview(msgspec.Struct, frozen=True):
    """What holds over the next days: `[moment, wish, layer]` at each change.

    `days` are the midnights in the time zone of the house, the last one the end; `first` is the
    weekday of the first, 1 (Monday) to 7.
    """

    days: list[int]
    first: int
    changes: list[Any]
