from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from collector.ingest.columns import Columns
from collector.ingest.ledger import runs
from collector.ingest.runs import MixedReadings, announcements, memory_of, span_ms, uniform_parts
from jph.wire.codec import Dialect, Reading, encode_data, express
from jph.wire.columns import decode_readings

numbers = st.one_of(
    st.floats(allow_nan=False),
    st.floats(width=32, allow_nan=False),
    st.integers(-(2**63), 2**63 - 1),
)
values = st.one_of(numbers, st.text())
readings = st.builds(
    lambda value, announces, *fields: _reading(value, announces, *fields),
    values,
    st.booleans(),
    st.integers(0, 2**31 - 1),
    st.integers(0, 3),
    st.integers(0, 2**64 - 1),
    st.sampled_from(["TI", "00", "HO"]),
    st.integers(0, 255),
)


def _reading(
    value: float | str, announces: bool, number: int, epoch: int, at: int, code: str, quality: int
) -> Reading:
    flag, carried = ("n", number) if announces else express(value, Dialect.JPH)
    return Reading(number, epoch, at, flag, code, "@@", 1, quality, carried)


def refuse(error: Exception) -> None:
    raise error


def run(first: int, count: int) -> list[Reading]:
    return [_reading(n * 0.5, False, first + n, 7, 5000 - n, "I1", 0) for n in range(count)]


batches = st.lists(
    st.one_of(
        st.lists(readings, min_size=1, max_size=9),
        st.builds(run, st.integers(0, 2**31 - 41), st.integers(1, 40)),
    ),
    min_size=1,
)


def handed_up(batch: list[Reading]) -> Sequence[Reading]:
    """Return what the bus hands up when these come in one batch."""
    datagrams = list(map(encode_data, batch))
    if len(set(map(len, datagrams))) > 1:
        return batch
    return decode_readings(b"".join(datagrams), len(datagrams[0]), refuse)


@given(batches)
def test_parts_are_the_readings_in_their_order(sent: list[list[Reading]]) -> None:
    parts, flat = MixedReadings(), [reading for batch in sent for reading in batch]
    taken = sum(parts.add(handed_up(batch)) for batch in sent)
    assert list(parts) == flat
    assert (len(parts), parts.bytes, parts[0], parts[1:3]) == (len(flat), taken, flat[0], flat[1:3])
    times = [reading.timestamp_ms for reading in flat]
    assert span_ms(parts) == span_ms(flat) == (min(times), max(times))
    assert runs(parts) == runs(flat)
    assert announcements(parts) == announcements(flat) == sum(r.flag == "n" for r in flat)


def test_numbers_of_many_sources_take_a_tenth_of_the_memory() -> None:
    sent = [_reading(n * 0.5, False, n, 7, n, code, 0) for n in range(500) for code in ("I1", "I2")]
    parts = MixedReadings()
    for start in range(0, 1000, 50):
        parts.add(sent[start : start + 50])
    assert [type(part) for part in uniform_parts(parts)] == [Columns]
    assert 8 * parts.bytes < memory_of(sent)


def test_no_part_is_longer_than_a_call_may_take() -> None:
    for value in (1.5, "text"):
        parts = MixedReadings()
        for number in range(9000):
            parts.add([_reading(value, False, number, 7, number, "I1", 0)])
        assert [len(part) for part in uniform_parts(parts)] == [4096, 4096, 808]


def test_nothing_has_no_parts() -> None:
    assert (
        list(uniform_parts([])),
        list(uniform_parts(MixedReadings())),
        list(MixedReadings()),
    ) == ([], [], [])
