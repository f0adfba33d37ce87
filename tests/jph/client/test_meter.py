"""Rates, bytes, jitter and losses of the sources on both buses."""

import pytest

from jph.client.meter import Meter, size_of
from jph.wire.codec import Control, Flag, Json, Reading, encode_control, encode_data

AT_MS = 1_795_000_000_000
NONE_LOST = {"control": lambda _: 0, "data": lambda _: 0}


def reading(code: str, sequence: int, sent_ms: int = AT_MS) -> Reading:
    return Reading(sequence, 9, sent_ms, "d", code, "@@", 1, 0, 1.5)


def control(sequence: int) -> Control:
    return Control(sequence, 9, AT_MS, Flag.ALIVE, "TI", "@@", 1, 5.0, True)


def test_rates_and_bytes_are_those_of_the_window() -> None:
    meter = Meter(100.0)
    meter.hear_data([reading("I1", n) for n in range(20)], AT_MS)
    meter.hear_data([reading("I2", 1)], AT_MS)
    meter.hear_control(control(1), AT_MS)
    busiest, *others = meter.end(110.0, NONE_LOST)
    assert (busiest.source, busiest.bus, busiest.rate) == ("I1", "data", 2.0)
    assert busiest.bytes_s == 2.0 * len(encode_data(reading("I1", 1)))
    assert {(each.source, each.bus) for each in others} == {("I2", "data"), ("TI", "control")}
    told = next(each for each in others if each.bus == "control")
    assert told.bytes_s == pytest.approx(len(encode_control(control(1))) / 10)
    assert meter.end(120.0, NONE_LOST) == []


def test_jitter_is_the_deviation_of_the_way_and_not_of_the_interval() -> None:
    meter = Meter(0.0)
    for n in range(50):  # irregular, but as fast as sent
        meter.hear_data([reading("I1", n, AT_MS + n * n)], AT_MS + n * n + 7)
        meter.hear_data([reading("I2", n, AT_MS + n)], AT_MS + n + (n % 2) * 20)
    jitter = {each.source: each.jitter_ms for each in meter.end(1.0, NONE_LOST)}
    assert jitter["I1"] == 0
    assert jitter["I2"] == pytest.approx(20, abs=2)


def test_losses_and_repetitions_are_named() -> None:
    meter = Meter(0.0)
    meter.hear_data([reading("I1", 1), reading("I1", 1), reading("I1", 5)], AT_MS)
    lost = {**NONE_LOST, "data": {"I1": 3}.__getitem__}
    (found,) = meter.end(1.0, lost)
    assert (found.lost, found.repeated) == (3, 1)


def test_a_value_has_its_size_on_the_wire() -> None:
    for flag, value in (("i", 5), ("q", -5), ("f", 1.5), ("d", 1.5), ("s", "é"), ("j", Json("{}"))):
        message = Reading(1, 9, AT_MS, flag, "I1", "@@", 1, 0, value)
        assert len(encode_data(message)) == 28 + size_of(message)
