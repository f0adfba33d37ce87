import sys

import pytest

from jph.cli.terminal import output
from jph.wire.codec import Value


@pytest.mark.parametrize(
    ("value", "symbol", "shown"),
    [
        (None, "A", "–"),
        (16, "A", "16 A"),
        (21.456789012, "°C", "21.4568 °C"),
        (12345678.0, "Wh", "12345678 Wh"),
        ("HC..", "", "HC.."),
        ("\x1b[2Jgone\n", "", "·[2Jgone·"),
        ("x" * 100, "", "x" * 39 + "…"),
    ],
)
def test_values_are_shown_with_their_unit(value: Value | None, symbol: str, shown: str) -> None:
    assert output.show_value(value, symbol) == shown


def test_a_table_lines_up() -> None:
    assert output.table(["A", "ms"], [["x", "1"], ["long", "100"]], right="ms") == [
        "A      ms",
        "x       1",
        "long  100",
    ]


def test_no_colour_where_it_is_not_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.paint("alive", "alive") == "alive"
    monkeypatch.delenv("NO_COLOR")
    assert "\x1b[" in output.paint("alive", "alive")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False, raising=False)
    assert output.paint("alive", "alive") == "alive"


def test_any_timestamp_can_be_shown() -> None:
    assert output.show_clock(1_700_000_000_007).endswith(".007")
    assert output.show_clock(2**64 - 1) == "??:??:??.???"


def test_json_is_json_whatever_the_number(capsys: pytest.CaptureFixture[str]) -> None:
    output.echo_json({"name": "é", "value": float("nan")})
    assert capsys.readouterr().out == '{"name":"é","value":null}\n'


def test_long_cells_are_cut_to_the_width() -> None:
    lines = output.table(["code", "name"], [["11", "x" * 50], ["12", "short"]], width=30)
    assert [len(line) for line in lines] == [10, 30, 11]
    assert lines[1].endswith("…")
    assert output.fitted([4, 50, 20], [4, 4, 4], 60) == [4, 32, 20]
    assert output.table(["code"], [["abcdefgh"]], width=5) == ["code", "abcd…"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(3.24, "3.2 s"), (600, "10 min"), (86_399, "24 h 0 min"), (86_400 * 12, "12 d")],
)
def test_durations(seconds: float, text: str) -> None:
    assert output.show_duration(seconds) == text
