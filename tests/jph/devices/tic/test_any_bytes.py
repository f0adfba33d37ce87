"""Any bytes: the reader never raises nor grows, and takes no flipped bit for a value."""

import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jph.devices.tic import FrameReader, groups
from jph.devices.tic.alarms import FIELDS
from jph.devices.tic.capture import LABELS_KEPT, Capture
from jph.devices.tic.explain import describe, show_line, why
from jph.devices.tic.fields import is_field
from jph.devices.tic.labels import HISTORIQUE, STANDARD
from jph.devices.tic.line import LONGEST, Cause
from jph.devices.tic.meter import Meter
from jph.devices.tic.reader import GROUPS_PER_FRAME, UNKNOWN_LABELS
from tests.jph.devices.tic.frames import FRAMES, Line, even, frame, line, said

LABELS = sorted({*HISTORIQUE, *STANDARD})


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """Draw a line with a right checksum and any value: what only the rules can refuse."""
    label = draw(st.sampled_from(LABELS) | st.from_regex(r"[A-Z0-9+-]{1,9}", fullmatch=True))
    value = draw(st.from_regex(r"[0-9]{0,14}|[ -~]{0,20}", fullmatch=True))
    dated = draw(st.booleans())
    fields = (label, draw(st.from_regex(r"[EHeh ][0-9]{12}", fullmatch=True)), value)
    text = fields if dated else (label, value)
    return b"\n" + line(*text, standard=draw(st.booleans())) + b"\r"


streams = st.lists(
    st.binary(max_size=400)
    | st.sampled_from([frame(one) for one in FRAMES.values()])
    | st.sampled_from([even(frame(one)) for one in FRAMES.values()])
    | st.lists(lines(), max_size=20).map(b"".join),
    max_size=6,
)


@settings(max_examples=150)
@given(streams)
def test_any_bytes_are_survived_and_kept_within_bounds(chunks: list[bytes]) -> None:
    reader, meter, capture = FrameReader(), Meter(15.0), Capture()
    for now_s, chunk in enumerate(chunks):
        events = reader.feed(chunk)
        for fact in meter.update(events, float(now_s)) + meter.expire(float(now_s)):
            assert isinstance(fact.value, int | str)
        for group in groups(events):
            assert describe(group)
        capture.feed(chunk)
    reader.flush()
    capture.end()
    for judged in capture.refused:
        assert isinstance(judged.outcome, Cause)
        assert why(judged.raw, judged.outcome)
        assert show_line(judged.raw).isprintable() or not judged.raw
    assert len(reader._line) <= LONGEST
    assert len(reader._labels) <= GROUPS_PER_FRAME
    assert len(reader._unknown) <= UNKNOWN_LABELS
    assert reader._candidate_labels <= {*HISTORIQUE, *STANDARD}
    assert len(meter._currents._held) <= 3
    assert len(meter._held_warnings) <= GROUPS_PER_FRAME
    assert meter._alarms._until.keys() <= FIELDS.keys()
    assert len(capture.last) <= LABELS_KEPT
    assert reader.bytes == sum(map(len, chunks))
    assert (capture.reader.groups, capture.reader.bad) == (reader.groups, reader.bad)


@settings(max_examples=8, deadline=None)
@given(streams)
def test_a_stream_without_end_does_not_grow_memory(chunks: list[bytes]) -> None:
    reader, meter = FrameReader(), Meter(15.0)

    def listen(times: int) -> None:
        for number in range(times):
            for chunk in chunks:
                meter.update(reader.feed(chunk), float(number))

    listen(20)
    gc.collect()
    tracemalloc.start()
    try:
        listen(60)
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # What changes are counters, and strings in the place of equal ones.
    assert kept < 100_000


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("warm", [False, True], ids=["at the start", "after a good frame"])
def test_every_single_bit_flip_is_caught(name: str, warm: bool) -> None:
    """Each bit of each line, its ends, and the frame's: no value that was not said gets through."""
    whole = FRAMES[name]
    for first in range(0, len(whole), 2):
        some = whole[first : first + 2]
        clean = even(frame(some))
        for bit in range(8 * len(clean)):
            damaged = bytearray(clean)
            damaged[bit // 8] ^= 1 << bit % 8
            reader = FrameReader()
            if warm:
                reader.feed(even(frame(whole)))
            found = said(groups(reader.feed(bytes(damaged)) + reader.flush()))
            assert set(found) <= set(some), (some, bit)
            assert caught(found, some, reader.bad, bit, clean), (some, bit)


def caught(found: list[Line], some: tuple[Line, ...], bad: int, bit: int, clean: bytes) -> bool:
    """Whether a flip was noticed, or was in a frame's end, where it can alter no group."""
    return bool(bad) or (found == list(some) and bit // 8 in (0, len(clean) - 1))


def test_all_fields_are_known_by_name() -> None:
    for whole in FRAMES.values():
        meter, reader = Meter(15.0), FrameReader()
        facts = meter.update(reader.feed(frame(whole) * 2), 0.0) + meter.expire(99.0)
        assert [fact.field for fact in facts if not is_field(fact.field)] == []
