"""Requests to resend, with time and network passed in: nothing is lost unmarked."""

import heapq
import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from jph.node.outbox import Outbox
from jph.retransmit import Cause, Checkpoint, Gap
from jph.retransmit.ranges import clipped
from jph.retransmit.requester import Requester
from jph.retransmit.resend_buffer import ResendBuffer
from jph.retransmit.resend_store import ResendStore
from jph.wire.codec import SEQUENCE_LIMIT, Dialect, Quality, Reading, decode_data

HERE = ("192.0.2.1", 4)
LONG_S = 2_000.0
Key = tuple[int, int]


class World:
    """A source, a receiver and the network between them; time only passes when the test says so."""

    def __init__(self, seed: int, ring_bytes: int = 10**6) -> None:
        self.random = random.Random(seed)
        self.ring_bytes = ring_bytes
        self.loss = self.double = self.reorder = 0.0
        self.now_s = 1_000.0
        self.flying: list[tuple[float, int, Any]] = []
        self.count = 0
        self.sent: list[Key] = []
        self.delivered: Counter[Key] = Counter()
        self.holes: list[Gap] = []
        self.before_our_time: set[Key] = set()
        self.asked: list[Any] = []
        self.start_source()
        self.start_receiver()

    def start_source(self) -> None:
        buffer = ResendBuffer(900, self.ring_bytes)
        self.outbox = Outbox("AA", self.random.randrange(1, 2**32), buffer)
        self.history = ResendStore(self.outbox.epoch, buffer)
        self.known = {self.outbox.epoch}

    def start_receiver(self) -> None:
        self.requester = Requester(lambda source: 0.0, random.Random(self.random.random()))

    def send(self, count: int) -> None:
        for number in range(count):
            blocks = self.outbox.blocks([("AA", number)], 5, Quality.GOOD, Dialect.JPH)
            for datagram in (each for block in blocks for each in block.datagrams()):
                reading = decode_data(datagram)
                self.sent.append((reading.epoch, reading.sequence))
                self.fly("bus", reading)
            self.now_s += 0.001

    def fly(self, to: str, what: Any) -> None:
        if self.random.random() < self.loss:
            return
        for _ in range(1 + (self.random.random() < self.double)):
            late = self.random.random() < self.reorder
            arrives = self.now_s + self.random.uniform(0.0002, 0.05 if late else 0.0003)
            self.count += 1
            heapq.heappush(self.flying, (arrives, self.count, (to, what)))

    def arrive(self, to: str, what: Any) -> None:
        if to == "bus":
            if "AA" not in self.requester._of and self.ring_bytes < 10**6:
                before = self.sent[: self.sent.index((what.epoch, what.sequence))]
                self.before_our_time.update(key for key in before if key[0] == what.epoch)
            self.keep(self.requester.take([what], HERE, self.now_s))
        elif to == "source":
            if what.epoch in self.known:
                self.answer(what)
        else:
            request_id, answer = what
            self.requester.heard_from(HERE, request_id, self.now_s)
            if isinstance(answer, Reading):
                fresh = self.requester.take_resent([answer], HERE, self.now_s, request_id)
                self.keep(fresh)
            else:
                epoch, ranges = answer
                self.requester.take_report("AA", epoch, ranges, HERE, self.now_s, request_id)

    def answer(self, ask: Any) -> None:
        for asked in ask.ranges:
            rest = asked
            while rest is not None:
                found = self.history.find("AA", ask.epoch, rest, 500)
                for datagram in found.datagrams:
                    self.fly("receiver", (ask.request_id, decode_data(datagram)))
                ends = [] if found.next is None else [(found.next, 0)]
                if ranges := tuple(clipped(found.lost, ask.clip) + ends):
                    self.fly("receiver", (ask.request_id, (ask.epoch, ranges)))
                rest = found.rest

    def keep(self, readings: Sequence[Reading]) -> None:
        self.delivered.update((r.epoch, r.sequence) for r in readings)

    @property
    def asks(self) -> int:
        return len(self.asked)

    def run(self, seconds: float) -> None:
        end_s = self.now_s + seconds
        while True:
            arrives = self.flying[0][0] if self.flying else math.inf
            self.now_s = max(self.now_s, min(arrives, self.requester.due_s, end_s))
            if self.now_s >= end_s:
                return
            while self.flying and self.flying[0][0] <= self.now_s:
                self.arrive(*heapq.heappop(self.flying)[2])
            for ask in self.requester.poll(self.now_s):
                self.asked.append(ask)
                self.fly("source", ask)
            self.holes += self.requester.gaps()

    def checkpoints(self) -> list[Checkpoint]:
        """Return what a store would know: the newest of each epoch, and what it lacks."""
        checkpoints = []
        for epoch in {epoch for epoch, _ in self.delivered}:
            sent = [key for key in self.sent if key[0] == epoch]
            newest = max(i for i, key in enumerate(sent) if key in self.delivered)
            oldest = min(i for i, key in enumerate(sent) if key in self.delivered)
            known = set(self.delivered) | self.lost()
            missing = [key[1] for key in sent[oldest:newest] if key not in known]
            checkpoints.append(
                Checkpoint("AA", epoch, sent[newest][1], tuple((s, 1) for s in missing))
            )
        return checkpoints

    def lost(self) -> set[Key]:
        return {
            (hole.epoch, (hole.first + step) % SEQUENCE_LIMIT)
            for hole in self.holes
            for step in range(hole.count)
        }

    def unmarked(self) -> list[Key]:
        lost = self.lost()
        return [key for key in self.sent if key not in self.delivered and key not in lost]


class Life(RuleBasedStateMachine):
    """Whatever happens, each reading comes once or is reported as lost, and never both."""

    @initialize(seed=st.integers(0, 2**32), ring=st.sampled_from([1_500, 10**6]))
    def begin(self, seed: int, ring: int) -> None:
        self.world = World(seed, ring)
        self.unknowable: set[Key] = set()

    @rule(count=st.integers(1, 80))
    def send(self, count: int) -> None:
        self.world.send(count)
        self.world.run(0.0005 * count)

    @rule(seconds=st.sampled_from([0.01, 0.3, 3.0, 40.0]))
    def wait(self, seconds: float) -> None:
        self.world.run(seconds)

    @rule(
        loss=st.sampled_from([0.0, 0.1, 0.3, 0.7, 1.0]),
        double=st.sampled_from([0.0, 0.2]),
        reorder=st.sampled_from([0.0, 0.3]),
    )
    def weather(self, loss: float, double: float, reorder: float) -> None:
        self.world.loss, self.world.double, self.world.reorder = loss, double, reorder

    @rule()
    def restart_source(self) -> None:
        """Without a journal what the old start sent last is not known, if it was not heard."""
        world = self.world
        world.run(0.1)
        heard = {key for key in world.delivered if key[0] == world.outbox.epoch}
        epoch = [key for key in world.sent if key[0] == world.outbox.epoch]
        newest = max((i for i, key in enumerate(epoch) if key in heard), default=-1)
        self.unknowable.update(epoch[newest + 1 :])
        if not heard:
            self.unknowable.update(epoch)
        known = world.requester._epochs.get(("AA", world.outbox.epoch))
        if heard and known is not None and known.window.floor is None and known.window.joined:
            # Its beginning was asked and is not answered yet: it may have been before our time.
            oldest = min(i for i, key in enumerate(epoch) if key in heard)
            self.unknowable.update(epoch[:oldest])
        world.start_source()

    @rule()
    def restart_receiver(self) -> None:
        """What is still in the air is lost; the store's checkpoints are all that is known."""
        world = self.world
        world.holes += world.requester.gaps()
        world.flying.clear()
        for (_, epoch), known in world.requester._epochs.items():
            if (
                known.window.floor is None
            ):  # a checkpoint cannot say that there may be more before it
                self.unknowable.update(self.edges(epoch))
        world.start_receiver()
        world.requester.resume(world.checkpoints(), world.now_s)

    def edges(self, epoch: int) -> set[Key]:
        """Return what was sent before the first, and after the last, that came of a start."""
        sent = [key for key in self.world.sent if key[0] == epoch]
        came = [i for i, key in enumerate(sent) if key in self.world.delivered]
        return set(sent[: came[0]] + sent[came[-1] + 1 :]) if came else set(sent)

    def teardown(self) -> None:
        world = getattr(self, "world", None)
        if world is None:
            return
        world.loss = world.double = world.reorder = 0.0
        world.send(1)
        world.run(LONG_S)
        assert wanted(world) == 0
        assert set(world.delivered.values()) <= {1}
        assert not world.lost() & set(world.delivered)
        excused = self.unknowable | world.before_our_time
        for hole in world.holes:
            if hole.count == 0:
                excused |= self.edges(hole.epoch)
        assert [key for key in world.unmarked() if key not in excused] == []


Life.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestLife = Life.TestCase


def alone(readings: list[Reading], world: World) -> None:
    """Have readings come from a source that answers nothing."""
    world.keep(world.requester.take(readings, HERE, world.now_s))


def reading(sequence: int, epoch: int = 7, flag: str = "i", timestamp_ms: int = 5) -> Reading:
    return Reading(sequence, epoch, timestamp_ms, flag, "AA", "@@", 1, 0, 1)


def wanted(world: World) -> int:
    return sum(known.window.wanted.total for known in world.requester._epochs.values())


def lossy(world: World, count: int) -> None:
    """Send readings of which nothing comes."""
    world.loss = 1.0
    world.send(count)
    world.loss = 0.0


def complete(world: World) -> bool:
    return world.unmarked() == [] and set(world.delivered.values()) == {1} and not world.holes


def test_a_lone_gap_is_asked_once_and_at_once() -> None:
    world = World(1)
    world.send(10)
    lossy(world, 1)
    world.send(1)
    world.run(0.025)
    assert complete(world)
    assert world.asks == 1


def test_what_was_lost_last_is_found_without_anything_after_it() -> None:
    world = World(2)
    world.send(10)
    lossy(world, 3)
    world.run(3.0)
    assert complete(world)
    asks = world.asks
    world.run(500.0)
    assert world.asks == asks, "a silent source is asked once"
    world.send(3)
    world.run(0.1)
    assert complete(world)


def test_a_source_that_keeps_losing_is_asked_about_twice_a_second() -> None:
    world = World(3)
    for _ in range(30):
        world.loss = 0.1
        world.send(200)
        world.run(0.8)
    world.loss = 0.0
    asks = world.asks
    world.run(3.0)
    assert complete(world)
    assert 30 < asks < 30 * 2.5


def test_a_long_gap_streams_in_parts() -> None:
    world = World(4)
    world.send(1)
    world.run(0.01)
    lossy(world, 20_000)
    world.send(1)
    most = 0
    fly = world.fly

    def watched(to: str, what: Any) -> None:
        nonlocal most
        if to == "source":
            most = max(most, sum(count for _, count in what.ranges))
        fly(to, what)

    world.fly = watched  # type: ignore[method-assign]
    world.run(2.0)
    assert complete(world)
    assert most == 2_000
    assert world.asks < 15


def test_a_source_heard_in_mid_stream_gives_all_it_keeps() -> None:
    world = World(5)
    lossy(world, 3_000)
    world.send(1)
    world.run(0.5)
    assert len(world.delivered) == 1, "the checkpoints of a store may come first"
    world.run(3.0)
    assert complete(world)


def test_what_was_forgotten_before_our_time_is_no_hole_but_after_a_restart_it_is() -> None:
    world = World(6, ring_bytes=4_000)
    lossy(world, 1_000)
    world.send(1)
    world.run(3.0)
    assert world.holes == []
    assert len(world.delivered) > 50
    world.start_source()
    lossy(world, 1_000)
    world.send(1)
    world.run(5.0)
    lost = world.lost()
    assert {hole.cause for hole in world.holes if hole.count} == {Cause.GONE}
    assert lost | set(world.delivered) >= set(world.sent[1_002:])
    assert not lost & set(world.delivered)


def test_sequences_wrap() -> None:
    world = World(7)
    alone([reading(SEQUENCE_LIMIT - 2, flag="n"), reading(1)], world)
    asks: list[Any] = []
    world.now_s += 0.03
    asks += world.requester.poll(world.now_s)
    assert [ask.ranges for ask in asks] == [((SEQUENCE_LIMIT - 1, 2),)]
    resent = [reading(SEQUENCE_LIMIT - 1), reading(0)]
    world.keep(world.requester.take_resent(resent, HERE, world.now_s, asks[0].request_id))
    assert wanted(world) == 0
    assert len(world.delivered) == 4


def test_an_original_program_is_never_asked_and_its_loss_is_told() -> None:
    world = World(8)
    alone([reading(5, epoch=0), reading(8, epoch=0, timestamp_ms=9)], world)
    world.run(1.0)
    alone([reading(6, epoch=0)], world)
    world.run(5.0)
    assert world.asks == 0
    assert world.holes == [Gap("AA", 0, 7, 1, Cause.NETWORK, 5, 9)]
    alone([reading(900_000_000, epoch=0), reading(3, 0, "n"), reading(4, 0)], world)
    world.run(5.0)
    assert len(world.holes) == 1


def test_a_new_start_without_a_journal_is_not_asked_for_the_old_one() -> None:
    world = World(9)
    alone([reading(5, flag="n"), reading(8, timestamp_ms=9), reading(70, 8, "n")], world)
    asked = []
    for _ in range(1_000):
        world.now_s += 0.1
        asked += [ask.epoch for ask in world.requester.poll(world.now_s)]
    assert 7 not in asked
    assert world.requester.gaps() == [
        Gap("AA", 7, 6, 2, Cause.SOURCE_GONE, 5, 9),
        Gap("AA", 7, 9, 0, Cause.SOURCE_GONE, 9, 0),
    ]


def test_what_the_own_kernel_dropped_is_told_apart() -> None:
    world = World(10)
    alone([reading(5, flag="n")], world)
    world.requester.take([reading(9)], HERE, world.now_s, overflowed=3)
    world.requester.take([reading(12)], HERE, world.now_s)
    world.run(1_000.0)
    assert [(h.first, h.count, h.cause) for h in world.holes] == [
        (6, 3, Cause.OVERFLOW),
        (10, 2, Cause.SOURCE_GONE),
    ]


def test_a_source_that_says_no_more_is_given_up() -> None:
    world = World(11)
    alone([reading(5, flag="n"), reading(8)], world)
    world.run(890.0)
    assert world.holes == []
    asks = world.asks
    assert asks < 60
    world.run(20.0)
    assert [(h.first, h.count, h.cause) for h in world.holes] == [(6, 2, Cause.SOURCE_GONE)]
    world.run(100.0)
    assert world.asks <= asks + 1
    assert wanted(world) == 0


def test_a_forged_reading_ahead_changes_nothing_that_follows() -> None:
    """The source reports that it never sent so much; the window returns to what it sent."""
    world = World(12)
    world.send(3)
    world.run(0.1)
    epoch, sequence = world.sent[-1]
    forged = reading((sequence + 2_000) % SEQUENCE_LIMIT, epoch)
    assert world.requester.take([forged], HERE, world.now_s) == [forged]
    world.run(60.0)
    assert wanted(world) == 0
    assert world.asks < 20
    world.send(3_000)
    world.run(5.0)
    assert complete(world)


@pytest.mark.parametrize("ahead", [3_001, 100_000, 2**30 - 1])
def test_one_reading_far_ahead_is_not_believed(ahead: int) -> None:
    world = World(12)
    world.send(3)
    world.run(0.1)
    epoch, sequence = world.sent[-1]
    forged = reading((sequence + ahead) % SEQUENCE_LIMIT, epoch)
    assert world.requester.take([forged], HERE, world.now_s) == []
    assert (wanted(world), world.requester.suspects) == (0, 1)
    world.send(10)
    world.run(1.0)
    assert complete(world)


def test_a_long_loss_is_believed_when_the_next_reading_continues_it() -> None:
    world = World(19)
    world.send(3)
    world.run(0.1)
    lossy(world, 5_000)
    world.send(2)
    world.run(5.0)
    assert complete(world)


def test_a_restart_is_a_long_gap() -> None:
    world = World(13)
    world.send(50)
    world.run(0.1)
    checkpoints = world.checkpoints()
    world.start_receiver()
    lossy(world, 3_000)
    world.requester.resume(checkpoints, world.now_s)
    world.send(1)
    world.run(1.0)
    assert complete(world)


@pytest.mark.parametrize("late_s", [0.5, 5.0])
def test_checkpoints_may_come_after_the_source_was_heard(late_s: float) -> None:
    world = World(14)
    lossy(world, 20)
    world.send(50)
    world.run(5.0)
    del world.delivered[world.sent[30]]  # as if it had not been stored
    checkpoints = world.checkpoints()
    world.start_receiver()
    lossy(world, 30)
    world.send(2)
    world.run(late_s)
    world.requester.resume(checkpoints, world.now_s)
    world.run(5.0)
    assert world.unmarked() == []
    if late_s < 1.0:
        assert set(world.delivered.values()) == {1}, "the checkpoints came before all was asked"


def test_checkpoints_of_a_start_that_is_over() -> None:
    world = World(15)
    alone([reading(70, 8, "n")], world)
    world.requester.resume([Checkpoint("AA", 7, 20, ((10, 3),), 99)], world.now_s)
    world.run(100.0)
    assert {ask.epoch for ask in world.asked} == {8}
    assert world.holes == [
        Gap("AA", 7, 10, 3, Cause.SOURCE_GONE, 0, 99),
        Gap("AA", 7, 21, 0, Cause.SOURCE_GONE, 99, 0),
    ]


def test_the_tail_and_the_gaps_of_an_earlier_start_come_from_its_journal() -> None:
    world = World(16)
    world.requester = Requester(lambda source: 3_600.0, random.Random(1))
    world.send(20)
    world.run(0.1)
    lossy(world, 30)
    old, sent = world.history, list(world.sent)
    world.start_source()
    new = world.history

    class Both:
        def find(self, codifier: str, epoch: int, asked: Any, limit: int) -> Any:
            history = old if epoch == old.epoch else new
            return history.find(codifier, epoch, asked, limit)

    world.history = Both()  # type: ignore[assignment]
    world.known = {old.epoch, new.epoch}
    world.send(1)
    world.run(10.0)
    assert len(world.sent) == len(sent) + 2
    assert complete(world)


@pytest.mark.parametrize(("known", "holes"), [(False, []), (True, [(101, 50)])])
def test_gone_may_be_heard_before_the_announcement(
    known: bool, holes: list[tuple[int, int]]
) -> None:
    world = World(17)
    if known:
        alone([reading(5, epoch=6, flag="n")], world)
    alone([reading(200)], world)
    world.now_s += 2.0
    (ask,) = [ask for ask in world.requester.poll(world.now_s) if ask.epoch == 7]
    told = (HERE, world.now_s, ask.request_id)
    world.requester.take_report("AA", 7, ((101, 50),), *told)
    assert wanted(world) == 49
    world.keep(world.requester.take_resent([reading(100, flag="n")], *told))
    world.keep(world.requester.take_resent(list(map(reading, range(151, 200))), *told))
    assert wanted(world) == 0
    assert world.delivered[7, 100] == 1
    gaps = [(gap.first, gap.count) for gap in world.requester.gaps() if gap.epoch == 7]
    assert gaps == holes
    asks = [ask for ask in world.requester.poll(world.now_s + 0.5) if ask.epoch == 7]
    assert all(count == 0 for ask in asks for _, count in ask.ranges)


def test_a_long_gap_leaves_enough_for_a_lone_one() -> None:
    world = World(18)
    world.send(1)
    world.run(0.01)
    lossy(world, 20_000)
    world.send(1)
    world.run(1.5)
    assert complete(world)
    lossy(world, 1)
    world.send(1)
    world.run(0.025)
    assert complete(world)


def test_answers_count_only_for_what_was_asked() -> None:
    """Neither without the request's id, nor from another host, nor outside its clip."""
    world = World(20)
    alone([reading(5, flag="n"), reading(9)], world)
    world.now_s += 0.03
    (ask,) = world.requester.poll(world.now_s)
    assert (ask.ranges, ask.clip) == (((6, 3),), (6, 3))
    late, far = [reading(7)], [reading(4_000)]
    other = ("192.0.2.66", 4)
    requester, now_s = world.requester, world.now_s
    assert requester.take_resent(late, HERE, now_s, ask.request_id + 1) == []
    assert requester.take_resent(late, HERE, now_s) == []
    assert requester.take_resent(late, other, now_s, ask.request_id) == []
    assert requester.take_resent(far, HERE, now_s, ask.request_id) == []
    requester.take_report("AA", 7, ((6, 3),), other, now_s, ask.request_id)
    requester.take_report("AA", 7, ((6, 3), (20, 0)), HERE, now_s)
    assert requester.gaps() == []
    requester.take_report("AA", 7, ((0, 2**20), (2**20, 0)), HERE, now_s, ask.request_id)
    assert [(gap.first, gap.count) for gap in requester.gaps()] == [(6, 3)]
    assert requester.take([reading(10)], HERE, now_s) == [reading(10)]


def test_a_challenge_is_answered_once_with_its_cookie() -> None:
    world = World(21)
    alone([reading(5, flag="n"), reading(9)], world)
    world.now_s += 0.03
    (ask,) = world.requester.poll(world.now_s)
    for _ in range(2):
        world.requester.take_challenge(ask.request_id, 77, HERE, world.now_s)
    (again,) = world.requester.poll(world.now_s)
    assert (again.ranges, again.cookie) == (ask.ranges, 77)
    assert again.request_id != ask.request_id
    assert world.requester.poll(world.now_s) == []


def test_a_source_of_version_0_1_0_is_asked_in_its_form() -> None:
    world = World(22)
    alone([reading(5, flag="n"), reading(9)], world)
    legacy: list[Any] = []
    while not legacy:
        world.now_s += 0.01
        legacy = [ask for ask in world.requester.poll(world.now_s) if ask.legacy]
        assert world.now_s < 1_001.0, "a silent source is asked in the old form within a second"
    world.requester.heard_from(HERE, 0, world.now_s)
    world.keep(world.requester.take_resent([reading(7)], HERE, world.now_s))
    assert world.delivered[7, 7] == 1
    asked: list[Any] = []
    while len(asked) < 5:
        world.now_s += 0.1
        asked += world.requester.poll(world.now_s)
    assert all(ask.legacy for ask in asked)
    world.requester.take_report("AA", 7, ((6, 1), (8, 1)), HERE, world.now_s)
    assert [(gap.first, gap.count) for gap in world.requester.gaps()] == [(6, 1), (8, 1)]


@pytest.mark.parametrize("log_s", [0.0, 3_600.0])
def test_two_programs_under_one_codifier_are_each_asked_at_their_own_address(log_s: float) -> None:
    """Neither epoch ends while it is heard, however seldom, and none of its readings is lost."""
    world = World(23)
    world.requester = Requester(lambda source: log_s, random.Random(1))
    one, two = HERE, ("192.0.2.2", 4)
    asked: list[Any] = []
    for step in range(20):
        late = 4 <= step < 8  # of the first program, a few readings are lost
        if not late:
            first = reading(100 + step, epoch=7, flag="n" if not step else "i")
            world.keep(world.requester.take([first], one, world.now_s))
        other = reading(500 + step, epoch=8, flag="n" if not step else "i")
        world.keep(world.requester.take([other], two, world.now_s + 0.1))
        for _ in range(150):
            world.now_s += 0.1
            asked += world.requester.poll(world.now_s)
    asked = [ask for ask in asked if any(count for _, count in ask.ranges)]
    assert (asked[0].epoch, asked[0].address) == (7, one)
    assert world.requester.gaps() == []
