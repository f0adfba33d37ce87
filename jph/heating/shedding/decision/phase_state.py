"""The state of one phase: what is shed, drawn, expected and waited for. Pure."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from jph.config.house.loads import ECO_SHIFT, Load
from jph.heating.shedding.decision.planner import Planner
from jph.heating.shedding.decision.relief import Relief
from jph.heating.shedding.decision.returns import UntilReturn, return_range
from jph.heating.shedding.decision.shed_heaters import ShedHeaters
from jph.heating.shedding.decision.trip import TripModel
from jph.heating.shedding.estimates.duty_cycle import RoomHeat
from jph.heating.shedding.estimates.observer import Observer
from jph.heating.shedding.estimates.peaks import Peaks
from jph.heating.shedding.memory import HeldHeater
from jph.heating.shedding.rules import Held, Report, Rules

WANTING: Final = 0.3
"""Part of the want from which a shed heater goes before loads that can wait."""

IDLE: Final = 0.4
"""Chance to draw below which a heater that is on counts as idle."""


class PhaseState:
    """What is known of one phase; sets of heaters are bits."""

    def __init__(
        self,
        number: int,
        heaters: Sequence[Load],
        rooms: Sequence[RoomHeat],
        rules: Rules,
    ) -> None:
        self.number = number
        self.heaters = heaters
        self.rules = rules
        self.seen = Observer(heaters, rooms, rules)
        self.trip = TripModel(rules.breaker_a, rules.breaker_curve)
        self.peaks = Peaks()
        self.limit_a: float | None = None
        self.helpless = False
        self.claim_a = 0.0
        """What a load that must run now still lacks: heaters leave it."""
        self._planner = Planner(heaters, self.seen, rules)
        self._cold = 0
        """Heaters whose order keeps them from drawing."""
        self._shed = ShedHeaters(number, heaters)
        self._relief = Relief()

    @property
    def mask(self) -> int:
        """The heaters that are shed."""
        return self._shed.mask

    @property
    def staged(self) -> int:
        """The mask as the cards read it: bit 32 + i for a heater that may have eco."""
        return self.mask & ~self._shed.eco | self._shed.eco << ECO_SHIFT

    @property
    def left_a(self) -> float:
        """The current less what was switched off and may not show yet, A."""
        return (self.seen.current_a or 0.0) - self.expected_a

    @property
    def expected_a(self) -> float:
        """What was switched off and may not show yet, A."""
        return self._relief.expected_a

    @property
    def switched_s(self) -> float:
        """When the last heater was switched."""
        return self._shed.last_s

    def waiting(self) -> list[tuple[int, str]]:
        """Return the priority and codifier of each heater that is shed though its room wants it."""
        return [
            (self._planner.rank(bit), self.heaters[bit].codifier)
            for bit in bits_of(self.mask & ~self._cold)
            if self.seen.rooms[bit].wanted(self.rules.want_s) >= WANTING
        ]

    def drawn_a(self, bit: int) -> float:
        """Return what a heater is believed to draw, A."""
        if (self.mask | self._cold) >> bit & 1:
            return 0.0
        return self.seen.amperes.of[bit] * self.seen.hypotheses.chance[bit]

    def idle(self, bit: int) -> bool:
        """Return whether a heater that is on probably draws nothing."""
        let = not (self.mask | self._cold) >> bit & 1
        return let and self.seen.quiet and self.seen.hypotheses.chance[bit] < IDLE

    def report(self, now_s: float) -> Report:
        """Return the phase as it is now."""
        shed = {
            why.heater.codifier: Held(
                self._shed.since_s[bit],
                why.current_a,
                why.limit_a,
                why.cause,
                *self.back_range(now_s, bit),
                why.turn_of,
            )
            for bit, why in self._shed.reasons()
        }
        known = {
            heater.codifier: amperes
            for heater, amperes, seen in zip(
                self.heaters, self.seen.amperes.of, self.seen.amperes.seen, strict=True
            )
            if seen
        }
        trip_s = self.trip.seconds_left()
        heard = self.seen.current_a is not None
        silent_s = self.seen.silent_s(now_s) if heard else math.inf
        return Report(self.seen.current_a, self.limit_a, trip_s, shed, known, silent_s)

    def held(self, now_s: float, wall_ms: float) -> dict[str, HeldHeater]:
        """Return the heaters that are shed and why, for the memory."""
        return self._shed.held(now_s, wall_ms)

    def recall(self, now_s: float, wall_ms: float, held: Mapping[str, HeldHeater]) -> None:
        """Take reasons and times of an earlier run for the heaters that are still shed."""
        self._shed.recall(now_s, wall_ms, held)

    def back_range(self, now_s: float, bit: int) -> tuple[float, float]:
        """Return the range of seconds in which most shed heaters like this one return."""
        return return_range(self.until_return(now_s, bit))

    def until_return(self, now_s: float, bit: int) -> UntilReturn:
        """Return what is known of the return of a shed heater."""
        rest_s = max(0.0, self._shed.since_s[bit] + self.rules.minimum_off_s - now_s)
        room = self.seen.rooms[bit]
        asking_s = max(0.0, (self.rules.want_s - room.short_s) / room.share)
        return UntilReturn(rest_s, asking_s, max(0.0, now_s - self._shed.since_s[bit]))


def bits_of(bits: int) -> list[int]:
    """Return the bits of a set, lowest first."""
    return [bit for bit in range(bits.bit_length()) if bits >> bit & 1]
