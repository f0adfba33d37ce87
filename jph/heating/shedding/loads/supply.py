"""Supply for steered loads: room below the limit, current fed in, off-peak hours. Pure."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from jph.heating.shedding.loads.steered import SteeredLoad
from jph.heating.shedding.rules import NEVER, LoadReadings

SUN: Final = "sun"
"""Reason of a load that draws what would be fed in."""

RECENT_S: Final = 30.0
"""A load starts where it fits beside the highest current of this time."""

SUN_S: Final = 60.0
"""Fed-in or imported current counts when it has lasted so long: clouds and kettles."""

OLD_S: Final = 60.0
"""Age from which a fed-in current is not known any more: no load runs on it."""

OLD_TARIFF_S: Final = 1800.0
"""Age from which off-peak hours are over: loads wait for their time then."""


class PhaseView(NamedTuple):
    """What a load must know of a phase; `waiting` are the wanting heaters that are shed.

    `left_a` is the current less what was shed and may not show yet.
    """

    current_a: float | None
    limit_a: float | None
    left_a: float
    trip_s: float
    silent_s: float
    helpless: bool
    switched_s: float
    waiting: Sequence[tuple[int, str]]


class Supply:
    """The currents of the phases lately, what they feed in, and the tariff."""

    def __init__(self, margin_a: float, import_a: float) -> None:
        self._margin_a = margin_a
        self._import_a = import_a
        self._recent: dict[int, deque[tuple[float, float]]] = {}
        self._fed_in: dict[int, float] = {}
        self._fed_in_s: dict[int, float] = {}
        self._off_peak = False
        self._off_peak_s = NEVER
        self._sun_s: dict[str, float] = {}
        self._dark_s: dict[str, float] = {}

    def take(self, now_s: float, readings: LoadReadings) -> None:
        """Take what is fed in, and whether off-peak hours are on."""
        self._fed_in_s.update(dict.fromkeys(readings.fed_in, now_s))
        self._fed_in.update(readings.fed_in)
        for number, at_s in self._fed_in_s.items():
            if now_s - at_s > OLD_S:
                self._fed_in.pop(number, None)
        if readings.off_peak is not None:
            self._off_peak, self._off_peak_s = readings.off_peak, now_s

    def off_peak(self, now_s: float) -> bool:
        """Return whether off-peak hours are on, as far as that is still known."""
        return self._off_peak and now_s - self._off_peak_s < OLD_TARIFF_S

    def hear(self, now_s: float, number: int, current_a: float) -> None:
        """Take the current of a phase."""
        recent = self._recent.setdefault(number, deque())
        while recent and (recent[0][0] < now_s - RECENT_S or len(recent) > 100):
            recent.popleft()
        recent.append((now_s, current_a))

    def sun_a(self, now_s: float, load: SteeredLoad) -> float:
        """Return the current that would be fed in without it, A; 0 where that is too little.

        It starts when that has been enough for a minute, and stops when it has imported more than
        the margin for a minute.
        """
        code, phases = load.settings.codifier, load.settings.phases
        if any(number not in self._fed_in for number in phases):
            return 0.0
        spare_a = min(self._fed_in[n] - self._imported_a(n) for n in phases) + self._import_a
        sun_a = spare_a + (load.drawn_a if load.on else 0.0)
        if not (load.on and load.reason == SUN):
            self._dark_s.pop(code, None)
            if sun_a < load.least_a:
                self._sun_s.pop(code, None)
                return 0.0
            return sun_a if now_s - self._sun_s.setdefault(code, now_s) >= SUN_S else 0.0
        self._sun_s.pop(code, None)
        if sun_a >= load.least_a:
            self._dark_s.pop(code, None)
            return sun_a
        since_s = self._dark_s.setdefault(code, now_s)
        return load.least_a if now_s - since_s < SUN_S else 0.0

    def _imported_a(self, number: int) -> float:
        recent = self._recent.get(number)
        return 0.0 if not recent or self._fed_in.get(number, 0.0) > 0 else recent[-1][1]

    def room_a(self, load: SteeredLoad, views: Mapping[int, PhaseView]) -> float:
        """Return what it may draw more on each of its phases, A."""
        rooms = [math.inf]
        for number in load.settings.phases:
            limit_a, recent = views[number].limit_a, self._recent.get(number)
            if limit_a is None or not recent:
                return -math.inf
            highest_a = max(current_a for _, current_a in recent)
            now_a = recent[-1][1] if load.on else highest_a
            rooms.append(limit_a - 1.0 - self._margin_a - now_a)
        return min(rooms)

    def free_a(self, view: PhaseView) -> float:
        """Return the room of a phase once what was shed has shown, A."""
        if view.limit_a is None:
            return 0.0
        return view.limit_a - 1.0 - self._margin_a - view.left_a
