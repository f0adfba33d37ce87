"""Requests that wait for answers, and what each source understands. Pure.

An answer counts only for the request whose random id it repeats and from the host that was asked.
A source of version 0.1.0 does not understand a request with an id and stays silent; after three
requests without any answer the legacy form is tried as well, and kept if it is answered.
"""

from random import Random
from typing import Final, NamedTuple, TypeVar

from jph.retransmit.receive_window import Request

K = TypeVar("K")
V = TypeVar("V")
Address = tuple[str, int]
_Key = tuple[str, int]

_MOST: Final = 1024
"""Requests, hosts and cookies that are remembered; the oldest are forgotten first."""
_PRESENT_TRIES: Final = 3
_LEGACY_S: Final = 300.0
"""How long a source that answered in the legacy form is asked in that form only."""


class Outstanding(NamedTuple):
    """A request that may still be answered; `request` is None when it asked for epochs."""

    source: str
    epoch: int
    host: str
    request: Request | None


class _Peer:
    """What one address understands."""

    __slots__ = ("cookie", "legacy_until_s", "present", "silent")

    def __init__(self) -> None:
        self.cookie = 0
        self.present = False
        self.silent = 0
        self.legacy_until_s = -1.0


class Peers:
    """The hosts that were asked, and the requests that they may answer."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._peers: dict[Address, _Peer] = {}
        self._requests: dict[int, Outstanding] = {}
        self._legacy: dict[_Key, Outstanding] = {}
        self._newest: dict[_Key, int] = {}
        self._hosts: dict[str, None] = {}

    def ask(self, asked: Outstanding, address: Address, now_s: float) -> tuple[int, int, bool]:
        """Note a request that leaves; return its id, its cookie, and whether it is legacy."""
        peer = self._peers.get(address)
        if peer is None:
            peer = _remember(self._peers, address, _Peer())
        _remember(self._hosts, asked.host, None)
        peer.silent += 1
        tried = peer.silent > _PRESENT_TRIES and peer.silent % 2 == 0
        if not peer.present and (now_s < peer.legacy_until_s or tried):
            _remember(self._legacy, (asked.source, asked.epoch), asked)
            return 0, 0, True
        request_id = self._random.getrandbits(32) or 1
        _remember(self._requests, request_id, asked)
        _remember(self._newest, (asked.source, asked.epoch), request_id)
        return request_id, peer.cookie, False

    def was_asked(self, host: str) -> bool:
        """Whether anything was asked of a host."""
        return host in self._hosts

    def outstanding(self, request_id: int, address: Address, key: _Key) -> Outstanding | None:
        """Return the request that an answer about an epoch of a source belongs to, if any."""
        asked = self._requests.get(request_id) if request_id else self._legacy.get(key)
        if asked is None or (asked.source, asked.epoch) != key or asked.host != address[0]:
            return None
        return asked

    def newest(self, key: _Key) -> int:
        """Return the id of the newest request about an epoch of a source; 0 if there is none."""
        return self._newest.get(key, 0)

    def answered(self, request_id: int, address: Address, now_s: float) -> None:
        """Note in which form an address answers; the present form counts for good."""
        peer = self._peers.get(address)
        if peer is None:
            return
        peer.silent = 0
        if request_id in self._requests:
            peer.present = True
        elif not request_id and not peer.present:
            peer.legacy_until_s = now_s + _LEGACY_S

    def challenged(self, request_id: int, cookie: int, address: Address) -> Outstanding | None:
        """Keep the cookie of a challenge; return the request to repeat, once for each id."""
        asked = self._requests.get(request_id)
        if asked is None or asked.host != address[0]:
            return None
        del self._requests[request_id]
        peer = self._peers.get(address)
        if peer is not None:
            peer.cookie, peer.present, peer.silent = cookie, True, 0
        return asked


def _remember(table: dict[K, V], key: K, value: V) -> V:
    """Put an entry last, and forget the first one beyond the limit."""
    table.pop(key, None)
    table[key] = value
    if len(table) > _MOST:
        del table[next(iter(table))]
    return value
