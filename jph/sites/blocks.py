"""Blocks of readings: the path of sites they took, then their messages. Pure."""

import struct
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from jph.errors import DecodeError
from jph.retransmit.messages import unpack_readings
from jph.sites.settings import Export
from jph.wire.codec import Reading, decode_data, encode_data


class Content(StrEnum):
    """What a block holds, and the last word of its subject."""

    DATA = "data"
    GAPS = "gaps"
    CONFIG = "config"


_LENGTH: Final = struct.Struct("<H")
_MOST_SITES: Final = 16


def stream_of(site: str, *, hub: bool = False) -> str:
    """Return the name of a site's stream: for other sites, or for the hub."""
    return f"{_prefix(hub=hub)}_{site}"


def subject_of(site: str, content: str, *, hub: bool = False) -> str:
    """Return the subject of a site's blocks; with `>` all of them."""
    return f"{_prefix(hub=hub)}.{site}.{content}"


def _prefix(*, hub: bool) -> str:
    return "jphhub" if hub else "jph"


def encode_block(path: Sequence[str], readings: Iterable[Reading]) -> bytes:
    """Return a block; the last site of the path is the one that sends it."""
    text = ",".join(path).encode()
    return _LENGTH.pack(len(text)) + text + b"".join(map(encode_data, readings))


def decode_block(block: bytes) -> tuple[tuple[str, ...], list[Reading]]:
    """Return path and readings of a block.

    Raises:
        DecodeError: it is none.
    """
    if len(block) < _LENGTH.size:
        raise DecodeError("block", "a block without a path")
    (length,) = _LENGTH.unpack_from(block)
    text, body = block[_LENGTH.size : _LENGTH.size + length], block[_LENGTH.size + length :]
    try:
        path = tuple(text.decode("ascii").split(","))
    except UnicodeDecodeError as error:
        raise DecodeError("block", "a path that is not ASCII") from error
    if len(path) > _MOST_SITES or not all(path):
        raise DecodeError("block", f"a path of {len(path)} sites")
    return path, [decode_data(datagram) for datagram in unpack_readings(body)]


class Chooser:
    """Chooses the readings that leave: only those of listed codifiers, not too many."""

    def __init__(
        self, exports: Iterable[Export], imported: Iterable[str], every: Iterable[str] = ()
    ) -> None:
        """Take the rules; `every` are codifiers that all leave, for a hub."""
        inside = set(imported)
        exports = [*(Export(codifier=code) for code in every), *exports]
        self._rules: Mapping[str, Export] = {
            rule.codifier: rule for rule in exports if rule.transit or rule.codifier not in inside
        }
        self._last_ms: dict[str, int] = {}

    @property
    def sampled(self) -> list[str]:
        """Codifiers of which not every reading leaves."""
        return sorted(code for code, rule in self._rules.items() if rule.every)

    def lists(self, source: str) -> bool:
        """Say whether readings of a codifier may leave."""
        return source in self._rules

    def leaves(self, reading: Reading) -> bool:
        """Say whether a reading of a listed codifier leaves now."""
        rule = self._rules[reading.source]
        if rule.every:
            last_ms = self._last_ms.get(reading.source, -(10**12))
            # A clock that was stepped back does not end the export.
            if 0 <= reading.timestamp_ms - last_ms < 1000 * rule.every - 50:
                return False
            self._last_ms[reading.source] = reading.timestamp_ms
        return True
