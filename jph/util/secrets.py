"""Secrets: texts that no message, log line or traceback shows."""

from typing import Final

HIDDEN: Final = "…"
_SHORTEST: Final = 3
"""A shorter secret would hide parts of ordinary words."""

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
    from urllib.parse import quote, unquote  # most configurations hold no secret

    for form in (secret, quote(secret, safe=""), quote(secret), unquote(secret)):
        if len(form) >= _SHORTEST:
            _known.add(form)


def scrub(text: str) -> str:
    """Return a text with `…` for every secret in it."""
    for secret in sorted(_known, key=len, reverse=True):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text
