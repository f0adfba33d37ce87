"""Figures of a house's network: round trips, answers and losses of each node. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

WORSE: Final = 1.5
"""A median that grew by this factor, and by a ms at least, is worse."""
_LEAST_MS: Final = 1.0
_LEAST_SHARE: Final = 0.02


class NodeFigures(msgspec.Struct, frozen=True):
    """Figures of one node; the times are ms, None without an answer.

    `lost` are messages of it and its elements that did not arrive here during the measurement.
    """

    node: str
    asked: int
    answered: int
    median_ms: float | None = None
    p95_ms: float | None = None
    longest_ms: float | None = None
    received: int = 0
    lost: int = 0


class Measurement(msgspec.Struct, frozen=True):
    """The figures of all nodes; `at_ms` is when they were taken."""

    at_ms: int
    seconds: float
    nodes: list[NodeFigures] = []


def figures(
    node: str, asked: int, round_trips_ms: Sequence[float], received: int, lost: int
) -> NodeFigures:
    """Return the figures of a node from its round trips."""
    ordered = sorted(round_trips_ms)
    if not ordered:
        return NodeFigures(node, asked, 0, received=received, lost=lost)
    median, p95 = _part(ordered, 0.5), _part(ordered, 0.95)
    return NodeFigures(node, asked, len(ordered), median, p95, ordered[-1], received, lost)


def compared(now: Measurement, before: Measurement) -> dict[str, str]:
    """Return in words what is worse or better than before, by node."""
    found = {}
    known: Mapping[str, NodeFigures] = {each.node: each for each in before.nodes}
    for each in now.nodes:
        old = known.get(each.node)
        if old is not None and (words := _change(each, old)):
            found[each.node] = words
    return found


def _change(now: NodeFigures, old: NodeFigures) -> str:
    share = _share(now.answered, now.asked) - _share(old.answered, old.asked)
    if abs(share) > _LEAST_SHARE:
        return f"answers {'more' if share > 0 else 'less'} often than last time"
    loss = _share(now.lost, now.received + now.lost) - _share(old.lost, old.received + old.lost)
    if abs(loss) > _LEAST_SHARE:
        return f"loses {'more' if loss > 0 else 'less'} than last time"
    if now.median_ms is None or old.median_ms is None:
        return ""
    if _is_worse(now.median_ms, old.median_ms):
        return f"slower than last time ({old.median_ms:.1f} ms)"
    if _is_worse(old.median_ms, now.median_ms):
        return f"faster than last time ({old.median_ms:.1f} ms)"
    return ""


def _is_worse(now_ms: float, old_ms: float) -> bool:
    return now_ms > WORSE * old_ms and now_ms - old_ms > _LEAST_MS


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _part(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the others lies (nearest rank)."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
