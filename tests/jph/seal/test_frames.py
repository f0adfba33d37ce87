"""Frames: what leaves arrives once, whole, from whom it says, and nothing else arrives."""

import itertools
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from jph.errors import SealError
from jph.retransmit.messages import Envelope, ResentReadings, encode_unicast
from jph.seal.frame import Bus, messages_in, packed, read_header, whole_counter
from jph.seal.keyring import Generation, start_key
from jph.seal.opening import hellos
from jph.seal.opening.outcome import Ask
from jph.seal.opening.window import SIZE, Window
from jph.wire.columns import Block
from tests.jph.seal.house import (
    GENERATION,
    KEYS,
    RULES,
    causes,
    control,
    deliver,
    keyring,
    messages,
    reading,
    seal,
    send,
)


@given(st.lists(st.sampled_from([reading("R1"), reading("I1", 2.5), control("TI", "I")])))
def test_payloads_are_taken_apart_as_they_were_joined(sent: list[bytes]) -> None:
    payloads = packed(sent, 100)
    parts = [messages_in(payload) for payload in payloads]
    assert [each for part in parts for each in part or ()] == sent
    assert all(len(payload) <= 100 for payload in payloads)


@given(st.binary(max_size=200))
def test_any_payload_is_taken_apart_or_refused(payload: bytes) -> None:
    parts = messages_in(payload)
    assert parts is None or b"".join(parts) == payload


def test_a_batch_is_few_frames() -> None:
    sender = seal("RA", 1)
    frames = sender.closed(Bus.DATA, [reading("R1", n, n) for n in range(100)], 0)
    assert len(frames) == 3
    assert all(len(frame) <= 1452 for frame in frames)


def test_the_first_reading_arrives_after_one_question() -> None:
    sender, receiver = seal("RA", 1), seal("P1", 2)
    assert send(sender, receiver, Bus.DATA, reading("R1")) == [reading("R1")]
    assert send(sender, receiver, Bus.DATA, reading("R1", 2.0, 1)) == [reading("R1", 2.0, 1)]
    assert causes(receiver) == {}


@pytest.mark.parametrize("node", ["RA", "SH"])
@given(data=st.data())
def test_a_frame_with_any_bit_changed_is_refused(node: str, data: st.DataObject) -> None:
    sender, receiver = seal(node, 1), seal("P1", 2)
    source = "R1" if node == "RA" else "S1"
    send(sender, receiver, Bus.DATA, reading(source))
    (frame,) = sender.closed(Bus.DATA, [reading(source, 2.0, 1)], 1000)
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    changed = bytearray(frame)
    changed[bit // 8] ^= 1 << bit % 8
    assert messages(receiver.opened(Bus.DATA, bytes(changed), None, 1000)) == []
    assert messages(receiver.opened(Bus.DATA, frame, None, 1000)) == [reading(source, 2.0, 1)]


def test_a_frame_of_one_bus_is_none_of_another() -> None:
    sender, receiver = seal("RA", 1), seal("P1", 2)
    send(sender, receiver, Bus.DATA, reading("R1"))
    frames = sender.closed(Bus.DATA, [reading("R1", 2.0, 1)], 1000)
    assert messages(receiver.opened(Bus.CONTROL, frames[0], None, 1000)) == []


def test_counters_go_on_over_two_to_the_thirty_two() -> None:
    sender, receiver = seal("RA", 1), seal("P1", 2)
    send(sender, receiver, Bus.DATA, reading("R1"))
    for counter in (2**31, 2**32 - 2):
        sender.sealer.skip(Bus.DATA, counter)
        assert send(sender, receiver, Bus.DATA, reading("R1"))
    sender.sealer.skip(Bus.DATA, 2**32 - 1)
    for sequence in range(4):
        sent = reading("R1", 1.0, sequence)
        assert send(sender, receiver, Bus.DATA, sent) == [sent]
    assert sender.sealer.counters[Bus.DATA] == 2**32 + 3


@given(highest=st.integers(0, 2**40), distance=st.integers(-(2**31) + 1, 2**31 - 1))
def test_the_upper_half_of_a_counter_follows_from_the_highest(highest: int, distance: int) -> None:
    counter = max(0, highest + distance)
    assert whole_counter(counter % 2**32, highest) == counter


@given(
    starts=st.lists(
        st.tuples(st.sampled_from(["TI", "SH"]), st.integers(0, 1), st.sampled_from([b"a", b"b"])),
        unique=True,
    )
)
def test_no_two_starts_have_the_same_key(starts: list[tuple[str, int, bytes]]) -> None:
    keys = {start_key(GENERATION.key, node, epoch, salt * 16) for node, epoch, salt in starts}
    assert len(keys) == len(starts)


def test_no_two_frames_of_a_start_have_the_same_nonce() -> None:
    sender = seal("SH", 1)
    seen = set()
    for bus, n in itertools.product(Bus, range(50)):
        for frame in sender.closed(bus, [reading("S1", n), reading("SH", n)], n):
            head = read_header(frame)
            assert head is not None
            seen.add((bus, head.counter))
    assert len(seen) == 50 * len(Bus)


def test_a_copy_of_the_process_cannot_seal() -> None:
    sender = seal("SH", 1)
    child = os.fork()
    if not child:
        try:
            sender.closed(Bus.DATA, [reading("S1")], 0)
        except SealError:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert sender.closed(Bus.DATA, [reading("S1")], 0)


@given(st.lists(st.sampled_from(["R1", "I1"]), min_size=1, max_size=120))
def test_blocks_are_sealed_as_single_messages_are(sources: list[str]) -> None:
    sender, receiver = seal("RA", 1), seal("P1", 2)
    receiver.opener.rules = sender.sealer.rules = replace(RULES, owners={"R1": "RA", "I1": "RA"})
    send(sender, receiver, Bus.DATA, reading("R1"))
    sent = [reading(source, float(n), n) for n, source in enumerate(sources)]
    block = Block(b"".join(sent), len(sent[0]))
    frames = sender.closed_blocks(Bus.DATA, [block], 1000)
    assert all(len(frame) <= 1452 for frame in frames)
    accepted = deliver(sender, receiver, frames, Bus.DATA, 1000)
    assert sorted(accepted) == sorted(sent)
    assert causes(receiver) == {}


def test_each_listener_gets_each_frame_once() -> None:
    sender, receiver = seal("RA", 1), seal("P1", 2)
    send(sender, receiver, Bus.DATA, reading("R1"))
    (frame,) = sender.closed(Bus.DATA, [reading("R1", 2.0, 1)], 1000)
    for listener in (0, 1):
        assert messages(receiver.opened(Bus.DATA, frame, None, 1000, listener))
        assert not messages(receiver.opened(Bus.DATA, frame, None, 1000, listener))


def test_a_member_resends_its_own_readings_only() -> None:
    sensor, collector = seal("RA", 1), seal("P1", 2)
    envelope = Envelope(5, 1, "RA", "P1", 9, 0)
    own = encode_unicast(ResentReadings(envelope, reading("R1")))
    foreign = encode_unicast(ResentReadings(envelope, reading("R1") + reading("I1")))
    assert send(sensor, collector, Bus.UNICAST, own) == [own]
    assert send(sensor, collector, Bus.UNICAST, foreign) == []
    assert causes(collector) == {"right": 1}


@given(st.lists(st.integers(0, 3 * SIZE), max_size=300))
def test_a_window_is_as_the_reference(counters: list[int]) -> None:
    window, seen, highest = Window(), set[int](), -1
    for counter in counters:
        expected = counter not in seen and counter > highest - SIZE
        assert window.may_come(counter) is expected
        if expected:
            window.accept(counter)
            seen.add(counter)
            highest = max(highest, counter)


def test_a_window_that_begins_later_takes_what_is_near() -> None:
    window = Window(3 * SIZE)
    assert window.may_come(3 * SIZE)
    assert window.may_come(2 * SIZE)
    assert not window.may_come(2 * SIZE - 1)


def test_a_replayed_frame_is_refused() -> None:
    sender, receiver = seal("RA", 1), seal("P1", 2)
    frames = sender.closed(Bus.DATA, [reading("R1")], 1000)
    assert deliver(sender, receiver, frames, Bus.DATA, 1000)
    assert deliver(sender, receiver, frames, Bus.DATA, 1000) == []
    assert causes(receiver) == {"replay": 1}


def test_frames_of_before_are_refused_by_a_receiver_that_was_restarted() -> None:
    sender, before = seal("RA", 1), seal("P1", 2)
    old = sender.closed(Bus.DATA, [reading("R1")], 1000)
    deliver(sender, before, old, Bus.DATA, 1000)
    send(sender, before, Bus.DATA, reading("R1", 2.0, 1), now_ms=4000)
    after = seal("P1", 3, now_ms=4500)
    # The attacker replays first; the true sender answers the question.
    assert deliver(sender, after, old, Bus.DATA, 9000) == []
    assert causes(after) == {"early": 1}


def test_frames_of_a_sender_that_has_ended_are_refused() -> None:
    ended, now, receiver = seal("RA", 1), seal("RA", 2), seal("P1", 3)
    old = ended.closed(Bus.DATA, [reading("R1")], 1000)
    assert deliver(now, receiver, old, Bus.DATA, 2000) == []
    assert deliver(now, receiver, old, Bus.DATA, 6000) == []
    assert causes(receiver)["unfresh"] >= 1


def test_an_order_that_was_held_back_is_stale() -> None:
    console, card = seal("CC", 1), seal("P1", 2)
    assert send(console, card, Bus.CONTROL, control("CC", "P"))
    held = console.closed(Bus.CONTROL, [control("CC", "A", "11")], 2000)
    assert deliver(console, card, held, Bus.CONTROL, 4500) == []
    assert causes(card) == {"stale": 1}
    assert send(console, card, Bus.CONTROL, control("CC", "A", "11"), now_ms=4600)


def test_clocks_that_drift_apart_do_not_make_orders_stale() -> None:
    console, card = seal("CC", 1), seal("P1", 2)
    accepted = 0
    for minute in range(24 * 60):
        at_ms = 60_000 * minute
        slow_ms = round(at_ms * (1 - 100e-6))  # 100 ppm: 8.6 s a day
        frames = console.closed(Bus.CONTROL, [control("CC", "A", "11")], slow_ms)
        for frame in frames:
            outcome = card.opened(Bus.CONTROL, frame, None, at_ms)
            accepted += len(messages(outcome))
            for ask in outcome.asks:
                question = card.hello(Bus.UNICAST, ask, at_ms)
                for reply in console.opened(Bus.UNICAST, question, None, slow_ms).asks:
                    hello = console.hello(Bus.UNICAST, reply, slow_ms)
                    accepted += len(messages(card.opened(Bus.UNICAST, hello, None, at_ms)))
    assert accepted == 24 * 60


def test_rights_of_members() -> None:
    card, shedder, sensor, console = seal("P1", 1), seal("SH", 2), seal("RA", 3), seal("CC", 4)
    assert send(shedder, card, Bus.DATA, reading("S1"))
    assert send(shedder, card, Bus.CONTROL, control("SH", "A", "11"))
    assert send(console, card, Bus.CONTROL, control("CC", "H", "P1"))
    assert send(sensor, card, Bus.CONTROL, control("RA", "A", "11")) == []
    assert send(sensor, card, Bus.CONTROL, control("RA", "H", "P1")) == []
    assert send(sensor, card, Bus.DATA, reading("S1")) == []
    assert send(sensor, card, Bus.DATA, reading("I1")) == []
    assert send(shedder, card, Bus.CONTROL, control("SH", "H", "P1")) == []
    assert causes(card) == {"right": 5}


def test_a_member_with_a_forged_signature_is_refused() -> None:
    card, forger = seal("P1", 1), seal("SH", 2, key=KEYS["RA"])
    assert send(forger, card, Bus.DATA, reading("S1")) == []
    assert causes(card)["signature"] >= 1


def test_a_stranger_is_refused() -> None:
    stranger = seal("RA", 1, keyring(Generation(7, os.urandom(32))))
    receiver = seal("P1", 2)
    assert send(stranger, receiver, Bus.DATA, reading("R1")) == []
    assert messages(receiver.opened(Bus.DATA, reading("R1"), None, 0)) == []
    assert messages(receiver.opened(Bus.DATA, reading("OT"), None, 0)) == [reading("OT")]
    assert messages(receiver.opened(Bus.CONTROL, control("OT", "A", "11"), None, 0)) == []
    assert causes(receiver)["open"] == 2


def test_the_generation_before_is_accepted_for_its_grace() -> None:
    new = Generation(8, os.urandom(32))
    receiver = seal("P1", 2, keyring(new, GENERATION.__class__(7, GENERATION.key, 600.0)))
    old = seal("RA", 1)
    frames = old.closed(Bus.DATA, [reading("R1")], 1000)
    receiver.opened(Bus.DATA, frames[0], None, 1000)
    assert causes(receiver) == {}
    receiver.opened(Bus.DATA, frames[0], None, 700_000)
    assert causes(receiver)["generation"] == 1


def test_watch_accepts_all_and_counts_what_demand_would_refuse() -> None:
    sensor, receiver = seal("RA", 1, mode="watch"), seal("P1", 2, mode="watch")
    honest, forged = reading("R1"), reading("I1")
    assert messages(receiver.opened(Bus.DATA, honest, None, 1000)) == [honest]
    send(sensor, receiver, Bus.DATA, honest)
    assert messages(receiver.opened(Bus.DATA, forged, None, 1100)) == [forged]
    receiver.opened(Bus.DATA, reading("R1", 3.0), None, 2500)
    assert causes(receiver) == {"open": 1}


def test_a_flood_of_unknown_starts_takes_bounded_memory() -> None:
    receiver = seal("P1", 2)
    frame = bytearray(seal("RA", 1).closed(Bus.DATA, [reading("R1")] * 30, 0)[0])
    for epoch in range(5000):
        frame[4:8] = epoch.to_bytes(4, "little")
        receiver.opened(Bus.DATA, bytes(frame), None, epoch)
    assert len(receiver.opener.untrusted) <= 256
    assert receiver.opener.untrusted.held_bytes <= 2**20
    sender = seal("SH", 9)
    assert send(sender, receiver, Bus.DATA, reading("S1"), now_ms=10_000) == [reading("S1")]


def test_a_flood_of_unknown_starts_is_turned_away_and_not_kept() -> None:
    receiver = seal("P1", 2)
    frame = bytearray(seal("RA", 1).closed(Bus.DATA, [reading("R1")], 0)[0])
    held = []
    for epoch in range(1000):
        frame[4:8] = epoch.to_bytes(4, "little")
        receiver.opened(Bus.DATA, bytes(frame), None, 1000)
        held.append(len(receiver.opener.untrusted))
    assert held[-1] == held[300] <= 256
    assert causes(receiver)["unfresh"] >= 700


def test_a_hello_of_an_outsider_is_refused_before_a_key_is_derived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    receiver, sender = seal("P1", 2), seal("RA", 1)
    hello = bytearray(sender.hello(Bus.CONTROL, Ask("@@"), 1000))
    monkeypatch.setattr(hellos, "StartCiphers", None)
    for at in range(28, 28 + 36):
        hello[at] ^= 1
        assert not receiver.opened(Bus.CONTROL, bytes(hello), None, 1000).asks
        hello[at] ^= 1
    assert causes(receiver) == {"key": 36}


def test_forged_hellos_do_not_keep_a_genuine_one_from_being_heard() -> None:
    receiver, sender = seal("P1", 2), seal("RA", 1)
    stranger = seal("RA", 3, keyring(Generation(9, os.urandom(32)), serial=9))
    for _ in range(500):
        foreign = stranger.hello(Bus.CONTROL, Ask("@@"), 1000)
        forged = foreign[:-1] + bytes([foreign[-1] ^ 1])
        receiver.opened(Bus.CONTROL, forged, None, 1000)
    hello = sender.hello(Bus.CONTROL, Ask("@@"), 1000)
    assert receiver.opened(Bus.CONTROL, hello, None, 1000).asks
