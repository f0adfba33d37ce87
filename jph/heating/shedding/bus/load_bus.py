"""Steered loads on the data bus: what they report, and what the shedder says of them. Pure."""

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from jph.config.house.shedder import SheddingSettings
from jph.config.house.steered import LARGEST_A
from jph.heating.shedding.decision.policy import SheddingPolicy
from jph.heating.shedding.loads.steering import LoadSteering
from jph.heating.shedding.rules import LoadReadings
from jph.wire.codec import Quality, Reading, Value

MOST_W: Final = 100_000.0

_TRUSTED: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})


class LoadSorter:
    """Knows the elements that concern steered loads."""

    def __init__(self, settings: SheddingSettings) -> None:
        self._codifiers = {load.codifier for load in settings.loads}
        self._powers = {load.power: load.codifier for load in settings.loads if load.power}
        self._fed_in = {phase.fed_in: phase.phase for phase in settings.phases if phase.fed_in}
        self._off_peak = settings.off_peak

    def sort(self, batch: Iterable[Reading]) -> LoadReadings | None:
        """Return what a batch says of them, None if nothing."""
        values: dict[str, float] = {}
        powers: dict[str, float] = {}
        fed_in: dict[int, float] = {}
        off_peak: bool | None = None
        for reading in batch:
            if reading.flag == "n" or reading.quality not in _TRUSTED:
                continue
            source, number = reading.source, reading.number
            if source == self._off_peak:
                off_peak = is_off_peak(reading.value)
            if number is None:
                continue
            if source in self._codifiers and 0 <= number <= LARGEST_A:
                values[source] = number
            if source in self._powers and 0 <= number <= MOST_W:
                powers[self._powers[source]] = number
            if source in self._fed_in and 0 <= number <= LARGEST_A:
                fed_in[self._fed_in[source]] = number
        found = LoadReadings(values, powers, fed_in, off_peak)
        return None if found == LoadReadings() else found


def is_off_peak(value: Value) -> bool:
    """Return whether a tariff period is an off-peak one: its name says so, or it is not 0."""
    if isinstance(value, str):
        return value.strip().upper().startswith("HC") or "CREUS" in value.upper()
    return isinstance(value, int | float) and value != 0


def local_time(now_ms: float) -> tuple[int, float]:
    """Return the number of the local day and the s of it."""
    local = datetime.fromtimestamp(now_ms / 1000).astimezone()
    return local.toordinal(), 3600.0 * local.hour + 60.0 * local.minute + local.second


def steering_of(settings: SheddingSettings) -> LoadSteering:
    """Return the steering of a shedder's loads."""
    return LoadSteering(
        settings.loads,
        volts=settings.voltage,
        margin_a=settings.margin,
        import_a=settings.import_margin,
    )


def state_of(policy: SheddingPolicy) -> dict[str, object]:
    """Return the loads and the energy of the day as they travel; energies are [kWh, error]."""
    loads = policy.steering.loads
    return {
        "value": sum(load.on for load in loads.values()),
        "loads": {
            code: {
                "sort": load.settings.sort.value,
                "ordered": load.value,
                "reported": load.reported,
                "reason": load.reason,
                "turn_of": list(load.turn_of),
                "watts": round(load.watts),
                "learned": load.known,
                "by": load.settings.by,
                "missing_s": round(load.missing_s()),
                "kwh": _kwh(load.wh, load.error_wh),
            }
            for code, load in loads.items()
        },
        "today": {code: _kwh(*energy) for code, energy in policy.energy.items()},
    }


def _kwh(wh: float, error_wh: float) -> list[float]:
    return [round(wh / 1000, 3), round(math.fabs(error_wh) / 1000, 3)]
