"""Deadlines of recurring work: each piece of work says by when it reports again. Pure."""

from typing import Final

LEAST_S: Final = 60.0
"""A busy machine delays healthy work by seconds; no deadline is shorter than this."""


class Deadlines:
    """The deadline of each piece of work of a node, by name."""

    def __init__(self) -> None:
        self._due_s: dict[str, float] = {}

    def expect(self, work: str, now_s: float, within_s: float = 0.0) -> None:
        """Note that `work` was done now and is done again within `within_s`, at least a minute."""
        self._due_s[work] = now_s + max(LEAST_S, within_s)

    def clear(self) -> None:
        """Expect nothing more."""
        self._due_s.clear()

    def overdue(self, now_s: float) -> list[str]:
        """Return the work whose deadline has passed."""
        return [work for work, due_s in self._due_s.items() if now_s > due_s]
