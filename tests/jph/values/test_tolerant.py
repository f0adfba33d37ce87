"""JSON of boards: what is wrong with one field leaves the others alone."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.values.tolerant import MAX_DEPTH, Unknown, loads


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": nan, "b": 1}', {"a": Unknown("nan"), "b": 1}),
        ('{"a": NaN, "b": 1}', {"a": Unknown("NaN"), "b": 1}),
        ('{"a": -nan(ind), "b": 1.5}', {"a": Unknown("-nan(ind)"), "b": 1.5}),
        (
            '{"a": inf, "info": "inf", "b": -inf}',
            {"a": Unknown("inf"), "info": "inf", "b": Unknown("-inf")},
        ),
        ('{"a": [1, 2,], "b": {"c": 3,},}', {"a": [1, 2], "b": {"c": 3}}),
        ("[1,,3]", [1, Unknown(""), 3]),
        ('\ufeff{"a": 1}\r\n\0', {"a": 1}),
        ('{"a": 0x1F, "b": 007, "c": .5, "d": 5.}', {"a": 31, "b": 7, "c": 0.5, "d": 5.0}),
        ('{"a": , "b": 2}', {"a": Unknown(""), "b": 2}),
        ('{"a": 1e999, "b": 2}', {"a": Unknown("1e999"), "b": 2}),
        ('{"a": "two\nlines", "b": true}', {"a": "two\nlines", "b": True}),
        ('{"a": nan }', {"a": Unknown("nan")}),
    ],
)
def test_one_bad_field(text: str, expected: object) -> None:
    assert loads(text) == expected
    assert loads(text.encode()) == expected


@pytest.mark.parametrize(
    "text",
    ["", "   ", "nan", "<html>", '{"a": 1', '{"a" 1}', "[1 2", '{"a": "x', '{"a": 1} x', "{a: 1}"],
)
def test_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"answer|JSON|comma|colon|key|end"):
        loads(text)


def test_depth_and_size_are_bounded() -> None:
    for text in ("[" * 100_000, '{"a":' * 50_000, "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)):
        with pytest.raises(ValueError, match="deeper"):
            loads(text)
    with pytest.raises(ValueError, match="characters"):
        loads('"' + "x" * 2_000_000 + '"')
    assert loads("[" + '"[[[[",' * 200 + "1]")[-1] == 1


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_good_json_is_read_as_the_standard_library_reads_it(value: object) -> None:
    text = json.dumps(value)
    assert loads(text) == json.loads(text)


def test_mutated_answers_never_crash_and_never_make_a_number() -> None:
    """A changed byte changes a number only into what its own digits say."""
    source = random.Random(16)
    good = (
        b'{"FlowPerSecond": 1250, "LitersPerSecond": 4.25, "Power": true, "info": [1, nan, -2.5e1]}'
    )
    for _ in range(10_000):
        mutated = bytearray(good)
        for _ in range(source.randint(1, 4)):
            mutated[source.randrange(len(mutated))] = source.randrange(256)
        try:
            found = loads(bytes(mutated))
        except ValueError:
            continue
        text = mutated.decode("utf-8", "replace")
        for value in found.values() if isinstance(found, dict) else ():
            if type(value) in (int, float) and value == 0:
                assert "0" in text
