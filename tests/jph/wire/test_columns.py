"""Batches decode as their datagrams do one by one, whatever is among them."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jph.errors import DecodeError
from jph.wire import columns
from jph.wire.codec import (
    EVERY_NODE,
    SEQUENCE_LIMIT,
    VERSION,
    Reading,
    Value,
    decode_batch,
    decode_data,
    encode_data,
)
from jph.wire.columns import Readings, decode_readings
from jph.wire.sequence import SequenceTable
from tests.support import fail

Slow = tuple[list[Reading], list[str]]


def make(
    count: int, flag: str = "d", source: str = "AA", first: int = 1000, epoch: int = 7
) -> list[Reading]:
    """Return readings that follow each other."""
    kinds: dict[str, Value] = {"d": 0.5, "f": 0.25, "i": 3, "q": -4, "n": 3, "s": "text"}
    return [
        Reading(
            (first + i) % SEQUENCE_LIMIT, epoch, 1_700_000_000_000 + i, flag, source, EVERY_NODE,
            VERSION, 0, kinds[flag],
        )
        for i in range(count)
    ]  # fmt: skip


def join(*batches: list[Reading]) -> bytes:
    """Return the datagrams of readings, one after the other."""
    return b"".join(encode_data(reading) for batch in batches for reading in batch)


def both(batch: bytes, size: int) -> tuple[Slow, Slow]:
    """Decode in both ways: readings, and the reasons of the refused ones."""
    fast_refused: list[DecodeError] = []
    slow_refused: list[DecodeError] = []
    fast = list(decode_readings(batch, size, fast_refused.append))
    slow = decode_batch(decode_data, batch, size, slow_refused.append)
    return (fast, list(map(str, fast_refused))), (slow, list(map(str, slow_refused)))


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, int]:
    """Draw a batch of mixed readings of one size, with some bytes changed or its end cut."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    flags = draw(st.sampled_from(["d", "dq", "i", "ifn", "f", "dqs"]))
    sources = draw(st.sampled_from([["AA"], ["AA", "B1", "0Z"]]))
    count = draw(st.integers(1, 150))
    start = draw(st.sampled_from([0, 5, SEQUENCE_LIMIT - 20]))
    steps = draw(st.sampled_from([[1], [1, 1, 1, 2, 0]]))
    batch, sequence = bytearray(), start
    for _ in range(count):
        sequence = (sequence + rng.choice(steps)) % SEQUENCE_LIMIT
        (one,) = make(1, rng.choice(flags), rng.choice(sources), sequence, rng.choice([7, 7, 0]))
        batch += encode_data(one._replace(quality=rng.choice([0, 0, 4])))
    size = len(batch) // count
    for _ in range(draw(st.sampled_from([0, 0, 1, 5]))):
        batch[rng.randrange(len(batch))] = rng.randrange(256)
    cut = draw(st.sampled_from([0, 0, 1, size - 1]))
    return bytes(batch[: len(batch) - cut]), size


@given(damaged())
@settings(max_examples=300, deadline=None)
def test_a_batch_is_what_its_datagrams_are(batch: tuple[bytes, int]) -> None:
    fast, slow = both(*batch)
    assert repr(fast) == repr(slow)  # a NaN is not equal to itself


@given(st.binary(max_size=2000), st.integers(0, 80))
def test_any_bytes_at_all(batch: bytes, size: int) -> None:
    fast, slow = both(batch, size)
    assert repr(fast) == repr(slow)


@pytest.mark.parametrize("flag", ["i", "q", "f", "d"])
def test_what_follows_without_a_gap_is_read_by_columns(flag: str) -> None:
    made = make(200, flag)
    batch = decode_readings(join(made), len(join(made)) // 200, fail)
    assert isinstance(batch, Readings)
    assert (len(batch), list(batch)) == (200, made)
    assert [batch[i] for i in range(200)] == made
    assert (batch[-1], batch[10:20]) == (made[-1], made[10:20])
    assert (batch.source, batch.epoch, batch.flag, batch.quality) == ("AA", 7, flag, 0)
    assert list(batch.sequences) == [reading.sequence for reading in made]
    assert batch.timestamps_ms() == [reading.timestamp_ms for reading in made]
    assert batch.values() == [reading.value for reading in made]
    with pytest.raises(IndexError):
        batch[200]


@pytest.mark.parametrize(
    "parts",
    [
        [make(30), make(30, first=1031)],  # a gap
        [make(30), make(30, first=1029)],  # one twice
        [make(30), make(30, source="BB", first=1030)],
        [make(30), make(30, epoch=8, first=1030)],
        [make(60, first=SEQUENCE_LIMIT - 30)],  # wraps
        [make(60, "n")],
        [make(60, epoch=0, flag="i"), make(1, epoch=0, flag="n")],
    ],
)
def test_what_is_not_so_simple_is_a_list(parts: list[list[Reading]]) -> None:
    batch = join(*parts)
    count = sum(map(len, parts))
    read = decode_readings(batch, len(batch) // count, fail)
    assert read == [reading for part in parts for reading in part]


def test_the_memory_may_be_used_again() -> None:
    memory = bytearray(join(make(100)))
    batch = decode_readings(memoryview(memory), 36, fail)
    memory[:] = bytes(len(memory))
    assert list(batch) == make(100)


def test_without_columns_the_outcome_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "LITTLE_ENDIAN", False)
    assert decode_readings(join(make(100)), 36, fail) == make(100)


@given(damaged())
@settings(deadline=None)
def test_sequences_are_checked_by_batches_as_one_by_one(batch: tuple[bytes, int]) -> None:
    by_batch, one_by_one = SequenceTable(), SequenceTable()
    for _ in range(2):
        heard = decode_readings(*batch, lambda _: None)
        by_batch.take(heard)
        for r in heard:
            one_by_one.observe(r.source, r.sequence, r.epoch, r.flag == "n")
    assert _state(by_batch) == _state(one_by_one)


def test_batches_that_follow_each_other_lose_nothing() -> None:
    table = SequenceTable()
    for first in (1000, 1100, 1250):
        table.take(decode_readings(join(make(100, first=first)), 36, fail))
    assert (table.sources["AA"].received, table.lost("AA")) == (300, 50)


def _state(table: SequenceTable) -> dict[str, object]:
    return {
        code: (source.received, source.lost, source.epoch) for code, source in table.sources.items()
    }
