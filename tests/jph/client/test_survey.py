"""The state of each codifier in a survey, from messages alone."""

import msgspec

from jph.cli.terminal.output import show_quality
from jph.client.survey import CodifierState, Survey
from jph.config.model import Endpoint, Multicast, Network, Sensor
from jph.util.freshness import State
from jph.wire.codec import Control, Quality, Reading

NETWORK = Network(
    multicast=Multicast(control=Endpoint("239.1.1.1", 1), data=Endpoint("239.1.1.2", 2)),
    sensors=[
        Sensor("TI", "Teleinfo", name="Meter"),
        Sensor("I1", "Proxy", symbol="A", timeout_warning=10, sensor={"Codifier": "TI"}),
        Sensor("SP", "Setpoint", timeout_warning=10),
        Sensor("CC", "ControlProgram"),
    ],
)


def control(source: str, flag: str, number: float = 0.0, active: bool = True) -> Control:
    return Control(1, 1, 1000, flag, source, "CC", 1, number, active)


def reading(source: str, value: float, flag: str = "d") -> Reading:
    return Reading(1, 1, 5000, flag, source, "@@", 1, 0, value)


def test_a_doubtful_value_is_told() -> None:
    heard = survey()
    heard.hear_data([reading("I1", 7.0)], 1.0)
    assert quality(heard, "I1", 2.0) == "good"
    heard.hear_data([reading("I1", 7.0)._replace(quality=Quality.STALE)], 2.0)
    assert quality(heard, "I1", 3.0) == "stale"
    heard.hear_data([reading("I1", 7.0)._replace(quality=77)], 3.0)
    assert quality(heard, "I1", 4.0) == "77"
    assert row(heard, "SP", 4.0).reading is None


HOUSE = Network(
    multicast=NETWORK.multicast,
    sensors=[
        *NETWORK.sensors[:1],
        Sensor(
            *("I1", "Proxy"),
            short_name="IINST1",
            symbol="A",
            timeout_warning=20,
            sensor={"Codifier": "TI"},
        ),
        Sensor("R1", "jphRedis"),
        Sensor(
            *("SH", "Shedding"),
            sensor={"Phases": [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30}]},
        ),
    ],
)


def unknowns(heard: Survey, now_s: float) -> list[str]:
    return [each.words() for each in heard.unknowns(now_s) if each.part == "meter"]


def test_a_current_is_old_before_its_timeout_warning() -> None:
    heard = Survey(HOUSE, "CC", started_s=0.0)
    heard.hear_control(control("TI", "T"), 0.1)
    heard.hear_data([reading("I1", 7.0)], 1.0)
    assert unknowns(heard, 8.0) == []
    (said,) = unknowns(heard, 10.0)
    assert said.startswith("Meter has sent no current of phase 1 for 9 s")


def test_a_meter_that_was_never_heard_sends_nothing() -> None:
    (said,) = unknowns(Survey(HOUSE, "CC", started_s=0.0), 0.5)
    assert said == "Meter sends no current of phase 1: what it draws is not known."


def test_a_current_out_of_a_cache_that_does_not_write_says_nothing_of_its_age() -> None:
    heard = Survey(HOUSE, "CC", started_s=0.0)
    heard.hear_control(control("TI", "T"), 0.1)
    heard.remember([reading("I1", 7.0)], 0.1, 65_000)
    assert unknowns(heard, 1.0) == []
    heard.hear_control(control("R1", "T")._replace(not_storing=True), 0.2)
    assert unknowns(heard, 1.0) == []
    heard.hear_control(control("R1", "T"), 0.3)
    assert len(unknowns(heard, 1.0)) == 1


def survey() -> Survey:
    return Survey(NETWORK, "CC", started_s=0.0)


def row(heard: Survey, code: str, now_s: float) -> CodifierState:
    return next(row for row in heard.rows(now_s, {}, {}) if row.sensor.codifier == code)


def quality(heard: Survey, code: str, now_s: float) -> str:
    said = row(heard, code, now_s).reading
    assert said is not None
    return show_quality(said.quality)


def states(heard: Survey, now_s: float) -> dict[str, str]:
    return {row.sensor.codifier: row.state for row in heard.rows(now_s, {}, {})}


def test_nothing_heard_is_silent_and_consoles_are_left_out() -> None:
    assert states(survey(), 3.0) == {"TI": State.SILENT, "I1": State.SILENT, "SP": State.SILENT}


def test_a_node_that_answers_is_alive_and_its_element_not_heard_yet() -> None:
    heard = survey()
    heard.hear_control(control("TI", "T"), 1.0)
    assert states(heard, 3.0) == {"TI": State.ALIVE, "I1": State.UNHEARD, "SP": State.SILENT}
    assert states(heard, 11.0)["I1"] == State.LATE


def test_a_reading_makes_alive_and_grows_late() -> None:
    heard = survey()
    heard.hear_data([reading("I1", 7.0)], 1.0)
    assert states(heard, 3.0)["I1"] == State.ALIVE
    assert states(heard, 3.0)["TI"] == State.ALIVE  # its element speaks, so it lives
    said = row(heard, "I1", 3.0).reading
    assert said is not None
    assert said.value == 7.0
    assert row(heard, "I1", 3.0).age_s == 2.0
    assert row(heard, "I1", 11.5).state == State.LATE
    assert row(heard, "I1", 11.5).late
    assert row(heard, "I1", 31.5).state == State.DEAD


def test_a_halted_node_is_halted_with_its_elements() -> None:
    heard = survey()
    heard.hear_control(control("TI", "I", active=False), 1.0)
    assert states(heard, 20.0)["TI"] == State.HALTED
    assert states(heard, 20.0)["I1"] == State.HALTED


def test_only_the_answer_to_our_ping_is_timed() -> None:
    heard = survey()
    heard.pinged(17.25, now_s=1.0, wall_ms=0.0)
    heard.hear_control(control("TI", "T", 17.5), 1.5)
    assert row(heard, "TI", 2.0).round_trip_ms is None
    heard.hear_control(control("TI", "T", 17.25), 1.75)
    assert row(heard, "TI", 2.0).round_trip_ms == 750.0


def test_it_is_complete_when_everybody_has_spoken() -> None:
    heard = survey()
    heard.hear_control(control("TI", "T"), 1.0)
    heard.hear_control(control("SP", "T"), 1.0)
    assert not heard.complete()
    heard.hear_data([reading("I1", 1.0)], 1.0)
    assert heard.complete()


def test_strangers_are_no_rows() -> None:
    heard = survey()
    heard.hear_control(control("ZZ", "I"), 1.0)
    heard.hear_data([reading("ZY", 1.0)], 1.0)
    assert set(states(heard, 2.0)) == {"TI", "I1", "SP"}


def test_an_element_that_reports_only_changes_is_late_when_its_node_is() -> None:
    sensors = [
        msgspec.structs.replace(each, timeout_warning=0.0) if each.codifier == "I1" else each
        for each in NETWORK.sensors
    ]
    heard = Survey(msgspec.structs.replace(NETWORK, sensors=sensors), "CC", started_s=0.0)
    heard.hear_control(control("TI", "T"), 1.0)
    assert states(heard, 50.0)["I1"] == State.UNHEARD
    heard.hear_data([reading("I1", 1.0)], 60.0)
    assert states(heard, 5000.0)["I1"] == State.DEAD
    heard.hear_control(control("TI", "T"), 4999.0)
    assert states(heard, 5000.0)["I1"] == State.ALIVE
    assert not row(heard, "I1", 5000.0).late


def test_the_offset_of_a_clock_is_measured_by_the_ping() -> None:
    heard = survey()
    heard.pinged(17.25, now_s=1.0, wall_ms=1_000_000.0)
    message = control("TI", "T", 17.25)._replace(timestamp_ms=1_000_000 + 86_400_000)
    heard.hear_control(message, 1.1)
    offset_ms = row(heard, "TI", 2.0).clock_ms
    assert offset_ms is not None
    assert abs(offset_ms - 86_400_000) < 51
    assert row(heard, "I1", 2.0).clock_ms is None


def test_last_values_from_the_cache_do_not_make_a_node_alive() -> None:
    heard = survey()
    heard.remember([reading("I1", 7.0)._replace(timestamp_ms=95_000)], 10.0, wall_ms=100_000.0)
    known = row(heard, "I1", 11.0)
    assert (known.cached, known.age_s, known.state) == (True, 6.0, State.ALIVE)
    assert states(heard, 11.0)["TI"] == State.SILENT
    heard.hear_data([reading("I1", 8.0)], 12.0)
    known = row(heard, "I1", 13.0)
    assert (known.cached, known.age_s) == (False, 1.0)


def test_a_cached_value_from_the_future_has_no_age_and_is_left_out() -> None:
    heard = survey()
    heard.remember([reading("I1", 7.0)._replace(timestamp_ms=200_000)], 10.0, wall_ms=100_000.0)
    assert row(heard, "I1", 11.0).reading is None
