"""Secrets: texts that no message, log line or traceback shows."""

import re
import sys
import threading
import traceback
from types import TracebackType
from typing import Final

HIDDEN: Final = "…"
_SHORTEST: Final = 3
"""A shorter secret would hide parts of ordinary words."""

_WORDS: Final = "password|passwd|passwort|passphrase|pwd|pass|secret|token|apikey|api_key|auth"
_NAMES: Final = re.compile(_WORDS, re.IGNORECASE)
_IN_QUERY: Final = re.compile(rf"[?&;](?:{_WORDS})=([^&;#\s]+)", re.IGNORECASE)
_PATH_STARTS: Final = ("/", "~", "$", "./", "../")

_known: set[str] = set()


class Secret:
    """A text that is shown as `…`; `reveal` returns it.

    Every secret is remembered, so that `scrub` removes it from what other libraries print.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        remember(text)

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._text == getattr(other, "_text", None)

    def __hash__(self) -> int:
        return hash(self._text)


class SecretUrl(Secret):
    """A URL whose password is shown as `…`."""

    def __init__(self, url: str) -> None:
        self._text = url
        remember(password_of(url))

    def __repr__(self) -> str:
        return hide_password(self._text)


def password_of(url: str) -> str:
    """Return the password of a URL as it is written there, empty if it has none.

    The last `@` ends it: people write passwords with `#`, `/` and `@` without encoding them.
    """
    start, end = _span(url)
    return url[start:end]


def hide_password(url: str) -> str:
    """Return a URL with `…` for its password."""
    start, end = _span(url)
    return f"{url[:start]}{HIDDEN}{url[end:]}" if end > start else url


def _span(url: str) -> tuple[int, int]:
    """Return start and end of the password in a URL; equal if there is none."""
    begin = url.find("://") + 3 if "://" in url else 0
    end = url.rfind("@")
    if end < begin or url[begin : begin + 1] == "/":
        return 0, 0
    colon = url.find(":", begin, end)
    return (colon + 1, end) if colon >= 0 else (0, 0)


def remember(secret: str) -> None:
    """Let `scrub` remove this text, and its forms in a URL, from now on."""
    if not secret:
        return
    import json  # most configurations hold no secret
    from urllib.parse import quote, quote_plus, unquote

    plain = {secret, unquote(secret)}
    for text in tuple(plain):
        plain |= {quote(text, safe=""), quote(text), quote_plus(text)}
    for text in tuple(plain):
        escaped = {text, repr(text)[1:-1], text.replace("\\", "\\\\").replace("'", "\\'")}
        escaped |= {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
        _known.update(form for form in escaped if len(form) >= _SHORTEST)


def remember_in(tree: object, key: str = "") -> None:
    """Remember every secret of a configuration, whichever settings hold it.

    That is the password in a URL, a value of its query with a name as `password`, and a text under
    such a key that is no path of a file.
    """
    if isinstance(tree, dict):
        for name, value in tree.items():
            remember_in(value, str(name))
    elif isinstance(tree, list):
        for value in tree:
            remember_in(value, key)
    elif isinstance(tree, str):
        if "://" in tree:
            remember(password_of(tree))
            for match in _IN_QUERY.finditer(tree):
                remember(match[1])
        elif _NAMES.fullmatch(key) and not tree.startswith(_PATH_STARTS):
            remember(tree)


def is_secret_name(key: str) -> bool:
    """Whether a key of a configuration is a name of secrets, as `Password` or `ApiToken`."""
    return _NAMES.search(key) is not None or key.lower().endswith("key")


def print_without_secrets() -> None:
    """Let Python scrub the tracebacks that it prints when a program or a thread crashes."""
    sys.excepthook = _print_exception
    threading.excepthook = lambda crash: _print_exception(
        crash.exc_type, crash.exc_value, crash.exc_traceback
    )


def _print_exception(
    kind: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    if sys.stderr is not None and not issubclass(kind, SystemExit):
        sys.stderr.write(scrub("".join(traceback.format_exception(kind, error, trace))))


def scrub(text: str) -> str:
    """Return a text with `…` for every secret in it."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text
