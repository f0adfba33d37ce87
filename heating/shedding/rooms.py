"""How short of heat each room is, in seconds of its heaters' full heating.

Nothing measures the rooms here.  But a thermostat that lets go says that its room is warm, one
that asks again says that it has cooled by its band, and in between a room misses or gains what
its heaters do not draw against what it loses.  A cold room loses less: its walls give some of
their heat back, and want it again later.  From where a guess and a thermostat disagree, the share
of its heaters that a room needs is learned.
"""

import math
from typing import Final

FIRST_SHARE: Final = 0.5
LEAST_SHARE: Final = 0.05
BAND_S: Final = 50.0
"""What a thermostat's band is worth in heating, above and below its setpoint."""

DRAWS: Final = 0.1
DRAWING_S: Final = -25.0
"""A room whose heaters still draw, more than this share of them, is hardly warmer than this."""

IDLE_S: Final = 120.0
"""How soon a heater that could draw and does not disproves that its room is cold."""

WALLS_S: Final = 2400.0
"""How slowly the air follows the walls."""

WALLS: Final = 10.0
"""What the walls hold of heat, in that of the air."""

MOST_SHORT_S: Final = 4 * 3600.0
SURPRISE_S: Final = 300.0
CORRECTION: Final = 0.05
DOUBTED_S: Final = 120.0
"""A sign that contradicts by more than this may be another room's: it counts for half."""

PERSISTENCE_S: Final = 5000.0
EAGERNESS_S: Final = 40.0


class Room:
    """The shortage of one room: 0 at its setpoint, negative when it is warm."""

    __slots__ = ("_walls_s", "share", "short_s")

    def __init__(self) -> None:
        self.share = FIRST_SHARE
        self.short_s = 0.0
        self._walls_s = 0.0

    @property
    def eagerness(self) -> float:
        """How likely one of its heaters would draw if it was let."""
        return 1 / (1 + math.exp(-max(-5.0, min(5.0, self.short_s / EAGERNESS_S))))

    def pass_time(self, seconds: float, drawing: float, idle: bool = False) -> None:
        """Let time pass while this share of its heaters' current is drawn.

        `idle` is a room with a heater that might draw, and does not.
        """
        share_s = min(1.0, seconds / WALLS_S)
        to_walls_s = (self.short_s - self._walls_s) * share_s
        self._walls_s += to_walls_s / WALLS
        short_s = self.short_s + (self.share - drawing) * seconds - to_walls_s
        floor_s = DRAWING_S if drawing > DRAWS else -2 * BAND_S
        if short_s < floor_s:
            # It goes on heating though it should be warm: it needs more than was thought.
            self.share = min(1.0, self.share + (floor_s - short_s) / PERSISTENCE_S)
            short_s = floor_s
        elif idle and short_s > BAND_S:
            much_s = (short_s - BAND_S) * min(1.0, seconds / IDLE_S)
            self.share = max(LEAST_SHARE, self.share - much_s / PERSISTENCE_S)
            short_s -= much_s
        self.short_s = min(short_s, MOST_SHORT_S)

    def satisfied(self) -> None:
        """A thermostat has let go: the room is as warm as it gets."""
        self._correct(-BAND_S)

    def asking(self) -> None:
        """A thermostat asks again: the room has cooled by its band."""
        self._correct(BAND_S)

    def warm(self) -> None:
        """A heater that was let draws nothing."""
        self._correct(min(self.short_s, -0.3 * BAND_S))

    def not_cold(self) -> None:
        """A heater turned out to draw nothing when it was shed."""
        if self.short_s > 0:
            self._correct(0.0)

    def cold(self) -> None:
        """A heater turned out to draw."""
        if self.short_s < 0:
            self._correct(0.0)

    def _correct(self, short_s: float) -> None:
        surprise_s = self.short_s - short_s
        step = CORRECTION * max(-1.0, min(1.0, surprise_s / SURPRISE_S))
        self.share = min(1.0, max(LEAST_SHARE, self.share - step))
        self.short_s = short_s + (surprise_s / 2 if abs(surprise_s) > DOUBTED_S else 0.0)
