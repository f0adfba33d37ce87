"""Telegrams of the P1 port of smart meters (DSMR, ESMR): framing, CRC-16, OBIS codes. Pure."""

import re
from typing import Final

from jph.util.crc16 import crc16

MAX_TELEGRAM: Final = 32_768
_OBJECT: Final = re.compile(r"([0-9]+-[0-9]+:[0-9]+\.[0-9]+\.[0-9]+)((?:\([^()\r\n]{0,2048}\))+)")
_GROUP: Final = re.compile(r"\(([^()]*)\)")


class TelegramReader:
    """Finds telegrams in a stream; `bad` counts those whose CRC is wrong.

    A telegram of an old meter has no CRC; after one with a CRC each must have one.
    """

    def __init__(self) -> None:
        self._buffer = b""
        self._checked = False
        self.bad = 0

    def feed(self, chunk: bytes) -> list[dict[str, str]]:
        """Return the objects of each whole telegram: OBIS code → value without its unit."""
        self._buffer += chunk
        found: list[dict[str, str]] = []
        while True:
            start = self._buffer.find(b"/")
            if start < 0:
                self._buffer = b""
                return found
            end = self._buffer.find(b"!", start)
            line_end = self._buffer.find(b"\n", end) if end >= 0 else -1
            if line_end < 0:
                self._buffer = self._buffer[start:]
                if len(self._buffer) > MAX_TELEGRAM:
                    self._buffer = b""
                    self.bad += 1
                return found
            body, tail = self._buffer[start : end + 1], self._buffer[end + 1 : line_end]
            if (again := body.rfind(b"\n/")) >= 0:  # a cut telegram before this one
                body = body[again + 1 :]
            self._buffer = self._buffer[line_end + 1 :]
            if self._is_good(body, tail.strip()):
                found.append(read_objects(body.decode("ascii", "replace")))
            else:
                self.bad += 1

    def _is_good(self, body: bytes, check: bytes) -> bool:
        if len(body) > MAX_TELEGRAM:
            return False
        if not check:
            return not self._checked
        if not re.fullmatch(rb"[0-9A-Fa-f]{4}", check) or int(check, 16) != crc16(body):
            return False
        self._checked = True
        return True


def read_objects(telegram: str) -> dict[str, str]:
    """Return OBIS code → value; of several groups the last one, a meter's reading behind its time.

    The time of such a reading is under the code with `@time` behind it.
    """
    found = {}
    for code, groups in _OBJECT.findall(telegram):
        values = _GROUP.findall(groups)
        found[code] = values[-1].partition("*")[0]
        if len(values) == 2:
            found[f"{code}@time"] = values[0]
    return found
