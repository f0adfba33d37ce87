"""Lines of a stream that arrives in pieces. Pure."""

from typing import Final

MAX_LINE: Final = 65_536


class Lines:
    """Splits bytes into lines; bounded: a longer line is dropped up to its end."""

    def __init__(self, most: int = MAX_LINE) -> None:
        self._most = most
        self._rest = b""
        self._dropping = False
        self.dropped = 0

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines completed by `chunk` that are not blank."""
        *whole, rest = (self._rest + chunk).split(b"\n")
        if whole and self._dropping:
            whole.pop(0)
            self._dropping = False
        if len(rest) > self._most:
            rest = b""
            self._dropping = True
            self.dropped += 1
        self._rest = b"" if self._dropping else rest
        found = []
        for line in whole:
            if len(line) > self._most:
                self.dropped += 1
            elif text := line.decode("utf-8", "replace").strip(" \t\r\0"):
                found.append(text)
        return found
