"""Gaps of the history, ready for the page and the API. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from collector.history.gaps import Gaps, RecordedGap
from jph.config.model import Network
from jph.retransmit import Cause

MOST_READ: Final = 1000
"""So many of the newest holes are looked at; `control.py gaps` shows all."""
MOST_SERVED: Final = 200
MOST_SHOWN: Final = 8

WHY: Final[dict[str, str]] = {
    Cause.NETWORK: "lost on the network",
    Cause.OVERFLOW: "the receiving machine was too slow",
    Cause.GONE: "asked for too late: the source kept them no longer",
    Cause.SOURCE_GONE: "the source ended or started anew",
    Cause.SPOOL_FULL: "PostgreSQL was away until the spool was full",
    Cause.DISK_FULL: "PostgreSQL was away and the disk was full",
    Cause.DAMAGED: "damaged on the disk",
    Cause.REFUSED: "could not be stored",
    Cause.RESTORED: "an older backup was restored",
}


class Lack(msgspec.Struct, frozen=True):
    """One hole ready to be shown: texts, not escaped; `when` is local time."""

    code: str
    name: str
    when: str
    missing: str
    why: str


class History(msgspec.Struct, frozen=True):
    """What the panel shows; `mood` is good, warn or "", `more` says what is left out."""

    said: str
    mood: str = ""
    holes: tuple[Lack, ...] = ()
    more: str = ""


LOOKING: Final = History("Not read yet")
UNREADABLE: Final = History(
    "PostgreSQL cannot be read: whether the history has holes is not known now", "warn"
)


def keeps_history(network: Network) -> bool:
    """Whether a configuration has a database or a collector."""
    from collector.jphpostgresql import JphPostgreSQL

    return network.sql is not None or any(s.type in JphPostgreSQL.types for s in network.sensors)


def history_of(gaps: Gaps, network: Network) -> History:
    """Return the panel for what was read, oldest first, and no more than `MOST_READ`."""
    newest = gaps.recorded[: -MOST_SHOWN - 1 : -1]
    names = _names(network)
    older = len(gaps.recorded) - len(newest)
    return History(
        said="; ".join(_said(gaps)),
        mood="" if gaps.recorded else "good",
        holes=tuple(_lack(gap, names) for gap in newest),
        more=f"{older} older: control.py gaps" if older else "",
    )


def records_of(gaps: Gaps, network: Network, codifier: str | None) -> list[dict[str, object]]:
    """Return holes as the API tells them, newest first: of one codifier, or of all."""
    names = _names(network)
    wanted = [gap for gap in reversed(gaps.recorded) if codifier in (None, gap.codifier)]
    return [
        {
            "Codifier": gap.codifier,
            "Name": names.get(gap.codifier, ""),
            "From": _iso(gap.from_time),
            "To": _iso(gap.to_time),
            "Missing": gap.messages,
            "Cause": gap.cause,
            "Why": WHY.get(gap.cause, gap.cause),
            "Noticed": _iso(gap.noticed),
        }
        for gap in wanted[:MOST_SERVED]
    ]


def span(gap: RecordedGap) -> str:
    """Return from when to when, in local time to the second; `?` for an end that is not known."""
    if gap.from_time is None and gap.to_time is None:
        return f"noticed {_local(gap.noticed)}"
    start, end = (_local(gap.from_time), _local(gap.to_time))
    if start == end:
        return start
    day, _, time = end.partition(" ")
    return f"{start} – {time if time and start.startswith(day) else end}"


def _said(gaps: Gaps) -> Iterator[str]:
    many = len(gaps.recorded)
    if many:
        missing = sum(gap.messages or 0 for gap in gaps.recorded)
        least = many >= MOST_READ or any(gap.messages is None for gap in gaps.recorded)
        holes = f"{'at least ' * (many >= MOST_READ)}{_count(many, 'hole')}"
        readings = f"{'at least ' * least}{_count(missing, 'reading')}"
        yield f"{holes}, {readings} missing".capitalize()
    else:
        yield "No holes"
    if asked := sum(gaps.asked.values()):
        yield f"{_count(asked, 'reading')} still asked for"


def _lack(gap: RecordedGap, names: dict[str, str]) -> Lack:
    missing = "?" if gap.messages is None else str(gap.messages)
    why = WHY.get(gap.cause, gap.cause)
    return Lack(gap.codifier, names.get(gap.codifier, ""), span(gap), missing, why)


def _names(network: Network) -> dict[str, str]:
    """Return the shortest name of each codifier; the config may have forgotten one of a hole."""
    return {sensor.codifier: sensor.short_name or sensor.name for sensor in network.sensors}


def _local(moment: datetime | None) -> str:
    return "?" if moment is None else f"{_here(moment):%Y-%m-%d %H:%M:%S}"


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else _here(moment).isoformat(timespec="milliseconds")


def _here(moment: datetime) -> datetime:
    """Return a moment in local time; the last hours of the year 9999 have none."""
    try:
        return moment.astimezone()
    except OverflowError:
        return moment


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"
