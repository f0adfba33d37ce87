"""The seals of this process, if its house is sealed: light, as open houses import it too."""

from collections.abc import Callable
from typing import Protocol

from jph.config.model import Endpoint
from jph.net.batches import Receive


class Sealing(Protocol):
    """The sealed bus of a node, as other users of the network in its process need it."""

    def refusals(self) -> list[tuple[str, str, int]]:
        """Return the refused messages since the start: cause, node, how many."""

    def log_frame(self, line: bytes) -> bytes:
        """Return the datagram that carries a log line."""

    def group(self, side: str) -> Endpoint:
        """Return the group of the frames of `control` or `data`."""

    def listening(self, side: str, receive: Receive) -> tuple[Receive, Callable[[], None]]:
        """Return what opens the frames of another listener, and what ends it.

        `side` is `control`, `data` or `log`.
        """


_seals: list[Sealing] = []


def add(seal: Sealing) -> None:
    """Note the sealed bus of a node of this process."""
    if seal not in _seals:
        _seals.append(seal)


def remove(seal: Sealing) -> None:
    """Forget the sealed bus of a node that ends."""
    if seal in _seals:
        _seals.remove(seal)


def current() -> Sealing | None:
    """Return the sealed bus of a node of this process, or None in an open house."""
    return _seals[-1] if _seals else None
