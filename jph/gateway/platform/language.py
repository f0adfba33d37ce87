"""The languages of the pages. The English text is the key; `words/xx/*.json` say it otherwise."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_WORDS: Final = Path(__file__).parent.parent / "words"
COMMON: Final = "shell"
"""The words that every page's script may need are in the file of this name."""


class Language:
    """One language.

    Attributes:
        code: as in `<html lang>`.
        name: as its speakers call it.
    """

    def __init__(self, code: str, name: str, files: Mapping[str, Mapping[str, str]]) -> None:
        self.code = code
        self.name = name
        self._files = files
        self._words = {text: word for words in files.values() for text, word in words.items()}

    def say(self, text: str, **values: object) -> str:
        """Return a text in this language, with `{name}` replaced by the value of that name."""
        return filled(self._words.get(text, text), values)

    def words_of(self, page: str) -> dict[str, str]:
        """Return what the scripts of a page need to say things in this language."""
        return {**self._files.get(COMMON, {}), **self._files.get(page, {})}


def filled(text: str, values: Mapping[str, object]) -> str:
    """Replace each `{name}`; what has no value stays as it is. Values are never looked into."""
    parts = text.split("{")
    for at, part in enumerate(parts[1:], start=1):
        name, brace, rest = part.partition("}")
        known = brace and name in values
        parts[at] = f"{values[name]}{rest}" if known else "{" + part
    return "".join(parts)


def load(code: str, name: str) -> Language:
    """Read the words of a language; English needs none."""
    files = sorted((_WORDS / code).glob("*.json"))
    return Language(code, name, {f.stem: json.loads(f.read_text(encoding="utf-8")) for f in files})


LANGUAGES: Final = {"en": load("en", "English"), "fr": load("fr", "Français")}
ENGLISH: Final = LANGUAGES["en"]


def chosen(cookie: str | None, accepted: str) -> Language:
    """Return the language of the cookie, else the first of `Accept-Language` that there is."""
    if cookie in LANGUAGES:
        return LANGUAGES[cookie]
    return next((LANGUAGES[code] for code in wanted(accepted) if code in LANGUAGES), ENGLISH)


def wanted(accepted: str) -> list[str]:
    """Return the languages of an `Accept-Language`, the dearest first."""
    found: list[tuple[float, str]] = []
    for part in accepted.split(",")[:20]:
        tag, _, more = part.partition(";")
        try:
            weight = float(more.partition("=")[2]) if more.strip() else 1.0
        except ValueError:
            continue
        if weight > 0:
            found.append((weight, tag.strip().partition("-")[0].lower()))
    return [code for _, code in sorted(found, key=lambda each: -each[0])]


def of(request: Any) -> Language:  # noqa: ANN401 - any of Litestar's connections
    """Return the language of who asks."""
    return chosen(request.cookies.get("lang"), request.headers.get("accept-language", ""))
