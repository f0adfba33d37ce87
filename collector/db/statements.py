"""Splits SQL text into single statements. Pure."""

import re
from collections.abc import Iterator
from typing import Final

_TOKEN: Final = re.compile(
    r"""--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<tag>\$\w*\$).*?(?P=tag)|;|[^-/'"$;]+|.""",
    re.DOTALL,
)
"""Comment, text, quoted name, dollar-quoted body, end of a statement, anything else."""
_COMMENTS: Final = re.compile(r"(?:\s|--[^\n]*|/\*.*?\*/)*", re.DOTALL)


def split(text: str) -> Iterator[str]:
    """Yield the statements of `text` without their semicolons, each with the comments before it."""
    parts: list[str] = []
    for token in _TOKEN.finditer(text):
        if token[0] == ";":
            yield "".join(parts).strip()
            parts = []
        else:
            parts.append(token[0])
    rest = "".join(parts).strip()
    if not _COMMENTS.fullmatch(rest):
        yield rest
