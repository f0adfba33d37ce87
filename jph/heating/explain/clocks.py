"""Offsets of the clocks of nodes, from the times in their messages. Pure."""

from collections.abc import Mapping

from jph.config.model import Network
from jph.heating.explain.blindness import CLOCK_S


class Clocks:
    """The newest offset of each node's clock in s, positive for one that is ahead.

    The time in a control message is that of its sending.  A reading may be resent or be of earlier:
    it shows a clock that is ahead, never one that is behind.
    """

    def __init__(self, network: Network) -> None:
        # A codifier with times of its own says nothing of its node's clock.
        self._nodes = {
            s.codifier: s.parent or s.codifier for s in network.sensors if not s.own_time
        }
        self._offsets: dict[str, float] = {}

    @property
    def offsets(self) -> Mapping[str, float]:
        """The offsets by node."""
        return self._offsets

    def hear(self, codifier: str, sent_ms: int, wall_ms: int) -> None:
        """Take the time of a control message that was heard just now."""
        if sent_ms > 0 and codifier in self._nodes:
            self._offsets[codifier] = (sent_ms - wall_ms) / 1000

    def read(self, codifier: str, stamp_ms: int, wall_ms: int) -> None:
        """Take the time of a reading that came just now."""
        node, offset_s = self._nodes.get(codifier), (stamp_ms - wall_ms) / 1000
        if node is not None and stamp_ms > 0 and (offset_s > CLOCK_S or abs(offset_s) < 1):
            self._offsets[node] = offset_s
