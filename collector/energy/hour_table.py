"""Updates the tables `phase_hour` and `heater_hour` for times that were touched."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from collector.energy.energy_table import MILLISECONDS, Touched, moment
from collector.energy.hours import (
    HeaterHour,
    PhaseHour,
    PhaseStreams,
    Sample,
    Stream,
    heater_hours,
    phase_hour,
)
from collector.energy.meters import Phase
from collector.statistics.local_days import Hour, LocalDays
from jph.config.house.loads import Load, Wiring, wiring
from jph.config.model import Network
from jph.errors import ConfigError

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

_READINGS: Final = f"""
    SELECT codifier, {MILLISECONDS}, coalesce(value_integer, value_real)
    FROM unnest(%s) AS wanted (code), readings(wanted.code, %s, %s)
    WHERE quality NOT IN (1, 2)
        AND (value_integer IS NOT NULL OR value_real BETWEEN -1e15 AND 1e15)
    ORDER BY timestamp, epoch, sequence
"""
_INTEGERS: Final = f"""
    SELECT codifier, {MILLISECONDS}, value_integer FROM readings(%s, %s, %s)
    WHERE quality NOT IN (1, 2) AND value_integer >= 0
    ORDER BY timestamp, epoch, sequence
"""


def update_phase(
    cursor: "cursor",
    network: Network,
    days: LocalDays,
    phase: Phase,
    touched: Iterable[Touched],
    until_ms: int,
    floor_ms: int = 0,
) -> None:
    """Update a phase and its heaters for touched times up to `until_ms`.

    Hours that need readings from before `floor_ms` stay as they are.
    """
    holds = {each.codifier: round(each.timeout_warning * 1000) for each in network.sensors}
    reach_ms = 2 * max(holds.get(code, 0) for code in phase.codifiers)
    hours: dict[int, Hour] = {}
    for code, first_ms, last_ms in touched:
        if code in phase.codifiers and first_ms <= until_ms:
            last_ms = min(last_ms + reach_ms, until_ms)
            first_ms = max(first_ms, floor_ms + reach_ms)
            if first_ms <= last_ms:
                hours |= {each.end_ms: each for each in _hours(days, first_ms, last_ms)}
    if floor_ms:
        hours = {end: each for end, each in hours.items() if each.start_ms >= floor_ms + reach_ms}
    heaters = _wiring(network).phases.get(phase.phase, ()) if hours else ()
    for hour in hours.values():
        _redo(cursor, phase, heaters, holds, reach_ms, hour)


def _redo(
    cursor: "cursor",
    phase: Phase,
    heaters: Sequence[Load],
    holds: Mapping[str, int],
    reach_ms: int,
    hour: Hour,
) -> None:
    streams = _streams(cursor, phase, holds, hour.start_ms - reach_ms - 1, hour.end_ms)
    end = moment(hour.end_ms)
    cursor.execute("DELETE FROM phase_hour WHERE phase = %s AND timestamp = %s", (phase.phase, end))
    found = phase_hour(streams, hour.start_ms, hour.end_ms)
    masked = heater_hours(heaters, streams.mask, hour.start_ms, hour.end_ms)
    told = found.known_s or found.peak_a is not None
    if told or any(each.known_s for each in masked.values()):
        _write_phase(cursor, phase.phase, hour, found)
    for code, each in masked.items():
        _write_heater(cursor, code, phase.phase, hour, each)


def _streams(
    cursor: "cursor", phase: Phase, holds: Mapping[str, int], after_ms: int, until_ms: int
) -> PhaseStreams:
    span = (moment(after_ms), moment(until_ms))
    samples: dict[str, list[Sample]] = {code: [] for code in phase.codifiers}
    cursor.execute(_READINGS, ([c for c in phase.codifiers if c != phase.mask], *span))
    rows = cursor.fetchall()
    cursor.execute(_INTEGERS, (phase.mask, *span))  # a mask has more bits than a float
    for code, at_ms, value in [*rows, *cursor.fetchall()]:
        samples[code].append(Sample(at_ms, value))
    current, limit, warning, mask, apparent = (
        Stream(samples[code] if code else (), holds.get(code, 0)) for code in phase.codifiers
    )
    return PhaseStreams(current, limit, warning, mask, apparent, phase.declared_a)


def _write_phase(cursor: "cursor", phase: int, hour: Hour, found: PhaseHour) -> None:
    peak = None if found.peak_ms is None else moment(found.peak_ms)
    cursor.execute(
        "INSERT INTO phase_hour VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            *(phase, moment(hour.end_ms), hour.day),
            *(found.known_s, found.mean_a, found.mean_va, found.peak_a, peak),
            *(found.overruns, found.overrun_s, found.shed_s),
        ),
    )


def _write_heater(
    cursor: "cursor", codifier: str, phase: int, hour: Hour, found: HeaterHour
) -> None:
    key = (codifier, moment(hour.end_ms))
    cursor.execute("DELETE FROM heater_hour WHERE codifier = %s AND timestamp = %s", key)
    if found.known_s:
        cursor.execute(
            "INSERT INTO heater_hour VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (*key, hour.day, phase, found.known_s, found.shed_s, found.eco_s),
        )


def _hours(days: LocalDays, first_ms: int, last_ms: int) -> Iterable[Hour]:
    """Yield the hours from that of one moment to that of another."""
    hour = days.hour_of(first_ms)
    yield hour
    while hour.end_ms < last_ms:
        hour = days.hour_of(hour.end_ms + 1)
        yield hour


def _wiring(network: Network) -> Wiring:
    try:
        return wiring(network)
    except ConfigError:  # the cards refuse it, and tell why
        return Wiring(())
