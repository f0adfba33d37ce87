"""A plot of a history in characters. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from collector.history.query import Point

_AXIS: Final = 11
"""Columns that the labels of the vertical axis take."""


def plot(points: Sequence[Point], zone: ZoneInfo, width: int, height: int = 15) -> list[str]:
    """Draw means as dots, and from minimum to maximum a line; a column a stretch of time."""
    if not points:
        return []
    columns = max(1, width - _AXIS - 1)
    first, last = points[0].timestamp_ms, points[-1].timestamp_ms
    low, high = min(point.min for point in points), max(point.max for point in points)
    cells = [[" "] * columns for _ in range(height)]

    def row(value: float) -> int:
        return round((value - low) / (high - low) * (height - 1)) if high > low else height // 2

    def column(point: Point) -> int:
        share = (point.timestamp_ms - first) / (last - first) if last > first else 0.0
        return min(columns - 1, int(share * columns))

    for point in points:
        for level in range(row(point.min), row(point.max) + 1):
            cells[level][column(point)] = "│"
    for point in points:
        cells[row(point.mean)][column(point)] = "•"
    lines = []
    for level in reversed(range(height)):
        label = ""
        if level in (0, height - 1, height // 2):
            label = f"{low + (high - low) * level / (height - 1):.5g}"
        lines.append(f"{label:>{_AXIS - 1}} ┤{''.join(cells[level])}".rstrip())
    start, end = (
        f"{datetime.fromtimestamp(ms / 1000, zone):%Y-%m-%d %H:%M}" for ms in (first, last)
    )
    gap = max(1, columns - len(start) - len(end))
    return [*lines, " " * (_AXIS + 1) + start + " " * gap + end]
