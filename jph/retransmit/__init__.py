"""Asking again for what did not come, until it is there or is known to be lost. Pure.

Positions are sequences that never wrap: the sequence is a position modulo 2³¹.
"""

from enum import StrEnum

import msgspec


class Cause(StrEnum):
    """Why readings will never come."""

    NETWORK = "network"  # lost on the way, and their source cannot be asked
    OVERFLOW = "overflow"  # dropped by this machine's own full receive buffer
    GONE = "gone"  # the source does not keep them any more
    SOURCE_GONE = "source gone"  # the source ended, or started anew without a journal
    SPOOL_FULL = "spool full"  # came, and was dropped for newer ones while the store was away
    DISK_FULL = "disk full"  # the same, because the disk took no more
    DAMAGED = "damaged"  # came, and was damaged on the disk
    REFUSED = "refused"  # came, and no store can hold it
    RESTORED = "restored"  # was stored, and an older backup took its place


class Gap(msgspec.Struct, frozen=True):
    """Readings of one source that are given up.

    `count` of them from sequence `first` on (0: how many is not known), between the timestamps of
    their neighbours, ms (0: not known).
    """

    source: str
    epoch: int
    first: int
    count: int
    cause: Cause
    from_ms: int
    to_ms: int


class Checkpoint(msgspec.Struct, frozen=True):
    """Up to where a receiver has the readings of one start of a source.

    All up to sequence `last` but `missing` (first, count) are kept; `last_ms` is the timestamp of
    the last, 0 if it is not known.
    """

    source: str
    epoch: int
    last: int
    missing: tuple[tuple[int, int], ...] = ()
    last_ms: int = 0
