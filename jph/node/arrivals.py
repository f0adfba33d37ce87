"""Sorts the readings that arrive at a node: announcements apart, foreign epochs noted. Pure."""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from operator import itemgetter
from typing import Final

from jph.wire.codec import Reading
from jph.wire.columns import Readings

_flag: Final = itemgetter(Reading._fields.index("flag"))
_source: Final = itemgetter(Reading._fields.index("source"))


def parts(readings: Sequence[Reading]) -> Iterable[Sequence[Reading] | Reading]:
    """Yield readings in order: an announcement alone, and what lies between as sequences."""
    if isinstance(readings, Readings) or "n" not in map(_flag, readings):
        yield readings
        return
    waiting: list[Reading] = []
    for reading in readings:
        if reading.flag != "n":
            waiting.append(reading)
            continue
        if waiting:
            yield waiting
            waiting = []
        yield reading
    if waiting:
        yield waiting


def note_foreign(
    readings: Sequence[Reading], own: AbstractSet[str], epoch: int, note: Callable[[str], None]
) -> None:
    """Call `note` with each codifier of our own that another epoch has sent."""
    if isinstance(readings, Readings):
        if readings.source in own and readings.epoch != epoch:
            note(readings.source)
        return
    if own.isdisjoint(map(_source, readings)):
        return
    for reading in readings:
        if reading[4] in own and reading[1] != epoch:
            note(reading[4])
