"""The house, event by event: between two events every draw is constant, so any step is exact.

Heaters switch by their thermostat (sampled every `TICK_S`), by an order (after their own delay) and
when they wake after the power came back; appliances switch by their plan. A call of `step`
without an event costs almost nothing: a day at one-second steps takes well under a second.
"""

import heapq
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from jph.heating.orders.coding import Order
from jph.sim.physics.appliances import Draw, plan
from jph.sim.physics.room import SimulatedRoom
from jph.sim.physics.spec import PHASES, VOLTS, HeaterSpec, HouseSpec
from jph.sim.physics.weather import DAY_S, HOUR_S

TICK_S: Final = 10.0
EVENING_S: Final = 18.5 * HOUR_S
"""Half past six on the first day, the start of the demonstration."""

COMFORT_C: Final = 20.0
ECO_BELOW_COMFORT_K: Final = 3.5
FROST_C: Final = 7.0
GAIN_W_PER_M2: Final = 3.0
"""Heat of people, lamps and appliances in a room."""


class SimulatedHeater:
    """A heater with its thermostat: the order it obeys, and whether it calls for heat (`on`).

    `share` is the part of its power that `SimulatedHouse.throttle` leaves it, 1 without a call.
    """

    __slots__ = ("awake", "given", "on", "order", "room", "share", "spec")

    def __init__(self, spec: HeaterSpec, room: SimulatedRoom) -> None:
        self.spec = spec
        self.room = room
        self.given = Order.COMFORT
        """The order on its pilot wire; it obeys `order`, a second or two later."""
        self.order = Order.COMFORT
        self.on = False
        self.awake = False
        self.share = 1.0

    @property
    def watts(self) -> float:
        """Power that it draws now."""
        return self.spec.watts * self.share if self.on else 0.0


class _HouseEvent(NamedTuple):
    time_s: float
    number: int
    act: Callable[[Any], None]
    argument: object


class SimulatedHouse:
    """A simulated house. Times are s since the midnight of day 0, currents A, heat W.

    `thermal_speed` lets rooms warm up and cool down faster (1 is real). The house has no breaker:
    the caller of `step` reads `amps` and may `cut` the power.

    `watch`, if set, is called at every change of a current; if it returns true, `step` ends there,
    at `time_s`.
    """

    def __init__(
        self,
        spec: HouseSpec,
        *,
        seed: int = 0,
        start_s: float = EVENING_S,
        indoor_c: float = 18.8,
        thermal_speed: float = 1.0,
    ) -> None:
        self.spec = spec
        self.time_s = start_s
        self.comfort_c = COMFORT_C
        self.powered = True
        self.watch: Callable[[], bool] | None = None
        self._changed = False
        self._seed = seed
        self._watts = [0.0] * len(PHASES)
        self._joules = [0.0] * len(PHASES)
        self._since_s = [start_s] * len(PHASES)
        self._heating = [0.0] * len(PHASES)
        self._heating_j = 0.0
        self._steered: dict[str, float] = {}
        self._heating_since_s = start_s
        self._events: list[_HouseEvent] = []
        self._numbers = 0
        outdoor_c = self.outdoor_c
        self.rooms = {
            room.name: SimulatedRoom(room, indoor_c, outdoor_c, TICK_S, thermal_speed)
            for room in spec.rooms
        }
        self.heaters = {h.codifier: SimulatedHeater(h, self.rooms[h.room]) for h in spec.heaters}
        self._heat_w = dict.fromkeys(self.rooms, 0.0)
        self._heat_j = dict.fromkeys(self.rooms, 0.0)
        self._heat_since_s = dict.fromkeys(self.rooms, start_s)
        self._begin()

    @property
    def amps(self) -> tuple[float, float, float]:
        """Current of each phase now."""
        if not self.powered:
            return 0.0, 0.0, 0.0
        one, two, three = self._watts
        return one / VOLTS, two / VOLTS, three / VOLTS

    @property
    def outdoor_c(self) -> float:
        """Outdoor temperature now."""
        return self.spec.weather.outdoor_c(self.time_s)

    def joules(self) -> tuple[float, float, float]:
        """Return the energy of each phase since this object was made, J."""
        for index in range(len(PHASES)):
            self._book(index)
        one, two, three = self._joules
        return one, two, three

    def heating_joules(self) -> float:
        """Return the energy of all heaters since this object was made, J."""
        self._book_heating()
        return self._heating_j

    def appliance_amps(self, phase: int) -> float:
        """Return the current of all appliances on a phase (1–3) now, A."""
        index = phase - 1
        return (self._watts[index] - self._heating[index]) / VOLTS if self.powered else 0.0

    def step(self, dt: float) -> None:
        """Advance by `dt` seconds, or less if `watch` returns true."""
        end_s = self.time_s + dt
        events = self._events
        while events[0].time_s <= end_s:
            event = heapq.heappop(events)
            self.time_s = event.time_s
            event.act(event.argument)
            if self._changed:
                self._changed = False
                if self.watch is not None and self.watch():
                    return
        self.time_s = end_s

    def cut(self) -> None:
        """Open the breaker: nothing draws, and the heaters forget their state."""
        for heater in self.heaters.values():
            heater.awake = False
            self._switch(heater, False)
        for index in range(len(PHASES)):
            self._book(index)
        self.powered = False

    def rearm(self) -> None:
        """Close the breaker: running appliances continue, the heaters wake one by one."""
        for index in range(len(PHASES)):
            self._book(index)
        self.powered = True
        for heater in self.heaters.values():
            self._at(self.time_s + heater.spec.wake_s, self._wake, heater)

    def throttle(self, codifier: str, share: float) -> None:
        """Leave a heater this share (0–1) of its power, at once and under any order."""
        heater = self.heaters[codifier]
        if heater.share != share:
            before_w = heater.watts
            heater.share = share
            self._add_heat(heater, heater.watts - before_w)

    def steer(self, codifier: str, phases: tuple[int, ...], watts: float) -> None:
        """Let a load beside the heaters draw this power on each of its phases from now on, W."""
        before_w = self._steered.get(codifier, 0.0)
        if watts != before_w:
            self._steered[codifier] = watts
            for phase in phases:
                self._add_watts(phase, watts - before_w)

    def order(self, codifier: str, order: Order) -> None:
        """Put an order on a heater's pilot wire; the heater obeys after its delay."""
        heater = self.heaters[codifier]
        if heater.given is not order:
            heater.given = order
            self._at(self.time_s + heater.spec.obey_s, self._obey, (heater, order))

    def snapshot(self) -> dict[str, Any]:
        """Return the state for JSON, to resume later."""
        return {
            "time_s": self.time_s,
            "comfort_c": self.comfort_c,
            "rooms": {name: [room.air_c, room.mass_c] for name, room in self.rooms.items()},
            "heaters": {code: [h.given, h.on] for code, h in self.heaters.items()},
        }

    @classmethod
    def resume(
        cls,
        spec: HouseSpec,
        snapshot: Mapping[str, Any],
        *,
        seed: int = 0,
        thermal_speed: float = 1.0,
    ) -> "SimulatedHouse":
        """Return a house resumed from a `snapshot`; rooms and heaters it lacks start fresh."""
        house = cls(spec, seed=seed, start_s=float(snapshot["time_s"]), thermal_speed=thermal_speed)
        house.comfort_c = float(snapshot["comfort_c"])
        for name, (air_c, mass_c) in snapshot["rooms"].items():
            if name in house.rooms:
                house.rooms[name].air_c, house.rooms[name].mass_c = float(air_c), float(mass_c)
        for code, (given, on) in snapshot["heaters"].items():
            if code in house.heaters:
                heater = house.heaters[code]
                heater.given = heater.order = Order(given)
                heater.awake = True
                house._switch(heater, bool(on))
        return house

    def _begin(self) -> None:
        start_s = self.time_s
        today = int(start_s // DAY_S)
        for day in (today - 1, today):
            self._plan_day(day)
        for heater in self.heaters.values():
            self._at(start_s + heater.spec.wake_s, self._wake, heater)
        self._at((start_s // TICK_S + 1) * TICK_S, self._tick, None)
        self.step(0.0)

    def _at(self, time_s: float, act: Callable[[Any], None], argument: object) -> None:
        self._numbers += 1
        heapq.heappush(self._events, _HouseEvent(time_s, self._numbers, act, argument))

    def _plan_day(self, day: int) -> None:
        """Schedule the draws of a day; past ones only for their remaining time."""
        for draw in plan(self.spec.appliances, self._seed, day):
            if draw.end_s > self.time_s:
                self._at(max(draw.start_s, self.time_s), self._begin_draw, draw)
        if (day + 1) * DAY_S > self.time_s:
            self._at((day + 1) * DAY_S, self._plan_day, day + 1)

    def _begin_draw(self, draw: Draw) -> None:
        self._add_watts(draw.phase, draw.watts)
        self._at(draw.end_s, self._end_draw, draw)

    def _end_draw(self, draw: Draw) -> None:
        self._add_watts(draw.phase, -draw.watts)

    def _add_watts(self, phase: int, watts: float) -> None:
        index = phase - 1
        self._book(index)
        self._watts[index] += watts
        self._changed = True

    def _book(self, index: int) -> None:
        if self.powered:
            self._joules[index] += self._watts[index] * (self.time_s - self._since_s[index])
        self._since_s[index] = self.time_s

    def _book_heating(self) -> None:
        self._heating_j += sum(self._heating) * (self.time_s - self._heating_since_s)
        self._heating_since_s = self.time_s

    def _wake(self, heater: SimulatedHeater) -> None:
        if not heater.awake and self.powered:
            heater.awake = True
            self._look(heater, fresh=True)

    def _obey(self, change: tuple[SimulatedHeater, Order]) -> None:
        heater, order = change
        heater.order = order
        self._look(heater, fresh=True)

    def _tick(self, _: None) -> None:
        outdoor_c = self.outdoor_c
        for name, room in self.rooms.items():
            self._account(name)
            room.step(self._heat_j[name] / TICK_S + GAIN_W_PER_M2 * room.spec.area_m2, outdoor_c)
            self._heat_j[name] = 0.0
        for heater in self.heaters.values():
            self._look(heater)
        self._at(self.time_s + TICK_S, self._tick, None)

    def _look(self, heater: SimulatedHeater, *, fresh: bool = False) -> None:
        """Let a thermostat decide; after a new order it does not wait for its band."""
        if not heater.awake:
            return
        if heater.order is Order.OFF:
            wanted = False
        else:
            above_k = heater.room.air_c + heater.spec.sensor_error_k - self._target_c(heater.order)
            band_k = 0.0 if fresh else heater.spec.band_k
            wanted = above_k < (band_k if heater.on else -band_k)
        if wanted is not heater.on:
            self._switch(heater, wanted)

    def _target_c(self, order: Order) -> float:
        if order is Order.FROST:
            return FROST_C
        return self.comfort_c - (ECO_BELOW_COMFORT_K if order is Order.ECO else 0.0)

    def _switch(self, heater: SimulatedHeater, on: bool) -> None:
        if heater.on is on:
            return
        before_w = heater.watts
        heater.on = on
        self._add_heat(heater, heater.watts - before_w)
        self._changed = True  # even without power: a call for heat is a change too

    def _add_heat(self, heater: SimulatedHeater, watts: float) -> None:
        room, phase = heater.spec.room, heater.spec.phase
        self._account(room)
        self._heat_w[room] += watts
        self._book_heating()
        self._heating[phase - 1] += watts
        self._add_watts(phase, watts)

    def _account(self, room: str) -> None:
        """Account for the heat of a room since the last call."""
        self._heat_j[room] += self._heat_w[room] * (self.time_s - self._heat_since_s[room])
        self._heat_since_s[room] = self.time_s
