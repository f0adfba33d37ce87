"""The timing of a meter's line without its characters, faster than the line.

The values of a frame are those of the moment it was composed, and each becomes known when the last
bit of its group has been sent. So a current is up to one frame old when it is received.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final, NamedTuple

from jph.sim.meter.frames import ADIR, EOT, LONG_FRAME, SHORT_FRAME, STX, group
from jph.sim.meter.line import (
    AFTER_OVERRUN_S,
    BAUD,
    BITS_A_CHARACTER,
    FRAME_GAP_S,
    SHORT_FRAMES_A_CYCLE,
)
from jph.sim.meter.register import Register

Amps = tuple[float, float, float]

STANDARD_FRAME_S: Final = 1.5
STANDARD_CURRENTS_S: Final = (0.55, 0.57, 0.59)
"""Standard mode, three phases: a frame's length, and when in it IRMS1–3 have been sent.

Some 1100 characters at 9600 baud take 1.15 s, and the meter pauses.
"""


class Mode(Enum):
    """Mode of a meter; `NO_ADIR` is a historique one that never sends short frames."""

    HISTORIQUE = "historique"
    NO_ADIR = "no-adir"
    STANDARD = "standard"


class MeterReadings(NamedTuple):
    """Currents (IINST, IRMS) and overrun warnings (ADIR), A by phase, known from `time_s` on."""

    time_s: float
    currents: Mapping[int, float]
    warnings: Mapping[int, float]


class _Group(NamedTuple):
    end_s: float
    label: str


def _layout(labels: Iterable[str]) -> tuple[_Group, ...]:
    """Return when each group of a frame ends, s after the frame's beginning."""
    register = Register("0" * 12, 30)
    characters = len(STX)
    layout = []
    for label in labels:
        characters += len(group(label, register.value(label)))
        layout.append(_Group(characters * BITS_A_CHARACTER / BAUD, label))
    return tuple(layout)


def _length_s(layout: tuple[_Group, ...]) -> float:
    return layout[-1].end_s + BITS_A_CHARACTER / BAUD + FRAME_GAP_S


_EOT_S: Final = len(EOT) * BITS_A_CHARACTER / BAUD + FRAME_GAP_S
_LONG: Final = _layout(label for label in LONG_FRAME if label not in ("HCHP", "HHPHC"))
"""The long frame of a base tariff (HCHC replaces BASE, which is as long)."""
_LONG_S: Final = _length_s(_LONG)
_SHORT: Final = {
    mask: _layout(label for label in SHORT_FRAME if label not in ADIR or mask >> int(label[4]) & 1)
    for mask in range(0, 16, 2)
}
"""Layouts of the short frame by the mask of phases over the limit (bits 1 to 3)."""
_STANDARD: Final = tuple(_Group(s, f"IRMS{n}") for n, s in enumerate(STANDARD_CURRENTS_S, 1))


class Pace:
    """A line from `start_s` on: call `step` at `due_s`, and `notice` when a current changes.

    Currents below the contract come with the last current of their frame, in one call.
    """

    def __init__(self, subscribed_a: int, start_s: float, mode: Mode = Mode.HISTORIQUE) -> None:
        self._subscribed_a = subscribed_a
        self._mode = mode
        self._coming: deque[MeterReadings] = deque()
        self._begun_s = start_s
        self._end_s = start_s
        self._long = False
        self._alarm_until_s: float | None = None
        self._short_left = 0

    @property
    def due_s(self) -> float:
        """Time of the next call of `step`."""
        return self._coming[0].time_s if self._coming else self._end_s

    def step(self, now_s: float, amps: Amps) -> MeterReadings | None:
        """Advance to `due_s`, with the currents of that moment; return readings that end there."""
        if self._coming:
            return self._coming.popleft()
        self._compose(now_s, amps)
        return None

    def notice(self, now_s: float, amps: Amps) -> None:
        """Report a change of a current: an overrun ends a long frame early."""
        if self._mode is not Mode.HISTORIQUE or not self._over(amps):
            return
        begins = self._alarm_until_s is None
        self._alarm_until_s = now_s + AFTER_OVERRUN_S
        if begins:
            self._short_left = SHORT_FRAMES_A_CYCLE
            self._cut_short(now_s)

    def _cut_short(self, now_s: float) -> None:
        """End the frame with the current group; the groups after it are not sent."""
        passed_s = now_s - self._begun_s
        end_s = next((g.end_s for g in _LONG if g.end_s >= passed_s), None)
        if not self._long or end_s is None:
            return
        self._end_s = self._begun_s + end_s + _EOT_S
        self._coming = deque(each for each in self._coming if each.time_s < self._end_s)

    def _over(self, amps: Amps) -> int:
        one, two, three = amps
        most = self._subscribed_a + 0.5  # as the register rounds them
        return (one > most) << 1 | (two > most) << 2 | (three > most) << 3

    def _compose(self, now_s: float, amps: Amps) -> None:
        self._begun_s = now_s
        shown = [float(round(current)) for current in amps]
        if self._mode is Mode.STANDARD:
            self._schedule(_STANDARD, shown)
            self._end_s = now_s + STANDARD_FRAME_S
            return
        self.notice(now_s, amps)
        if self._alarm_until_s is not None and now_s >= self._alarm_until_s:
            self._alarm_until_s = None
        self._long = self._alarm_until_s is None or not self._short_left
        if self._long:
            self._short_left = SHORT_FRAMES_A_CYCLE
            self._schedule(_LONG, shown)
            self._end_s = now_s + _LONG_S
        else:
            self._short_left -= 1
            layout = _SHORT[self._over(amps)]
            self._schedule(layout, shown)
            self._end_s = now_s + _length_s(layout)

    def _schedule(self, layout: Iterable[_Group], shown: list[float]) -> None:
        waiting: dict[int, float] = {}
        last_s = 0.0
        for end_s, label in layout:
            if not label.startswith(("IINST", "IRMS", "ADIR")):
                continue
            phase = int(label[-1])
            current = shown[phase - 1]
            last_s = self._begun_s + end_s
            if label in ADIR:
                self._coming.append(MeterReadings(last_s, {}, {phase: current}))
            elif current >= self._subscribed_a and phase < 3:
                self._coming.append(MeterReadings(last_s, {phase: current}, {}))
            else:
                waiting[phase] = current
        if waiting:
            self._coming.append(MeterReadings(last_s, waiting, {}))
