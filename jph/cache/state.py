"""Merges the newest state of every codifier between two writes of the cache. Pure.

The fields are those of the original's cache, as its Redis client wrote them: every value is text,
times are ms since 1970, a truth is `True` or `False`. The cost of a write grows with the codifiers
that changed since the last one, not with the messages that were heard.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

from jph.wire.codec import Control, Reading
from jph.wire.columns import Readings
from jph.wire.sequence import Probation, offset

Hash = dict[str, str]
Losses = Callable[[str], int]
"""How many messages of a source are missing since its last reset."""

FIELDS: Final = (
    *("Codifier", "Value", "DTimestamp", "DPacketsLost", "DResetTime"),
    *("CPacketsLost", "CResetTime", "PTimestamp", "PRequest", "TRequest", "TTimestamp"),
    *("TDuration", "HTimestamp", "STimestamp", "ITimestamp", "IsActive", "CTimestamp"),
)
"""The original's fields."""
ADDED: Final = ("Flag", "Quality", "Epoch", "Version")
"""Ours: the flag and quality of `Value`, the epoch and wire version of its sender."""
_source = itemgetter(Reading._fields.index("source"))
_TIMES: Final = {"H": "HTimestamp", "S": "STimestamp", "C": "CTimestamp"}


class CacheState:
    """One hash per codifier, and the fields that changed since the last write."""

    def __init__(self) -> None:
        self._hashes: dict[str, Hash] = {}
        self._changed: dict[str, Hash] = {}
        self._newest: dict[str, Reading] = {}
        self._origins: dict[
            str, tuple[object, ...]
        ] = {}  # of the newest, as they were written last
        self._fresh: set[str] = set()
        self._heard: set[str] = set()  # on the control bus, since the last writing
        self._epochs: dict[tuple[str, str], int] = {}  # by source and the field of its reset
        self._probations: dict[str, Probation] = {}

    def hear_data(self, readings: Sequence[Reading]) -> None:
        """Take messages of the data bus; a block of one source at once."""
        newest = self._newest
        if isinstance(readings, Readings):
            first, last = readings[0], readings[-1]
            known = newest.get(last.source)
            if known is None or known.epoch != last.epoch:
                self._hear_other(first, known)
                newest[last.source] = last
            elif self._follows(last, known, first.sequence):
                newest[last.source] = last
            self._fresh.add(last.source)
            return
        for reading in readings:
            sequence, epoch, _, flag, source, _, _, _, _ = reading
            known = newest.get(source)
            if known is None or known[0] + 1 != sequence or known[1] != epoch or flag == "n":
                self._hear_other(reading, known)
            else:
                newest[source] = reading
        self._fresh.update(map(_source, readings))

    def hear_control(self, message: Control) -> None:
        """Take a message of the control bus; it is kept under its sender."""
        time, number = str(message.timestamp_ms), repr(message.number)
        source, flag = message.source, message.flag
        self._heard.add(source)
        if flag == "N":
            self._reset("CResetTime", message)
        else:
            self._announced("CResetTime", message)
        if flag == "P":
            self._put(source, {"PTimestamp": time, "PRequest": number})
        elif flag == "T":
            duration = repr(message.timestamp_ms - message.number)
            fields = {"TRequest": number, "TTimestamp": time, "TDuration": duration}
            self._put(source, fields)
        elif flag == "I":
            self._put(source, {"ITimestamp": time, "IsActive": str(message.active)})
        elif field := _TIMES.get(flag):
            self._put(source, {field: time})

    def changes(self, data_lost: Losses, control_lost: Losses) -> dict[str, Hash]:
        """Return the fields that changed since the last call, by codifier.

        `data_lost` and `control_lost` return the losses of the sources heard since.
        """
        for source in self._fresh:
            if (reading := self._newest.get(source)) is None:
                continue  # only an announcement so far
            fields = {"Value": _text(reading), "DTimestamp": str(reading.timestamp_ms)}
            lost = data_lost(source)
            origin = (lost, reading.flag, reading.quality, reading.epoch, reading.version)
            if self._origins.get(source) != origin:
                self._origins[source] = origin
                fields |= {"DPacketsLost": str(lost), "Flag": reading.flag}
                fields |= {"Quality": str(int(reading.quality)), "Epoch": str(reading.epoch)}
                fields["Version"] = str(reading.version)
            self._put(source, fields)
        for source in self._heard:
            self._put(source, {"CPacketsLost": str(control_lost(source))})
        self._fresh.clear()
        self._heard.clear()
        changed, self._changed = self._changed, {}
        return changed

    def whole(self) -> dict[str, Hash]:
        """Return all that `changes` has returned so far, by codifier."""
        return {source: dict(fields) for source, fields in self._hashes.items()}

    @property
    def pending(self) -> bool:
        """Whether `changes` may return something."""
        return bool(self._fresh or self._heard or self._changed)

    def _hear_other(self, reading: Reading, known: Reading | None) -> None:
        """Take a message that is not the next one of its source."""
        if reading.flag == "n":
            self._reset("DResetTime", reading)
            self._put(reading.source, {"DPacketsLost": "0"})
            self._origins.pop(reading.source, None)
            return
        if known is None or known.epoch != reading.epoch:
            self._announced("DResetTime", reading)
        elif not self._follows(reading, known):
            return  # an old one that was resent, or one too far ahead to be believed
        self._newest[reading.source] = reading

    def _follows(self, reading: Reading, known: Reading, first: int | None = None) -> bool:
        """Whether `reading` is newer than one of the same source and epoch.

        By sequence, since clocks are stepped. Original programs (epoch 0) never resend a reading,
        but restart at any sequence. `first` is the first sequence of a run that ends in `reading`.
        """
        ahead = offset(reading.sequence, known.sequence)
        if reading.epoch == 0 or ahead < 0 or first not in (None, reading.sequence):
            return reading.epoch == 0 or ahead >= 0
        probation = self._probations.setdefault(reading.source, Probation())
        return probation.admits(reading.sequence, ahead)

    def _reset(self, field: str, message: Control | Reading) -> None:
        """Note the start of the counting of a source's losses."""
        self._epochs[message.source, field] = message.epoch
        self._put(message.source, {field: str(message.timestamp_ms)})

    def _announced(self, field: str, message: Control | Reading) -> None:
        """Replace an announcement that was not heard: a new epoch shows a restart."""
        if self._epochs.get((message.source, field)) != message.epoch:
            self._reset(field, message)

    def _put(self, source: str, fields: Hash) -> None:
        known = self._hashes.get(source)
        if known is None:
            known = self._hashes[source] = {"Codifier": source}
            self._changed[source] = dict(known)
        if fields.items() <= known.items():
            return
        different = {key: value for key, value in fields.items() if known.get(key) != value}
        known.update(different)
        self._changed.setdefault(source, {}).update(different)


def _text(reading: Reading) -> str:
    """Return the value as the original's Redis client would have written it."""
    return reading.value if isinstance(reading.value, str) else repr(reading.value)
