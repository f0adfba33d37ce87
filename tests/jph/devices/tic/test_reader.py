"""Frames by example, in odd slices and in every state of damage."""

from collections.abc import Callable

import pytest

from jph.devices.tic import Cause, FrameEnd, FrameReader, Group, Mode, checksum, decode, groups
from jph.devices.tic.line import LONGEST
from jph.devices.tic.reader import MODE_FRAMES, PLAIN_GROUPS, UNKNOWN_LABELS, JudgedLine
from tests.jph.devices.tic.frames import (
    FRAMES,
    HISTORIQUE_SINGLE,
    HISTORIQUE_THREE,
    SHORT,
    STANDARD_PRODUCER,
    STANDARD_THREE,
    Line,
    even,
    frame,
    line,
    said,
)

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
def test_what_sources_do_to_line_ends(
    change: Callable[[bytes], bytes], lines: tuple[Line, ...]
) -> None:
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


def test_one_frame_finds_the_mode_and_it_changes_only_after_several() -> None:
    reader = FrameReader()
    reader.feed(frame(HISTORIQUE_SINGLE))
    modes = [reader.mode]
    for _ in range(MODE_FRAMES):
        assert groups(reader.feed(frame(STANDARD_THREE))) == []
    assert reader.errors[Cause.MODE] == MODE_FRAMES * len(STANDARD_THREE)
    modes.append(reader.mode)
    assert modes == [Mode.HISTORIQUE, Mode.STANDARD]
    assert said(groups(reader.feed(frame(STANDARD_THREE)))) == list(STANDARD_THREE)


@pytest.mark.parametrize(
    "stray",
    [
        frame(STANDARD_THREE),
        frame(STANDARD_THREE) * (MODE_FRAMES - 1),
        (b"\n" + line("IRMS1", "003") + b"\r") * 50,
        frame((("IRMS1", "003"), ("IRMS2", "003"))) * 50,
    ],
    ids=["a frame", "two frames", "one group again and again", "no whole frames"],
)
def test_the_other_mode_in_between_changes_nothing(stray: bytes) -> None:
    reader = FrameReader()
    for _ in range(3):
        assert said(groups(reader.feed(frame(HISTORIQUE_SINGLE)))) == list(HISTORIQUE_SINGLE)
        assert groups(reader.feed(stray)) == []
    assert reader.mode is Mode.HISTORIQUE


def test_frames_without_ends_change_the_mode_too() -> None:
    reader = FrameReader()
    text = frame(HISTORIQUE_SINGLE) + frame(STANDARD_THREE) * (MODE_FRAMES + 2)
    found = said(groups(reader.feed(text.translate(None, b"\x02\x03\r")) + reader.flush()))
    assert reader.mode is Mode.STANDARD
    assert found[-len(STANDARD_THREE) :] == list(STANDARD_THREE)


def test_each_line_can_be_traced() -> None:
    told: list[JudgedLine] = []
    good, bad = line("IINST", "003"), line("IINST", "0q3")
    FrameReader(trace=told.append).feed(b"\x02\n" + good + b"\r\n" + bad + b"\r\nHALF\x04")
    assert [(one.raw, one.offset) for one in told] == [(good, 2), (bad, 15), (b"HALF", 28)]
    assert isinstance(told[0].outcome, Group)
    assert [one.outcome for one in told[1:]] == [Cause.VALUE, Cause.ABORTED]


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


@pytest.mark.parametrize("text", ["STGE ", "EAST 000000001", "IRMS1 003"])
def test_a_label_of_the_other_mode_is_never_a_new_one_of_this_mode(text: str) -> None:
    raw = text.encode()
    spoken = raw + b" " + bytes([checksum(raw)])
    assert decode(spoken) is Cause.LABEL


def test_an_empty_frame_is_no_frame() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x02\x03" * 50) == []
    assert (reader.frames, reader.groups) == (0, 0)
