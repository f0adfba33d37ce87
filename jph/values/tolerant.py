"""Reads the JSON that small boards send: bare nan and inf, trailing commas, a BOM. Pure.

What cannot be read is an `Unknown` in its place, so that one bad field does not lose the others.
An unknown is never a number.
"""

import json
import math
import re
from json.decoder import scanstring  # type: ignore[attr-defined]  # typeshed leaves it out
from typing import Any, Final

MAX_CHARS: Final = 1_000_000
MAX_DEPTH: Final = 64
_BLANK: Final = re.compile(r"[ \t\r\n]*")
_BARE: Final = re.compile(r"[^,\[\]{}\"\s:][^,\[\]{}\"\r\n]*")
_HEX: Final = re.compile(r"[+-]?0[xX][0-9a-fA-F]{1,15}")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_WORDS: Final = {"true": True, "True": True, "false": False, "False": False, "null": None}


class Unknown:
    """A value that a device could not give; `text` is what it wrote instead."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"Unknown({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unknown) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def loads(document: bytes | str) -> Any:  # noqa: ANN401
    """Return the objects of a JSON document, with `Unknown` where a value cannot be read.

    Raises:
        ValueError: it is too long or too deep, it ends early, or it is no JSON at all.
    """
    text = document if isinstance(document, str) else document.decode("utf-8", "replace")
    text = text.removeprefix("\ufeff").strip(" \t\r\n\0")
    if len(text) > MAX_CHARS:
        raise ValueError(f"{len(text)} characters of JSON, expected up to {MAX_CHARS}")
    if not text:
        raise ValueError("an empty answer")
    _check_depth(text)
    try:
        return json.loads(text, parse_constant=Unknown, parse_float=_real, parse_int=_whole)
    except (ValueError, RecursionError):
        reader = _Reader(text)
        return reader.whole()


def _check_depth(text: str) -> None:
    """Refuse nesting that no board sends, before a parser recurses into it."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    in_text = escaped = False
    for character in text:
        if in_text:
            in_text = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_text = True
        elif character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError(f"JSON nested deeper than {MAX_DEPTH}")
        elif character in "]}":
            depth -= 1


def _whole(digits: str) -> int | Unknown:
    return int(digits) if len(digits) <= 19 else Unknown(digits[:40])


def _real(digits: str) -> float | Unknown:
    number = float(digits)
    return number if math.isfinite(number) else Unknown(digits[:40])


class _Reader:
    """Reads one document; used when the strict parser refuses it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def whole(self) -> Any:  # noqa: ANN401
        """Return the value, which must be all that is there, and must not be a single bare word."""
        value = self._value()
        if self._peek():
            raise ValueError(f"no JSON: {self._text[self._at : self._at + 40]!r} behind its end")
        if isinstance(value, Unknown):
            raise ValueError(f"no JSON: {value.text[:60]!r}")
        return value

    def _peek(self) -> str:
        match = _BLANK.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return self._text[self._at : self._at + 1]

    def _value(self) -> Any:  # noqa: ANN401
        first = self._peek()
        if first == "{":
            return self._object()
        if first == "[":
            return self._list()
        if first == '"':
            return self._string()
        match = _BARE.match(self._text, self._at)
        if match is None:
            if first in ",]}":  # nothing where a value belongs
                return Unknown("")
            raise ValueError(f"no JSON at character {self._at}: {first!r}")
        self._at = match.end()
        return _bare(match.group().strip())

    def _string(self) -> str:
        try:
            text, self._at = scanstring(self._text, self._at + 1, False)
        except ValueError as error:
            raise ValueError(f"a text without an end: {error}") from None
        return str(text)

    def _object(self) -> dict[str, Any]:
        self._at += 1
        found: dict[str, Any] = {}
        while (first := self._peek()) != "}":
            if first == ",":
                self._at += 1
                continue
            if first != '"':
                raise ValueError(f"expected a key in quotes at character {self._at}")
            key = self._string()
            if self._peek() != ":":
                raise ValueError(f"expected a colon at character {self._at}")
            self._at += 1
            found[key] = self._value()
            self._separate("}")
        self._at += 1
        return found

    def _list(self) -> list[Any]:
        self._at += 1
        found: list[Any] = []
        while (first := self._peek()) != "]":
            if first == ",":  # an empty place keeps the others where they are
                found.append(Unknown(""))
                self._at += 1
                continue
            found.append(self._value())
            self._separate("]")
        self._at += 1
        return found

    def _separate(self, end: str) -> None:
        """Take the comma behind an entry, or stay before the end."""
        if (found := self._peek()) == ",":
            self._at += 1
        elif found != end:
            raise ValueError(f"expected a comma at character {self._at}, found {found!r}")


def _bare(word: str) -> Any:  # noqa: ANN401
    if word in _WORDS:
        return _WORDS[word]
    if _HEX.fullmatch(word):
        return int(word, 16)
    if _NUMBER.fullmatch(word):
        return _real(word) if any(c in word for c in ".eE") else _whole(word)
    return Unknown(word[:40])
