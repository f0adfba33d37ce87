"""The language: what it computes, what it refuses, and that it computes as Python does."""

import math
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.expressions.functions import dew_point
from jph.expressions.language import (
    FUNCTIONS,
    ExpressionError,
    NoResultError,
    compile_expression,
    evaluate,
)

TYPES = {"A4": "number", "A5": "number", "FI": "number", "X3": "bool", "T1": "text", "21": "number"}
VALUES = {"A4": 21.5, "A5": 20.0, "FI": 1.0, "X3": True, "T1": "heat"}


def value(text: str) -> float | bool | str:
    return evaluate(compile_expression(text, TYPES), {**FUNCTIONS, **VALUES})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("max(A4, A5)", 21.5),
        ("1/6", 1 / 6),
        ("20 if FI != 1 or A4 < 10 else 80", 80.0),
        ("A4 * (1 + 6 / 100)", 21.5 * 1.06),
        ("0 < A5 <= 20 and not (A4 == A5)", True),
        ("1 if X3 and T1 == 'heat' else 0", 1.0),
        ("true if FI == 1 else X3", True),
        ("round(2.449, 1) + round(2.5)", 4.4),
        ("clamp(A4, 0, 10) ** 2", 100.0),
        ("sqrt(exp(log(16)))", 4.0),
        ("-A4 + +A5", -1.5),
        ("abs(-3) - 1e2", -97.0),
        ("T1 != \"off\"", True),
    ],
)  # fmt: skip
def test_results(text: str, result: object) -> None:
    found = value(text)
    assert found == pytest.approx(result)
    assert not isinstance(found, int) or isinstance(found, bool)


def test_the_dew_point_is_that_of_the_tables() -> None:
    assert dew_point(20, 50) == pytest.approx(9.26, abs=0.01)
    assert value("dew_point(A4, 100)") == pytest.approx(21.5)


@pytest.mark.parametrize(
    "text",
    ["1/0", "log(0)", "sqrt(-1)", "(-8) ** (1/3)", "9 ** 999", "exp(1e9)", "1e300 * 1e300",
     "dew_point(20, 0)", "clamp(1, 3, 2)", 'value("21") + 1'],
)  # fmt: skip
def test_arithmetic_without_a_result(text: str) -> None:
    with pytest.raises(NoResultError):
        value(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A4 + ZZ", "column 6: ZZ is not in Sensors"),
        ("A4 + banana", "banana is no codifier"),
        ("1 if FI else 0", "expected true or false, found a number: compare it"),
        ("T1 + 1", "expected a number, found a text"),
        ("1 if X3 else 'a'", "expected a number, found a text"),
        ("T1 < 'a'", "only == and !="),
        ("A4 == X3", "expected a number, found true or false"),
        ("min(1)", "takes 2 to 50"),
        ("age(1)", "takes one codifier"),
        ("age(A4, A5)", "takes one codifier"),
        ("sin(1)", "is no function; there are min"),
        ("A4 +", "column"),
        ("", "column"),
        ("(A4", "column"),
    ],
)
def test_mistakes_are_named(text: str, message: str) -> None:
    with pytest.raises(ExpressionError, match=message.replace("(", r"\(").replace("+", r"\+")):
        compile_expression(text, TYPES)


ATTACKS = [
    "__import__('os').system('id')",
    "().__class__.__bases__[0].__subclasses__()",
    "A4.__class__",
    "'%1000000000d' % 1",
    "f'{1:1000000000d}'",
    "'a' * 10**9",
    "'a'.format(A4)",
    "[0] * 10**9",
    "[x for x in (1, 2)]",
    "{1: 2}",
    "(lambda: 1)()",
    "9**9**9**9**9",
    "1 << 10**9",
    "10**9**9",
    "+".join(["1"] * 20_000),
    "(" * 1000 + "1" + ")" * 1000,
    "not " * 10_000 + "X3",
    "-" * 1900 + "1",
    "1 if " * 300 + "X3",
    "A4 := 5",
    "exec('1')",
    "eval('1')",
    "open('/etc/passwd')",
    "globals()",
    "min(*A4)",
    "max(**A4)",
    "min(1, 2, key=abs)",
    "A4[0]",
    "A4 @ A5",
    "1j",
    "0x7fffffff",
    "b'a'",
    "'a' 'b'*999",
    "print(1)",
    "(1, 2)",
    "A4 if X3",
    "yield 1",
    "await A4",
    "A4; A5",
    "A4\nA5",
    "\\x41",
    "é",
    "𝐀𝟒",
    "9" * 1900,
    "1_000",
    "min(" * 40 + "1,1" + ",1)" * 40 + "+__builtins__",
    "_pow(2, 2)",
    "...",
    "None",
]  # fmt: skip


@pytest.mark.parametrize("text", ATTACKS, ids=range(len(ATTACKS)))
def test_attacks_are_refused_at_once(text: str) -> None:
    tracemalloc.start()
    begin = time.process_time()
    try:
        with pytest.raises((ExpressionError, NoResultError)):
            value(text)
        took_s = time.process_time() - begin
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert took_s <= 0.05
    assert peak <= 1_000_000


numbers = st.sampled_from(["A4", "A5", "FI", "0", "1", "2.5", "7e1", "0.125"])


def expressions() -> st.SearchStrategy[str]:
    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        pair = st.tuples(inner, inner)
        return st.one_of(
            st.tuples(pair, st.sampled_from("+-*/")).map(lambda t: f"({t[0][0]} {t[1]} {t[0][1]})"),
            pair.map(lambda t: f"max({t[0]}, {t[1]})"),
            pair.map(lambda t: f"min({t[0]}, {t[1]})"),
            inner.map(lambda t: f"abs(-{t})"),
            st.tuples(pair, st.sampled_from(["<", "<=", "==", "!="])).map(
                lambda t: f"({t[0][0]} if {t[0][0]} {t[1]} {t[0][1]} and not X3 else {t[0][1]})"
            ),
        )

    return st.recursive(numbers, grow, max_leaves=6)


@given(expressions())
def test_it_computes_as_python_does(text: str) -> None:
    names = {**VALUES, "X3": False}
    compiled = compile_expression(text, TYPES)
    try:
        expected = float(eval(text, {}, names))
    except ArithmeticError:
        expected = math.nan
    try:
        found = evaluate(compiled, {**FUNCTIONS, **names})
    except NoResultError:
        assert not math.isfinite(expected)
    else:
        assert found == expected
