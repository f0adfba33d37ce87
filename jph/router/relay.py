"""Targets of the unicast messages that reach a router: requests, edits, and answers. Pure.

A program answers or asks the address from which it heard another one. Behind a router that is the
router's address. The router passes a message on to where it heard the codifier in `to`, and the
answers to where the request came from.
"""

from collections import OrderedDict
from typing import Any, Final, NamedTuple

Address = tuple[str, int]

KEPT_S: Final = 60.0
_MOST: Final = 1024


class Place(NamedTuple):
    """An address of one side; `via` is the socket that leads there, None for any."""

    outside: bool
    address: Address
    via: Any
    at_s: float


class RelayTable:
    """Addresses of codifiers, and the requests that wait for answers."""

    def __init__(self) -> None:
        self._heard: dict[str, Place] = {}
        self._asked: OrderedDict[tuple[str, str], Place] = OrderedDict()
        self._last: OrderedDict[str, Place] = OrderedDict()

    def hear(self, codifier: str, outside: bool, address: Address, now_s: float) -> None:
        """Note where a codifier sends from."""
        if codifier in self._heard or len(self._heard) < _MOST:
            self._heard[codifier] = Place(outside, address, None, now_s)

    def target(self, source: str, to: str, came: Place) -> Place | None:
        """Return where a unicast message leads; None if that is not known.

        An answer leads to the request of `to` for `source`, or to the last request for `source`.
        """
        waiting = self._asked.get((to, source)) or self._last.get(source)
        if (
            waiting is not None
            and waiting.outside is not came.outside
            and came.at_s - waiting.at_s < KEPT_S
        ):
            return waiting
        heard = self._heard.get(to)
        if heard is None or heard.outside is came.outside:
            return None
        _put(self._asked, (source, to), came)
        _put(self._last, to, came)
        return heard


def _put(table: "OrderedDict[Any, Place]", key: object, place: Place) -> None:
    table.pop(key, None)
    table[key] = place
    if len(table) > _MOST:
        table.popitem(last=False)
