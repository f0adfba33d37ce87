"""Edits of a node's document: JSON in a unicast message with the control flag `W`. Pure.

The payload is that of a text: u32 length, then a JSON object with the keys `id`, `verb`, `params`
and `author`. An edit travels by unicast only: programs of the original network end at a control
payload that is not 9 bytes.
"""

import json
import struct
from typing import Any, Final, NamedTuple

from jph.errors import DecodeError, EncodeError
from jph.wire.codec import VERSION, Control, join, split

EDIT: Final = "W"
LARGEST: Final = 60_000
"""Bytes of JSON in one edit; a datagram carries 65,507."""
_LENGTH: Final = struct.Struct("<I")
_FLAG_OFFSET: Final = 16
_LONGEST_ID: Final = 64
_LONGEST_AUTHOR: Final = 100


class DocumentEdit(NamedTuple):
    """An edit of the document of the node `to`.

    Attributes:
        request: a random text; a repeated one is answered and not done again.
        verb: what to do; `params` is JSON.
        author: the user, page, console or app.
    """

    epoch: int
    timestamp_ms: int
    source: str
    to: str
    request: str
    verb: str
    params: Any
    author: str = ""


def is_edit(datagram: bytes | memoryview) -> bool:
    """Say whether a unicast message is an edit."""
    return len(datagram) > _FLAG_OFFSET and datagram[_FLAG_OFFSET] == ord(EDIT)


def encode_edit(edit: DocumentEdit) -> bytes:
    """Write an edit.

    Raises:
        EncodeError: it is too large, or a field does not fit the wire.
    """
    content = {
        "id": edit.request,
        "verb": edit.verb,
        "params": edit.params,
        "author": edit.author,
    }
    try:
        text = json.dumps(content, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise EncodeError(f"an edit that is no JSON: {error}") from error
    if len(text) > LARGEST:
        raise EncodeError(f"an edit of {len(text)} bytes; at most {LARGEST} can travel")
    header = Control(0, edit.epoch, edit.timestamp_ms, EDIT, edit.source, edit.to, VERSION, 0, True)
    return join(header, 0, _LENGTH.pack(len(text)) + text)


def decode_edit(datagram: bytes | memoryview) -> DocumentEdit:
    """Read an edit.

    Raises:
        DecodeError: it is none.
    """
    _, epoch, timestamp_ms, flag, source, to, _, _, payload = split(datagram)
    if flag != EDIT:
        raise DecodeError("flag", f"flag {flag!r}: no edit")
    if not _LENGTH.size < len(payload) <= _LENGTH.size + LARGEST:
        raise DecodeError("length", f"an edit of {len(payload)} bytes")
    if _LENGTH.unpack_from(payload)[0] != len(payload) - _LENGTH.size:
        raise DecodeError("length", "an edit of another length than it says")
    try:
        content = json.loads(bytes(payload[_LENGTH.size :]))
    except (ValueError, RecursionError) as error:
        raise DecodeError("text", f"an edit that is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise DecodeError("text", "an edit that is no JSON object")
    request, verb, author = (content.get(name, "") for name in ("id", "verb", "author"))
    if not all(isinstance(each, str) for each in (request, verb, author)):
        raise DecodeError("text", "an edit whose id, verb or author is no text")
    if not 0 < len(request) <= _LONGEST_ID or len(author) > _LONGEST_AUTHOR:
        raise DecodeError("text", "an edit whose id or author is missing or too long")
    params = content.get("params")
    return DocumentEdit(epoch, timestamp_ms, source, to, request, verb, params, author)
