"""The language of the code: module docstrings name their subject, and some words stay away.

docs/glossary.md explains the choice of words.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import REPOSITORY

OPENING = re.compile(
    r"(what(ever)?|who(se|m|ever)?|where|when|which|how|why|so that|whether|if|that)\b", re.I
)
"""A module docstring starts with a noun phrase or a verb instead."""
BANNED = re.compile(
    r"\b(told|whoever|whomever|nobody|somebody|everybody|dawdl\w*|bid(s|den)?|"
    r"thereby|wherein|whereby|therein|hitherto|is to be had)\b",
    re.I,
)
"""Archaic, or a person where a program is meant; docs/glossary.md names the replacements."""
ACCOUNT = re.compile(r'"nobody"|user nobody')
"""The Unix account of that name."""
FOLDERS = ("jph", "nodes", "collector", "bench", "examples", "tests")
PYTHON = [
    REPOSITORY / "control.py",
    *sorted(path for name in FOLDERS for path in (REPOSITORY / name).rglob("*.py")),
]
OTHERS = sorted(
    path
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "Makefile",
        "setup.cfg",
        "ruff.toml",
        "deploy/*",
        "jph/gateway/templates/**/*.html",
        "jph/gateway/static/**/*.js",
        "jph/gateway/static/**/*.css",
        "jph/gateway/words/**/*.json",
        "collector/**/*.sql",
        "examples/**/*.toml",
        "static/**/*.json",
    )
    for path in REPOSITORY.glob(pattern)
    if path.is_file()
)
ALLOWED = {
    Path(__file__),
    REPOSITORY / "docs" / "glossary.md",  # lists the words
}


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each comment and string of a Python file."""
    source = path.read_bytes()
    for token in tokenize.tokenize(io.BytesIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING) or token.type in FSTRING:
            yield token.start[0], token.string


FSTRING = {getattr(tokenize, name) for name in ("FSTRING_MIDDLE",) if hasattr(tokenize, name)}


def found(path: Path) -> list[str]:
    """Return `file:line: word` of each word that should not be there."""
    if path in ALLOWED:
        return []
    pieces = (
        texts(path)
        if path.suffix == ".py"
        else enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    )
    name = path.relative_to(REPOSITORY)
    return [
        f"{name}:{line + text.count(chr(10), 0, word.start())}: {word[0]}"
        for line, text in pieces
        for word in BANNED.finditer(ACCOUNT.sub("", text))
    ]


def folder(path: Path) -> str:
    """Return the folder of the first two levels that a file is in."""
    parts = path.relative_to(REPOSITORY).parts[:-1]
    return "/".join(parts[:2])


@pytest.mark.parametrize("place", sorted({folder(path) for path in PYTHON + OTHERS}))
def test_words_that_stay_away(place: str) -> None:
    wrong = [each for p in PYTHON + OTHERS if folder(p) == place for each in found(p)]
    assert wrong == [], "\n".join(wrong)


def test_module_docstrings_name_their_subject() -> None:
    wrong = []
    for path in PYTHON:
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if OPENING.match(docstring):
            wrong.append(f"{path.relative_to(REPOSITORY)}: {docstring.splitlines()[0]}")
    assert wrong == [], "\n".join(wrong)
