"""A whole house without sockets, threads or clocks: sources, a network, collectors, one database.

Everything that decides is real (buffers, requesters, ledgers, spools); what only moves bytes is a
model. Time is a number, so that an hour takes seconds.
"""

import errno
import heapq
import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from collector.ingest.buffer import Batch, Buffer
from collector.ingest.ledger import (
    GapRow,
    Key,
    ReadingRun,
    SourceAccount,
    by_key,
    checkpoints,
    positions_to_check,
    runs,
    settle,
)
from collector.ingest.spool import Spool
from collector.ingest.unflushed import UnflushedCommits
from jph.errors import StoreError
from jph.node.outbox import Outbox
from jph.retransmit import Cause, Checkpoint
from jph.retransmit.ranges import Interval, clipped
from jph.retransmit.requester import Ask, Requester
from jph.retransmit.resend_buffer import ResendBuffer
from jph.retransmit.resend_store import ResendStore
from jph.wire.codec import SEQUENCE_LIMIT, Dialect, Quality, Reading, decode_data
from jph.wire.columns import Block
from jph.wire.sequence import position

HERE = ("192.0.2.1", 4)
STEP_S = 0.25
"""How often a collector stores."""
SPOOL_BYTES = 20_000
BUFFER_BYTES = 12_000


Name = tuple[str, int, int]
"""Codifier, epoch, sequence."""


class Book(NamedTuple):
    """What the database has of one start of a source."""

    account: SourceAccount | None
    stored: frozenset[int]
    gaps: dict[int, GapRow]


class Database:
    """Commits, and forgets the last of them when it is killed."""

    def __init__(self) -> None:
        self.up = True
        self.life = 0  # connections end with it
        self.books: dict[Key, Book] = {}
        self.log = self.flushed = 0
        self._safe: dict[Key, Book] = {}
        self._rows = itertools.count(1)

    def accounts(self) -> dict[Key, SourceAccount]:
        return {key: book.account for key, book in self.books.items() if book.account}

    def write(self, batch: Batch, life: int) -> None:
        if not self.up or life != self.life:
            raise StoreError("away")
        heard, holes = runs(batch.readings), by_key(batch.gaps)
        for key in sorted({*heard, *holes}):
            self._book(key, heard.get(key, []), holes.get(key, []))
        self.log += 1

    def flush(self) -> None:
        self._safe = dict(self.books)
        self.flushed = self.log

    def kill(self) -> None:
        self.books = dict(self._safe)
        self.log = self.flushed
        self.up = False
        self.life += 1

    def stop(self) -> None:
        self.flush()
        self.up = False
        self.life += 1

    def _book(self, key: Key, heard: list[ReadingRun], holes: list[Any]) -> None:
        account, stored, gaps = self.books.get(key, Book(None, frozenset(), {}))
        ask = positions_to_check(key, account, heard)
        rows = [g for g in gaps.values() if any(g.first < e and s < g.stop for s, e in ask)]
        settled = settle(key, account, heard, holes, rows)
        gaps = {row: gap for row, gap in gaps.items() if row not in settled.healed}
        for gap in settled.lost:
            if gap.first == gap.stop and any(g.first == g.stop for g in gaps.values()):
                continue  # the table has one of an epoch
            row = next(self._rows)
            gaps[row] = gap._replace(row_id=row)
        base = settled.account.last if settled.account else 0
        known = {n for start, stop in settled.stored for n in range(start, stop)}
        starts = [(position(each.first, base), each.messages) for each in heard]
        new = {n for start, count in starts for n in range(start, start + count)} - known
        assert not new & stored, "a second row for what is stored"
        self.books[key] = Book(settled.account, stored | new, gaps)


def uncounted(book: Book) -> bool:
    return any(gap.first == gap.stop for gap in book.gaps.values())


def uncounted_from(book: Book, place: int) -> bool:
    """Whether a gap of unknown size begins at a position or before it."""
    assert book.account is not None
    last = book.account.last
    return any(
        position(gap.first, last) <= place for gap in book.gaps.values() if gap.first == gap.stop
    )


def name_of(reading: Reading) -> Name:
    return reading.source, reading.epoch, reading.sequence


class SmallSpool(Spool):
    """A spool whose disk may be full."""

    full = False

    def append(self, batch: Batch) -> Any:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().append(batch)


class Source:
    """One program that sends readings of one codifier."""

    def __init__(self, code: str, random: Random) -> None:
        self.code = code
        self._random = random
        self.epochs: list[int] = []
        self.start()

    def start(self) -> None:
        self.buffer = ResendBuffer(900, 10**6)
        self.outbox = Outbox(self.code, self._random.randrange(1, 2**32))
        self.epochs.append(self.outbox.epoch)
        self.history = ResendStore(self.outbox.epoch, self.buffer)


class Collector:
    """One program that stores; what is in memory dies with it."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        self.directory = world.directory / name
        self.kept: set[Name] = set()
        self.spool = SmallSpool(self.directory, SPOOL_BYTES)
        self.buffer, self.unsure = Buffer(BUFFER_BYTES), UnflushedCommits()
        self.start()

    def start(self) -> None:
        """Begin anew; what was in memory only is forgotten."""
        waiting = self.unsure.take_back()
        while batch := self.buffer.take():
            waiting.append(batch)
        for batch in waiting:
            if batch.place is None:
                self.kept -= set(map(name_of, batch.readings))
                for hole in batch.gaps:
                    for sequence in range(hole.first, hole.first + hole.count):
                        self.kept.discard((hole.source, hole.epoch, sequence % SEQUENCE_LIMIT))
        self.requester = Requester(lambda source: 0.0, Random(self.world.random.random()))
        self.buffer = Buffer(BUFFER_BYTES)
        self.unsure = UnflushedCommits()
        full = self.spool.full
        self.spool.close()
        self.spool = SmallSpool(self.directory, SPOOL_BYTES)
        self.spool.full = full
        self.left = self.spool.open()
        self.resumed = False
        self.life = self.world.database.life
        self.resume(checkpoints({}, self.left))

    def resume(self, known: list[Checkpoint]) -> None:
        self.requester.resume(known, self.world.now_s)

    def keep(self, readings: Sequence[Reading]) -> None:
        self.kept.update(map(name_of, readings))
        self.buffer.add(readings)
        self.buffer.drop_oldest(Cause.DISK_FULL if self.spool.full else Cause.SPOOL_FULL)

    def step(self) -> None:
        """Store what waits, or spool it."""
        self.buffer.add_gaps(self.requester.gaps())
        database = self.world.database
        try:
            if database.up and not self.resumed:
                self.resume(checkpoints(database.accounts(), self.left))
                self.resumed = True
            if self.life != database.life:
                self.life = database.life
                raise StoreError("connecting anew")
            while batch := self.buffer.take() or self.spool.next():
                try:
                    database.write(batch, self.life)
                except StoreError:
                    if batch.place is None:
                        self.buffer.put_back(batch)
                    raise
                self.unsure.add(batch, database.log)
            self.release()
        except StoreError:
            for batch in reversed(self.unsure.take_back()):
                if batch.place is None:
                    self.buffer.put_back(batch)
            self.spool.rewind()
            self.relieve()

    def release(self) -> None:
        for batch in self.unsure.sure(self.world.database.flushed):
            if batch.place is not None:
                self.spool.release(batch.place)

    def relieve(self) -> None:
        while batch := self.buffer.take():
            try:
                self.buffer.add_gaps(self.spool.append(batch))
            except OSError:
                self.buffer.put_back(batch)
                return
            if not self.buffer.rows:
                return


class World:
    """Three sources, one or two collectors, and what happens between them."""

    def __init__(self, seed: int, directory: Path, collectors: int = 2) -> None:
        random.seed(seed)  # sequences start anywhere
        self.random = Random(seed)
        self.directory = directory
        self.now_s = 1_000.0
        self.loss = 0.0
        self.down: set[str] = set()
        self.sent: list[Name] = []
        self._flying: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self.database = Database()
        self.sources = {code: Source(code, self.random) for code in ("S1", "S2", "S3")}
        self.collectors = [Collector(self, f"Q{1 + number}") for number in range(collectors)]
        self._step()

    @property
    def now_ms(self) -> int:
        """Time of the sources' clocks."""
        return round(1000 * self.now_s)

    def at(self, when_s: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._flying, (when_s, next(self._count), what))

    def send(self, code: str) -> None:
        source = self.sources[code]
        blocks = source.outbox.blocks([(code, 1)], self.now_ms, Quality.GOOD, Dialect.JPH)
        datagrams = [datagram for block in blocks for datagram in block.datagrams()]
        for datagram in datagrams:
            reading = decode_data(datagram)
            if reading.flag == "n":
                source.buffer.begin(code, reading.sequence, datagram)
            source.buffer.add([(code, Block(datagram, len(datagram)), 0, 1)], self.now_s)
            if reading.flag != "n":
                self.sent.append((code, reading.epoch, reading.sequence))
            for collector in self.collectors:
                self._fly(code, lambda c=collector, r=reading: self._hear(c, r))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end_s = self.now_s + seconds
        while True:
            due_s = min(collector.requester.due_s for collector in self.collectors)
            self.now_s = max(self.now_s, min(self._flying[0][0], due_s, end_s))
            if self.now_s >= end_s:
                return
            while self._flying[0][0] <= self.now_s:
                heapq.heappop(self._flying)[2]()
            for collector in self.collectors:
                for ask in collector.requester.poll(self.now_s):
                    self._fly(ask.source, lambda c=collector, a=ask: self._answer(c, a))

    def heal(self) -> None:
        """End every fault, and wait until nothing is asked for any more."""
        self.loss = 0.0
        self.down.clear()
        self.database.up = True
        for collector in self.collectors:
            collector.spool.full = False
        for code in self.sources:
            self.send(code)
        self.run(2000)
        self.database.flush()
        for collector in self.collectors:
            collector.step()

    def unaccounted(self) -> list[Name]:
        """Return what was sent and is neither stored nor in a gap, and what is in both.

        A gap of unknown size tells of readings of an earlier epoch that no collector has heard of.
        Only what a source sent before it was ever heard is excused.
        """
        kept = set[Name]().union(*(collector.kept for collector in self.collectors))
        return [name for name in self.sent if self._places(name, name in kept) != 1]

    def _places(self, name: Name, kept: bool) -> int:
        """In how many places a reading is; 1 if a gap of unknown size tells that it is missing."""
        code, epoch, sequence = name
        book = self.database.books.get((code, epoch))
        account = book.account if book else None
        if book is None or account is None:
            return int(not kept and self._told_before(code, epoch))
        place = position(sequence, account.last)
        stored = place in book.stored
        counted = sum(gap.first <= place < gap.stop for gap in book.gaps.values())
        if kept or stored or counted or account.first <= place <= account.last:
            return stored + counted
        if place > account.last:
            return int(uncounted_from(book, place))
        return int(uncounted_from(book, place) or self._told_before(code, epoch))

    def _told_before(self, code: str, epoch: int) -> bool:
        """Whether the epoch heard before has a gap of unknown size, or none was heard before."""
        epochs = self.sources[code].epochs
        earlier = (self.database.books.get((code, e)) for e in epochs[: epochs.index(epoch)])
        heard = [book for book in earlier if book is not None and book.account is not None]
        return not heard or uncounted(heard[-1])

    # What may happen

    def lose(self) -> None:
        self.loss = self.random.choice((0.0, 0.1, 0.3, 1.0))

    def cut_off(self) -> None:
        self.down ^= {self.random.choice([*self.sources])}

    def kill_collector(self) -> None:
        self.random.choice(self.collectors).start()

    def kill_database(self) -> None:
        self.database.kill()

    def stop_database(self) -> None:
        self.database.stop()

    def start_database(self) -> None:
        self.database.up = True

    def fill_disk(self) -> None:
        collector = self.random.choice(self.collectors)
        collector.spool.full = not collector.spool.full

    def restart_source(self) -> None:
        self.random.choice([*self.sources.values()]).start()

    FAULTS = (
        *(lose, lose, cut_off, kill_collector, kill_database, stop_database),
        *(start_database, start_database, start_database, fill_disk, restart_source),
    )

    # The network

    def _fly(self, code: str, what: Callable[..., None]) -> None:
        if code in self.down or self.random.random() < self.loss:
            return
        for _ in range(1 + (self.random.random() < 0.01)):
            late_s = 0.05 if self.random.random() < 0.01 else 0.001
            self.at(self.now_s + self.random.uniform(0.0002, late_s), what)

    def _hear(self, collector: Collector, reading: Reading) -> None:
        collector.keep(collector.requester.take([reading], HERE, self.now_s))

    def _hear_resent(self, collector: Collector, ask: Ask, readings: list[Reading]) -> None:
        requester = collector.requester
        requester.heard_from(HERE, ask.request_id, self.now_s)
        collector.keep(requester.take_resent(readings, HERE, self.now_s, ask.request_id))

    def _hear_report(self, collector: Collector, ask: Ask, ranges: list[Interval]) -> None:
        requester = collector.requester
        requester.heard_from(HERE, ask.request_id, self.now_s)
        told = (ask.source, ask.epoch, ranges, HERE, self.now_s, ask.request_id)
        requester.take_report(*told)

    def _answer(self, collector: Collector, ask: Ask) -> None:
        source = self.sources[ask.source]
        for asked in ask.ranges:
            rest: Interval | None = asked
            while rest is not None:
                found = source.history.find(source.code, ask.epoch, rest, 500)
                for datagram in found.datagrams:
                    again = [decode_data(datagram)]
                    self._fly(source.code, lambda a=again: self._hear_resent(collector, ask, a))
                ends = [] if found.next is None else [(found.next, 0)]
                if told := clipped(found.lost, ask.clip) + ends:
                    self._fly(source.code, lambda t=told: self._hear_report(collector, ask, t))
                rest = found.rest

    def _step(self) -> None:
        """Let the collectors work, and the database write its log out now and then."""
        for collector in self.collectors:
            collector.step()
        if self.database.up and self.random.random() < 0.3:
            self.database.flush()
        self.at(self.now_s + STEP_S, self._step)
