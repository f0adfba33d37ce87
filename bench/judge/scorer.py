"""The score of a day: integrals over the limit, trips, switchings, cold rooms."""

from dataclasses import dataclass, field
from typing import Final

from jph.sim.physics import SimulatedHouse
from jph.sim.physics.protection import Protection
from jph.sim.physics.weather import HOUR_S

OUTAGE_S: Final = 180.0
"""Time until a person has closed the breaker again."""

LOOK_S: Final = 60.0
"""Interval of the temperature samples."""

PATIENCE_S: Final = 1.0
"""Longest delay of noticing that a breaker opened while no current changes."""

EXACT_A: Final = 1e-6


@dataclass(slots=True)
class DayScore:
    """The score of one policy on one day.

    `trips` counts by the breaker that opened; `over_as` is A·s over the limit, `overs` the duration
    of each overrun, s; `cold` holds the degree-hours below the setpoint of each room.
    """

    trips: dict[str, int] = field(default_factory=dict)
    over_as: float = 0.0
    overs: list[float] = field(default_factory=list)
    switchings: float = 0.0
    cold: list[float] = field(default_factory=list)
    energy_kwh: float = 0.0
    cpu_s: float = 0.0


class Scorer:
    """Accounts for a house: call `account` at every change of a current, and regularly."""

    def __init__(self, house: SimulatedHouse, protection: Protection) -> None:
        self.house = house
        self.score = DayScore()
        self.dead_until_s: float | None = None
        self._protection = protection
        self._limit_a = float(house.spec.subscribed_a)
        self._time_s = house.time_s
        self._looked_s = house.time_s
        self._amps = house.amps
        self._over_since: list[float | None] = [None, None, None]
        self._deficits = dict.fromkeys(house.rooms, 0.0)

    def account(self) -> None:
        """Account for the time since the last call, in which all currents were constant."""
        now_s, amps_now = self.house.time_s, self.house.amps
        dt = now_s - self._time_s
        if dt < PATIENCE_S and amps_now == self._amps:
            return
        if dt > 0:
            self._time_s = now_s
            for index, amps in enumerate(self._amps):
                self._book(index, amps, now_s - dt, dt)
            opened = self._protection.advance(dt, self._amps)
            if opened is not None and self.dead_until_s is None:
                self._trip(opened)
        self._amps = self.house.amps  # not `amps_now`: the house may just have been cut
        if now_s - self._looked_s >= LOOK_S:
            self._look(now_s)

    def rearm(self) -> None:
        """Close the breaker again."""
        self.dead_until_s = None
        self._protection.reset()
        self.house.rearm()
        self._time_s, self._amps = self.house.time_s, self.house.amps

    def finish(self) -> DayScore:
        """Return the score."""
        self.account()
        self._look(self.house.time_s)
        for index, since_s in enumerate(self._over_since):
            self._end(index, since_s, self._time_s)
        self.score.cold = list(self._deficits.values())
        self.score.energy_kwh = self.house.heating_joules() / 3.6e6
        return self.score

    def _book(self, index: int, amps: float, start_s: float, dt: float) -> None:
        since_s = self._over_since[index]
        if amps > self._limit_a + EXACT_A:
            self.score.over_as += (amps - self._limit_a) * dt
            if since_s is None:
                self._over_since[index] = start_s
        elif since_s is not None:
            self._end(index, since_s, start_s)

    def _end(self, index: int, since_s: float | None, now_s: float) -> None:
        if since_s is not None:
            self.score.overs.append(now_s - since_s)
        self._over_since[index] = None

    def _trip(self, opened: str) -> None:
        self.score.trips[opened] = self.score.trips.get(opened, 0) + 1
        self.dead_until_s = self.house.time_s + OUTAGE_S
        self.house.cut()

    def _look(self, now_s: float) -> None:
        hours = (now_s - self._looked_s) / HOUR_S
        self._looked_s = now_s
        comfort_c = self.house.comfort_c
        for name, room in self.house.rooms.items():
            if room.air_c < comfort_c:
                self._deficits[name] += (comfort_c - room.air_c) * hours
