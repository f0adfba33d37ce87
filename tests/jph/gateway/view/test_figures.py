"""Values as people read them."""

import pytest

from jph.gateway.view.figures import (
    LONGEST_TEXT,
    decimal,
    figure,
    number_of,
    shown,
    tariff,
    unit_of,
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (12, "12"),
        (12.0, "12"),
        (-3.256, "−3.26"),
        (21.4567, "21.5"),
        (234.56, "234.6"),
        (1234567, "1\u202f234\u202f567"),
        (0.04237, "0.0424"),
        (-0.0001, "−0.0001"),
        (999999999999999.0, "999\u202f999\u202f999\u202f999\u202f999"),
        (-1e300, "−1e+300"),
    ],
)
def test_figure(number: float, text: str) -> None:
    assert figure(number) == text


@pytest.mark.parametrize(
    ("value", "symbol", "data_type", "text"),
    [
        ("15410", "VA", "integer", ("15\u202f410", "VA")),
        ("9999", "VA", "integer", ("9\u202f999", "VA")),
        ("12345678", "Wh", "integer", ("12\u202f345\u202f678", "Wh")),
        ("20", "C", "float", ("20.0", "°C")),
        ("-3.25", "°C", "float", ("−3.2", "°C")),
        ("1e300", "°C", "float", ("1e+300", "°C")),
        ("1843", "p/m", "integer", ("1\u202f843", "/min")),
        ("1", "", "bool", ("on", "")),
        ("0.0", "", "bool", ("off", "")),
        ('{"value": 7.5, "unit": "x"}', "rpm", "float", ("7.50", "rpm")),
        ('{"value": "open"}', "", "text", ("open", "")),
        ('{"other": 1}', "", "text", ('{"other": 1}', "")),
        ("{broken", "", "text", ("{broken", "")),
        ("nan", "A", "float", ("nan", "")),
        ("", "A", "float", ("–", "")),
        ("two\nlines ", "A", "text", ("two lines", "")),
        ("<script>", "A", "text", ("<script>", "")),
    ],
)
def test_shown(value: str, symbol: str, data_type: str, text: tuple[str, str]) -> None:
    assert shown(value, symbol, data_type) == text


def test_a_long_text_is_cut() -> None:
    text, _ = shown("x" * 60_000, "")
    assert len(text) == LONGEST_TEXT
    assert text.endswith("…")


@pytest.mark.parametrize(
    ("value", "number"),
    [("1e3", 1000), ("inf", None), ("1" * 400, None), ('{"value": true}', None), ("[1]", None)],
)
def test_number_of(value: str, number: float | None) -> None:
    assert number_of(value) == number


def test_deeply_nested_json_is_no_number() -> None:
    assert number_of('{"value":' * 50_000) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("HC..", "off-peak"),
        ("TH..", "all hours"),
        ("HPJB", "peak, blue day"),
        ("HEURES PLEINES", "HEURES PLEINES"),
        ("HPXX", "HPXX"),
        ("", "–"),
    ],
)
def test_tariff(code: str, words: str) -> None:
    assert tariff(code) == words


def test_unknown_units_are_shown_as_they_are() -> None:
    assert unit_of("rpm") == "rpm"
    assert unit_of("-") == ""


@pytest.mark.parametrize(
    ("text", "french"),
    [
        ("19.5", "19,5"),
        ("\u22121.4", "\u22121,4"),
        ("9\u202f370.25", "9\u202f370,25"),
        ("0.00123", "0,00123"),
        ("1.5e-07", "1,5e-07"),
        ("17", "17"),
        ("v1.2 beta", "v1.2 beta"),
        ("192.0.2.1", "192.0.2.1"),
        ("–", "–"),
    ],
)
def test_the_decimal_comma(text: str, french: str) -> None:
    assert decimal(text, "fr") == french
    assert decimal(text, "en") == text


def test_half_a_character_does_not_get_out() -> None:
    text, _ = shown('{"value": "\\ud800"}', "")
    assert text.encode() == b"?"
