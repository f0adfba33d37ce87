"""Rooms as people see them: temperature, wish, one phrase, a boost. Pure."""

import datetime
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from jph.config.house.rooms import Room
from jph.gateway.live.board import Board
from jph.gateway.subjects.plan.structs import Boost, Breaker, Coming, RoomNow
from jph.gateway.view.figures import decimal
from jph.heating.explain.facts import HeaterFacts
from jph.heating.explain.sentences import Say
from jph.heating.orders.coding import Order
from jph.heating.rooms.regulation import Thermometer, room_temperature

BOOST_K: Final = 3.0
BOOST_S: Final = 3600
_OLDEST_S: Final = 900.0
"""A thermometer counts up to this age, or its own `TimeoutWarning` if that is longer."""
_NEAR_K: Final = 0.3
_VOLTS: Final = 230.0
_DAY_MS: Final = 86_400_000
WARM_ORDERS: Final = frozenset({Order.COMFORT, Order.COMFORT_1, Order.COMFORT_2})


class Scene(NamedTuple):
    """What the views of all rooms need: board, time, zone of the house, language.

    `warm_up` is the rise of a room in K/h, None if the config does not say.
    """

    board: Board
    rooms: tuple[Room, ...]
    now_s: float
    now_ms: int
    zone: ZoneInfo
    warm_up: float | None
    say: Say
    code: str
    called: Callable[[str], str]

    def name(self, room: Room) -> str:
        """Return the name of a room in the language of who asks."""
        return self.called(room.settings.name_in(self.code))

    def clock(self, at_ms: float) -> str:
        """Return a moment as people read it, with the day if it is not within 24 hours."""
        at = datetime.datetime.fromtimestamp(at_ms / 1000, self.zone)
        time = at.strftime("%H:%M")
        if abs(at_ms - self.now_ms) < _DAY_MS:
            return time
        return f"{self.say(_WEEKDAYS[at.weekday()])} {time}"

    def degrees(self, value: float | str) -> str:
        """Return a wish as people read it."""
        if isinstance(value, str):
            return self.say(value)
        return f"{decimal(f'{value:.1f}'.removesuffix('.0'), self.code)}°"


_WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def temperature_of(room: Room, scene: Scene) -> tuple[float | None, float | None]:
    """Return the temperature of a room and the age of its newest reading."""
    board, found, oldest = scene.board, [], _OLDEST_S
    for code in room.settings.thermometers:
        row = board.row(code) if code in board else None
        if row is None or row.number is None or row.age is None or row.quality:
            continue
        found.append(Thermometer(code, row.number, row.age))
        oldest = max(oldest, board.network.sensor(code).timeout_warning)
    value, _ = room_temperature(found, oldest)
    ages = [each.age_s for each in found]
    return (None if value is None else round(value, 2)), (min(ages) if ages else None)


def facts_of(room: Room, scene: Scene) -> list[HeaterFacts]:
    """Return what is known of the heaters of a room."""
    evidence = scene.board.evidence
    if evidence is None:
        return []
    return [evidence.heater(load.codifier, scene.now_s) for load in room.heaters]


def room_now(
    room: Room,
    label: str,
    report: Mapping[str, Any] | None,
    coming: Coming | None,
    ribbon: list[Any],
    scene: Scene,
) -> RoomNow:
    """Return a room; `report` is what the Schedule node says of it, None if it does not answer."""
    temperature, age = temperature_of(room, scene)
    wish = None if report is None else report["wish"]
    degrees = None if report is None else report["degrees"]
    deciding = _deciding(report)
    state, phrase = _state(room, report, temperature, scene)
    return RoomNow(
        codifier=room.codifier,
        name=label,
        thermometers=list(room.settings.thermometers),
        temperature=temperature,
        age=age,
        wish=wish,
        degrees=degrees,
        minimum=room.settings.minimum,
        maximum=room.settings.maximum,
        by="" if report is None else report["by"],
        hand=bool(report and report["hand"]),
        until=deciding.get("end_ms"),
        state=state,
        phrase=phrase,
        then=coming,
        ribbon=ribbon,
        heaters=[load.codifier for load in room.heaters],
        boost=None if degrees is None else _boost(room, degrees, temperature, scene),
    )


def _deciding(report: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """Return the wish of the layer that decides."""
    layers = [] if report is None else report["layers"]
    found: Mapping[str, Any] = next((s["wish"] for s in reversed(layers) if s["decides"]), {})
    return found


def _state(
    room: Room, report: Mapping[str, Any] | None, temperature: float | None, scene: Scene
) -> tuple[str, str]:
    """Return the word of a room's state and its phrase."""
    say, heaters = scene.say, facts_of(room, scene)
    if report is None:
        return "unknown", say("its wish is not known")
    if report["by"] == "window":
        return "window", say("window open")
    if room.settings.thermometers and temperature is None:
        return "unknown", say("its temperature is not known")
    degrees = report["degrees"]
    if temperature is not None and temperature >= degrees - _NEAR_K:
        return "warm", say("warm enough")
    silent = {each.codifier for each in scene.board.blind if each.part == "card"}
    if any(each.card in silent for each in heaters):
        return "unknown", say("what its heaters do is not known")
    shed = [each for each in heaters if each.shed]
    if shed and len(shed) == len(heaters):
        phases = {str(each.phase.phase) for each in shed}
        return "waits", say("waits its turn: phase {phases} is full", phases=", ".join(phases))
    carried = [each.applied if each.applied is not None else each.order for each in heaters]
    if heaters and all(order is None for order in carried):
        return "unknown", say("what its heaters do is not known")
    if any(order in WARM_ORDERS for order in carried):
        return "heating", _heating(degrees, temperature, scene)
    if not heaters:
        return "rest", say("no heater")
    order = next(order for order in carried if order is not None)
    word = say(Order(order).word) if order in set(Order) else str(order)
    text = "{order}, by the heater's thermostat" if order != Order.OFF else "{order}"
    return "rest", say(text, order=word)


def _heating(degrees: float, temperature: float | None, scene: Scene) -> str:
    at_ms = warm_at(degrees, temperature, scene)
    if at_ms is None:
        return scene.say("heating")
    wish, time = scene.degrees(degrees), scene.clock(at_ms)
    return scene.say("heating, {wish} at about {time}", wish=wish, time=time)


def warm_at(degrees: float, temperature: float | None, scene: Scene) -> int | None:
    """Return when a room has a temperature; None if its rise or its temperature is not known."""
    if temperature is None or not scene.warm_up:
        return None
    hours = max(degrees - temperature, 0.0) / scene.warm_up
    quarter_ms = 300_000  # an estimate is not known to the minute
    at_ms = scene.now_ms + round(hours * 3_600_000)
    return -(-at_ms // quarter_ms) * quarter_ms


def _boost(room: Room, degrees: float, temperature: float | None, scene: Scene) -> Boost:
    # A boost by night in a room that is still warm must warm it too.
    least = degrees if temperature is None else max(degrees, temperature - 1.0)
    wish = min(round(2 * (least + BOOST_K)) / 2, room.settings.maximum)
    at_ms = warm_at(wish, temperature, scene)
    say, warmth = scene.say, scene.degrees(wish)
    if at_ms is None:
        first = say("{wish} for an hour; when the room is warm is not known", wish=warmth)
    elif at_ms > scene.now_ms + 1000 * BOOST_S:
        first = say("{wish} is not reached within the hour", wish=warmth)
    else:
        first = say("{wish} at about {time}", wish=warmth, time=scene.clock(at_ms))
    return Boost(wish, at_ms, [first, _cost(room, scene)])


def _cost(room: Room, scene: Scene) -> str:
    """Say what the heaters of a room cost the other rooms, as far as known."""
    say, heaters = scene.say, facts_of(room, scene)
    need: dict[int, float] = {}
    free: dict[int, float] = {}
    for each in heaters:
        watts = each.watts or each.rated_watts
        current, limit = each.phase.current_a, each.phase.limit_a
        if watts is None or current is None or limit is None:
            return say("what it costs the other rooms is not known")
        idle = each.shed or each.order not in WARM_ORDERS
        phase = each.phase.phase
        need[phase] = need.get(phase, 0.0) + (watts / _VOLTS if idle else 0.0)
        free[phase] = limit - current
    if not heaters:
        return say("what it costs the other rooms is not known")
    full = {phase for phase, amps in need.items() if amps > free[phase]}
    if not full:
        return say("the breaker has room: no other room waits for it")
    others = [
        scene.name(other)
        for other in scene.rooms
        if other is not room and any(load.phase in full for load in other.heaters)
    ]
    if not others:
        return say("other loads of the phase leave little room: it may wait itself")
    return say("these may wait meanwhile: {rooms}", rooms=", ".join(others))


def breaker_now(scene: Scene, waiting: int) -> Breaker | None:
    """Return the breaker in a sentence; None in a house without a meter of currents."""
    phases = [phase for phase in scene.board.house.phases if phase.current]
    if not phases:
        return None
    rows = [scene.board.row(phase.current) for phase in phases]
    blind = scene.board.blind
    silent = {phase for each in blind if each.part == "meter" for phase in each.phases}
    cache_away = any(each.part == "cache" for each in blind)
    known = [
        None if cache_away or row.state != "alive" or phase.number in silent else row.number
        for phase, row in zip(phases, rows, strict=True)
    ]
    say = scene.say
    amps = " + ".join("?" if each is None else f"{each:.0f}" for each in known)
    limits = [row.limit for row in rows]
    if any(limit is None for limit in limits):
        text = say("{amps} A, the limit is not known", amps=amps)
    else:
        total = f"{sum(limit or 0 for limit in limits):.0f}"
        text = say("{amps} of {total} A", amps=amps, total=total)
    if waiting == 1:
        text = f"{text}, {say('1 room takes turns')}"
    elif waiting:
        text = f"{text}, {say('{count} rooms take turns', count=waiting)}"
    levels = {row.level for row in rows}
    if "over" in levels:
        text = f"{text}, {say('above the limit')}"
    level = "over" if "over" in levels else "high" if "high" in levels else "ok"
    return Breaker(text, "unknown" if None in known else level)


def headline(rooms: list[RoomNow], say: Say) -> str:
    """Say in one sentence how many rooms heat and wait."""
    heat = sum(room.state == "heating" for room in rooms)
    wait = sum(room.state == "waits" for room in rooms)
    unknown = sum(room.state == "unknown" for room in rooms)
    if unknown and unknown == len(rooms):
        return say("How warm the rooms are wished is not known")
    parts = [
        say("1 room heats") if heat == 1 else say("{count} rooms heat", count=heat) if heat else "",
        say("1 waits") if wait == 1 else say("{count} wait", count=wait) if wait else "",
        say("1 is not known")
        if unknown == 1
        else say("{count} are not known", count=unknown)
        if unknown
        else "",
    ]
    return ", ".join(part for part in parts if part) or say("No room needs heat")
