"""Frames by example, in odd slices and in every state of damage; then any bytes at all."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.tic import Cause, FrameEnd, FrameReader, Group, Mode, checksum, decode, groups
from devices.tic.line import LONGEST
from devices.tic.reader import GROUPS_PER_FRAME, MODE_GROUPS, PLAIN_GROUPS, UNKNOWN_LABELS
from tests.devices.tic_frames import (
    HISTORIQUE_SINGLE,
    HISTORIQUE_THREE,
    SHORT,
    STANDARD_PRODUCER,
    STANDARD_THREE,
    Line,
    even,
    frame,
    line,
)

FRAMES = {
    "historique, one phase": HISTORIQUE_SINGLE,
    "historique, three phases": HISTORIQUE_THREE,
    "historique, short": SHORT,
    "standard, three phases": STANDARD_THREE,
    "standard, producer": STANDARD_PRODUCER,
}


def said(found: list[Group]) -> list[Line]:
    return [
        (group.label, group.value)
        if group.horodate is None
        else (group.label, group.horodate, group.value)
        for group in found
    ]


# Lines written out in full, checksums too, and how they read.
LINES = [
    (b"IINST 002 Y", ("IINST", "002"), 2),
    (b"PTEC HP..  ", ("PTEC", "HP.."), "HP.."),
    (b"OPTARIF EJP  T", ("OPTARIF", "EJP "), "EJP "),
    (b"HHPHC A ,", ("HHPHC", "A"), "A"),
    (b"PAPP 00690 0", ("PAPP", "00690"), 690),
    (b"ADPS 030 ;", ("ADPS", "030"), 30),
    (b"SMAXSN-1\tH251130085118\t07254\t ", ("SMAXSN-1", "H251130085118", "07254"), 7254),
    (b"DATE\tE250415201146\t\t=", ("DATE", "E250415201146", ""), "E250415201146"),
    (b"NJOURF+1\t00\tB", ("NJOURF+1", "00"), 0),
    (b"DPM1\t 250214060000\t00\t!", ("DPM1", " 250214060000", "00"), 0),
    (b"STGE\t003A4101\t?", ("STGE", "003A4101"), "003A4101"),
]


@pytest.mark.parametrize(("raw", "fields", "reading"), LINES)
def test_lines_of_real_meters(raw: bytes, fields: Line, reading: int | str) -> None:
    group = decode(raw)
    assert isinstance(group, Group)
    assert said([group]) == [fields]
    assert group.reading == reading
    assert type(group.reading) is type(reading)


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b"", Cause.FORM),
        (b"PTEC HPJR", Cause.FORM),  # its checksum was a space, and lost
        (b"EAST    000000002       Q", Cause.CHECKSUM),  # tabs became spaces
        (b"IINST 003 Y", Cause.CHECKSUM),
        (b"IINST q02 Y", Cause.CHECKSUM),
        (line("IINST", "0\x7002"), Cause.VALUE),  # bit 6 of a zero: the checksum cannot see it
        (line("IINST", "12"), Cause.VALUE),
        (line("BASE", "12345678"), Cause.VALUE),
        (line("iinst", "002"), Cause.LABEL),
        (line("SMAXSN", "H20021308511", "09562"), Cause.VALUE),
        (line("SMAXSN", "09562", standard=True), Cause.VALUE),  # its date is missing
        (line("EAST", "H200213085118", "000000002"), Cause.VALUE),  # a date it has not
        (line("A", "B", "C", "D", standard=True), Cause.FORM),
    ],
)
def test_refused_lines(raw: bytes, cause: Cause) -> None:
    assert decode(raw) is cause


def test_checksum_of_the_norm() -> None:
    assert chr(checksum(b"IINST 002")) == "Y"
    assert chr(checksum(b"PTEC HP..")) == " "


@pytest.mark.parametrize("lines", FRAMES.values(), ids=FRAMES)
@pytest.mark.parametrize("parity", [False, True], ids=["stripped", "even parity"])
@pytest.mark.parametrize("size", [1, 2, 7, 4096])
def test_frames_in_slices(lines: tuple[Line, ...], parity: bool, size: int) -> None:
    stream = frame(lines) * 3
    stream = even(stream) if parity else stream
    reader = FrameReader()
    events = [
        event
        for start in range(0, len(stream), size)
        for event in reader.feed(stream[start : start + size])
    ]
    assert said(groups(events)) == list(lines) * 3
    ends = [event for event in events if isinstance(event, FrameEnd)]
    assert ends == [FrameEnd(n, True, frozenset(name for name, *_ in lines), 0) for n in range(3)]
    assert [group.frame for group in groups(events)] == sorted([0, 1, 2] * len(lines))
    assert (reader.frames, reader.bad, reader.parity) == (3, 0, parity)


def test_a_group_leaves_at_its_carriage_return() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x02\n" + line("ADIR1", "031")) == []
    assert said(groups(reader.feed(b"\r"))) == [("ADIR1", "031")]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: raw.replace(b"\r", b"\n"), id="a terminal made CR into LF"),
        pytest.param(lambda raw: raw.replace(b"\n", b"\r"), id="and LF into CR"),
        pytest.param(lambda raw: raw.replace(b"\r", b""), id="CR lost"),
        pytest.param(lambda raw: raw.replace(b"\n", b""), id="LF lost"),
        pytest.param(lambda raw: raw.translate(None, b"\x02\x03\r"), id="pasted as text"),
        pytest.param(lambda raw: raw.replace(b"\n", b"\0\n\0"), id="NULs"),
        pytest.param(lambda raw: b"NST1 001 I\r" + raw, id="starts in the middle of a group"),
        pytest.param(lambda raw: "Une trame téléinfo\n".encode() + raw, id="a title above"),
    ],
)
@pytest.mark.parametrize("lines", FRAMES.values(), ids=FRAMES)
def test_what_sources_do_to_line_ends(change, lines: tuple[Line, ...]) -> None:  # noqa: ANN001
    reader = FrameReader()
    events = reader.feed(change(frame(lines) * 2)) + reader.flush()
    assert said(groups(events)) == list(lines) * 2
    assert sum(isinstance(event, FrameEnd) for event in events) == 2


def test_a_broken_off_frame_is_left_and_the_next_read() -> None:
    reader = FrameReader()
    events = reader.feed(b"\x02\n" + line("ADCO", "041876543210") + b"\r\nISOU\x04")
    assert said(groups(events)) == [("ADCO", "041876543210")]
    assert events[-1] == FrameEnd(0, False, frozenset({"ADCO"}), 1)
    assert reader.errors[Cause.ABORTED] == 1
    assert said(groups(reader.feed(frame(SHORT)))) == list(SHORT)


def test_a_pause_ends_the_line_under_way() -> None:
    reader = FrameReader()
    assert reader.feed(line("IINST", "003")) == []
    assert said(groups(reader.flush())) == [("IINST", "003")]
    assert reader.flush() == []


def test_parity_is_checked_before_the_checksum() -> None:
    stream = bytearray(even(frame(HISTORIQUE_THREE)))
    position = stream.index(even(b"014")) + 1
    stream[position] ^= 0x40  # "1" becomes "q": the checksum agrees, parity does not
    reader = FrameReader()
    found = said(groups(reader.feed(bytes(stream))))
    assert found == [fields for fields in HISTORIQUE_THREE if fields[0] != "IINST2"]
    assert {cause: count for cause, count in reader.errors.items() if count} == {Cause.PARITY: 1}


@settings(max_examples=60)
@given(st.sampled_from(sorted(FRAMES)), st.randoms(use_true_random=False))
def test_no_single_bit_flip_gets_through_parity(name: str, chance: random.Random) -> None:
    lines = FRAMES[name]
    clean = even(frame(lines) * 2)
    for position in chance.sample(range(len(clean)), 20):
        stream = bytearray(clean)
        stream[position] ^= 1 << chance.randrange(8)
        found = said(groups(FrameReader().feed(bytes(stream))))
        assert set(found) <= set(lines)
        assert len(found) >= 2 * len(lines) - 2  # a lost line end costs the groups beside it


def test_a_source_that_begins_to_strip_bit_7_is_believed_after_a_while() -> None:
    reader = FrameReader()
    reader.feed(even(frame(HISTORIQUE_THREE)))
    assert reader.parity
    found = [
        said(groups(reader.feed(frame(HISTORIQUE_THREE)))) for _ in range(PLAIN_GROUPS // 20 + 2)
    ]
    assert found[0] == []
    assert found[-1] == list(HISTORIQUE_THREE)
    assert not reader.parity


def test_the_mode_is_found_and_changes_only_after_many_groups() -> None:
    reader = FrameReader()
    for _ in range(3):
        reader.feed(frame(HISTORIQUE_SINGLE))
    assert reader.mode is Mode.HISTORIQUE
    stray = b"\x02\n" + line("IRMS1", "003") + b"\r"
    assert groups(reader.feed(stray)) == []
    assert reader.errors[Cause.MODE] == 1
    reader.feed(frame(HISTORIQUE_SINGLE))
    assert len(groups(reader.feed(frame(STANDARD_THREE)))) == len(STANDARD_THREE) - MODE_GROUPS + 1
    assert reader.mode is Mode.STANDARD


def test_a_given_mode_is_kept() -> None:
    reader = FrameReader(Mode.STANDARD)
    assert groups(reader.feed(frame(HISTORIQUE_SINGLE) * 5)) == []
    assert said(groups(reader.feed(frame(STANDARD_PRODUCER)))) == list(STANDARD_PRODUCER)


def test_an_unknown_label_is_believed_when_repeated() -> None:
    reader = FrameReader()
    stream = b"\n" + line("HCHU", "000000012") + b"\r"
    assert groups(reader.feed(stream)) == []
    (group,) = groups(reader.feed(stream))
    assert (group.label, group.reading, group.known) == ("HCHU", "000000012", False)


@settings(max_examples=100)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=400),
            st.sampled_from([frame(lines) for lines in FRAMES.values()]),
            st.from_regex(r"(\n?[A-Z]{1,9}[ \t][ -~]{0,20}[ \t].\r?){0,50}").map(
                lambda text: text.encode("latin-1", "replace")
            ),
        ),
        max_size=6,
    )
)
def test_any_bytes_are_survived_in_bounded_memory(chunks: list[bytes]) -> None:
    reader = FrameReader()
    for chunk in chunks:
        for group in groups(reader.feed(chunk)):
            assert isinstance(group.reading, int | str)
    reader.flush()
    assert len(reader._line) <= LONGEST
    assert len(reader._labels) <= GROUPS_PER_FRAME
    assert len(reader._unknown) <= UNKNOWN_LABELS
    assert reader.bytes == sum(map(len, chunks))


def test_an_endless_line_costs_one_error_and_no_memory() -> None:
    reader = FrameReader()
    for _ in range(100):
        assert reader.feed(b"A" * 1000) == []
        assert len(reader._line) <= LONGEST
    assert said(groups(reader.feed(b"\r" + frame(SHORT)))) == list(SHORT)
    assert reader.errors[Cause.OVERFLOW] == reader.bad == 1


def test_endless_new_labels_are_forgotten_again() -> None:
    reader = FrameReader()
    for number in range(2 * UNKNOWN_LABELS):
        reader.feed(line(f"NEW{number:03}", "1") + b"\r")
    assert len(reader._unknown) == UNKNOWN_LABELS
    assert reader.errors[Cause.LABEL] == 2 * UNKNOWN_LABELS
