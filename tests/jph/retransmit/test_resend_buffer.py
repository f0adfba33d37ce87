"""Contents and age of the resend buffer; sets of ranges."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jph.retransmit.gaps import IntervalSet
from jph.retransmit.resend_buffer import ResendBuffer
from jph.wire.columns import Block

operations = st.lists(st.tuples(st.booleans(), st.integers(0, 60), st.integers(0, 20)), max_size=60)


@given(operations)
def test_ranges_are_a_set(operations: list[tuple[bool, int, int]]) -> None:
    ranges, model = IntervalSet(), set[int]()
    for adds, start, size in operations:
        numbers = set(range(start, start + size))
        if adds:
            ranges.add(start, start + size)
            model |= numbers
        else:
            removed = ranges.remove(start, start + size)
            assert {n for s, e in removed for n in range(s, e)} == model & numbers
            model -= numbers
        listed = list(ranges)
        assert {n for s, e in listed for n in range(s, e)} == model
        assert all(e < s for (_, e), (s, _) in pairwise(listed))
        assert (ranges.total, len(ranges)) == (len(model), len(listed))
        assert all((n in ranges) == (n in model) for n in range(85))
        within = ranges.within(start, start + size)
        assert {n for s, e in within for n in range(s, e)} == model & numbers
        if model:
            assert (ranges.first, ranges.end) == (min(model), max(model) + 1)


def add(ring: ResendBuffer, codifier: str, datagram: bytes, now_s: float) -> None:
    ring.add([(codifier, Block(datagram, len(datagram)), 0, 1)], now_s)


def filled(ring: ResendBuffer, count: int, size: int, step_s: float) -> ResendBuffer:
    ring.begin("AA", 2**31 - 3, b"announcement")
    for number in range(count):
        add(ring, "AA", number.to_bytes(size), number * step_s)
    return ring


def test_it_is_bounded_by_bytes() -> None:
    ring = filled(ResendBuffer(1e6, 10_000), 5_000, 40, 0.001)
    track = ring.tracks["AA"]
    assert 8_000 < ring.size <= 10_000
    assert ring.size == 40 * (track.end - track.base)
    assert track.end == 5_000
    kept = ring.take("AA", 0, 5_000)
    assert kept == [n.to_bytes(40) for n in range(track.base, 5_000)]
    assert ring.take("AA", 10, track.base) == []


def test_it_is_bounded_by_age() -> None:
    ring = filled(ResendBuffer(10.0, 10**9), 1_000, 40, 0.1)
    track = ring.tracks["AA"]
    assert 85 <= track.end - track.base <= 125
    ring.expire(200.0)
    add(ring, "AA", b"late", 201.5)
    add(ring, "AA", b"later", 201.6)
    assert ring.take("AA", 0, 2_000) == [b"late", b"later"]
    assert track.announcement == b"announcement"


def test_sequences_wrap() -> None:
    track = filled(ResendBuffer(10.0, 10**9), 10, 40, 0.1).tracks["AA"]
    assert [track.sequence(p) for p in (0, 2, 3)] == [2**31 - 3, 2**31 - 1, 0]
    assert [track.position(s) for s in (2**31 - 3, 0, 2**31 - 4)] == [0, 3, -1]


def test_a_busy_source_does_not_forget_a_quiet_one_too_early() -> None:
    ring = ResendBuffer(1e6, 10_000)
    ring.begin("AA", 0, b"")
    ring.begin("BB", 0, b"")
    add(ring, "BB", b"x" * 40, 0.0)
    for number in range(200):
        add(ring, "AA", b"x" * 40, number * 0.001)
    assert len(ring.take("BB", 0, 1)) == 1
    for number in range(1_000):
        add(ring, "AA", b"x" * 40, 1 + number * 0.001)
    assert ring.take("BB", 0, 1) == []
    add(ring, "BB", b"new", 3.0)
    assert ring.take("BB", 0, 9) == [b"new"]
    assert ring.tracks["BB"].end == 2
