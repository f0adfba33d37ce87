"""Retransmission: what did not arrive is requested again, until it is there or lost. Pure.

A source keeps what it sends in a resend buffer and, if configured, in a resend log. A receiver that
must not lose readings has a receive window for each epoch of each source, and requests the gaps.
"""

from enum import StrEnum

import msgspec


class Cause(StrEnum):
    """Reason why readings will never arrive."""

    NETWORK = "network"  # lost on the way, and their source cannot be asked
    OVERFLOW = "overflow"  # dropped by this machine's own full receive buffer
    GONE = "gone"  # the source does not keep them any more
    SOURCE_GONE = "source gone"  # the source ended, or restarted without a resend log
    SPOOL_FULL = "spool full"  # arrived, and dropped for newer ones while the store was away
    DISK_FULL = "disk full"  # the same, because the disk was full
    DAMAGED = "damaged"  # arrived, and damaged on the disk
    REFUSED = "refused"  # arrived, and no store can hold it
    RESTORED = "restored"  # was stored, and an older backup replaced it


class Gap(msgspec.Struct, frozen=True):
    """Readings of one source that are lost.

    `count` readings from sequence `first` on (0: an unknown number), between the timestamps of
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
    """Position up to which a store has the readings of one epoch of a source.

    The store has all up to sequence `last` except `missing` (first, count); `last_ms` is the
    timestamp of the last, 0 if it is not known.
    """

    source: str
    epoch: int
    last: int
    missing: tuple[tuple[int, int], ...] = ()
    last_ms: int = 0
