"""The text of a signed config: keys replaced without touching the rest, and signatures. Pure.

The signature file has one signature a line; one good line is enough. While a config is replaced
the file holds the signature of the old and of the new one, so a power cut leaves a good pair.
"""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from jph.errors import SealError
from jph.seal.roster import Roster

if TYPE_CHECKING:
    from jph.seal.identity import HouseKey

_PREFIX: Final = "jph1 "
_CONTEXT: Final = b"jph signed config\0"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_MEMBER_LINES: Final = re.compile(r'(?<=[{,])(?="[^"]+":\{"Sign")|(?<=\})(?=\}\}$)')


def signature_line(house: "HouseKey", document: bytes) -> bytes:
    """Return the line of the signature file for a document."""
    return f"{_PREFIX}{base64.b64encode(house.sign(_CONTEXT + document)).decode()}\n".encode()


def is_signed(document: bytes, signature: bytes, house: bytes) -> bool:
    """Whether one line of a signature file is the house's signature of these very bytes."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    key = Ed25519PublicKey.from_public_bytes(house)
    for line in signature[:4096].decode(errors="replace").splitlines():
        if line.startswith(_PREFIX):
            try:
                key.verify(base64.b64decode(line.removeprefix(_PREFIX)), _CONTEXT + document)
            except (InvalidSignature, ValueError):
                continue
            return True
    return False


class _Head(msgspec.Struct):
    roster: Roster | None = msgspec.field(default=None, name="Roster")


def roster_in(document: bytes) -> Roster | None:
    """Return the roster of a config, None if it has none.

    Raises:
        SealError: it cannot be read.
    """
    try:
        return msgspec.json.decode(document, type=_Head).roster
    except (msgspec.DecodeError, RecursionError) as error:
        raise SealError(f"the Roster of the config cannot be read: {error}") from error


def with_keys(document: bytes, values: Mapping[str, Any]) -> bytes:
    """Return a JSON object with these keys set, or removed where the value is None.

    Everything else stays as it is written. The result is UTF-8.

    Raises:
        SealError: the document is no JSON object.
    """
    encoding = json.detect_encoding(document)
    text = document.decode(encoding)
    try:
        spans = {key: (start, end) for key, start, end in _entries(text)}
    except (ValueError, IndexError) as error:
        raise SealError(f"the config is no JSON object: {error}") from error
    for key, value in sorted(values.items(), key=lambda item: -spans.get(item[0], (0, 0))[0]):
        if key in spans:
            start, end = spans[key]
            if value is None:
                text = _without(text, start, end)
            else:
                text = f"{text[:start]}{json.dumps(key)}: {_shown(value)}{text[end:]}"
    for key, value in values.items():
        if key not in spans and value is not None:
            close = text.rindex("}")
            body = text[:close].rstrip()
            comma = "" if body.endswith("{") else ","
            text = f"{body}{comma}\n  {json.dumps(key)}: {_shown(value)}\n{text[close:]}"
    return text.encode()


def _entries(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each key of the outermost object with start and end of its entry."""
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    if text[at] != "{":
        raise ValueError("it does not begin with {")
    at = _skip(text, at + 1)
    while text[at] != "}":
        start = at
        key, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        if text[at] != ":":
            raise ValueError(f"no colon after {key!r}")
        _, at = decoder.raw_decode(text, _skip(text, at + 1))
        yield key, start, at
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _without(text: str, start: int, end: int) -> str:
    """Remove an entry with the comma after it, or before it if it is the last."""
    after = _skip(text, end)
    if text[after] == ",":
        return text[:start] + text[_skip(text, after + 1) :]
    return text[:start].rstrip().removesuffix(",") + text[end:]


def _shown(value: Any) -> str:  # noqa: ANN401
    """Return JSON of a value: a roster with a line for each member."""
    if not isinstance(value, Roster):
        return msgspec.json.encode(value).decode()
    compact = msgspec.json.encode(value).decode()
    return _MEMBER_LINES.sub("\n    ", compact)
