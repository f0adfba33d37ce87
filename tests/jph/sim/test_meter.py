"""The meter: an independent reader checks what it says, group by group."""

import pytest

from jph.sim.meter.frames import LONG_FRAME, group, with_parity
from jph.sim.meter.line import AFTER_OVERRUN_S, MeterLine, duration_s
from jph.sim.meter.register import INDEX_LIMIT_WH, Register

LENGTHS = {
    "ADCO": 12, "OPTARIF": 4, "ISOUSC": 2, "HCHC": 9, "HCHP": 9, "PTEC": 4, "PMAX": 5, "PAPP": 5,
    "HHPHC": 1, "MOTDETAT": 6, "PPOT": 2,
    **{f"{label}{phase}": 3 for label in ("IINST", "IMAX", "ADIR") for phase in "123"},
}  # fmt: skip
EVENING_S, NIGHT_S = 18.5 * 3600, 23 * 3600


def read_frame(line: bytes) -> list[tuple[str, str]]:
    """Read one whole frame as the norm describes it, and refuse anything else."""
    assert line[:1] == b"\x02"
    assert line[-1:] == b"\x03"
    groups = []
    for each in line[1:-1].split(b"\r")[:-1]:
        assert each[:1] == b"\n"
        covered, separator, checksum = each[1:-2], each[-2:-1], each[-1]
        assert separator == b" "
        total = 0
        for character in covered:
            total += character
        assert checksum == total % 64 + 32
        label, value = covered.decode("ascii").split(" ")
        assert len(value) == LENGTHS[label]
        groups.append((label, value))
    return groups


def frames(
    register: Register, seconds: float, line: MeterLine | None = None, now: float = 0.0
) -> list[bytes]:
    """Let the line speak for so long; return what came, frame by frame."""
    line = line or MeterLine(register)
    said, current, until = [], b"", now + seconds
    while now < until:
        characters = line.next(now)
        now += duration_s(characters)
        current += characters
        if characters[-1:] in (b"\x03", b"\x04"):
            said.append(current)
            current = b""
    return said


@pytest.fixture
def register() -> Register:
    register = Register("021875000042", 30)
    register.observe(EVENING_S, (12.4, 30.4, 0.4), 0.0)
    return register


@pytest.mark.parametrize(
    ("label", "value", "line"),
    # From the tables that meter readers have been tested with for years.
    [
        ("OPTARIF", "HC..", b"\nOPTARIF HC.. <\r"),
        ("ISOUSC", "30", b"\nISOUSC 30 9\r"),
        ("PTEC", "TH..", b"\nPTEC TH.. $\r"),
        ("PTEC", "HP..", b"\nPTEC HP..  \r"),
        ("IINST1", "001", b"\nIINST1 001 I\r"),
        ("MOTDETAT", "000000", b"\nMOTDETAT 000000 B\r"),
        ("HHPHC", "A", b"\nHHPHC A ,\r"),
        ("PPOT", "00", b"\nPPOT 00 #\r"),
    ],
)
def test_groups(label: str, value: str, line: bytes) -> None:
    assert group(label, value) == line


def test_every_byte_has_even_parity_and_keeps_its_character() -> None:
    for character in range(128):
        (byte,) = with_parity(bytes((character,)))
        assert byte & 0x7F == character
        assert byte.bit_count() % 2 == 0


def test_a_quiet_meter_sends_long_frames(register: Register) -> None:
    said = frames(register, 10.5)
    assert len(said) == 5  # 251 characters and a gap: 2.1 s each
    for frame in said:
        groups = read_frame(frame)
        assert tuple(label for label, _ in groups) == LONG_FRAME
        values = dict(groups)
        assert values["ADCO"] == "021875000042"
        assert values["PTEC"] == "HP.."
        assert (values["IINST1"], values["IINST2"], values["IINST3"]) == ("012", "030", "000")
        assert values["PAPP"] == "09940"


def test_energy_goes_to_the_index_of_the_hour_and_indexes_start_again(register: Register) -> None:
    peak = int(register.value("HCHP"))
    register.observe(EVENING_S, (10.0, 0.0, 0.0), 3600.0 * 5)
    assert int(register.value("HCHP")) == peak + 5
    register.observe(NIGHT_S, (10.0, 0.0, 0.0), 3600.0 * 7)
    assert register.value("PTEC") == "HC.."
    assert int(register.value("HCHP")) == peak + 5
    register.off_peak_wh = INDEX_LIMIT_WH - 0.5
    register.observe(NIGHT_S, (10.0, 0.0, 0.0), 3600.0)
    assert register.value("HCHC") == "000000000"


def test_maxima_stay(register: Register) -> None:
    register.observe(EVENING_S, (45.0, 1.0, 1.0), 0.0)
    register.observe(EVENING_S, (2.0, 2.0, 2.0), 0.0)
    assert [register.value(f"IMAX{phase}") for phase in (1, 2, 3)] == ["045", "030", "002"]
    assert register.value("PMAX") == "10810"


def test_an_overrun_cuts_the_long_frame_after_its_group_and_warns(register: Register) -> None:
    line = MeterLine(register)
    started = line.next(0.0) + line.next(0.1)
    assert started == b"\x02" + group("ADCO", "021875000042") + group("OPTARIF", "HC..")
    register.observe(EVENING_S, (41.6, 12.0, 33.0), 0.0)
    assert line.next(0.2) == b"\x04"
    said = frames(register, 60.0, line, now=0.3)
    kinds = ["long" if len(read_frame(frame)) == len(LONG_FRAME) else "short" for frame in said]
    assert kinds[:22] == ["short"] * 20 + ["long"] + ["short"]
    assert read_frame(said[0]) == [
        ("ADCO", "021875000042"), ("ADIR1", "042"), ("ADIR3", "033"),
        ("IINST1", "042"), ("IINST2", "012"), ("IINST3", "033"),
    ]  # fmt: skip


def test_short_frames_go_on_for_a_minute_without_warnings(register: Register) -> None:
    line = MeterLine(register)
    register.observe(EVENING_S, (31.0, 0.0, 0.0), 0.0)
    assert line.next(0.0) == b"\x02" + group("ADCO", "021875000042")
    register.observe(EVENING_S, (30.0, 0.0, 0.0), 0.0)
    said = frames(register, AFTER_OVERRUN_S, line, now=1.0)
    assert b"ADIR1 031" in said[0]  # composed while phase 1 was over
    assert b"ADIR" not in b"".join(said[1:])
    assert len(said[1]) < 100
    after = frames(register, 10.0, line, now=AFTER_OVERRUN_S + 30)
    assert all(len(read_frame(frame)) == len(LONG_FRAME) for frame in after[-3:])


def test_a_register_goes_on_from_its_snapshot(register: Register) -> None:
    register.observe(EVENING_S, (20.0, 20.0, 20.0), 3.6e6)
    again = Register("021875000042", 30)
    again.resume(register.snapshot())
    again.observe(EVENING_S, (20.0, 20.0, 20.0), 0.0)
    for label in LONG_FRAME:
        assert again.value(label) == register.value(label)


@pytest.mark.parametrize(("time_s", "label"), [(EVENING_S, "HCHP"), (NIGHT_S, "HCHC")])
def test_an_index_never_goes_back_though_the_last_second_was_not_saved(
    register: Register, time_s: float, label: str
) -> None:
    amps = (40.0, 40.0, 40.0)
    register.observe(time_s, amps, 0.0)
    saved = register.snapshot(ahead_s=1.0)
    register.observe(time_s, amps, 40.0 * 3 * 230 * 1.1)
    again = Register("021875000042", 30)
    again.resume(saved)
    assert again.value(label) >= register.value(label)
    other = "HCHC" if label == "HCHP" else "HCHP"
    assert again.value(other) == register.value(other)
