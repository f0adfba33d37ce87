"""Messages encoded together equal those encoded one by one, and each source's order holds."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jph.errors import EncodeError
from jph.node import outbox
from jph.node.outbox import Outbox
from jph.retransmit.resend_buffer import ResendBuffer
from jph.wire.codec import SEQUENCE_LIMIT, Dialect, Json, Quality, Reading, Value, decode_data
from jph.wire.columns import Block

Batch = list[tuple[str, Value | bool]]

VALUES = {
    "floats": st.floats(width=32, allow_nan=False),
    "small": st.integers(0, 2**32 - 1),
    "large": st.integers(2**32, 2**63 - 1),
    "negative": st.integers(-(2**63), -1),
    "anything": st.one_of(
        st.floats(width=32, allow_nan=False),
        st.integers(-(2**63), 2**63 - 1),
        st.booleans(),
        st.text(max_size=9),
        st.just(Json('{"value": 1}')),
    ),
}
batches = st.one_of(
    [
        st.lists(st.tuples(st.sampled_from(codes), values), min_size=1, max_size=40)
        for values in VALUES.values()
        for codes in (["AA"], ["AA", "BB", "C1"])
    ]
)


def encoded(made: Outbox, sent: list[Batch], dialect: Dialect) -> dict[str, list[Reading]]:
    """Return what leaves, by source."""
    random.seed(5)  # both draw the same first sequences
    found: dict[str, list[Reading]] = {}
    for batch in sent:
        for block in made.blocks(batch, 1_700_000_000_000, Quality.SIMULATED, dialect):
            for datagram in block.datagrams():
                reading = decode_data(datagram)
                found.setdefault(reading.source, []).append(reading)
    return found


@given(st.lists(batches, max_size=4), st.sampled_from(list(Dialect)), st.booleans())
@settings(deadline=None)
def test_together_or_one_by_one(sent: list[Batch], dialect: Dialect, wraps: bool) -> None:
    rings = ResendBuffer(900, 10**6), ResendBuffer(900, 10**6)
    together, one_by_one = Outbox("AA", 7, rings[0]), Outbox("AA", 7, rings[1])
    if wraps:
        for each in (together, one_by_one):
            each._data_sequences["AA"] = SEQUENCE_LIMIT - 4
            each.buffer.begin("AA", SEQUENCE_LIMIT - 4, b"")  # type: ignore[union-attr]
    fast = encoded(together, sent, dialect)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outbox, "LITTLE_ENDIAN", False)
        slow = encoded(one_by_one, sent, dialect)
    assert fast == slow
    assert rings[0].size == rings[1].size
    for source in fast:
        kept = rings[0].take(source, 0, 10**6)
        assert [decode_data(datagram) for datagram in kept] == fast[source]
        assert kept == rings[1].take(source, 0, 10**6)
        assert kept[3:7] == rings[0].take(source, 3, 7)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, None, b"x"])
def test_a_value_that_cannot_travel_uses_no_sequence(value: Value) -> None:
    made = Outbox("AA", 7, ResendBuffer(900, 10**6))
    made.blocks([("AA", 1)], 5, Quality.GOOD, Dialect.JPH)
    (before,) = made.blocks([("AA", 1)], 5, Quality.GOOD, Dialect.JPH)
    with pytest.raises(EncodeError):
        made.blocks([*[("AA", 1)] * 20, ("AA", value)], 5, Quality.GOOD, Dialect.JPH)
    (after,) = made.blocks([("AA", 1)], 5, Quality.GOOD, Dialect.JPH)
    sequences = [decode_data(block.joined).sequence for block in (before, after)]
    assert sequences[1] - sequences[0] in (1, 1 - SEQUENCE_LIMIT)


@pytest.mark.parametrize("count", [1, 20])
def test_a_float_that_the_dialect_cannot_carry(count: int) -> None:
    made = Outbox("AA", 7)
    made.blocks([("AA", 1.0)], 5, Quality.GOOD, Dialect.MULTI_SENSOR)
    with pytest.raises(EncodeError):
        made.blocks([("AA", 1e300)] * count, 5, Quality.GOOD, Dialect.MULTI_SENSOR)


@pytest.mark.parametrize("count", [1, 20])
@pytest.mark.parametrize("codes", [["AA"], ["AA", "BB"]])
def test_a_time_before_1970_cannot_travel(count: int, codes: list[str]) -> None:
    made = Outbox("AA", 7)
    batch: Batch = [(code, 1) for code in codes * count]
    made.blocks(batch, 5, Quality.GOOD, Dialect.JPH)
    with pytest.raises(EncodeError):
        made.blocks(batch, -5, Quality.GOOD, Dialect.JPH)


def test_what_alternates_in_size_still_leaves_together() -> None:
    made = Outbox("AA", 7)
    codes = [f"{i:02}" for i in range(64)]
    made.blocks([(code, 1) for code in codes], 5, Quality.GOOD, Dialect.JPH)
    batch: Batch = [
        (code, 0.5 if (i + turn) % 2 else 1) for turn in range(4) for i, code in enumerate(codes)
    ]
    blocks = made.blocks(batch, 5, Quality.GOOD, Dialect.JPH)
    assert sum(len(block.datagrams()) for block in blocks) == 256
    assert len(blocks) <= 5


def test_a_long_batch_is_kept_as_one_piece() -> None:
    ring = ResendBuffer(900, 10**6)
    made = Outbox("AA", 7, ring)
    made.blocks([("AA", 0.5)], 5, Quality.GOOD, Dialect.JPH)
    (block,) = made.blocks([("AA", 0.5)] * 1000, 5, Quality.GOOD, Dialect.JPH)
    assert block == Block(b"".join(ring.take("AA", 2, 1002)), 36)
    assert len(ring.tracks["AA"].blocks) == 3
    assert ring.size == 32 + 36 + 36_000
