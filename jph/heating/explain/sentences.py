"""The parts of sentences: translation, times of day and durations. Pure."""

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Final

Say = Callable[..., str]
"""Returns an English text in a language; `{name}` is replaced by the value of that name."""
When = Callable[[float], str]
"""Returns the time of day of a moment (ms since 1970)."""


_DAY_S: Final = 86_400


def english(text: str, **values: object) -> str:
    """Return a text as it is."""
    return text.format(**values) if values else text  # a word from the bus may hold braces


def clock(
    timestamp_ms: float, now_ms: float, say: Say = english, zone: tzinfo | None = None
) -> str:
    """Return the time of day in `zone`; without one where this machine is, and by what name.

    The date is with it where it is not within 12 hours.
    """
    try:
        then = datetime.fromtimestamp(timestamp_ms / 1000).astimezone(zone)
    except (ValueError, OverflowError, OSError):
        return say("a time that cannot be")
    near = abs(now_ms - timestamp_ms) < _DAY_S * 500
    text = f"{then:%H:%M:%S}" if near else f"{then:%Y-%m-%d %H:%M:%S}"
    return text if zone else f"{text} {then:%Z}"


def span(seconds: float, say: Say = english) -> str:
    """Return a duration as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    if seconds < 2 * _DAY_S:
        return f"{seconds / 3600:.0f} h"
    return say("{count} days", count=f"{seconds / _DAY_S:.0f}")
