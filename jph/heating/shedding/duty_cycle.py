"""Estimates how short of heat each room is, in seconds of its heaters' full heating.

Nothing measures the rooms here, and their losses are not known.  So several guesses are kept side
by side: each a share of its heaters that the room needs, and the shortage that follows from what
they drew.  A cold room loses less: its walls give some of their heat back, and want it again later.

A thermostat that lets go says that its room is warm, one that asks again that it has cooled by
its band.  A guess that says "warm" of a room whose heaters go on drawing, or "cold" of one whose
heaters could draw and do not, is set right each time, and believed the less for it.
"""

import math
from typing import Final

from jph.heating.shedding.memory import LearnedRoom

SHARES: Final = (0.08, 0.2, 0.32, 0.44, 0.56, 0.68, 0.8, 0.92)
FIRST_WEIGHTS: Final = (0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.7, 0.3)
FIRST_S: Final = 20.0
LEAST_WEIGHT: Final = 1e-6

BAND_S: Final = 50.0
"""What a thermostat's band is worth in heating, above and below its setpoint."""

DRAWS: Final = 0.1
DRAWING_S: Final = -25.0
"""A room whose heaters still draw, more than this share of them, is hardly warmer than this."""

IDLE_S: Final = 120.0
"""How soon a heater that could draw and does not disproves that its room is cold."""

WALLS_S: Final = 1000.0
"""How slowly the air follows the walls."""

WALLS: Final = 10.0
"""What the walls hold of heat, in that of the air."""

MOST_SHORT_S: Final = 4 * 3600.0

WRONG_S: Final = 80.0
"""So much heat drawn, or not, that a guess cannot explain makes it e times less likely."""

MOST_WRONG: Final = 30.0

SURPRISE_S: Final = 150.0
"""How far from the truth a good guess may be when a thermostat tells it (standard deviation)."""

MISTAKEN: Final = 0.1
"""How likely such a sign was another room's."""

DOUBTED_S: Final = 120.0
"""A sign that contradicts by more than this may be another room's: it counts for half."""

DRIFT_S: Final = 10000.0
"""How long a room goes on needing about the same: the weather changes."""

EAGERNESS_S: Final = 40.0


class Room:
    """The shortage of one room: 0 at its setpoint, negative when it is warm."""

    __slots__ = ("_guesses", "share", "short_s")

    def __init__(self) -> None:
        self._guesses = [_Guess(*pair) for pair in zip(SHARES, FIRST_WEIGHTS, strict=True)]
        self.share = self.short_s = 0.0
        self._weigh()

    @property
    def eagerness(self) -> float:
        """How likely one of its heaters would draw if it was let."""
        return 1 / (1 + math.exp(-max(-5.0, min(5.0, self.short_s / EAGERNESS_S))))

    def pass_time(self, seconds: float, drawing: float, idle: bool = False) -> None:
        """Let time pass while this share of its heaters' current is drawn.

        `idle` is a room with a heater that might draw, and does not.
        """
        for guess in self._guesses:
            guess.pass_time(seconds, drawing, idle)
        self._drift(min(1.0, seconds / DRIFT_S) / 2)
        self._weigh()

    def satisfied(self) -> None:
        """A thermostat has let go: the room is as warm as it gets."""
        self._told(-BAND_S, -BAND_S)

    def asking(self) -> None:
        """A thermostat asks again: the room has cooled by its band."""
        self._told(BAND_S, BAND_S)

    def warm(self) -> None:
        """A heater that was let draws nothing."""
        self._told(-math.inf, -0.3 * BAND_S)

    def not_cold(self) -> None:
        """A heater turned out to draw nothing when it was shed."""
        self._told(-math.inf, 0.0)

    def cold(self) -> None:
        """A heater turned out to draw."""
        self._told(0.0, math.inf)

    def memory(self) -> LearnedRoom:
        """Return the weights, shortages and walls of all hypotheses."""
        return LearnedRoom([(g.weight, g.short_s, g.walls_s) for g in self._guesses])

    def recall(self, room: LearnedRoom) -> None:
        """Go on with the hypotheses of an earlier run; others than these are left as they are."""
        states = room.hypotheses
        plausible = all(
            0 <= weight <= 1 and abs(short_s) <= MOST_SHORT_S and abs(walls_s) <= MOST_SHORT_S
            for weight, short_s, walls_s in states
        )
        if len(states) != len(self._guesses) or not plausible:
            return
        for guess, state in zip(self._guesses, states, strict=True):
            guess.weight, guess.short_s, guess.walls_s = state
        self._weigh()

    def _told(self, least_s: float, most_s: float) -> None:
        for guess in self._guesses:
            guess.correct(max(least_s, min(most_s, guess.short_s)))
        self._weigh()

    def _drift(self, part: float) -> None:
        """Let each guess take a part of its neighbours in: the truth moves slowly."""
        before = [(guess.weight, guess.short_s, guess.walls_s) for guess in self._guesses]
        for guess, lower, higher in zip(
            self._guesses, before[:1] + before[:-1], before[1:] + before[-1:], strict=True
        ):
            own, low, high = guess.weight * (1 - 2 * part), lower[0] * part, higher[0] * part
            guess.weight = own + low + high
            short_s = own * guess.short_s + low * lower[1] + high * higher[1]
            walls_s = own * guess.walls_s + low * lower[2] + high * higher[2]
            guess.short_s, guess.walls_s = short_s / guess.weight, walls_s / guess.weight

    def _weigh(self) -> None:
        guesses = self._guesses
        least = LEAST_WEIGHT * sum(guess.weight for guess in guesses)
        for guess in guesses:
            guess.weight = max(least, guess.weight)
        total = sum(guess.weight for guess in guesses)
        for guess in guesses:
            guess.weight /= total
        self.share = sum(guess.weight * guess.share for guess in guesses)
        self.short_s = sum(guess.weight * guess.short_s for guess in guesses)


class _Guess:
    """One share of its heaters that a room may need, and how short of heat it would be then."""

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
        """Take what the shortage turns out to be."""
        surprise_s = self.short_s - short_s
        if surprise_s:
            self.weight *= max(MISTAKEN, math.exp(-0.5 * (surprise_s / SURPRISE_S) ** 2))
            self.short_s = short_s + (surprise_s / 2 if abs(surprise_s) > DOUBTED_S else 0.0)
