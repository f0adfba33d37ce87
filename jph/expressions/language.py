"""Compiles expressions such as `max(A4, A5) if FI == 1 else 20`. Pure.

Length, characters and nesting are checked before Python's parser sees the text, then each node of
the tree against a short list, with the types of all inputs known. There are no loops, attributes,
indexes, strings beyond comparisons, or whole numbers that grow: what an expression costs is the
count of its nodes.
"""

import ast
import math
import re
from collections.abc import Callable, Mapping
from math import isfinite
from types import CodeType
from typing import Any, Final, NamedTuple

from jph.expressions.functions import NUMERIC, OF_INPUT
from jph.wire.codec import is_codifier

MAX_CHARS: Final = 2000
MAX_TOKENS: Final = 500
MAX_DEPTH: Final = 50
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?(?![\w."'.]))
    |(?P<name>[A-Za-z][A-Za-z0-9_]*(?!["']))
    |(?P<text>'[^'"\\{}%\n]{0,100}'|"[^'"\\{}%\n]{0,100}")
    |(?P<operator>\*\*|<=|>=|==|!=|[-+*/<>(),]))""",
    re.VERBOSE,
)
_KEYWORDS: Final = frozenset({"if", "else", "and", "or", "not", "True", "False", "true", "false"})
_COMPARISONS: Final = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
_OPERATORS: Final = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
NUMBER, BOOL, TEXT = "number", "bool", "text"
_WORDS: Final = {NUMBER: "a number", BOOL: "true or false", TEXT: "a text"}
_TRUTHS: Final = {"true": True, "false": False, "True": True, "False": False}


class ExpressionError(ValueError):
    """A mistake in an expression; the message has its column, from 1."""


class NoResultError(ValueError):
    """An expression has no value now; the message says why."""


class Expression(NamedTuple):
    """A compiled expression.

    `inputs` are all codifiers in it, `needed` those whose value it uses; `type` is that of its
    result. `Environment.evaluate` runs it.
    """

    text: str
    code: CodeType
    type: str
    inputs: frozenset[str]
    needed: frozenset[str]


def compile_expression(text: str, types: Mapping[str, str]) -> Expression:
    """Check and compile an expression; `types` has the type of each codifier it may name.

    Raises:
        ExpressionError: with the column and what was expected.
    """
    _check_tokens(text)
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        column = getattr(error, "offset", None) or 1
        raise ExpressionError(
            f"column {column}: {getattr(error, 'msg', 'cannot read it')}"
        ) from None
    checker = _Checker(types)
    body, kind = checker.visit(tree.body, 0)
    code = compile(ast.fix_missing_locations(ast.Expression(body)), "<expression>", "eval")
    return Expression(text, code, kind, frozenset(checker.inputs), frozenset(checker.needed))


def _check_tokens(text: str) -> None:
    """Refuse what the parser must not see: length, characters, count of tokens, nesting."""
    if len(text) > MAX_CHARS:
        raise ExpressionError(f"{len(text)} characters, expected up to {MAX_CHARS}")
    at, count, depth, whole = 0, 0, 0, text.rstrip()
    prefix = 0
    while at < len(whole):
        match = _TOKEN.match(whole, at)
        if match is None:
            start = at + len(whole[at:]) - len(whole[at:].lstrip())
            raise ExpressionError(
                f"column {start + 1}: {whole[start : start + 12]!r} is not allowed"
            )
        at, token = match.end(), match.group().strip()
        count += 1
        depth += (token == "(") - (token == ")")
        prefix = prefix + 1 if token in ("not", "-", "+", "else", "**") else prefix
        if count > MAX_TOKENS:
            raise ExpressionError(f"more than {MAX_TOKENS} words and signs")
        if depth > MAX_DEPTH:
            raise ExpressionError(f"column {match.start() + 1}: nested deeper than {MAX_DEPTH}")
    if prefix > MAX_TOKENS // 2:
        raise ExpressionError(f"more than {MAX_TOKENS // 2} signs")


class _Checker:
    """Checks each node and its type, and rewrites inputs and numbers."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self._types = types
        self.inputs: set[str] = set()
        self.needed: set[str] = set()

    def visit(self, node: ast.expr, depth: int) -> tuple[ast.expr, str]:
        """Return the node to compile, and its type."""
        if depth > 2 * MAX_DEPTH:
            raise self._error(node, f"nested deeper than {2 * MAX_DEPTH}")
        visitor = _VISITORS.get(type(node))
        if visitor is None:
            raise self._error(node, f"{type(node).__name__} is not allowed")
        return visitor(self, node, depth + 1)

    def _error(self, node: ast.expr, message: str) -> ExpressionError:
        return ExpressionError(f"column {getattr(node, 'col_offset', 0) + 1}: {message}")

    def _of_type(self, node: ast.expr, depth: int, wanted: str) -> ast.expr:
        made, kind = self.visit(node, depth)
        if kind != wanted:
            hint = ": compare it, as in X == 1" if (wanted, kind) == (BOOL, NUMBER) else ""
            raise self._error(node, f"expected {_WORDS[wanted]}, found {_WORDS[kind]}{hint}")
        return made

    def constant(self, node: ast.Constant, depth: int) -> tuple[ast.expr, str]:
        value = node.value
        if isinstance(value, bool):
            return node, BOOL
        if isinstance(value, int | float):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if not math.isfinite(number):
                raise self._error(node, "the number is too large")
            return ast.Constant(number), NUMBER
        if isinstance(value, str):
            return node, TEXT
        raise self._error(node, "expected a number, a text, true or false")

    def name(self, node: ast.Name, depth: int) -> tuple[ast.expr, str]:
        if node.id in _TRUTHS:
            return ast.Constant(_TRUTHS[node.id]), BOOL
        return self._input(node, node.id)

    def _input(self, node: ast.expr, codifier: str) -> tuple[ast.expr, str]:
        kind = self._known(node, codifier)
        self.needed.add(codifier)
        return ast.Name(codifier, ast.Load()), kind

    def _known(self, node: ast.expr, codifier: str) -> str:
        kind = self._types.get(codifier)
        if kind is None:
            what = "is not in Sensors" if is_codifier(codifier) else "is no codifier or function"
            raise self._error(node, f"{codifier} {what}")
        self.inputs.add(codifier)
        return kind

    def unary(self, node: ast.UnaryOp, depth: int) -> tuple[ast.expr, str]:
        if isinstance(node.op, ast.Not):
            return ast.UnaryOp(node.op, self._of_type(node.operand, depth, BOOL)), BOOL
        if not isinstance(node.op, ast.USub | ast.UAdd):
            raise self._error(node, "expected -, + or not")
        return ast.UnaryOp(node.op, self._of_type(node.operand, depth, NUMBER)), NUMBER

    def binary(self, node: ast.BinOp, depth: int) -> tuple[ast.expr, str]:
        if not isinstance(node.op, _OPERATORS):
            raise self._error(node, "expected one of + - * / **")
        left = self._of_type(node.left, depth, NUMBER)
        right = self._of_type(node.right, depth, NUMBER)
        if isinstance(node.op, ast.Pow):  # a power of floats may be complex; math.pow refuses it
            return ast.Call(ast.Name("_pow", ast.Load()), [left, right], []), NUMBER
        return ast.BinOp(left, node.op, right), NUMBER

    def logic(self, node: ast.BoolOp, depth: int) -> tuple[ast.expr, str]:
        return ast.BoolOp(node.op, [self._of_type(v, depth, BOOL) for v in node.values]), BOOL

    def comparison(self, node: ast.Compare, depth: int) -> tuple[ast.expr, str]:
        left, kind = self.visit(node.left, depth)
        for operator in node.ops:
            if not isinstance(operator, _COMPARISONS):
                raise self._error(node, "expected one of < <= > >= == !=")
            if kind != NUMBER and not isinstance(operator, ast.Eq | ast.NotEq):
                raise self._error(node, f"{_WORDS[kind]} has only == and !=")
        others = [self._of_type(each, depth, kind) for each in node.comparators]
        return ast.Compare(left, node.ops, others), BOOL

    def choice(self, node: ast.IfExp, depth: int) -> tuple[ast.expr, str]:
        test = self._of_type(node.test, depth, BOOL)
        body, kind = self.visit(node.body, depth)
        return ast.IfExp(test, body, self._of_type(node.orelse, depth, kind)), kind

    def call(self, node: ast.Call, depth: int) -> tuple[ast.expr, str]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if node.keywords or (name not in NUMERIC and name not in OF_INPUT):
            functions = " ".join([*NUMERIC, *OF_INPUT])
            raise self._error(node, f"{name or 'this'} is no function; there are {functions}")
        if name in OF_INPUT:
            return self._about(node, name)
        signature = NUMERIC[name]
        if not signature.least <= len(node.args) <= signature.most:
            raise self._error(node, f"{name} takes {signature.least} to {signature.most} numbers")
        arguments = [self._of_type(each, depth, NUMBER) for each in node.args]
        return ast.Call(ast.Name(f"_{name}", ast.Load()), arguments, []), NUMBER

    def _about(self, node: ast.Call, name: str) -> tuple[ast.expr, str]:
        """Check a function of an input: its argument is a codifier, not a value."""
        (argument,) = node.args if len(node.args) == 1 else (node,)
        if isinstance(argument, ast.Name):
            codifier = argument.id
        elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            codifier = argument.value
        else:
            raise self._error(node, f'{name} takes one codifier, as in {name}(A4) or {name}("21")')
        if name == "value":
            return self._input(node, codifier)
        kind = self._known(node, codifier)
        made = ast.Call(ast.Name(f"_{name}", ast.Load()), [ast.Constant(codifier)], [])
        return made, OF_INPUT[name] or kind


_VISITORS: Final[Mapping[type, Callable[..., tuple[ast.expr, str]]]] = {
    ast.Constant: _Checker.constant,
    ast.Name: _Checker.name,
    ast.UnaryOp: _Checker.unary,
    ast.BinOp: _Checker.binary,
    ast.BoolOp: _Checker.logic,
    ast.Compare: _Checker.comparison,
    ast.IfExp: _Checker.choice,
    ast.Call: _Checker.call,
}


def type_of(data_type: str) -> str:
    """Return the type in the language of a codifier's `DataType`."""
    return {"bool": BOOL, "string": TEXT, "text": TEXT, "json": NUMBER}.get(data_type, NUMBER)


def evaluate(expression: Expression, values: dict[str, Any]) -> float | bool | str:
    """Return the value of an expression; `values` are the functions and the inputs that count.

    Raises:
        NoResultError: an input has no value, or the arithmetic has no finite result.
    """
    try:
        result = eval(expression.code, values)
    except NameError as error:
        raise NoResultError(f"{error.name} has no value") from None
    except NoResultError:
        raise
    except (ArithmeticError, ValueError) as error:
        raise NoResultError(str(error)) from None
    if type(result) is float and not isfinite(result):
        raise NoResultError("the result is no finite number")
    return result  # type: ignore[no-any-return]


_RESULT_OF_POW: Final = math.pow
FUNCTIONS: Final[dict[str, Any]] = {
    "__builtins__": {},
    "_pow": _RESULT_OF_POW,
    **{f"_{name}": signature.function for name, signature in NUMERIC.items()},
}
"""What every expression may call, by the name in its code."""
