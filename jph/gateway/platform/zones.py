"""Time zone of the browser, for times of day in sentences."""

import re
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from litestar.params import QueryParameter

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")

Zone = Annotated[
    str,
    QueryParameter(
        description="Time zone of the times of day in sentences, as Europe/Paris; else ours",
        max_length=60,
    ),
]


def zone_of(name: str) -> ZoneInfo | None:
    """Return a time zone; None, this machine's, for a name that is none or not known here."""
    if not _NAME.fullmatch(name):
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder, as Europe
        return None
