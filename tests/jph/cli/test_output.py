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
