"""The accounting of the collector: what of each source is stored, missing or lost. Pure.

One account per (source, epoch), in **positions**: sequences that go on counting where the wire's
wrap at 2**31, so that an account is one line of integers. Each position from its first to its last
is in exactly one of three places: stored, `missing` (requested, or to be requested), or in a gap
(lost, with the cause). Only sets are settled, so batches may come in any order, twice, or from two
collectors: the account ends the same. A reading that comes after all leaves its gap; a stored
reading never enters one.

Original programs (epoch 0) count from any number at each start and never send again: of them only
the newest sequence is kept, and gaps are the reported losses.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple

from collector.ingest.columns import Columns
from collector.ingest.runs import uniform_parts
from jph.retransmit import Cause, Checkpoint, Gap
from jph.retransmit.gaps import Interval, IntervalSet
from jph.wire.codec import SEQUENCE_LIMIT, Reading
from jph.wire.columns import Readings
from jph.wire.sequence import position

Key = tuple[str, int]
"""Source and epoch."""
Positions = tuple[Interval, ...]
"""A set of positions: sorted half-open ranges."""

MOST_MISSING: Final = 2000
"""An account has at most so many ranges of missing positions."""

_counted: Final = itemgetter(
    *(Reading._fields.index(name) for name in ("source", "epoch", "sequence", "timestamp_ms"))
)
_HOUR_MS: Final = 3_600_000
"""A late reading of an original program fills gaps within this time of its own."""


class ReadingRun(NamedTuple):
    """Consecutive readings of one source: first and last sequence and time."""

    first: int
    last: int
    from_ms: int
    to_ms: int

    @property
    def messages(self) -> int:
        """Number of readings."""
        return (self.last - self.first) % SEQUENCE_LIMIT + 1


class GapRow(NamedTuple):
    """Lost positions (half-open), the times around them, the cause, and the id in the table.

    An uncounted loss has `stop` equal to `first`.
    """

    first: int
    stop: int
    from_ms: int | None
    to_ms: int | None
    cause: str
    row_id: int = 0


class SourceAccount(NamedTuple):
    """What is known of one epoch of a source, from its first position to its last."""

    first: int
    last: int
    timestamp_ms: int | None
    missing: Positions = ()


class Settlement(NamedTuple):
    """The changes of one batch.

    Attributes:
        account: the account from now on; None if only an uncounted loss is known.
        before: the account until now.
        stored: positions that came but are stored already.
        lost: gaps to record.
        healed: rows of gaps to remove (their rests, or the longer gaps they became, are in `lost`).
    """

    account: SourceAccount | None
    before: SourceAccount | None
    stored: Positions
    lost: tuple[GapRow, ...]
    healed: tuple[int, ...]


def runs(readings: Sequence[Reading]) -> dict[Key, list[ReadingRun]]:
    """Return the runs of readings; announcements count too, they take a sequence."""
    found: dict[Key, list[list[int]]] = {}
    latest: dict[str, list[int]] = {}  # of each source: first, last, from, to, epoch
    for part in uniform_parts(readings):
        if isinstance(part, Readings):
            sequences, epoch, source = part.sequences, part.epoch, part.source
            times = part[0].timestamp_ms, part[-1].timestamp_ms
            run = [sequences[0], sequences[-1], *times, epoch]
            latest[source] = _follow(found.setdefault((source, epoch), []), run)
            continue
        for source, epoch, sequence, timestamp_ms in _counts(part):
            known = latest.get(source)
            if known is not None and known[1] + 1 == sequence and known[4] == epoch:
                known[1] = sequence
                known[3] = timestamp_ms
            else:
                run = [sequence, sequence, timestamp_ms, timestamp_ms, epoch]
                latest[source] = _follow(found.setdefault((source, epoch), []), run)
    return {key: [ReadingRun(*each[:4]) for each in listed] for key, listed in found.items()}


def _counts(part: Sequence[Reading]) -> Iterable[tuple[str, int, int, int]]:
    """Return source, epoch, sequence and time of each."""
    if isinstance(part, Columns):
        return part.counts()
    return map(_counted, part)


def _follow(known: list[list[int]], run: list[int]) -> list[int]:
    """Extend the last run of an epoch by this one, or append it; return the run it is part of."""
    if known and (known[-1][1] + 1) % SEQUENCE_LIMIT == run[0]:
        known[-1][1], known[-1][3] = run[1], run[3]
    else:
        known.append(run)
    return known[-1]


def by_key(gaps: Iterable[Gap]) -> dict[Key, list[Gap]]:
    """Group gaps by source and epoch."""
    found: dict[Key, list[Gap]] = {}
    for gap in gaps:
        found.setdefault((gap.source, gap.epoch), []).append(gap)
    return found


def coalesce(gaps: Iterable[Gap]) -> list[Gap]:
    """Merge consecutive gaps of the same cause."""
    merged: list[Gap] = []
    for key, listed in by_key(gaps).items():
        start = len(merged)
        for gap in sorted(listed, key=attrgetter("first")):
            before = merged[-1] if len(merged) > start else None
            if (
                before is not None
                and before.cause == gap.cause
                and (before.first + before.count) % SEQUENCE_LIMIT == gap.first
            ):
                merged[-1] = Gap(
                    *key,
                    before.first,
                    before.count + gap.count,
                    gap.cause,
                    before.from_ms,
                    gap.to_ms,
                )
            else:
                merged.append(gap)
    return merged


def positions_to_check(
    key: Key, account: SourceAccount | None, heard: Sequence[ReadingRun], gaps: Sequence[Gap] = ()
) -> Positions:
    """Return the positions whose recorded gaps matter.

    These are positions that came and are neither new nor missing (stored already, or in a gap),
    and those that were given up, with their neighbours.
    """
    if key[1] == 0:
        return _raw(heard)
    if account is None or _continued(key, account, heard, gaps):
        return ()
    came = _minus(_common(_positions(heard, account.last), _span(account)), account.missing)
    given_up = (_positions_of(gap, account.last) for gap in gaps if gap.count)
    return _parts([*came, *((start - 1, stop + 1) for start, stop in given_up)])


def settle(
    key: Key,
    account: SourceAccount | None,
    heard: Sequence[ReadingRun],
    gaps: Sequence[Gap] = (),
    recorded: Sequence[GapRow] = (),
) -> Settlement:
    """Settle an account with the readings that came and the gaps that were given up.

    `recorded` are the rows of gaps within `positions_to_check`. A loss that could not be counted is
    a gap of unknown size.
    """
    if account is not None and (new := _continued(key, account, heard, gaps)):
        return Settlement(new, account, (), (), ())
    uncounted = [_gap_row(gap.first, gap.first, gap) for gap in gaps if not gap.count]
    counted = coalesce(gap for gap in gaps if gap.count)
    if not heard and not counted:
        settled = Settlement(account, account, (), (), ())
    else:
        settle_these = _settle_positions if key[1] else _settle_original
        settled = settle_these(account, heard, counted, recorded)
    return settled._replace(lost=(*uncounted, *settled.lost)) if uncounted else settled


def _settle_positions(
    account: SourceAccount | None,
    heard: Sequence[ReadingRun],
    gaps: Sequence[Gap],
    recorded: Sequence[GapRow],
) -> Settlement:
    base = account.last if account else (heard[0] if heard else gaps[0]).first
    came = _positions(heard, base)
    given_up = [(_positions_of(gap, base), gap) for gap in gaps]
    everything = [*came, *(part for part, _ in given_up)]
    first = min(start for start, _ in everything)
    last = max(stop for _, stop in everything) - 1
    known: Positions = ()
    newest = None
    if account is not None:
        first, last = min(first, account.first), max(last, account.last)
        known = _minus(_span(account), account.missing)
        newest = account.timestamp_ms
    wanted = IntervalSet(_minus(_minus([(first, last + 1)], known), came))
    lost = [
        _gap_row(start, stop, gap) for part, gap in given_up for start, stop in wanted.remove(*part)
    ]
    healed, rest = _heal(recorded, heard, base)
    stored = _minus(_common(came, known), [(record.first, record.stop) for record in recorded])
    for run in heard:
        if position(run.last, base) == last:
            newest = run.to_ms
    lost, grown = _grow(
        [record for record in recorded if record.row_id not in healed], [*lost, *rest]
    )
    settled, beyond = _bounded(SourceAccount(first, last, newest, tuple(wanted)))
    return Settlement(settled, account, stored, (*beyond, *lost), (*healed, *grown))


def _bounded(account: SourceAccount) -> tuple[SourceAccount, list[GapRow]]:
    """Return an account with at most MOST_MISSING ranges; the oldest beyond are an uncounted gap.

    The account begins after these ranges: a reading that comes after all is stored.
    """
    beyond = account.missing[: max(0, len(account.missing) - MOST_MISSING)]
    if not beyond:
        return account, []
    oldest, first = beyond[0][0], beyond[-1][1]
    gap = GapRow(oldest, oldest, None, account.timestamp_ms, Cause.NETWORK)
    return account._replace(first=first, missing=account.missing[len(beyond) :]), [gap]


def _continued(
    key: Key, account: SourceAccount, heard: Sequence[ReadingRun], gaps: Sequence[Gap]
) -> SourceAccount | None:
    """Return the account that one consecutive run extends (the usual case), else None."""
    if gaps or len(heard) != 1 or not key[1]:
        return None
    (run,) = heard
    if run.first != (account.last + 1) % SEQUENCE_LIMIT:
        return None
    return SourceAccount(account.first, account.last + run.messages, run.to_ms, account.missing)


def sequences(parts: Iterable[Interval]) -> Iterator[tuple[int, int]]:
    """Yield positions as the wire counts them: first sequence and count."""
    for start, stop in parts:
        yield start % SEQUENCE_LIMIT, stop - start


def checkpoints(
    accounts: Mapping[Key, SourceAccount], waiting: Mapping[Key, Sequence[ReadingRun]] | None = None
) -> list[Checkpoint]:
    """Return the state of a starting collector: stored, and waiting in the spool.

    Every epoch is listed: a resend log may offer one that is stored already.
    """
    known = dict(accounts)
    for key, heard in (waiting or {}).items():
        if account := settle(key, known.get(key), heard).account:
            known[key] = account
    return [
        Checkpoint(
            source,
            epoch,
            account.last % SEQUENCE_LIMIT,
            tuple(sequences(account.missing)),
            account.timestamp_ms or 0,
        )
        for (source, epoch), account in known.items()
        if epoch
    ]


def _settle_original(
    account: SourceAccount | None,
    heard: Sequence[ReadingRun],
    gaps: Sequence[Gap],
    recorded: Sequence[GapRow],
) -> Settlement:
    from_ms = min((run.from_ms for run in heard), default=0) - _HOUR_MS
    to_ms = max((run.to_ms for run in heard), default=0) + _HOUR_MS
    # Sequences repeat after a restart: only a gap of about the same time can be meant.
    near = [
        record
        for record in recorded
        if (record.to_ms or from_ms) >= from_ms and (record.from_ms or to_ms) <= to_ms
    ]
    healed, rest = _heal(near, heard, None)
    lost = [
        _gap_row(start, stop, gap) for gap in gaps for start, stop in _wrapped(gap.first, gap.count)
    ]
    last = heard[-1].last if heard else gaps[-1].first
    newest = heard[-1].to_ms if heard else gaps[-1].to_ms or None
    return Settlement(SourceAccount(last, last, newest), account, (), (*lost, *rest), healed)


def _heal(
    recorded: Sequence[GapRow], heard: Sequence[ReadingRun], base: int | None
) -> tuple[tuple[int, ...], list[GapRow]]:
    """Return the ids of gaps of which something came after all, and the rests of these gaps."""
    healed, rest = [], []
    for record in recorded:
        left = [record]
        for run in heard:
            for start, stop in _pieces(run, base):
                left = [part for each in left for part in _without(each, start, stop, run)]
        if left != [record]:
            healed.append(record.row_id)
            rest += left
    return tuple(healed), rest


def _grow(recorded: Iterable[GapRow], lost: Iterable[GapRow]) -> tuple[list[GapRow], list[int]]:
    """Join lost positions to adjacent gaps of the same cause.

    Return the gaps to record, and the ids of recorded ones that are part of them now.
    """
    joined: list[GapRow] = []
    rows: list[int] = []
    for record in sorted([*recorded, *lost], key=attrgetter("first")):
        before = joined[-1] if joined else record
        if (
            before.stop == record.first
            and before.cause == record.cause
            and not (before.row_id and record.row_id)
        ):
            rows += filter(None, (before.row_id, record.row_id))
            joined[-1] = GapRow(
                before.first, record.stop, before.from_ms, record.to_ms, record.cause
            )
        else:
            joined.append(record)
    return [record for record in joined if not record.row_id], rows


def _without(record: GapRow, start: int, stop: int, run: ReadingRun) -> Iterator[GapRow]:
    """Yield the rests of a gap before and after a run that lies in it."""
    if stop <= record.first or record.stop <= start:
        yield record
        return
    if record.first < start:
        yield record._replace(stop=start, to_ms=run.from_ms, row_id=0)
    if stop < record.stop:
        yield record._replace(first=stop, from_ms=run.to_ms, row_id=0)


def _pieces(run: ReadingRun, base: int | None) -> list[Interval]:
    if base is None:
        return _wrapped(run.first, run.messages)
    start = position(run.first, base)
    return [(start, start + run.messages)]


def _positions(heard: Iterable[ReadingRun], base: int) -> Positions:
    return _parts(piece for run in heard for piece in _pieces(run, base))


def _raw(heard: Iterable[ReadingRun]) -> Positions:
    return _parts(piece for run in heard for piece in _pieces(run, None))


def _wrapped(first: int, many: int) -> list[Interval]:
    """Return ranges of sequences as on the wire: two where they wrap."""
    stop = first + many
    if stop <= SEQUENCE_LIMIT:
        return [(first, stop)]
    return [(first, SEQUENCE_LIMIT), (0, stop - SEQUENCE_LIMIT)]


def _positions_of(gap: Gap, base: int) -> Interval:
    start = position(gap.first, base)
    return start, start + gap.count


def _gap_row(start: int, stop: int, gap: Gap) -> GapRow:
    return GapRow(start, stop, gap.from_ms or None, gap.to_ms or None, gap.cause)


def _parts(parts: Iterable[Interval]) -> Positions:
    return tuple(IntervalSet(parts))


def _minus(whole: Iterable[Interval], taken: Iterable[Interval]) -> Positions:
    left = IntervalSet(whole)
    for part in taken:
        left.remove(*part)
    return tuple(left)


def _common(one: Iterable[Interval], other: Iterable[Interval]) -> Positions:
    kept = IntervalSet(one)
    return tuple(part for start, stop in other for part in kept.within(start, stop))


def _span(account: SourceAccount) -> Positions:
    return ((account.first, account.last + 1),)
