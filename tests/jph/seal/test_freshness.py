"""A state machine of members that lose, reorder and repeat frames, crash and rotate keys."""

import os

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from jph.seal.frame import Bus
from jph.seal.keyring import Generation
from jph.seal.opening.outcome import Ask
from jph.seal.seal import Seal
from tests.jph.seal.house import GENERATION, RULES, causes, keyring, messages, reading, seal


class TwoMembers(RuleBasedStateMachine):
    """RA sends numbered readings to P1 over a network that an attacker controls."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1000
        self.epoch = 10
        self.number = 0
        self.generation = GENERATION
        self.sender, self.receiver = self.start("RA"), self.start("P1")
        self.air: list[tuple[Bus, bytes, Seal]] = []
        self.accepted: list[bytes] = []
        self.sent_ms: dict[bytes, int] = {}
        self.began_ms = self.now_ms

    def start(self, node: str) -> Seal:
        self.epoch += 1
        return seal(node, self.epoch, keyring(self.generation), now_ms=self.now_ms)

    def take(self, at: Seal, bus: Bus, frame: bytes) -> None:
        outcome = at.opened(bus, frame, None, self.now_ms)
        if at is self.receiver:
            for message in messages(outcome):
                # An earlier start of the receiver may have taken what was sent before.
                assert self.sent_ms[message] >= self.began_ms
                self.accepted.append(message)
        other = self.sender if at is self.receiver else self.receiver
        self.air += [
            (Bus.UNICAST, at.hello(Bus.UNICAST, ask, self.now_ms), other) for ask in outcome.asks
        ]

    @rule(wait_ms=st.integers(0, 3000))
    def wait(self, wait_ms: int) -> None:
        self.now_ms += wait_ms

    @rule()
    def send(self) -> None:
        self.number += 1
        message = reading("R1", float(self.number))
        self.sent_ms[message] = self.now_ms
        for frame in self.sender.closed(Bus.DATA, [message], self.now_ms):
            self.air.append((Bus.DATA, frame, self.receiver))

    @rule(data=st.data())
    def arrive(self, data: st.DataObject) -> None:
        """Any frame that was ever sent arrives now, perhaps once more."""
        if self.air:
            index = data.draw(st.integers(0, len(self.air) - 1))
            bus, frame, to = self.air[index]
            current = self.receiver if to.sealer.node == "P1" else self.sender
            self.take(current, bus, frame)

    @rule()
    def crash_of_the_sender(self) -> None:
        self.sender = self.start("RA")

    @rule()
    def crash_of_the_receiver(self) -> None:
        self.receiver = self.start("P1")
        self.accepted, self.began_ms = [], self.now_ms

    @rule()
    def rotate(self) -> None:
        before = self.generation
        self.generation = Generation(before.number + 1, os.urandom(32))
        kept = Generation(before.number, before.key, self.now_ms / 1000 + 600)
        for each in (self.sender, self.receiver):
            each.adopt(keyring(self.generation, kept), RULES, "demand")

    @invariant()
    def nothing_is_accepted_twice(self) -> None:
        assert len(set(self.accepted)) == len(self.accepted)

    def teardown(self) -> None:
        """In a network without an attacker, readings arrive again within a few seconds."""
        self.air.clear()
        for _ in range(6):
            self.now_ms += 1100
            before = len(self.accepted)
            self.send()
            for bus, frame, to in iter_and_clear(self.air):
                self.take(to, bus, frame)
            while self.air:
                for bus, frame, to in iter_and_clear(self.air):
                    self.take(to, bus, frame)
        assert len(self.accepted) > before


def iter_and_clear(air: list[tuple[Bus, bytes, Seal]]) -> list[tuple[Bus, bytes, Seal]]:
    waiting, air[:] = list(air), []
    return waiting


TestTwoMembers = TwoMembers.TestCase
TestTwoMembers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_a_question_to_all_has_no_answer() -> None:
    receiver, sender = seal("P1", 1), seal("RA", 2)
    hello = receiver.hello(Bus.CONTROL, Ask("@@"), 1000)
    asks = sender.opened(Bus.CONTROL, hello, None, 1000).asks
    assert [ask.answer for ask in asks] == [""]  # but it is asked whether it runs now


def test_a_lost_question_is_repeated_and_at_last_by_the_bus() -> None:
    sender, receiver = seal("RA", 1), seal("P1", 2)
    (frame,) = sender.closed(Bus.DATA, [reading("R1")], 1000)
    assert receiver.opened(Bus.DATA, frame, "from RA", 1000).asks
    assert receiver.due_ms() == 1300
    dues = [due for at_ms in (1300, 2000, 3000) for due in receiver.poll(at_ms)]
    assert [due.context for due in dues] == ["from RA"] * 3
    assert [due.ask.by_bus for due in dues] == [False, True, True]
    assert receiver.due_ms() == float("inf")
    question = receiver.hello(Bus.CONTROL, dues[1].ask, 2000)
    (reply,) = [ask for ask in sender.opened(Bus.CONTROL, question, None, 2000).asks if ask.answer]
    assert reply.by_bus
    hello = sender.hello(Bus.CONTROL, reply, 2000)
    assert messages(receiver.opened(Bus.CONTROL, hello, None, 2000)) == [reading("R1")]


def test_a_serial_is_compared() -> None:
    old, new = seal("RA", 1, keyring(serial=3)), seal("P1", 2, keyring(serial=4))
    new.opened(Bus.CONTROL, old.hello(Bus.CONTROL, Ask("@@"), 1000), None, 1000)
    assert causes(new) == {"serial": 1}
    old.opened(Bus.CONTROL, new.hello(Bus.CONTROL, Ask("@@"), 1000), None, 1000)
    assert old.opener.hellos.newer == (4, "P1")


def test_a_node_that_was_away_for_two_generations_hears_of_the_newest_roster() -> None:
    old = seal("RA", 1, keyring(serial=3))
    new = seal("P1", 2, keyring(Generation(9, os.urandom(32)), serial=5))
    hello = new.hello(Bus.CONTROL, Ask("@@"), 1000)
    for at in range(8 * len(hello)):
        forged = bytearray(hello)
        forged[at // 8] ^= 1 << at % 8
        old.opened(Bus.CONTROL, bytes(forged), None, 1000 + at)
        assert old.opener.hellos.newer is None
    old.opened(Bus.CONTROL, hello, None, 60_000)
    assert old.opener.hellos.newer == (5, "P1")
    assert "generation" in causes(old)
