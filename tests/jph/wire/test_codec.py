"""The wire: pinned by examples read both ways, then attacked."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.errors import DecodeError, EncodeError
from jph.wire.codec import (
    HEADER_SIZE,
    Control,
    Dialect,
    Flag,
    Json,
    Quality,
    Reading,
    decode_batch,
    decode_control,
    decode_data,
    encode_control,
    encode_data,
    express,
    is_codifier,
)
from tests.support import SHARED_DATA

CONTROL_CASES = [
    (
        Control(1, 0, 2, "N", "TI", "@@", 0, 3.0, True),
        "01000000 00000000 0200000000000000 4e 5449 4040 00 00 00 09000000 0000000000000840 01",
    ),
    (
        Control(0x7FFFFFFF, 0xA1B2C3D4, 1_700_000_000_000, "A", "CC", "11", 1, 3.0, False),
        "ffffff7f d4c3b2a1 0068e5cf8b010000 41 4343 3131 01 00 00 09000000 0000000000000840 00",
    ),
]
DATA_CASES = [
    (
        Reading(7, 9, 10, "n", "I1", "@@", 1, 0, 7),
        "07000000 09000000 0a00000000000000 6e 4931 4040 01 00 00 04000000 07000000",
    ),
    (
        Reading(8, 0, 10, "i", "I1", "@@", 0, 0, 2**32 - 1),
        "08000000 00000000 0a00000000000000 69 4931 4040 00 00 00 04000000 ffffffff",
    ),
    (
        Reading(8, 9, 10, "q", "X1", "@@", 1, 2, -2),
        "08000000 09000000 0a00000000000000 71 5831 4040 01 02 00 08000000 feffffffffffffff",
    ),
    (
        Reading(8, 0, 10, "f", "C1", "@@", 0, 0, 1.5),
        "08000000 00000000 0a00000000000000 66 4331 4040 00 00 00 04000000 0000c03f",
    ),
    (
        Reading(8, 9, 10, "d", "C1", "@@", 1, 4, 1.5),
        "08000000 09000000 0a00000000000000 64 4331 4040 01 04 00 08000000 000000000000f83f",
    ),
    (
        Reading(8, 9, 10, "s", "TP", "@@", 1, 0, "é"),
        "08000000 09000000 0a00000000000000 73 5450 4040 01 00 00 06000000 02000000 c3a9",
    ),
    (
        Reading(8, 9, 10, "j", "A1", "@@", 1, 0, '{"value":1}'),
        "08000000 09000000 0a00000000000000 6a 4131 4040 01 00 00 0f000000 0b000000"
        "7b2276616c7565223a317d",
    ),
]

REASONS = {"short", "length", "version", "codifier", "flag", "text"}

codifiers = st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=2, max_size=2)
u32 = st.integers(0, 2**32 - 1)
sent_values = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.text(st.characters(codec="utf-8")),
)


@pytest.mark.parametrize(("message", "octets"), CONTROL_CASES)
def test_control_examples_read_both_ways(message: Control, octets: str) -> None:
    assert encode_control(message) == bytes.fromhex(octets)
    assert decode_control(bytes.fromhex(octets)) == message


@pytest.mark.parametrize(("reading", "octets"), DATA_CASES)
def test_data_examples_read_both_ways(reading: Reading, octets: str) -> None:
    assert encode_data(reading) == bytes.fromhex(octets)
    assert decode_data(bytes.fromhex(octets)) == reading


@given(
    u32,
    u32,
    st.integers(0, 2**64 - 1),
    st.sampled_from(list(Flag)),
    codifiers,
    st.one_of(codifiers, st.just("@@")),
    st.floats(allow_nan=False),
    st.tuples(st.booleans(), st.booleans(), st.booleans()),
)
def test_control_messages_survive_the_round_trip(
    sequence: int,
    epoch: int,
    timestamp: int,
    flag: Flag,
    source: str,
    to: str,
    number: float,
    states: tuple[bool, bool, bool],
) -> None:
    message = Control(sequence, epoch, timestamp, flag, source, to, 1, number, *states)
    assert decode_control(encode_control(message)) == message


@given(sent_values, st.sampled_from(Dialect), codifiers, st.sampled_from(Quality))
def test_any_value_survives_the_round_trip(
    value: bool | float | str, dialect: Dialect, source: str, quality: Quality
) -> None:
    flag, carried = express(value, dialect)
    try:
        datagram = encode_data(Reading(5, 6, 7, flag, source, "@@", 1, quality, carried))
    except EncodeError:  # a float beyond 32 bits, in the dialect that has no other
        assert dialect is Dialect.MULTI_SENSOR
        assert isinstance(value, float)
        assert abs(value) > 3.4e38
        return
    back = decode_data(datagram)
    assert (back.source, back.quality, back.flag) == (source, quality, flag)
    if isinstance(value, float) and math.isnan(value):
        assert math.isnan(float(back.value))
    elif isinstance(value, float) and dialect is Dialect.MULTI_SENSOR:
        assert back.value == pytest.approx(value, rel=1e-6, abs=1e-44)
    elif flag == "j":
        assert json.loads(str(back.value))["value"] == value
        assert back.number == float(value)  # beyond 2**53 only the text is exact
    else:
        assert back.value == value
    if dialect is Dialect.MULTI_SENSOR:
        assert flag in "ifsj"


@given(st.binary(max_size=80))
def test_any_bytes_decode_or_are_refused_with_a_reason(noise: bytes) -> None:
    refused: list[DecodeError] = []
    for decode in (decode_control, decode_data):
        refused.clear()
        decoded = decode_batch(decode, noise, len(noise), refused.append)
        assert len(decoded) + len(refused) == 1
        assert {error.reason for error in refused} <= REASONS


@pytest.mark.parametrize("octets", [octets for _, octets in DATA_CASES])
def test_every_flipped_bit_decodes_or_is_refused(octets: str) -> None:
    good = bytes.fromhex(octets)
    survivors = 0
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        try:
            survivors += decode_data(bytes(bad)) != decode_data(good)
        except DecodeError:
            continue
    assert survivors < 8 * len(good)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sequence", -1),
        ("sequence", 2**32),
        ("timestamp_ms", -1),
        ("source", "a1"),
        ("source", "ABC"),
        ("to", "@A"),
        ("flag", "ab"),
        ("flag", "é"),
        ("value", 2**32),
        ("value", "text behind i"),
        ("quality", 256),
    ],
)
def test_what_does_not_fit_the_wire_is_our_mistake(field: str, value: Any) -> None:
    with pytest.raises(EncodeError):
        encode_data(DATA_CASES[1][0]._replace(**{field: value}))


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, None, b"bytes", [1]])
def test_a_value_that_no_flag_carries_is_our_mistake(value: object) -> None:
    with pytest.raises(EncodeError):
        express(value)  # type: ignore[arg-type]


def test_text_beyond_one_datagram_is_our_mistake() -> None:
    with pytest.raises(EncodeError, match="do not fit"):
        encode_data(Reading(0, 0, 0, "s", "AA", "@@", 1, 0, "x" * 65_500))


def test_a_bad_datagram_costs_only_itself() -> None:
    good = encode_data(DATA_CASES[1][0])
    refused: list[DecodeError] = []
    batch = good + b"\xff" * len(good) + good[:-3]
    assert decode_batch(decode_data, batch, len(good), refused.append) == [DATA_CASES[1][0]]
    assert [error.reason for error in refused] == ["length", "length"]


def test_an_empty_datagram_is_refused() -> None:
    refused: list[DecodeError] = []
    assert decode_batch(decode_data, b"", 0, refused.append) == []
    assert [error.reason for error in refused] == ["short"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ('{"value": 2.5, "unit": "V"}', 2.5),
        ('{"value": "off"}', None),
        ('{"other": 1}', None),
        ("[1]", None),
        ("not JSON", None),
        ("[" * 100_000, None),
        (f'{{"value": {10**400}}}', None),
    ],
)
def test_the_number_of_json(text: str, number: float | None) -> None:
    assert Reading(0, 0, 0, "j", "AA", "@@", 1, 0, text).number == number


def test_json_is_told_from_text() -> None:
    assert express(Json('{"value": 1}')) == ("j", '{"value": 1}')
    assert express('{"value": 1}')[0] == "s"


@given(st.text(max_size=3))
def test_codifiers(text: str) -> None:
    pair = [c in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ" for c in text]
    assert is_codifier(text) == (len(pair) == 2 and all(pair))


FRAMES = SHARED_DATA / "wire" / "multi-sensor-frames.json"


@pytest.mark.skipif(not FRAMES.exists(), reason="captured frames are not beside this checkout")
def test_frames_of_the_original_programs() -> None:
    for frame in json.loads(FRAMES.read_text()):
        datagram = bytes.fromhex(frame["hex"])
        message: Control | Reading
        if frame["bus"] == "control":
            message = decode_control(datagram)
            assert (message.number, message.active) == (frame["number"], frame["active"])
            again = encode_control(message)
        else:
            message = decode_data(datagram)
            assert message.value == frame["value"]
            value = message.value
            if message.flag != "n":
                carried = Json(value) if message.flag == "j" else value
                assert express(carried, Dialect.MULTI_SENSOR) == (message.flag, value)
            again = encode_data(message)
        assert message[:2] == (frame["sequence"], 0)
        assert message.timestamp_ms == frame["timestamp"]
        assert (message.flag, message.source, message.to) == (
            frame["flag"],
            frame["source"],
            frame["to"],
        )
        assert len(datagram) - HEADER_SIZE == frame["length"]
        assert again == datagram
