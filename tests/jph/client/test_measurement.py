"""Figures of a measurement, and what changed since the last one."""

from jph.client.measurement import Measurement, NodeFigures, compared, figures


def test_figures_of_round_trips() -> None:
    found = figures("TI", 100, [float(n) for n in range(99, -1, -1)], 500, 2)
    assert (found.answered, found.median_ms, found.p95_ms, found.longest_ms) == (100, 50, 95, 99)
    assert figures("TI", 3, [], 0, 0) == NodeFigures("TI", 3, 0)


def one(**fields: object) -> Measurement:
    usual = {"node": "TI", "asked": 60, "answered": 60, "median_ms": 1.0, "received": 1000}
    return Measurement(0, 60.0, [NodeFigures(**{**usual, **fields})])  # type: ignore[arg-type]


def test_only_what_changed_enough_is_named() -> None:
    assert compared(one(), one()) == {}
    assert compared(one(median_ms=1.9), one()) == {}  # less than a ms
    assert "slower" in compared(one(median_ms=4.0), one())["TI"]
    assert "faster" in compared(one(), one(median_ms=4.0))["TI"]
    assert "less often" in compared(one(answered=50), one())["TI"]
    assert "loses more" in compared(one(lost=100), one())["TI"]
    assert compared(one(), Measurement(0, 60.0)) == {}
