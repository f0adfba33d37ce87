"""The value of every room over some days, for ribbons and previews. Pure."""

import datetime
from collections.abc import Mapping
from typing import Any, Final

from jph.heating.plan.conditions.calendar import ONE_DAY, instant_of
from jph.heating.plan.document.check import Tree
from jph.heating.plan.evaluation.planner import FactsAt, Planner

LONGEST_D: Final = 8


def outlook(
    planner: Planner,
    document: Tree,
    now_ms: int,
    days: int,
    facts_at: FactsAt,
    windows: Mapping[str, bool | None],
) -> dict[str, Any]:
    """Return each room's values from midnight of today on: room → `[[at_ms, value, layer], …]`.

    `days` are the midnights, the last one the end; `first` is the weekday of the first.

    What depends on values of now (window, colour, presence) is taken to stay as it is, and for
    the past of today to have been so.
    """
    first = datetime.datetime.fromtimestamp(now_ms / 1000, planner.zone).date()
    midnights = [
        round(instant_of(first + day * ONE_DAY, datetime.time(0), planner.zone).timestamp() * 1000)
        for day in range(days + 1)
    ]
    start, end = midnights[0], midnights[-1]
    at_first = planner.at(document, start, facts_at, windows)
    rooms: dict[str, list[list[Any]]] = {
        name: [[start, decision.value, decision.decided_by.layer.value]]
        for name, decision in at_first.items()
    }
    for change in planner.coming(document, start, end - 1, facts_at, windows):
        layer = change.decision.decided_by.layer.value
        rooms[change.room].append([change.at_ms, change.decision.value, layer])
    return {"days": midnights, "first": first.isoweekday(), "rooms": rooms}
