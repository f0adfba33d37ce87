"""Trusted starts of senders: their keys, clocks and replay windows. Pure."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from jph.seal.frame import Bus
from jph.seal.keyring import StartCiphers
from jph.seal.opening.window import Window

Key = tuple[str, int]
"""A member and its epoch."""
HELLOS: Final = -1
"""The listener whose windows are those of hellos."""
_MOST_STARTS: Final = 512
_BUSES: Final = max(Bus) + 1


class TrustedStart:
    """A trusted start of a sender.

    Attributes:
        floors: the counters that came next when it was trusted, by bus.
        earliest_ms, offset_ms: bounds of the moment at which its clock began.
        synced_ms: when it last answered a number of ours.
    """

    __slots__ = ("_windows", "ciphers", "earliest_ms", "floors", "offset_ms", "salt", "synced_ms")

    def __init__(
        self,
        key: Key,
        salt: bytes,
        floors: Sequence[int],
        earliest_ms: int,
        offset_ms: int,
        now_ms: int,
    ) -> None:
        self.salt = salt
        self.ciphers = StartCiphers(*key, salt)
        self.floors = [0, *floors]
        self.earliest_ms, self.offset_ms = earliest_ms, offset_ms
        self.synced_ms = now_ms
        self._windows: dict[int, Window] = {}

    def window(self, listener: int, bus: Bus) -> Window:
        """Return the window of a listener on a bus."""
        window = self._windows.get(listener * _BUSES + bus)
        if window is None:
            window = self._windows[listener * _BUSES + bus] = Window(self.floors[bus])
        return window

    def forget_listener(self, listener: int) -> None:
        """Forget the windows of a listener."""
        for bus in Bus:
            self._windows.pop(listener * _BUSES + bus, None)


class TrustedStarts:
    """The trusted starts that one start of a member knows; the oldest goes first.

    Attributes:
        own: this start itself; began_ms: when it began.
    """

    def __init__(self) -> None:
        self.own: Key | None = None
        self.began_ms = 0
        self._starts: OrderedDict[Key, TrustedStart] = OrderedDict()
        self.get = self._starts.get

    def __contains__(self, key: Key) -> bool:
        return key in self._starts

    def add_own(self, key: Key, salt: bytes, now_ms: int) -> None:
        """Trust our own start, which begins now."""
        self.own, self.began_ms = key, now_ms
        floors = [0] * len(Bus)
        self._starts[key] = TrustedStart(key, salt, floors, now_ms, now_ms, now_ms)

    def add(self, key: Key, start: TrustedStart) -> None:
        """Trust a start, and forget the oldest if there are too many; never our own."""
        self._starts[key] = start
        while len(self._starts) > _MOST_STARTS:
            del self._starts[next(old for old in self._starts if old not in (self.own, key))]

    def forget_listener(self, listener: int) -> None:
        """Forget the windows of a listener that has ended."""
        for start in self._starts.values():
            start.forget_listener(listener)
