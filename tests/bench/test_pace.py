"""The timing of the line without its characters, compared with the line itself."""

import itertools

import pytest

from bench.judge.pace import Amps, MeterReadings, Mode, Pace
from jph.sim.meter.line import MeterLine, duration_s
from jph.sim.meter.register import Register

CALM: Amps = (12.0, 29.4, 3.2)


def run(pace: Pace, until_s: float, amps: Amps) -> list[MeterReadings]:
    """Run the meter at constant currents."""
    heard = []
    while pace.due_s <= until_s:
        said = pace.step(pace.due_s, amps)
        if said is not None:
            heard.append(said)
    return heard


def line_times(
    line: MeterLine, register: Register, until_s: float, now_s: float = 0.0
) -> list[float]:
    """Return when the line itself has sent its groups of currents."""
    times = []
    while now_s < until_s:
        characters = line.next(now_s)
        now_s += duration_s(characters)
        if b"IINST3" in characters:
            pause_s = duration_s(characters) - len(characters) / 120
            times.append(
                now_s - pause_s - (len(characters) - len(characters.rstrip(b"\x03"))) / 120
            )
    return times


def test_currents_come_whole_amperes_and_as_old_as_their_frame() -> None:
    pace = Pace(30, 0.0)
    assert pace.step(0.0, CALM) is None
    said = pace.step(pace.due_s, (40.0, 40.0, 40.0))
    assert said is not None
    assert said.currents == {1: 12.0, 2: 29.0, 3: 3.0}
    assert 0.8 < said.time_s < 1.3


def test_a_long_frame_takes_less_than_two_seconds() -> None:
    times = [said.time_s for said in run(Pace(30, 0.0), 60.0, CALM)]
    gaps = {round(after - before, 6) for before, after in itertools.pairwise(times)}
    (gap,) = gaps
    assert 1.7 < gap < 2.0


def test_short_frames_are_as_fast_as_on_the_line() -> None:
    amps: Amps = (41.0, 12.0, 33.0)
    register = Register("021875000042", 30)
    register.observe(0.0, amps, 0.0)
    times = line_times(MeterLine(register), register, 10.0)
    paced = [said.time_s for said in run(Pace(30, 0.0), 10.0, amps) if 3 in said.currents]
    count = min(len(times), len(paced))
    assert count > 10
    assert paced[:count] == pytest.approx(times[:count], abs=0.02)


def test_an_overrun_is_heard_within_a_second() -> None:
    for start in range(40):
        pace = Pace(30, 0.0)
        at_s = 20 + start * 0.05
        run(pace, at_s, CALM)
        pace.notice(at_s, (12.0, 35.0, 3.0))
        heard = run(pace, at_s + 5, (12.0, 35.0, 3.0))
        warned = next(said for said in heard if said.warnings)
        known = next(said for said in heard if said.currents.get(2) == 35.0)
        assert warned.warnings == {2: 35.0}
        assert at_s < warned.time_s < known.time_s < at_s + 1.0


def test_short_frames_end_a_minute_after_the_overrun() -> None:
    pace = Pace(30, 0.0)
    run(pace, 10.0, (31.0, 0.0, 0.0))
    times = [said.time_s for said in run(pace, 120.0, (30.0, 0.0, 0.0)) if 3 in said.currents]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert sorted(gaps[:30])[15] < 0.7
    assert min(gaps[-10:]) > 1.7


@pytest.mark.parametrize("mode", [Mode.NO_ADIR, Mode.STANDARD])
def test_other_meters_never_hurry(mode: Mode) -> None:
    pace = Pace(30, 0.0, mode)
    run(pace, 10.0, CALM)
    pace.notice(10.5, (50.0, 0.0, 0.0))
    heard = run(pace, 60.0, (50.0, 0.0, 0.0))
    assert not any(said.warnings for said in heard)
    times = [said.time_s for said in heard if 1 in said.currents]
    assert min(b - a for a, b in itertools.pairwise(times)) >= 1.49
