"""Packs and removes old readings, one small step at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from collector.history.packing import pack_all
from collector.history.retention import RetentionSettings, days_kept, retire_all
from jph.config.model import Network

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_EVERY_MS: Final = 3_600_000
"""Time between two rounds; without late readings there is work once a day."""


class Keeping(Protocol):
    """The settings of old readings."""

    @property
    def pack_after_days(self) -> int:
        """The age in days at which readings are packed; 0 is never."""

    @property
    def retention(self) -> RetentionSettings:
        """The days for which they are kept."""


class Housekeeper:
    """Packs and removes old readings, in the program that computes."""

    def __init__(self, connection: "connection", network: Network, settings: Keeping) -> None:
        self._connection = connection
        self._after_days = settings.pack_after_days
        self._days = days_kept(settings.retention, network)
        self._steps: Iterator[None] = iter(())
        self._looked_ms = -_EVERY_MS

    def step(self, now_ms: int) -> bool:
        """Run one transaction; return False if there is nothing to do now. Blocks.

        Raises:
            StoreError: PostgreSQL is away.
        """
        for _ in self._steps:
            return True
        if abs(now_ms - self._looked_ms) < _EVERY_MS:
            return False
        self._looked_ms = now_ms
        self._steps = self._all(datetime.fromtimestamp(now_ms / 1000, UTC))
        return True

    def _all(self, now: datetime) -> Iterator[None]:
        if self._after_days:
            midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
            yield from pack_all(self._connection, midnight - timedelta(days=self._after_days))
        yield from retire_all(self._connection, self._days, now)
