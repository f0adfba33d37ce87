"""Paths, conversions and elements: values out of answers, and why there are none."""

import random
import re
from typing import Any

import pytest

from jph.values.convert import NoValueError, convert
from jph.values.elements import Feed, PathElement, Picker, read_time
from jph.values.paths import MISSING, compile_path, literal
from jph.values.tolerant import Unknown, loads
from jph.wire.codec import Quality, Value

ANSWER = {"temps": [{"value": 21.5}, {"value": None}], "a.b": {"c": 4}, "unit": "C", "on": True}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("temps[0].value", 21.5),
        ("temps[-1].value", None),
        ("temps[2].value", MISSING),
        ('"a.b".c', 4),
        ("unit.c", MISSING),
        ("temps[?value > `20`] | [0].value", 21.5),
        ("length(temps)", 2),
        ("nowhere.*", MISSING),
    ],
)
def test_paths(path: str, found: object) -> None:
    assert compile_path(path)(ANSWER) == found


def test_a_key_is_taken_as_it_is() -> None:
    assert literal("a.b")(ANSWER) == {"c": 4}
    assert isinstance(compile_path("abs(unit)")(ANSWER), Unknown)
    with pytest.raises(ValueError, match="no JMESPath"):
        compile_path("a[")


@pytest.mark.parametrize(
    ("raw", "data_type", "value"),
    [
        (3, "float", 3.0),
        ("21.5 C", "float", 21.5),
        ("  -4e1 ", "float", -40.0),
        ("48.1%", "integer", 48),
        (True, "float", 1.0),
        ("ON", "bool", 1),
        (False, "bool", 0),
        (21.5, "text", "21.5"),
        ({"value": 1}, "json", '{"value": 1}'),
        (5, "json", '{"value": 5}'),
    ],
)
def test_conversions(raw: object, data_type: str, value: Value) -> None:
    found = convert(raw, data_type)
    assert found == value


@pytest.mark.parametrize(
    ("raw", "data_type"),
    [
        (None, "float"), (MISSING, "float"), (Unknown("nan"), "float"), ("nan", "float"),
        ("21,5", "float"), ("1.2.3", "float"), ("", "float"), ("warm", "float"), ([1], "float"),
        (10**400, "float"), (float("inf"), "float"), (1e16, "integer"),
        ("maybe", "bool"), (2, "bool"),
        ({"a": Unknown("nan")}, "json"), ("x" * 2000, "text"), ([], "text"), ("12:30", "float"),
    ],
)  # fmt: skip
def test_no_values(raw: object, data_type: str) -> None:
    with pytest.raises(NoValueError):
        convert(raw, data_type)


@pytest.mark.parametrize(
    ("raw", "at_ms"),
    [
        ("Mon, 02 Jan 2017 15:04:05 GMT", 1_483_369_445_000),
        ("2017-01-02T16:04:05+01:00", 1_483_369_445_000),
        ("2017-01-02 15:04:05", 1_483_369_445_000),
        (1_483_369_445, 1_483_369_445_000),
        ("1483369445123", 1_483_369_445_123),
    ],
)
def test_times(raw: object, at_ms: int) -> None:
    assert read_time(raw) == at_ms


@pytest.mark.parametrize(
    "raw", [None, MISSING, "", "soon", 12, True, "9999999999999999999", [], "Mon, x"]
)
def test_no_times(raw: object) -> None:
    with pytest.raises(NoValueError):
        read_time(raw)


def feed(element: PathElement, data_type: str = "float") -> Feed:
    return Feed([element], lambda codifier: data_type)


def test_a_rejected_value_is_sent_as_implausible_or_not_at_all() -> None:
    described: tuple[dict[str, Any], ...] = ({"Range": [0, 40]}, {"Scale": 2})
    sent, reason = feed(PathElement(codifier="X1", filter=described)).take("X1", 99, 5, 0.0)
    assert sent is not None
    assert (sent.value, sent.quality, sent.at_ms) == (198.0, Quality.IMPLAUSIBLE, 5)
    assert "outside" in reason
    dropping: tuple[dict[str, Any], ...] = ({"Range": [0, 40], "Rejected": "drop"},)
    sent, reason = feed(PathElement(codifier="X1", filter=dropping)).take("X1", 99, 5, 0.0)
    assert sent is None
    assert "outside" in reason


def test_a_time_of_its_own_is_taken_once() -> None:
    values = feed(PathElement(codifier="X1"))
    assert values.take("X1", 1, 10_000, 0.0, 5_000)[0] is not None
    assert values.take("X1", 1, 11_000, 1.0, 5_000) == (None, "")
    assert values.take("X1", 2, 11_000, 1.0, 4_000) == (None, "")
    sent, _ = values.take("X1", 2, 12_000, 2.0, 6_000)
    assert sent is not None
    assert sent.at_ms == 6_000
    assert values.take("X1", 2, 12_000, 2.0, 99_000_000)[1] == "its time is in the future"


def test_words_become_numbers_and_integers_are_rounded_last() -> None:
    words = feed(PathElement(codifier="X1", filter=({"Map": {"heating": 1, "off": 0}},)))
    sent, _ = words.take("X1", "heating", 0, 0.0)
    assert sent is not None
    assert sent.value == 1
    assert words.take("X1", "cooling", 0, 0.0)[0] is None  # no number to send as implausible
    whole = feed(PathElement(codifier="X1", filter=({"Scale": 10},)), "integer")
    sent, _ = whole.take("X1", 12.64, 0, 0.0)
    assert sent is not None
    assert sent.value == 126
    assert type(sent.value) is int


def test_patterns_and_conditions() -> None:
    pattern = Picker(PathElement(codifier="X1", regex=r"T=(-?[\d.]+)"))
    assert pattern.pick("a T=-3.5 b") == "-3.5"
    assert pattern.pick("nothing") is MISSING
    assert pattern.pick({"T": 1}) is MISSING
    when = Picker(PathElement(codifier="X1", path="t", when="model == 'A' && id == `90`"))
    assert when.applies({"model": "A", "id": 90})
    assert not when.applies({"model": "A", "id": 91})
    assert not when.applies({})


@pytest.mark.parametrize(
    "keys", [{"path": "a["}, {"regex": "("}, {"path": "a", "key": "b"}, {"filter": [{"Sclae": 1}]}]
)
def test_elements_that_cannot_be(keys: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="X1"):
        PathElement(codifier="X1", **keys)


def test_mutated_answers_invent_nothing() -> None:
    """Each value that is sent stands in the answer."""
    source = random.Random(17)
    good = b'{"a": 21.53, "b": "48.1 %", "c": nan}'
    paths = [PathElement(codifier=c, path=p) for c, p in (("AA", "a"), ("BB", "b"), ("CC", "c"))]
    values = Feed(paths, lambda codifier: "float")
    pickers = {each.codifier: Picker(each) for each in paths}
    for _ in range(10_000):
        mutated = bytearray(good)
        mutated[source.randrange(len(mutated))] = source.randrange(256)
        try:
            record = loads(bytes(mutated))
        except ValueError:
            continue
        for codifier, picker in pickers.items():
            sent, _ = values.take(codifier, picker.pick(record), 0, 0.0)
            if sent is not None:
                text = mutated.decode("utf-8", "replace")
                written = re.findall(r"-?[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?", text)
                assert sent.value in {float(number) for number in written} | {1.0}
