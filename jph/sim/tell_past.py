"""Prints the past of a simulated house as JSON lines, for `collector.history.imported`.

    python -m jph.sim.tell_past CONFIG CODIFIER UNTIL_MS DAYS ZONE

The lines are `["readings", ms, values]` and `["hour", end ms, phase, mean A, peak A, peak ms, s of
shedding, s of shedding by heater]`, in the order of time. The last indexes are those with which a
simulated meter starts.
"""

import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from jph.config.house.house import House
from jph.node import kinds
from jph.sim.blueprint import blueprint
from jph.sim.house_simulator import HouseSimulator, HouseSimulatorSettings
from jph.sim.meter.register import FIRST_INDEXES_WH
from jph.sim.past import Past, PastHour, PastReadings
from jph.sim.physics.weather import DAY_S

MINUTE_MS: Final = 60_000


def main(arguments: Sequence[str]) -> None:
    """Simulate, then print: the indexes depend on the energy of the whole past."""
    url, codifier, until, days, zone = arguments
    until_ms = int(until) // MINUTE_MS * MINUTE_MS
    midnight = datetime.fromtimestamp(until_ms / 1000, ZoneInfo(zone)).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    midnight_ms = round(midnight.timestamp() * 1000)
    network = kinds.load(url, [codifier])
    settings = HouseSimulator.check_settings(network.sensor(codifier))
    assert isinstance(settings, HouseSimulatorSettings)
    plan = blueprint(
        network,
        f"unix:{settings.i2c}",
        {room.name: room.area for room in settings.rooms},
        seed=settings.seed,
        subscribed_a=settings.subscribed,
    )
    places = {"": settings.outdoor, **{room.name: room.codifier for room in settings.rooms}}
    codes = House(network)
    past = Past(plan.house, codes, places, seed=settings.seed, begin_s=-int(days) * DAY_S)
    found = list(past.run((until_ms - midnight_ms) / 1000))
    totals = zip(("INDEX_HC", "INDEX_HP"), past.indexes(), FIRST_INDEXES_WH, strict=True)
    offsets = {codes.meter.of(field): first - total for field, total, first in totals}
    for each in found:
        sys.stdout.write(json.dumps(_line(each, midnight_ms, offsets)) + "\n")


def _line(
    each: PastReadings | PastHour, midnight_ms: int, offsets: dict[str, float]
) -> list[object]:
    if isinstance(each, PastHour):
        end_ms, peak_ms = (midnight_ms + round(1000 * s) for s in (each.end_s, each.peak_s))
        amps = (round(each.mean_a, 2), round(each.peak_a, 1))
        return ["hour", end_ms, each.phase, *amps, peak_ms, each.shed_s, each.heaters_shed_s]
    values = {
        code: value if isinstance(value, str) or code not in offsets else int(value + offsets[code])
        for code, value in each.values.items()
    }
    return ["readings", midnight_ms + round(1000 * each.time_s), values]


if __name__ == "__main__":
    main(sys.argv[1:])
