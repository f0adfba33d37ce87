"""Outputs over readings: the originals' calculations, ages, fallbacks, own values, qualities."""

import math
from typing import Any

import pytest

from jph.expressions.language import compile_expression
from jph.expressions.outputs import Output, Outputs, worst
from jph.wire.codec import Quality

LIMIT_S = 60.0


def outputs(*described: Any, inputs: str, limit_s: float = LIMIT_S) -> Outputs:
    """Make outputs from (codifier, expressions, keys) over inputs that are numbers."""
    codes = inputs.split()
    types = dict.fromkeys([*codes, *(code for code, *_ in described)], "number")
    made = [
        Output(code, [compile_expression(text, types) for text in texts], **(keys or {}))
        for code, texts, keys in described
    ]
    return Outputs(made, types, dict.fromkeys(codes, limit_s))


def feed(
    house: Outputs, at_s: float = 0.0, quality: Quality = Quality.GOOD, **values: float
) -> None:
    for codifier, value in values.items():
        house.take(codifier, value, at_s, quality)


def results(house: Outputs, now_s: float = 0.0) -> dict[str, Any]:
    return {result.codifier: result.value for result in house.run(now_s)}


def test_the_originals_mixed_temperature_and_powers() -> None:
    house = outputs(
        ("PB", ["(X2*A4 + Y2*A5) / (X2 + Y2)"], None),
        ("PC", ["A4 - A3"], None),
        ("PF", ["PC * 65.851 * X2"], None),
        ("PL", ["M2 + M4", "M2", "M4"], None),
        inputs="A3 A4 A5 X2 Y2 M2 M4",
    )
    feed(house, A3=25.0, A4=30.0, A5=32.0, X2=4.0, Y2=2.0, M4=7.0)
    found = results(house)
    assert found["PB"] == pytest.approx((4 * 30 + 2 * 32) / 6, abs=1e-6)
    assert found["PF"] == pytest.approx(5 * 65.851 * 4, abs=1e-6)
    assert found["PL"] == 7.0


FAN = (
    ("FN", ["max(A4, A5)", "A1"], None),
    ("FR", ["FJ * (1 + FG / 100)"], None),
    ("FS", ["FJ * (1 - FG / 100)"], None),
    ("FQ", ["20 if FI != 1 or FN < FS else 80 if FN > FR else FQ", "80"], {"first": 80.0}),
    ("FM", ["FK + 5/6 * (FN - FS) if FQ == 80 else 0", "100"], {"low": 0.0, "high": 100.0}),
    ("FO", ["dew_point(N2, N3)"], None),
    ("FP", ["243.04 * (17.625*FO/(243.04+FO) - log(FH/100))"
            " / (17.625 - (17.625*FO/(243.04+FO) - log(FH/100)))"], None),
)  # fmt: skip


def test_the_originals_fan_control() -> None:
    house = outputs(*FAN, inputs="A1 A4 A5 FJ FG FI FK N2 N3 FH")
    feed(house, A4=36.0, A5=35.0, FJ=35.0, FG=6.0, FI=1.0, FK=10.0, N2=21.0, N3=55.0, FH=80.0)
    found = results(house)
    assert found["FQ"] == 80.0
    assert found["FM"] == pytest.approx(10 + 5 / 6 * (36 - 35 * 0.94), abs=1e-6)
    g = math.log(55 / 100) + 17.625 * 21 / (243.04 + 21)
    dew = 243.04 * g / (17.625 - g)
    assert found["FO"] == pytest.approx(dew, abs=1e-6)
    h = 17.625 * dew / (243.04 + dew) - math.log(80 / 100)
    assert found["FP"] == pytest.approx(243.04 * h / (17.625 - h), abs=1e-6)
    feed(house, A4=30.0, A5=31.0)
    assert (results(house)["FQ"], results(house)["FM"]) == (20.0, 0.0)
    feed(house, A4=34.0)  # between both limits: as before
    assert results(house)["FQ"] == 20.0
    found = results(house, LIMIT_S + 1)  # no temperature: the fan runs
    assert (found["FN"], found["FQ"], found["FM"]) == (None, 80.0, 100.0)


def test_ages_and_changes() -> None:
    house = outputs(
        ("L1", ["1 if M1 == 1 or changed(M1) < 300 else 0"], None),
        ("L2", ["age(M1)"], None),
        ("L3", ["1 if fresh(M1) else 0"], None),
        ("L4", ["last(M1)"], None),
        inputs="M1",
    )
    assert results(house, 0.0) == {"L1": None, "L2": None, "L3": 0.0, "L4": None}
    feed(house, 0.0, M1=0.0)
    assert results(house, 1.0)["L1"] == 0.0  # it may have been 0 for long
    feed(house, 10.0, M1=1.0)
    assert results(house, 10.0) == {"L1": 1.0, "L2": 0.0, "L3": 1.0, "L4": 1.0}
    for at_s in range(20, 400, 10):
        feed(house, float(at_s), M1=0.0)
        assert results(house, float(at_s))["L1"] == (1.0 if at_s - 20 < 300 else 0.0)
    late = results(house, 390.0 + LIMIT_S + 1)
    assert late == {"L1": None, "L2": 61.0, "L3": 0.0, "L4": 0.0}


def test_quality_is_the_worst_of_the_inputs() -> None:
    house = outputs(("S1", ["A1 + A2"], None), ("S2", ["S1 * 2"], None), inputs="A1 A2")
    feed(house, A1=1.0)
    feed(house, quality=Quality.SIMULATED, A2=2.0)
    assert {r.codifier: r.quality for r in house.run(0.0)} == dict.fromkeys(
        ("S1", "S2"), Quality.SIMULATED
    )
    feed(house, 1.0, Quality.IMPLAUSIBLE, A1=99.0)
    assert house.run(1.0)[1].quality == Quality.IMPLAUSIBLE
    feed(house, 2.0, Quality.STALE, A1=99.0)
    assert house.run(2.0)[0].value is None
    assert worst([Quality.STALE, Quality.IMPLAUSIBLE]) == Quality.IMPLAUSIBLE


def test_only_what_changes_a_result_counts_as_a_change() -> None:
    house = outputs(("S1", ["A1"], None), inputs="A1")
    assert house.take("A1", 1.0, 0.0, Quality.GOOD)
    house.run(0.0)
    assert not house.take("A1", 1.0, 1.0, Quality.GOOD)
    assert not house.take("A1", 2.0, 0.5, Quality.GOOD)  # older than the last one
    assert not house.take("ZZ", 2.0, 2.0, Quality.GOOD)
    assert not house.take("A1", "text", 2.0, Quality.GOOD)
    assert not house.take("A1", math.nan, 2.0, Quality.GOOD)
    assert house.take("A1", 2.0, 2.0, Quality.GOOD)
