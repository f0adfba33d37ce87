"""Unicast messages in the forms of 0.1.0: their bytes never change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.errors import DecodeError
from jph.retransmit.legacy import (
    MAX_COUNT,
    LegacyEpochs,
    LegacyMessage,
    LegacyRanges,
    decode_legacy,
    encode_legacy,
    is_legacy,
    requested_by,
    split_long,
)
from jph.retransmit.messages import EPOCHS_A_MESSAGE, EpochSpan
from jph.wire.codec import SEQUENCE_LIMIT, Control, decode_control, encode_control

HEADER = "000000000700000005000000000000005251315449010000"
CASES = [
    pytest.param(
        LegacyRanges(7, 5, "Q1", "TI", ((3, 2),), plain=True),
        HEADER + "09000000" + "0000000001004841" + "01",
        id="plain",
    ),
    pytest.param(
        LegacyRanges(7, 5, "Q1", "TI", ((3, 2), (8, 1), (400, 300)), wanted_epoch=9),
        HEADER + "13000000" + "0000000001004841" + "01" + "09000000" + "0301" + "8703" + "ac02",
        id="three ranges of one epoch",
    ),
    pytest.param(
        LegacyEpochs(7, 5, "Q1", "TI", 3, 4, (EpochSpan("TI", 9, 6, 8),)),
        HEADER.replace("52", "4c", 1)
        + "1b000000"
        + "0000000000000840"
        + "01"
        + "04000000"
        + "5449"
        + "09000000"
        + "06000000"
        + "08000000",
        id="an earlier start",
    ),
]
sequences = st.integers(0, SEQUENCE_LIMIT - 1)
ranges = st.lists(st.tuples(sequences, st.integers(0, MAX_COUNT)), min_size=1, max_size=50)


@pytest.mark.parametrize(("message", "text"), CASES)
def test_the_bytes(message: LegacyMessage, text: str) -> None:
    assert encode_legacy(message).hex() == text
    assert decode_legacy(bytes.fromhex(text)) == message
    assert is_legacy(bytes.fromhex(text))


def test_a_plain_one_is_what_any_program_sends_on_the_bus() -> None:
    number = 3.0 * 2**20 + 2
    datagram = encode_control(Control(0, 7, 5, "R", "Q1", "TI", 1, number, True))
    assert decode_legacy(datagram) == LegacyRanges(7, 5, "Q1", "TI", ((3, 2),), plain=True)
    plain = CASES[0].values[0]
    assert isinstance(plain, LegacyRanges)
    assert decode_control(encode_legacy(plain)).number == number
    assert requested_by(number) == (3, 2)


def test_a_longer_one_is_no_control_message() -> None:
    text = CASES[1].values[1]
    assert isinstance(text, str)
    with pytest.raises(DecodeError):
        decode_control(bytes.fromhex(text))


@given(ranges, st.integers(0, 2**32 - 1))
def test_ranges_survive(asked: list[tuple[int, int]], epoch: int) -> None:
    message = LegacyRanges(1, 2, "Q1", "TI", tuple(asked), epoch)
    assert decode_legacy(encode_legacy(message)) == message


@given(sequences, st.integers(0, 2**24))
def test_long_ranges_are_cut(first: int, count: int) -> None:
    parts = split_long([(first, count)])
    assert sum(size for _, size in parts) == count
    assert all(size <= MAX_COUNT for _, size in parts)
    ends = [(start + size) % SEQUENCE_LIMIT for start, size in parts]
    assert [start for start, _ in parts] == [first, *ends[:-1]]


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda b: bytes.fromhex(HEADER) + b))
def test_any_bytes_are_a_message_or_refused(noise: bytes) -> None:
    try:
        message = decode_legacy(noise)
    except DecodeError:
        return
    assert decode_legacy(encode_legacy(message)) == message


@pytest.mark.parametrize("number", [-1.0, 0.5, 2.0**51, float("nan"), float("inf")])
def test_numbers_that_name_no_sequences(number: float) -> None:
    with pytest.raises(DecodeError, match="names no sequences"):
        requested_by(number)


@pytest.mark.parametrize(
    ("at", "octets"),
    [
        pytest.param(28, "000000000000f0bf", id="a negative row"),
        pytest.param(28, "000000000000f87f", id="no number"),
        pytest.param(41, "0a41", id="no codifier"),
        pytest.param(47, "ffffffff", id="no sequence"),
        pytest.param(54, "0000", id="a row and a byte"),
    ],
)
def test_a_list_of_starts_that_is_none(at: int, octets: str) -> None:
    datagram = bytearray(
        encode_legacy(LegacyEpochs(7, 5, "Q1", "TI", 3, 4, (EpochSpan("TI", 9, 6, 8),)))
    )
    datagram[at : at + len(octets) // 2] = bytes.fromhex(octets)
    if len(datagram) > 55:
        datagram[24] = len(datagram) - 28
    with pytest.raises(DecodeError):
        decode_legacy(bytes(datagram))


def test_a_full_list_of_starts_fits_a_usual_datagram() -> None:
    lives = (EpochSpan("TI", 9, 6, 8),) * EPOCHS_A_MESSAGE
    assert len(encode_legacy(LegacyEpochs(7, 5, "Q1", "TI", 0, 90, lives))) <= 1472
