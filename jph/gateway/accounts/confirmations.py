"""Sessions in which the password was entered lately. Pure; time is monotonic seconds."""

from collections import OrderedDict
from typing import Final

LASTS_S: Final = 300.0
"""How long an entered password allows changes of accounts."""
MOST_KEPT: Final = 1000


class Confirmations:
    """Times at which passwords were entered, by session."""

    def __init__(self) -> None:
        self._at_s: OrderedDict[int, float] = OrderedDict()

    def note(self, session_id: int, now_s: float) -> None:
        """Note that the password of a session's user was entered."""
        self._at_s[session_id] = now_s
        self._at_s.move_to_end(session_id)
        if len(self._at_s) > MOST_KEPT:
            self._at_s.popitem(last=False)

    def is_recent(self, session_id: int, now_s: float) -> bool:
        """Whether the password was entered within `LASTS_S`."""
        at_s = self._at_s.get(session_id)
        return at_s is not None and now_s - at_s <= LASTS_S
