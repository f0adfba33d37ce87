"""Filters: what goes on, what is kept back, what is rejected and why."""

import math
from typing import Any

import pytest

from jph.values.filters import NAMES, Chain, Sample
from jph.wire.codec import Quality, Value

IMPLAUSIBLE = Quality.IMPLAUSIBLE


def run(described: list[dict[str, Any]], *values: Value, step_s: float = 1.0) -> list[Any]:
    """Return what a chain sends of values that come `step_s` apart; None where nothing."""
    chain, found = Chain(described), []
    for index, value in enumerate(values):
        now_s = index * step_s
        sample = chain.feed(Sample(value, int(now_s * 1000)), now_s)[-1].sample
        found.append(sample and (sample.value if not sample.quality else sample.quality))
    return found


@pytest.mark.parametrize(
    ("described", "values", "expected"),
    [
        ([{"Scale": 0.001}], (48312,), [48.312]),
        ([{"Offset": -0.3}], (0.1,), [-0.2]),
        ([{"Round": 1}], (21.56,), [21.6]),
        ([{"Range": [0, None]}], (-1, 5), [IMPLAUSIBLE, 5]),
        ([{"Range": [0, 9], "Rejected": "drop"}], (10, 5), [None, 5]),
        ([{"Clamp": [0, 100]}], (-3, 50, 104.0), [0, 50, 100]),
        ([{"Median": 3}], (1, 100, 2, 3), [1, 50.5, 2, 3]),
        ([{"Mean": 2}], (1, 3, 5), [1, 2, 4]),
        ([{"Delta": 0.5}], (20, 20.4, 20.5, 20.5), [20, None, 20.5, None]),
        ([{"Throttle": 2}], (1, 2, 3, 4), [1, None, 3, None]),
        ([{"Monotonic": True}], (5, 6, 2, 7), [5, 6, IMPLAUSIBLE, 7]),
        ([{"Monotonic": True}], (5, 1, 2, 3, 4), [5, IMPLAUSIBLE, IMPLAUSIBLE, 3, 4]),
        ([{"Rate": 3600}], (10, 11, 11, 3, 4), [None, 3600, 0, None, 3600]),
        (
            [{"Debounce": 2}],
            (0, 0, 0, 1, 0, 0, 1, 1, 1),
            [None, None, 0, None, 0, 0, None, None, 1],
        ),
        ([{"Map": {"1": "on", "*": "off"}}], (1, 1.0, 7), ["on", "on", "off"]),
        ([{"Map": {"1": "on"}}], (2,), [IMPLAUSIBLE]),
        ([{"Calibrate": [[0, 1], [10, 21], [20, 31]]}], (-1, 5, 15, 30), [-1, 11, 26, 41]),
        ([{"Not": [85, -127]}], (85.0, 20, -127), [None, 20, None]),
        ([{"Leap": 5}], (20, 50, 21, 60, 61), [20, IMPLAUSIBLE, 21, IMPLAUSIBLE, 61]),
        ([{"Polynomial": [1, 2, 3]}], (2,), [17]),
        ([{"Divider": [10, 5]}], (2.5, 0, 5), [10, IMPLAUSIBLE, IMPLAUSIBLE]),
        ([{"Range": [0, 40]}, {"Median": 3}], (10, 99, 12), [10, IMPLAUSIBLE, 11]),
    ],
)
def test_values(
    described: list[dict[str, Any]], values: tuple[Value, ...], expected: list[Any]
) -> None:
    assert run(described, *values) == expected


def test_the_thermistors_of_the_originals_cooling_loop() -> None:
    described: list[dict[str, Any]] = [
        {"Divider": [16.8, 5]},
        {"Polynomial": [60.589, -4.2327, 0.0755]},
    ]
    (found,) = run(described, 3.1343)
    assert found == pytest.approx(25.8, abs=0.05)
    (beta,) = run([{"Beta": [10, 3950]}], 10)
    assert beta == pytest.approx(25.0)


def test_a_heartbeat_repeats_only_for_a_device_that_is_alive() -> None:
    chain = Chain([{"Delta": 1}, {"Heartbeat": 10}])
    chain.feed(Sample(20.0, 0), 0.0)
    assert list(chain.tick(30.0)) == []  # no value came since
    chain.feed(Sample(20.1, 31_000), 31.0)
    (again,) = chain.tick(32.0)
    assert (again.value, again.at_ms, again.quality) == (20.0, 31_000, Quality.GOOD)
    assert list(chain.tick(60.0)) == []


def test_a_timeout_makes_the_last_value_stale_once() -> None:
    chain = Chain([{"Timeout": 5}])
    chain.feed(Sample(1.0, 0), 0.0)
    assert list(chain.tick(4.9)) == []
    (stale,) = chain.tick(5.0)
    assert stale.quality == Quality.STALE
    assert list(chain.tick(50.0)) == []


def test_what_is_due_passes_the_filters_behind() -> None:
    chain = Chain([{"Debounce": 2}, {"Scale": 10}])
    chain.feed(Sample(1.0, 0), 0.0)
    assert [sample.value for sample in chain.tick(2.0)] == [10.0]


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ({}, "one filter"),
        ({"Scale": 1, "Round": 1}, "one filter"),
        ({"Skale": 1}, "no such filter"),
        ({"Scale": "x"}, "Scale: expected a number"),
        ({"Scale": float("nan")}, "expected a number"),
        ({"Round": 1.5}, "digits"),
        ({"Range": [3, 1]}, "above"),
        ({"Range": 3}, "lowest"),
        ({"Median": 0}, "readings"),
        ({"Median": 10**9}, "readings"),
        ({"Delta": -1}, "0 or more"),
        ({"Map": {}}, "object"),
        ({"Map": {"a": []}}, "number or a text"),
        ({"Calibrate": [[1, 2]]}, "points"),
        ({"Calibrate": [[1, 2], [1, 3]]}, "rising"),
        ({"Not": 5}, "list"),
        ({"Monotonic": 3}, "true"),
        ({"Range": [0, 1], "Rejected": "no"}, "Rejected"),
        ({"Divider": [0, 5]}, "above 0"),
    ],
)
def test_filters_that_cannot_be(described: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Chain([described])


@pytest.mark.parametrize("value", [1e308, -1e308, 0, "text", 1e-300])
def test_no_filter_crashes_or_sends_an_infinite_number(value: Value) -> None:
    samples: dict[str, Any] = {
        "Scale": 1e300, "Offset": 1e308, "Round": 2, "Range": [0, 1], "Clamp": [0, 1], "Median": 3,
        "Mean": 3, "Delta": 1, "Throttle": 0, "Heartbeat": 1, "Timeout": 1, "Monotonic": True,
        "Rate": 1, "Debounce": 0, "Map": {"1": 2}, "Calibrate": [[0, 0], [1, 1e300]], "Leap": 1,
        "Not": [1], "Polynomial": [1, 1, 1e300], "Divider": [1, 5], "Beta": [10, 3950],
    }  # fmt: skip
    assert sorted(samples) == NAMES
    for name, setting in samples.items():
        for found in run([{name: setting}], value, value):
            assert found is None or isinstance(found, str) or math.isfinite(found)
