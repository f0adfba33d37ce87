"""Load of a phase that was switched off and may not show yet. Pure."""

from jph.heating.shedding.rules import NEVER


class Relief:
    """The relief that a phase waits for.

    Attributes:
        expected_a: what was switched off and has not shown, A.
        settled_s: when everything that was ordered to draw less has shown.
    """

    def __init__(self) -> None:
        self.expected_a = 0.0
        self.settled_s = NEVER
        self._before_a = 0.0
        self._until_s = NEVER

    def expect(self, before_a: float, more_a: float, until_s: float) -> None:
        """Wait until a time for more amperes less; the phase carries `before_a` now."""
        self._before_a, self._until_s = before_a, until_s
        self.settled_s = until_s
        self.expected_a += more_a

    def see(self, now_s: float, current_a: float) -> None:
        """Take a current: every new low is relief that has come."""
        if now_s >= self._until_s:
            self.expected_a = 0.0
        elif current_a < self._before_a:
            self.expected_a = max(0.0, self.expected_a - (self._before_a - current_a))
            self._before_a = current_a
