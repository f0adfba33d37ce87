"""What of each source is stored, missing or lost for good: the books of the collector. Pure.

One account a (source, epoch), in **positions**: sequences that go on counting where the wire's wrap
at 2**31, so that an account is one line of integers. From its first position to its last each is
in exactly one of three places: stored, `missing` (asked for, or to be asked for), or in a gap
(lost, with the cause). What is settled is a set, so that batches may come in any order, twice, or
from two collectors: the account is the same in the end. A reading that comes after all leaves its
gap; a reading that is stored never enters one.

Original programs (epoch 0) count from anywhere at each start and never send again: of them only the
newest sequence is kept, and gaps are what was told to be lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter, itemgetter
from typing import Final, NamedTuple

from collector.ingest.columns import Columns
from collector.ingest.runs import parts_of
from jph.retransmit import Checkpoint, Gap
from jph.retransmit.gaps import Interval, IntervalSet
from jph.wire.codec import SEQUENCE_LIMIT, Reading
from jph.wire.columns import Readings

Key = tuple[str, int]
"""Source and epoch."""
Parts = tuple[Interval, ...]
"""A set of positions: sorted half-open ranges."""

_counted: Final = itemgetter(
    *(Reading._fields.index(name) for name in ("source", "epoch", "sequence", "timestamp_ms"))
)
_HOUR_MS: Final = 3_600_000
"""How far from a gap's time a late reading of an original program may say it is."""


class Run(NamedTuple):
    """Readings of one source that follow each other: sequences and times, first and last."""

    first: int
    last: int
    from_ms: int
    to_ms: int

    @property
    def messages(self) -> int:
        """How many readings there are."""
        return (self.last - self.first) % SEQUENCE_LIMIT + 1


class GapRow(NamedTuple):
    """Positions (half-open) that are lost, between which times, why, and its row in the table.

    None are counted where it is not known how many there were.
    """

    first: int
    stop: int
    from_ms: int | None
    to_ms: int | None
    cause: str
    row: int = 0


class Account(NamedTuple):
    """What is known of one start of a source, from its first position to its last."""

    first: int
    last: int
    timestamp_ms: int | None
    missing: Parts = ()


class Settlement(NamedTuple):
    """What a batch changes.

    Attributes:
        account: the account from now on; None if nothing is known of it but a loss uncounted.
        before: what it was.
        stored: positions that came but are stored already.
        lost: gaps to be recorded.
        healed: rows of gaps to be removed (what is left of them, or has grown of them, is in
            `lost`).
    """

    account: Account | None
    before: Account | None
    stored: Parts
    lost: tuple[GapRow, ...]
    healed: tuple[int, ...]


def runs(readings: Sequence[Reading]) -> dict[Key, list[Run]]:
    """Sum readings up, announcements included: they take a sequence too."""
    found: dict[Key, list[list[int]]] = {}
    latest: dict[str, list[int]] = {}  # of each source: first, last, from, to, epoch
    for part in parts_of(readings):
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
    return {key: [Run(*each[:4]) for each in listed] for key, listed in found.items()}


def _counts(part: Sequence[Reading]) -> Iterable[tuple[str, int, int, int]]:
    """Return source, epoch, sequence and time of each."""
    if isinstance(part, Columns):
        return part.counts()
    return map(_counted, part)


def _follow(known: list[list[int]], run: list[int]) -> list[int]:
    """Add a run to the last of its start of a source, or behind it; return what it is part of."""
    if known and (known[-1][1] + 1) % SEQUENCE_LIMIT == run[0]:
        known[-1][1], known[-1][3] = run[1], run[3]
    else:
        known.append(run)
    return known[-1]


def by_key(holes: Iterable[Gap]) -> dict[Key, list[Gap]]:
    """Sort holes by who they are of."""
    found: dict[Key, list[Gap]] = {}
    for hole in holes:
        found.setdefault((hole.source, hole.epoch), []).append(hole)
    return found


def coalesce(holes: Iterable[Gap]) -> list[Gap]:
    """Make one of holes that follow each other and have one cause."""
    merged: list[Gap] = []
    for key, listed in by_key(holes).items():
        start = len(merged)
        for hole in sorted(listed, key=attrgetter("first")):
            before = merged[-1] if len(merged) > start else None
            if (
                before is not None
                and before.cause == hole.cause
                and (before.first + before.count) % SEQUENCE_LIMIT == hole.first
            ):
                merged[-1] = Gap(
                    *key,
                    before.first,
                    before.count + hole.count,
                    hole.cause,
                    before.from_ms,
                    hole.to_ms,
                )
            else:
                merged.append(hole)
    return merged


def position(sequence: int, base: int) -> int:
    """Return the position of `sequence` that is nearest to the position `base`."""
    half = SEQUENCE_LIMIT // 2
    return base + (sequence - base + half) % SEQUENCE_LIMIT - half


def doubtful(
    key: Key, account: Account | None, heard: Sequence[Run], holes: Sequence[Gap] = ()
) -> Parts:
    """Return where gaps matter.

    That is what came and is neither new nor missing (it is stored already, or in a gap), and what
    was given up, with its neighbours.
    """
    if key[1] == 0:
        return _raw(heard)
    if account is None or _continued(key, account, heard, holes):
        return ()
    came = _minus(_common(_positions(heard, account.last), _span(account)), account.missing)
    given_up = (_hole(hole, account.last) for hole in holes if hole.count)
    return _parts([*came, *((start - 1, stop + 1) for start, stop in given_up)])


def settle(
    key: Key,
    account: Account | None,
    heard: Sequence[Run],
    holes: Sequence[Gap] = (),
    gaps: Sequence[GapRow] = (),
) -> Settlement:
    """Settle what came and what was given up against an account.

    `gaps` are those recorded within `doubtful`. A loss that could not be counted is a gap of
    unknown size.
    """
    if account is not None and (new := _continued(key, account, heard, holes)):
        return Settlement(new, account, (), (), ())
    uncounted = [_gap(hole.first, hole.first, hole) for hole in holes if not hole.count]
    counted = coalesce(hole for hole in holes if hole.count)
    if not heard and not counted:
        settled = Settlement(account, account, (), (), ())
    else:
        settle_these = _settle_positions if key[1] else _settle_original
        settled = settle_these(account, heard, counted, gaps)
    return settled._replace(lost=(*uncounted, *settled.lost)) if uncounted else settled


def _settle_positions(
    account: Account | None, heard: Sequence[Run], holes: Sequence[Gap], gaps: Sequence[GapRow]
) -> Settlement:
    base = account.last if account else (heard[0] if heard else holes[0]).first
    came = _positions(heard, base)
    given_up = [(_hole(hole, base), hole) for hole in holes]
    everything = [*came, *(part for part, _ in given_up)]
    first = min(start for start, _ in everything)
    last = max(stop for _, stop in everything) - 1
    known: Parts = ()
    newest = None
    if account is not None:
        first, last = min(first, account.first), max(last, account.last)
        known = _minus(_span(account), account.missing)
        newest = account.timestamp_ms
    wanted = IntervalSet(_minus(_minus([(first, last + 1)], known), came))
    lost = [
        _gap(start, stop, hole) for part, hole in given_up for start, stop in wanted.remove(*part)
    ]
    healed, rest = _heal(gaps, heard, base)
    stored = _minus(_common(came, known), [(gap.first, gap.stop) for gap in gaps])
    for run in heard:
        if position(run.last, base) == last:
            newest = run.to_ms
    settled = Account(first, last, newest, tuple(wanted))
    lost, grown = _grow([gap for gap in gaps if gap.row not in healed], [*lost, *rest])
    return Settlement(settled, account, stored, tuple(lost), (*healed, *grown))


def _continued(
    key: Key, account: Account, heard: Sequence[Run], holes: Sequence[Gap]
) -> Account | None:
    """Return an account that one run follows on, as nearly every time; None in any other case."""
    if holes or len(heard) != 1 or not key[1]:
        return None
    (run,) = heard
    if run.first != (account.last + 1) % SEQUENCE_LIMIT:
        return None
    return Account(account.first, account.last + run.messages, run.to_ms, account.missing)


def sequences(parts: Iterable[Interval]) -> Iterator[tuple[int, int]]:
    """Return positions as the wire counts them: first sequence and how many."""
    for start, stop in parts:
        yield start % SEQUENCE_LIMIT, stop - start


def marks(
    accounts: Mapping[Key, Account], waiting: Mapping[Key, Sequence[Run]] | None = None
) -> list[Checkpoint]:
    """Return what a collector that starts knows: what is stored, and what waits to be (spooled).

    All starts are told: a journal may list one that is stored already.
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
    account: Account | None, heard: Sequence[Run], holes: Sequence[Gap], gaps: Sequence[GapRow]
) -> Settlement:
    from_ms = min((run.from_ms for run in heard), default=0) - _HOUR_MS
    to_ms = max((run.to_ms for run in heard), default=0) + _HOUR_MS
    # Sequences come again after a restart: only a gap of the same time can be meant.
    near = [
        gap for gap in gaps if (gap.to_ms or from_ms) >= from_ms and (gap.from_ms or to_ms) <= to_ms
    ]
    healed, rest = _heal(near, heard, None)
    lost = [
        _gap(start, stop, hole)
        for hole in holes
        for start, stop in _wrapped(hole.first, hole.count)
    ]
    last = heard[-1].last if heard else holes[-1].first
    newest = heard[-1].to_ms if heard else holes[-1].to_ms or None
    return Settlement(Account(last, last, newest), account, (), (*lost, *rest), healed)


def _heal(
    gaps: Sequence[GapRow], heard: Sequence[Run], base: int | None
) -> tuple[tuple[int, ...], list[GapRow]]:
    """Return the rows of gaps of which something came after all, and what is left of them."""
    healed, rest = [], []
    for gap in gaps:
        left = [gap]
        for run in heard:
            for start, stop in _pieces(run, base):
                left = [part for each in left for part in _without(each, start, stop, run)]
        if left != [gap]:
            healed.append(gap.row)
            rest += left
    return tuple(healed), rest


def _grow(recorded: Iterable[GapRow], lost: Iterable[GapRow]) -> tuple[list[GapRow], list[int]]:
    """Join what is lost to what follows on it, or it follows on, for the same cause.

    Return what is to be recorded, and the rows of gaps that are part of it now.
    """
    joined: list[GapRow] = []
    rows: list[int] = []
    for gap in sorted([*recorded, *lost], key=attrgetter("first")):
        before = joined[-1] if joined else gap
        if before.stop == gap.first and before.cause == gap.cause and not (before.row and gap.row):
            rows += filter(None, (before.row, gap.row))
            joined[-1] = GapRow(before.first, gap.stop, before.from_ms, gap.to_ms, gap.cause)
        else:
            joined.append(gap)
    return [gap for gap in joined if not gap.row], rows


def _without(gap: GapRow, start: int, stop: int, run: Run) -> Iterator[GapRow]:
    """Return what is left of a gap before and after a run that lies in it."""
    if stop <= gap.first or gap.stop <= start:
        yield gap
        return
    if gap.first < start:
        yield gap._replace(stop=start, to_ms=run.from_ms, row=0)
    if stop < gap.stop:
        yield gap._replace(first=stop, from_ms=run.to_ms, row=0)


def _pieces(run: Run, base: int | None) -> list[Interval]:
    if base is None:
        return _wrapped(run.first, run.messages)
    start = position(run.first, base)
    return [(start, start + run.messages)]


def _positions(heard: Iterable[Run], base: int) -> Parts:
    return _parts(piece for run in heard for piece in _pieces(run, base))


def _raw(heard: Iterable[Run]) -> Parts:
    return _parts(piece for run in heard for piece in _pieces(run, None))


def _wrapped(first: int, many: int) -> list[Interval]:
    """Return sequences as they are on the wire: in two pieces where they wrap."""
    stop = first + many
    if stop <= SEQUENCE_LIMIT:
        return [(first, stop)]
    return [(first, SEQUENCE_LIMIT), (0, stop - SEQUENCE_LIMIT)]


def _hole(hole: Gap, base: int) -> Interval:
    start = position(hole.first, base)
    return start, start + hole.count


def _gap(start: int, stop: int, hole: Gap) -> GapRow:
    return GapRow(start, stop, hole.from_ms or None, hole.to_ms or None, hole.cause)


def _parts(parts: Iterable[Interval]) -> Parts:
    return tuple(IntervalSet(parts))


def _minus(whole: Iterable[Interval], taken: Iterable[Interval]) -> Parts:
    left = IntervalSet(whole)
    for part in taken:
        left.remove(*part)
    return tuple(left)


def _common(one: Iterable[Interval], other: Iterable[Interval]) -> Parts:
    kept = IntervalSet(one)
    return tuple(part for start, stop in other for part in kept.within(start, stop))


def _span(account: Account) -> Parts:
    return ((account.first, account.last + 1),)
