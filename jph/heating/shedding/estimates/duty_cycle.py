"""Duty-cycle estimate: the heat shortage of each room, in seconds of its heaters' full heating.

No thermometer is read here, and the losses of a room are not known.  A Bayesian grid filter keeps
eight hypotheses side by side: each is the share of the time that the room's heaters must draw, with
the shortage that follows from what they drew.  Each hypothesis has the walls as a second heat store
(two-capacity model, 2R2C, as in EN ISO 52016-1): a cold room loses less.

A thermostat that opens shows a warm room, one that closes a room that has cooled by its band.  A
hypothesis that contradicts what is observed is corrected and loses weight (likelihood of a normal
error).  `python -m bench heating` tuned the constants without a source: days of simulated houses,
the least missing comfort without a trip.
"""

import math
from typing import Final

from jph.heating.shedding.estimates.thermometer import Thermometer
from jph.heating.shedding.memory import LearnedRoom
from jph.heating.shedding.rules import RoomReading

SHARES: Final = (0.08, 0.2, 0.32, 0.44, 0.56, 0.68, 0.8, 0.92)
"""The grid of duty cycles: steps of 0.12, the drift between neighbours bridges them."""

FIRST_WEIGHTS: Final = (0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.7, 0.3)
"""Heaters are sized for the coldest day, so a duty cycle near 1 is rare; near 0 is summer."""

FIRST_S: Final = 20.0
"""At a start a room is taken to want heat soon: between warm (0) and asking (`BAND_S`)."""

LEAST_WEIGHT: Final = 1e-6
"""No hypothesis dies: the weather may bring it back within some `DRIFT_S`."""

BAND_S: Final = 50.0
"""Half of a thermostat's band in heating time; electronic thermostats switch within some 0.3 K."""

DRAWS: Final = 0.1
"""Share of the rated current from which a room's heaters count as drawing: below is rounding."""

DRAWING_S: Final = -25.0
"""A room whose heaters still draw is not warmer than half of its band above the setpoint."""

IDLE_S: Final = 120.0
"""Time constant with which an idle heater disproves a cold room: the meter and a thermostat need
about a minute to show a start."""

WALLS_S: Final = 1000.0
"""Time constant between air and walls, assumed: a quarter of an hour."""

WALLS: Final = 10.0
"""Heat capacity of walls and furniture over that of the air, assumed."""

MOST_SHORT_S: Final = 4 * 3600.0
"""A room is not colder than one that was not heated for four hours: it nears the outdoors."""

WRONG_S: Final = 80.0
"""Heat that a hypothesis cannot explain and that makes it e times less likely: about a band."""

MOST_WRONG: Final = 30.0
"""Largest exponent of one step: it keeps the weights in the range of a double."""

SURPRISE_S: Final = 150.0
"""Standard deviation of a good hypothesis when a thermostat shows the truth: 1.5 bands."""

MISTAKEN: Final = 0.1
"""Chance that such a step belonged to another room: the hypothesis filter is sure to 0.9."""

DOUBTED_S: Final = 120.0
"""A sign that contradicts by more than this counts for half: it may be another room's."""

DRIFT_S: Final = 10000.0
"""Time in which a room's duty cycle moves by one step of the grid: the weather changes in hours."""

MEASURED_S: Final = 20.0
"""Error of a measured shortage: a thermometer's step of 0.1 K."""

MEASURED_WANT_S: Final = 10.0
"""Measured shortage from which a room wants heat fully: 0.05 K."""

EAGERNESS_S: Final = 40.0
"""Scale of the logistic chance that a heater would draw: at a band's edge 0.78."""


class RoomHeat:
    """The shortage of one room: 0 at its setpoint, negative when it is warm.

    Attributes:
        share: the duty cycle that the room needs.
        short_s: the shortage against the wish, which says how much the room matters.
        asking_s: the shortage against the heaters' own thermostats, which says whether they draw.
        thermometer: the room's measured air; without it both shortages are the estimate.
    """

    __slots__ = ("_hypotheses", "asking_s", "share", "short_s", "thermometer")

    def __init__(self) -> None:
        self._hypotheses = [
            _ShareHypothesis(*pair) for pair in zip(SHARES, FIRST_WEIGHTS, strict=True)
        ]
        self.share = self.short_s = self.asking_s = 0.0
        self.thermometer = Thermometer()
        self._weigh()

    @property
    def eagerness(self) -> float:
        """The chance that one of its heaters would draw if it was on."""
        return 1 / (1 + math.exp(-max(-5.0, min(5.0, self.asking_s / EAGERNESS_S))))

    def wanted(self, want_s: float) -> float:
        """Return how much a shed heater of it is wanted: 0 where it would not draw, 1 in the cold.

        An estimate counts fully from `want_s` on; a measured shortage is certain earlier.
        """
        scale_s = MEASURED_WANT_S if self.thermometer.measures else want_s
        return min(1.0, max(0.0, self.asking_s / scale_s))

    def pass_time(self, seconds: float, drawing: float, idle: bool = False) -> None:
        """Advance by some seconds in which this share of its heaters' current was drawn.

        `idle` is a room with a heater that is on and does not draw.
        """
        for each in self._hypotheses:
            each.pass_time(seconds, drawing, idle)
        self._drift(min(1.0, seconds / DRIFT_S) / 2)
        self._weigh()

    def measure(self, now_s: float, reading: RoomReading | None) -> None:
        """Take what the room's thermometer says; None ends one that fell silent."""
        asking_s = self.thermometer.take(now_s, reading)
        if asking_s is not None:
            self._correct(asking_s - MEASURED_S, asking_s + MEASURED_S)
        self._weigh()

    def satisfied(self) -> None:
        """A thermostat has opened: the room is at the warm edge of its band."""
        self.thermometer.switched(warm=True)
        self._correct(-BAND_S, -BAND_S)

    def asking(self) -> None:
        """A thermostat has closed: the room is at the cold edge of its band."""
        self.thermometer.switched(warm=False)
        self._correct(BAND_S, BAND_S)

    def warm(self) -> None:
        """A heater that was restored draws nothing."""
        self.thermometer.showed(drawing=False)
        self._correct(-math.inf, -0.3 * BAND_S)

    def not_cold(self) -> None:
        """A heater turned out to draw nothing when it was shed."""
        self.thermometer.showed(drawing=False)
        self._correct(-math.inf, 0.0)

    def cold(self) -> None:
        """A heater turned out to draw."""
        self.thermometer.showed(drawing=True)
        self._correct(0.0, math.inf)

    def memory(self) -> LearnedRoom:
        """Return the weights, shortages and walls of all hypotheses."""
        states = [(g.weight, g.short_s, g.walls_s) for g in self._hypotheses]
        return LearnedRoom(states, self.thermometer.memory())

    def recall(self, room: LearnedRoom) -> None:
        """Go on with the hypotheses of an earlier run; others than these are left as they are."""
        states = room.hypotheses
        self.thermometer.recall(room.offsets)
        plausible = all(
            0 <= weight <= 1 and abs(short_s) <= MOST_SHORT_S and abs(walls_s) <= MOST_SHORT_S
            for weight, short_s, walls_s in states
        )
        if len(states) != len(self._hypotheses) or not plausible:
            return
        for each, state in zip(self._hypotheses, states, strict=True):
            each.weight, each.short_s, each.walls_s = state
        self._weigh()

    def _correct(self, least_s: float, most_s: float) -> None:
        for each in self._hypotheses:
            each.correct(max(least_s, min(most_s, each.short_s)))
        self._weigh()

    def _drift(self, part: float) -> None:
        """Diffuse a part of each weight to its neighbours: the duty cycle moves slowly."""
        before = [(each.weight, each.short_s, each.walls_s) for each in self._hypotheses]
        for each, lower, higher in zip(
            self._hypotheses, before[:1] + before[:-1], before[1:] + before[-1:], strict=True
        ):
            own, low, high = each.weight * (1 - 2 * part), lower[0] * part, higher[0] * part
            each.weight = own + low + high
            short_s = own * each.short_s + low * lower[1] + high * higher[1]
            walls_s = own * each.walls_s + low * lower[2] + high * higher[2]
            each.short_s, each.walls_s = short_s / each.weight, walls_s / each.weight

    def _weigh(self) -> None:
        hypotheses = self._hypotheses
        least = LEAST_WEIGHT * sum(each.weight for each in hypotheses)
        for each in hypotheses:
            each.weight = max(least, each.weight)
        total = sum(each.weight for each in hypotheses)
        for each in hypotheses:
            each.weight /= total
        self.share = sum(each.weight * each.share for each in hypotheses)
        estimate_s = sum(each.weight * each.short_s for each in hypotheses)
        measured = self.thermometer.shortages()
        self.short_s, self.asking_s = measured or (estimate_s, estimate_s)


class _ShareHypothesis:
    """One duty cycle that a room may need, and the shortage of heat that follows from it."""

    __slots__ = ("share", "short_s", "walls_s", "weight")

    def __init__(self, share: float, weight: float) -> None:
        self.share = share
        self.weight = weight
        self.short_s = FIRST_S
        self.walls_s = 0.0

    def pass_time(self, seconds: float, drawing: float, idle: bool) -> None:
        to_walls_s = (self.short_s - self.walls_s) * min(1.0, seconds / WALLS_S)
        self.walls_s += to_walls_s / WALLS
        short_s = self.short_s + (self.share - drawing) * seconds - to_walls_s
        floor_s = DRAWING_S if drawing > DRAWS else -2 * BAND_S
        wrong_s = 0.0
        if short_s < floor_s:
            wrong_s = short_s - floor_s
        elif idle and short_s > BAND_S:
            wrong_s = (short_s - BAND_S) * min(1.0, seconds / IDLE_S)
        if wrong_s:
            self.weight *= math.exp(-min(MOST_WRONG, abs(wrong_s) / WRONG_S))
        self.short_s = min(short_s - wrong_s, MOST_SHORT_S)

    def correct(self, short_s: float) -> None:
        """Take the shortage that a thermostat has shown."""
        surprise_s = self.short_s - short_s
        if surprise_s:
            self.weight *= max(MISTAKEN, math.exp(-0.5 * (surprise_s / SURPRISE_S) ** 2))
            self.short_s = short_s + (surprise_s / 2 if abs(surprise_s) > DOUBTED_S else 0.0)
