"""The days before the first start of a simulated house, as readings and hours. Pure.

The same physics as afterwards, in winter, with an ideal shedder: it knows every current, gives the
heaters that call for heat the power that is left, coldest room first, and decides again each minute
and at every overload.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from jph.config.house.house import House
from jph.sim.meter.register import JOULES_PER_WH, off_peak
from jph.sim.physics.house import COMFORT_C, SimulatedHeater, SimulatedHouse
from jph.sim.physics.spec import PHASES, VOLTS, HouseSpec
from jph.sim.physics.weather import HOUR_S

STEP_S: Final = 60.0
EVERY_STEPS: Final = 5
"""Steps from reading to reading of an element."""
MARGIN_A: Final = 1.0

Value = float | int | str


class PastReadings(NamedTuple):
    """Values by codifier at a house time, s."""

    time_s: float
    values: dict[str, Value]


class PastHour(NamedTuple):
    """An hour that ends at a house time: mean and peak (A, at `peak_s`), s of shedding."""

    end_s: float
    phase: int
    mean_a: float
    peak_a: float
    peak_s: float
    shed_s: float
    heaters_shed_s: dict[str, float]


class IdealShedder:
    """Keeps each phase of a house below its contract, with perfect knowledge."""

    def __init__(self, house: SimulatedHouse) -> None:
        self._house = house
        self._limit_w = (house.spec.subscribed_a - MARGIN_A) * VOLTS
        self._phases: dict[int, list[SimulatedHeater]] = {phase: [] for phase in PHASES}
        for heater in house.heaters.values():
            self._phases[heater.spec.phase].append(heater)
        house.watch = self._changed

    def shed(self, phase: int) -> set[str]:
        """Return the heaters of a phase that call for heat and get none."""
        return {h.spec.codifier for h in self._phases[phase] if h.on and not h.share}

    def decide(self, phase: int) -> None:
        """Give the heaters of a phase the power that is left, coldest room first."""
        left_w = self._limit_w - self._house.appliance_amps(phase) * VOLTS
        for heater in sorted(self._phases[phase], key=lambda each: each.room.air_c):
            fits = not heater.on or heater.spec.watts <= left_w
            left_w -= heater.spec.watts if heater.on and fits else 0.0
            self._house.throttle(heater.spec.codifier, float(fits))

    def _changed(self) -> bool:
        for phase, amps in zip(PHASES, self._house.amps, strict=True):
            if amps * VOLTS > self._limit_w:
                self.decide(phase)
        return False


class Past:
    """The past of a house from `begin_s` to `end_s`, house times of whole minutes."""

    def __init__(
        self, spec: HouseSpec, codes: House, places: dict[str, str], *, seed: int, begin_s: float
    ) -> None:
        """`places` holds the codifier of each room, and of the outdoors under an empty name."""
        self._house = SimulatedHouse(spec, seed=seed, start_s=begin_s, indoor_c=COMFORT_C)
        self._shedder = IdealShedder(self._house)
        self._codes, self._places = codes, places
        self._wh = [0.0, 0.0]
        self._drawn_j = 0.0

    def run(self, end_s: float) -> Iterator[PastReadings | PastHour]:
        """Yield everything up to a house time; indexes begin at 0."""
        hour = _RunningHour()
        steps = 0
        while self._house.time_s < end_s:
            for phase in PHASES:
                self._shedder.decide(phase)
            self._house.step(STEP_S)
            self._count()
            steps += 1
            hour.add(self._house, self._shedder)
            if not steps % EVERY_STEPS:
                yield self._readings()
            if self._house.time_s % HOUR_S < STEP_S / 2:
                yield from hour.hours(self._house.time_s)
                hour = _RunningHour()

    def indexes(self) -> tuple[float, float]:
        """Return the energy off-peak and peak so far, Wh."""
        return self._wh[0], self._wh[1]

    def _count(self) -> None:
        drawn_j = sum(self._house.joules())
        self._wh[not off_peak(self._house.time_s)] += (drawn_j - self._drawn_j) / JOULES_PER_WH
        self._drawn_j = drawn_j

    def _readings(self) -> PastReadings:
        house, meter = self._house, self._codes.meter
        amps = [round(each) for each in house.amps]
        values: dict[str, Value] = {
            **{meter.of(f"CURRENT_{n}"): amps[n - 1] for n in PHASES},
            meter.of("APPARENT_POWER"): round(sum(house.amps) * VOLTS / 10) * 10,
            meter.of("INDEX_HC"): int(self._wh[0]),
            meter.of("INDEX_HP"): int(self._wh[1]),
            meter.of("TARIFF_PERIOD"): "HC" if off_peak(house.time_s) else "HP",
            self._places.get("", ""): round(house.outdoor_c, 2),
        }
        for name, room in house.rooms.items():
            values[self._places.get(name, "")] = round(room.air_c, 2)
        for phase in self._codes.phases:
            shed = self._shedder.shed(phase.number)
            values[phase.mask] = self._codes.wiring.mask(phase.number, shed)
        values.pop("", None)
        return PastReadings(house.time_s, values)


class _RunningHour:
    """Sums of the current hour."""

    def __init__(self) -> None:
        self._steps = 0
        self._amps = dict.fromkeys(PHASES, 0.0)
        self._peaks = dict.fromkeys(PHASES, (0.0, 0.0))
        self._shed_s = dict.fromkeys(PHASES, 0.0)
        self._heaters_s: dict[int, dict[str, float]] = {phase: {} for phase in PHASES}

    def add(self, house: SimulatedHouse, shedder: IdealShedder) -> None:
        """Add a step."""
        self._steps += 1
        for phase, amps in zip(PHASES, house.amps, strict=True):
            self._amps[phase] += amps
            self._peaks[phase] = max(self._peaks[phase], (amps, house.time_s))
            shed = shedder.shed(phase)
            self._shed_s[phase] += STEP_S * bool(shed)
            for heater in (h for h in house.heaters.values() if h.spec.phase == phase):
                spent = self._heaters_s[phase].setdefault(heater.spec.codifier, 0.0)
                self._heaters_s[phase][heater.spec.codifier] = spent + STEP_S * (
                    heater.spec.codifier in shed
                )

    def hours(self, end_s: float) -> Iterator[PastHour]:
        """Yield the hour of each phase."""
        for phase in PHASES:
            peak_a, peak_s = self._peaks[phase]
            mean_a = self._amps[phase] / self._steps
            shed_s, heaters = self._shed_s[phase], self._heaters_s[phase]
            yield PastHour(end_s, phase, mean_a, peak_a, peak_s, shed_s, heaters)
