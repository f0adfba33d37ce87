"""Unicast messages: their bytes, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.errors import DecodeError
from jph.retransmit.messages import (
    EPOCHS_A_MESSAGE,
    Challenge,
    Envelope,
    EpochSpan,
    EpochsReport,
    EpochsRequest,
    Faults,
    ResendReport,
    ResendRequest,
    ResentReadings,
    UnicastMessage,
    decode_unicast,
    encode_unicast,
    is_unicast,
    pack_readings,
    unpack_readings,
)
from jph.retransmit.ranges import clipped
from jph.wire.codec import SEQUENCE_LIMIT, Reading, encode_data

ENVELOPE = Envelope(7, 5, "Q1", "TI", 0x01020304, 0x1112131415161718)
HEADER = "000000000700000005000000000000005551315449010000"
PREFIX = "0000" + "04030201" + "1817161514131211"
CASES = [
    pytest.param(
        ResendRequest(ENVELOPE, 9, (3, 697), ((3, 2), (8, 1), (400, 300))),
        HEADER + "24000000" + "0101" + PREFIX + "09000000" + "03000000" + "b9020000"
        "0002" + "0301" + "8703" + "ac02",
        id="resend request",
    ),
    pytest.param(
        ResendReport(ENVELOPE, 9, (3, 10), ((3, 2), (8, 0))),
        HEADER + "20000000" + "0102" + PREFIX + "09000000" + "03000000" + "0a0000000002" + "0300",
        id="resend report",
    ),
    pytest.param(
        ResentReadings(ENVELOPE, b"abc"),
        HEADER + "13000000" + "0103" + PREFIX + "616263",
        id="resent readings",
    ),
    pytest.param(Challenge(ENVELOPE), HEADER + "10000000" + "0104" + PREFIX, id="challenge"),
    pytest.param(
        EpochsRequest(ENVELOPE, 3),
        HEADER + "14000000" + "0105" + PREFIX + "03000000",
        id="epochs request",
    ),
    pytest.param(
        EpochsReport(ENVELOPE, 3, 4, (EpochSpan("TI", 9, 6, 8, True),)),
        HEADER + "27000000" + "0106" + PREFIX + "03000000" + "04000000"
        "5449" + "09000000" + "06000000" + "08000000" + "01",
        id="epochs report",
    ),
    pytest.param(
        Faults(ENVELOPE, 9, 60.0, 0.5, 0.25, 0.125, 0.0625, 99, False),
        HEADER + "31000000" + "0107" + PREFIX + "09000000" + "0000000000004e40"
        "0000003f" + "0000803e" + "0000003e" + "0000803d" + "63000000" + "00",
        id="faults",
    ),
]
sequences = st.integers(0, SEQUENCE_LIMIT - 1)
ranges = st.lists(st.tuples(sequences, st.integers(0, 2**20)), min_size=1, max_size=50)


@pytest.mark.parametrize(("message", "text"), CASES)
def test_the_bytes(message: UnicastMessage, text: str) -> None:
    assert encode_unicast(message).hex() == text
    assert decode_unicast(bytes.fromhex(text)) == message
    assert is_unicast(bytes.fromhex(text))


@given(ranges, st.integers(0, 2**32 - 1), sequences)
def test_ranges_survive(asked: list[tuple[int, int]], epoch: int, first: int) -> None:
    message = ResendRequest(ENVELOPE, epoch, (first, 2**20), tuple(asked))
    assert decode_unicast(encode_unicast(message)) == message


@given(
    st.binary(max_size=80)
    | st.binary(max_size=60).map(lambda b: bytes.fromhex(HEADER) + bytes([len(b), 0, 0, 0]) + b)
    | st.tuples(st.integers(0, 8), st.binary(max_size=60)).map(
        lambda kb: (
            bytes.fromhex(HEADER)
            + bytes([16 + len(kb[1]), 0, 0, 0, 1, kb[0]])
            + bytes.fromhex(PREFIX)
            + kb[1]
        )
    )
)
def test_any_bytes_are_a_message_or_refused(noise: bytes) -> None:
    try:
        message = decode_unicast(noise)
    except DecodeError:
        return
    again = decode_unicast(encode_unicast(message))
    assert repr(again) == repr(message)


def test_a_later_version_is_refused() -> None:
    datagram = bytearray(encode_unicast(Challenge(ENVELOPE)))
    datagram[28] = 2
    with pytest.raises(DecodeError, match="unicast version 2"):
        decode_unicast(bytes(datagram))


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=60))
def test_readings_are_packed_and_unpacked(sizes: list[int]) -> None:
    sent = [
        encode_data(Reading(n, 7, 5, "s", "AA", "@@", 1, 0, "x" * size))
        for n, size in enumerate(sizes)
    ]
    parts = list(pack_readings(sent))
    assert all(len(part) <= 1200 or len(list(unpack_readings(part))) == 1 for part in parts)
    assert [bytes(each) for part in parts for each in unpack_readings(part)] == sent
    with pytest.raises(DecodeError):
        list(unpack_readings(b"".join(parts)[:-1]))


@pytest.mark.parametrize(
    ("given_ranges", "clip", "left"),
    [
        ([(5, 10)], (0, 100), [(5, 10)]),
        ([(5, 10)], (8, 4), [(8, 4)]),
        ([(5, 10)], (20, 4), []),
        ([(2**31 - 2, 10)], (2**31 - 1, 3), [(2**31 - 1, 3)]),
        ([(0, 2)], (2**31 - 1, 2), [(0, 1)]),
        ([(0, 2**20)], (6, 3), [(6, 3)]),
    ],
)
def test_ranges_are_clipped(
    given_ranges: list[tuple[int, int]], clip: tuple[int, int], left: list[tuple[int, int]]
) -> None:
    assert clipped(given_ranges, clip) == left


def test_a_full_list_of_epochs_fits_a_usual_datagram() -> None:
    spans = (EpochSpan("TI", 9, 6, 8),) * EPOCHS_A_MESSAGE
    assert len(encode_unicast(EpochsReport(ENVELOPE, 0, 90, spans))) <= 1472
