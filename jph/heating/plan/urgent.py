"""Heaters that matter more for a while: those of rooms with a boost or below the frost floor. Pure.

The Schedule node sends them, and shedders listen: they know neither rooms nor thermometers.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from jph.config.house.rooms import Room
from jph.heating.plan.evaluation.wish import Decision

_BAND_K: Final = 0.5
"""A room is out of the frost when it is so far above its floor."""


def cold_rooms(
    rooms: Iterable[Room], temperatures: Mapping[str, float | None], before: frozenset[str]
) -> frozenset[str]:
    """Return the names of the rooms below their frost floor; `before` are those of last time.

    A room whose temperature is not known stays as it was.
    """
    found = set()
    for room in rooms:
        temperature_c, cold = temperatures.get(room.name), room.name in before
        if temperature_c is not None:
            cold = temperature_c < room.settings.frost + (_BAND_K if cold else 0.0)
        if cold:
            found.add(room.name)
    return frozenset(found)


def urgent_of(
    rooms: Iterable[Room], decided: Mapping[str, Decision], cold: frozenset[str]
) -> dict[str, Any]:
    """Return the reading's JSON: the codifiers of heaters by cause, and how many there are."""
    frost, boosted = [], []
    for room in rooms:
        codifiers = [load.codifier for load in room.heaters]
        decision = decided.get(room.name)
        if room.name in cold:
            frost += codifiers
        elif decision is not None and decision.decided_by.wish.boost:
            boosted += codifiers
    return {"value": len(frost) + len(boosted), "frost": sorted(frost), "boost": sorted(boosted)}
