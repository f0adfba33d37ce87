"""Words about groups and refused lines; the report of a whole capture."""

import pytest

from jph.devices.tic import Cause, FrameReader, Mode, decode, groups
from jph.devices.tic.capture import REFUSED_KEPT, Capture
from jph.devices.tic.explain import MEANINGS, describe, show_horodate, why
from jph.devices.tic.labels import HISTORIQUE, STANDARD
from jph.devices.tic.line import causes
from jph.devices.tic.reader import JudgedLine
from tests.jph.devices.tic.frames import (
    FRAMES,
    HISTORIQUE_SINGLE,
    HISTORIQUE_THREE,
    SHORT,
    STANDARD_THREE,
    Line,
    even,
    frame,
    line,
)


def test_every_label_of_the_norms_has_a_meaning() -> None:
    assert {*HISTORIQUE, *STANDARD} <= MEANINGS.keys()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (("IINST2", "014"), "current of phase 2: 14 A"),
        (("PTEC", "HCJW"), "tariff period: HC BLANC"),
        (("DEMAIN", "----"), "colour of tomorrow: not known yet"),
        (("PPOT", "00"), "voltages: on every phase"),
        (("PPOT", "04"), "voltages: missing on phase 2"),
        (("RELAIS", "005"), "relays: 1 3"),
        (("ADCO", "041876543210"), "address: Landis+Gyr, Siemens Metering, 2018, Linky, three-p"),
        (("ADCO", "XXXXXX"), "address: shortened or made anonymous"),
        (
            ("SMAXSN", "H261120061500", "07300"),
            "highest power drawn, today: 7300 VA, 2026-11-20 06:15:00 winter time",
        ),
        (("DATE", "e260720061500", ""), "clock: 2026-07-20 06:15:00 summer time, clock not set"),
        (("STGE", "003A0081"), "subscribed power exceeded"),
        (("MSG1", "PAS DE          MESSAGE         "), "message: PAS DE MESSAGE"),
    ],
)
def test_a_group_in_words(fields: Line, words: str) -> None:
    (group,) = groups(FrameReader().feed(line(*fields, standard=_standard(fields)) + b"\r"))
    assert words in describe(group)


def _standard(fields: Line) -> bool:
    return fields[0] in STANDARD


def test_a_date_that_never_was() -> None:
    assert show_horodate(" 000000000000") == "never"


def flipped(position: int) -> bytes:
    raw = bytearray(even(line("IINST", "003")))
    raw[position] ^= 1
    return bytes(raw)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"IINST 003 Y", "its checksum is 'Y', its characters make 'Z'"),
        (b"PTEC HPJR", "its checksum lost"),
        (b"IINST003 :", "no value"),
        (b"P", "too short"),
        (line("A", "B", "C", "D", standard=True), "more parts"),
        (line("IINST", "0p3"), "IINST cannot be '0p3'"),
        (line("iinst", "003"), "no norm has the label 'iinst'"),
        (line("SMAXSN", "H20021308511", "09562"), "'H20021308511' is no date"),
        (line("SMAXSN", "09562", standard=True), "SMAXSN has no date, against the norm"),
        (line("EAST", "H200213085118", "000000002"), "EAST has a date, against the norm"),
    ],
)
def test_why_a_line_is_refused(raw: bytes, reason: str) -> None:
    cause = decode(raw)
    assert isinstance(cause, Cause)
    assert reason in why(raw, cause)


@pytest.mark.parametrize(
    ("raw", "cause", "reason"),
    [
        (flipped(7), Cause.PARITY, "broken by '1' at 8"),
        (even(line("IINST", "003")), Cause.PARITY, "before or after"),
        (line("IINST", "003"), Cause.PARITY, "without parity"),
        (line("IINST", "003"), Cause.MODE, "historique mode, where"),
        (b"A" * 160, Cause.OVERFLOW, "more than 160 characters"),
        (b"IIN", Cause.ABORTED, "EOT"),
    ],
)
def test_why_of_what_the_reader_refuses(raw: bytes, cause: Cause, reason: str) -> None:
    assert reason in why(raw, cause)


def test_causes_are_told_most_frequent_first() -> None:
    assert causes({Cause.PARITY: 1, Cause.FORM: 0, Cause.CHECKSUM: 3}) == "checksum 3, parity 1"
    assert causes({}) == "none"


def capture_of(data: bytes) -> Capture:
    capture = Capture()
    for start in range(0, len(data), 100):
        capture.feed(data[start : start + 100])
    capture.end()
    return capture


@pytest.mark.parametrize("name", FRAMES)
def test_a_clean_capture(name: str) -> None:
    capture = capture_of(even(frame(FRAMES[name]) * 3))
    three = "three" in name or "short" in name
    assert capture.mode is Mode(name.split(",")[0])
    assert capture.phases == (3 if three else 1)
    assert (capture.reader.frames, capture.cut, capture.reader.bad) == (3, 0, 0)
    assert {label: last.group.text for label, last in capture.last.items()} == {
        fields[0]: " ".join(fields[1:]) for fields in FRAMES[name]
    }
    assert {last.times for last in capture.last.values()} == {3}
    assert capture.implausible == []


def test_a_damaged_capture_tells_each_bad_group() -> None:
    data = frame(HISTORIQUE_THREE).replace(b"IINST2 014", b"IINST2 015")
    capture = capture_of(frame(SHORT)[30:] + data + frame(STANDARD_THREE)[:40])
    assert capture.mode is Mode.HISTORIQUE
    assert (capture.reader.frames, capture.cut) == (1, 1)
    assert "IINST2" in capture.last  # of the short frame
    refused = [(one.raw[:6], one.outcome) for one in capture.refused]
    assert (b"IINST2", Cause.CHECKSUM) in refused
    assert (b"ADSC\t0", Cause.MODE) in refused
    assert len(refused) == capture.reader.bad


def test_an_index_that_falls_is_told_and_still_the_last_value() -> None:
    later = tuple(("HCHC", "000000001") if f[0] == "HCHC" else f for f in HISTORIQUE_SINGLE)
    capture = capture_of(frame(HISTORIQUE_SINGLE) + frame(later))
    assert capture.last["HCHC"].group.text == "000000001"
    assert capture.facts["INDEX_HC"] == 12345678
    assert {fact.field for fact in capture.implausible} == {"HCHC", "INDEX_HC"}


def test_nothing_understood() -> None:
    capture = capture_of(b"no meter at all\n" * 20)
    assert (capture.mode, capture.phases, capture.last) == (None, None, {})
    assert capture.reader.bad == 20


def test_refused_lines_are_kept_within_bounds() -> None:
    capture = capture_of(b"x\n" * (REFUSED_KEPT + 10))
    assert len(capture.refused) == REFUSED_KEPT
    assert capture.reader.bad == REFUSED_KEPT + 10
    assert isinstance(capture.refused[0], JudgedLine)
