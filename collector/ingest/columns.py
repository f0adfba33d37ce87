"""Columns of numeric readings: a tenth of the memory, no Python work per reading. Pure."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import itemgetter
from typing import Final, overload

from jph.wire.codec import Reading
from jph.wire.columns import Readings

KINDS: Final = {"d": frozenset("fd"), "q": frozenset("iq")}
"""Flags of the wire by the array that takes their values."""
READING_BYTES: Final = 35

_flag_of: Final = itemgetter(Reading._fields.index("flag"))
_epoch_of: Final = itemgetter(Reading._fields.index("epoch"))


def kind_of(readings: Sequence[Reading]) -> str | None:
    """Return the kind of array that takes the values of all these readings, None if none does."""
    flags = {readings.flag} if isinstance(readings, Readings) else set(map(_flag_of, readings))
    return next((kind for kind, known in KINDS.items() if flags <= known), None)


def has_originals(readings: Sequence[Reading]) -> bool:
    """Return whether any reading is of an original program."""
    return 0 in map(_epoch_of, readings)


class Columns(Sequence[Reading]):
    """Numbers of any sources, in the order they came.

    Attributes:
        codifiers: of the sources, two bytes each; qualities: a byte each.
        epochs, sequences, times_ms, values: an array each.
    """

    __slots__ = (
        "_flags", "_tos", "_versions", "codifiers", "epochs", "kind", "qualities", "sequences",
        "times_ms", "values",
    )  # fmt: skip

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.codifiers, self._tos, self._flags = bytearray(), bytearray(), bytearray()
        self.qualities, self._versions = bytearray(), bytearray()
        self.epochs, self.sequences = array("I"), array("I")
        self.times_ms, self.values = array("Q"), array(kind)

    def add(self, readings: Sequence[Reading]) -> None:
        """Take readings whose values are of our kind."""
        if isinstance(readings, Readings):
            self._add_run(readings)
            return
        columns = zip(*readings, strict=True)
        sequences, epochs, times, flags, sources, tos, versions, qualities, values = columns
        self.sequences.extend(sequences)
        self.epochs.extend(epochs)
        self.times_ms.extend(times)
        self._flags += "".join(flags).encode()
        self.codifiers += "".join(sources).encode()
        self._tos += "".join(tos).encode()
        self._versions += bytes(versions)
        self.qualities += bytes(qualities)
        self.values.extend(values)

    def _add_run(self, run: Readings) -> None:
        count = len(run)
        self.sequences.extend(run.sequences)
        self.epochs.extend(array("I", (run.epoch,)) * count)
        self.times_ms.extend(run.timestamps_ms())
        self._flags += run.flag.encode() * count
        self.codifiers += run.source.encode() * count
        self._tos += run.to.encode() * count
        self._versions += bytes((run.version,)) * count
        self.qualities += bytes((run.quality,)) * count
        self.values.extend(run.values())

    def counts(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield source, epoch, sequence and time of each."""
        columns = self.epochs, self.sequences, self.times_ms
        return zip(_pairs(self.codifiers), *columns, strict=True)

    def __len__(self) -> int:
        return len(self.sequences)

    def __iter__(self) -> Iterator[Reading]:
        fields = zip(
            self.sequences,
            self.epochs,
            self.times_ms,
            self._flags.decode(),
            _pairs(self.codifiers),
            _pairs(self._tos),
            self._versions,
            self.qualities,
            self.values,
            strict=True,
        )
        return map(tuple.__new__, repeat(Reading), fields)

    @overload
    def __getitem__(self, index: int) -> Reading: ...
    @overload
    def __getitem__(self, index: slice) -> list[Reading]: ...
    def __getitem__(self, index: int | slice) -> Reading | list[Reading]:
        return list(self)[index]


def _pairs(characters: bytearray) -> list[str]:
    text = characters.decode()
    return [text[at : at + 2] for at in range(0, len(text), 2)]
