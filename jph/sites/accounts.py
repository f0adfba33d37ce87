"""Readings that were taken, by source and epoch: each counts once, whatever comes again. Pure."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, Final

from jph.retransmit import Checkpoint
from jph.retransmit.gaps import IntervalSet

_MOST_EPOCHS: Final = 8
"""Epochs of a source that are remembered; an older one does not come again."""
_MOST_RANGES: Final = 1000

Source = tuple[str, str]
"""Site, empty for our own, and codifier."""


class Accounts:
    """Sequences that were taken."""

    def __init__(self) -> None:
        self._taken: dict[Source, dict[int, IntervalSet]] = {}

    def take(self, source: Source, epoch: int, sequence: int) -> bool:
        """Note a reading; say whether it is the first time."""
        epochs = self._taken.setdefault(source, {})
        taken = epochs.get(epoch)
        if taken is None:
            taken = epochs[epoch] = IntervalSet()
            while len(epochs) > _MOST_EPOCHS:
                del epochs[next(iter(epochs))]
        if sequence in taken:
            return False
        taken.add(sequence, sequence + 1)
        if len(taken) > _MOST_RANGES:  # what is missing so long does not come any more
            taken.add(taken.first, sorted(taken)[1][1])
        return True

    def checkpoints(self, site: str = "") -> Iterator[Checkpoint]:
        """Yield where each source of a site stands, with what is missing before."""
        for (where, code), epochs in self._taken.items():
            for epoch, taken in epochs.items() if where == site else ():
                ranges = list(taken)
                pairs = pairwise(ranges)
                missing = tuple((end, start - end) for (_, end), (start, _) in pairs)
                yield Checkpoint(code, epoch, taken.end - 1, missing)

    def stored(self) -> list[Any]:
        """Return the content for a file."""
        return [
            [*source, epoch, list(taken)]
            for source, epochs in self._taken.items()
            for epoch, taken in epochs.items()
        ]

    @classmethod
    def restored(cls, stored: Iterable[Any]) -> "Accounts":
        """Return accounts with the content of a file.

        Raises:
            ValueError, TypeError: the content is damaged.
        """
        made = cls()
        for site, code, epoch, ranges in stored:
            taken = IntervalSet((int(start), int(end)) for start, end in ranges)
            made._taken.setdefault((str(site), str(code)), {})[int(epoch)] = taken
        return made
