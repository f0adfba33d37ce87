"""Builds the JSON that the Schedule node publishes of its rooms. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from jph.heating.plan.document.versions import Versions
from jph.heating.plan.evaluation.planner import Coming
from jph.heating.plan.evaluation.wish import Decision, Degrees, degrees_of
from jph.heating.plan.evaluation.wishes import hand_wishes


def state_of(
    versions: Versions,
    decided: Mapping[str, tuple[str, Decision]],
    degrees: Degrees,
    unconfirmed: Iterable[str],
) -> dict[str, Any]:
    """Return every room with its codifier, its wish and every layer.

    `decided` is room → (codifier, decision); `unconfirmed` are heaters that did not obey.
    """
    document = versions.document
    return {
        "value": versions.number,
        "rooms": {
            name: {
                "codifier": codifier,
                "wish": decision.value,
                "degrees": degrees_of(decision.value, degrees),
                "by": decision.decided_by.layer,
                "layers": msgspec.to_builtins(decision.steps),
                "hand": msgspec.to_builtins(hand_wishes(document, name)),
            }
            for name, (codifier, decision) in decided.items()
        },
        "away": document.get("absence"),
        "active": document["scheduler"]["active_schedule"],
        "unconfirmed": list(unconfirmed),
    }


def coming_of(change: Coming) -> dict[str, Any]:
    """Return a change of a room's wish."""
    by = change.decision.decided_by.layer
    return {"at_ms": change.at_ms, "room": change.room, "wish": change.decision.value, "by": by}


def next_of(
    changes: Sequence[Coming], codifiers: Mapping[str, str], degrees: Degrees
) -> dict[str, Any]:
    """Return the next change, with the temperature of every room that changes at that moment.

    `codifiers` are room → codifier.
    """
    if not changes:
        return {"value": 0}
    first = changes[0]
    rooms = {
        codifiers[each.room]: degrees_of(each.decision.value, degrees)
        for each in changes
        if each.at_ms == first.at_ms and each.room in codifiers
    }
    return {"value": first.at_ms, **coming_of(first), "rooms": rooms}
