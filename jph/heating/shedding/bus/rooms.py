"""Thermometers and wishes of the rooms, from the data bus as the Thermostat reads them. Pure.

A room counts as measured while one of its thermometers is fresh and its wish was heard once: the
last wish stays in force when the Schedule is silent.
"""

from collections.abc import Iterable
from typing import Final

from jph.config.house.rooms import Room
from jph.heating.rooms.regulation import Thermometer, room_temperature
from jph.heating.shedding.rules import RoomReading
from jph.wire.codec import Quality, Reading

OLDEST_S: Final = 900.0
"""Age up to which a thermometer counts: that of the Thermostat's `Oldest`."""

WISHES_C: Final = (3.0, 35.0)
"""Wishes that a room can have."""

_TRUSTED: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})


class RoomSensors:
    """The newest temperature and wish of each room; times are monotonic seconds."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self._rooms = [room for room in rooms if room.settings.thermometers and room.heaters]
        self._wishes = {room.codifier: room for room in self._rooms}
        self._thermometers = {
            code: room for room in self._rooms for code in room.settings.thermometers
        }
        self._heard: dict[str, tuple[float, float]] = {}
        self._wish_c: dict[str, float] = {}
        self._known: dict[str, RoomReading | None] = {}

    def take(self, batch: Iterable[Reading], now_s: float) -> dict[str, RoomReading | None]:
        """Take what a batch says; return the rooms that it changes, as the policy names them."""
        touched: dict[str, Room] = {}
        for reading in batch:
            code, number = reading.source, reading.number
            if number is None or reading.flag == "n" or reading.quality not in _TRUSTED:
                continue
            if room := self._wishes.get(code):
                if WISHES_C[0] <= number <= WISHES_C[1]:
                    self._wish_c[code] = number
                    touched[room.name] = room
            elif room := self._thermometers.get(code):
                self._heard[code] = number, now_s
                touched[room.name] = room
        return self._changes(touched.values(), now_s)

    def look(self, now_s: float) -> dict[str, RoomReading | None]:
        """Return the rooms whose thermometers have become too old."""
        return self._changes(self._rooms, now_s)

    def recall(self, before: "RoomSensors") -> None:
        """Go on with what was heard before the configuration changed."""
        self._heard, self._wish_c = dict(before._heard), dict(before._wish_c)

    def _changes(self, rooms: Iterable[Room], now_s: float) -> dict[str, RoomReading | None]:
        changes: dict[str, RoomReading | None] = {}
        for room in rooms:
            reading = self._reading(room, now_s)
            if reading == self._known.get(room.name):
                continue
            self._known[room.name] = reading
            changes.update(dict.fromkeys((h.room or h.codifier for h in room.heaters), reading))
        return changes

    def _reading(self, room: Room, now_s: float) -> RoomReading | None:
        heard = [(code, self._heard.get(code)) for code in room.settings.thermometers]
        known = [Thermometer(code, at[0], now_s - at[1]) for code, at in heard if at is not None]
        celsius, _ = room_temperature(known, OLDEST_S)
        wish_c = self._wish_c.get(room.codifier)
        return None if celsius is None or wish_c is None else RoomReading(celsius, wish_c)
