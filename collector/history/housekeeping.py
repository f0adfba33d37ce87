"""Packs old readings and then deletes them, a small step at a time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from collector.history.packing import pack_all
from collector.history.retention import RetentionSettings, days_kept, retire_all
from jph.config.model import Network

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_EVERY_MS: Final = 3_600_000
"""How often it looks; most of the time, late readings aside, there is something once a day."""


class Keeping(Protocol):
    """The settings that matter here."""

    @property
    def pack_after_days(self) -> int:
        """After how many days readings are packed; 0 is never."""

    @property
    def retention(self) -> RetentionSettings:
        """For how many days they are kept."""


class Housekeeper:
    """Packs and removes old readings, for who computes alone."""

    def __init__(self, connection: "connection", network: Network, settings: Keeping) -> None:
        self._connection = connection
        self._after_days = settings.pack_after_days
        self._days = days_kept(settings.retention, network)
        self._steps: Iterator[None] = iter(())
        self._looked_ms = -_EVERY_MS

    def step(self, now_ms: int) -> bool:
        """Do one transaction; False if there is nothing to do for now. Blocks.

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
