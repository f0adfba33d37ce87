"""The houses of a hub in PostgreSQL: their configs, how they are, and which collector has which.

A collector has a house by an advisory lock of its session, which PostgreSQL releases when the
program ends in any way. The lock only shares the work: were two to store the same blocks, the
accounting in each house's schema would leave out what is stored already. Every method blocks.
"""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.db.connecting import connect, query, transaction
from collector.hub.blocks import share

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS hub_house (
        name       text COLLATE "C" PRIMARY KEY,
        config     text,
        config_ms  bigint NOT NULL DEFAULT 0,
        sampled    text[] NOT NULL DEFAULT '{}',
        newest     timestamptz,
        late       integer,
        alerts     integer,
        kwh_today  double precision,
        collector  text,
        updated    timestamptz
    )
"""
_TABLE_LOCK: Final = 0x6A706805
_HOUSE_LOCK: Final = 0x6A7068
"""First number of the lock of a house; the second is the hash of its name."""
_PRESENT: Final = 0x6A706806
"""Advisory lock that every collector shares."""
_COLLECTORS: Final = f"""
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 0 AND objid = {_PRESENT} AND objsubid = 1 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_CONFIG: Final = """
    INSERT INTO hub_house (name, config, config_ms, sampled) VALUES (%s, %s, %s, %s)
    ON CONFLICT (name) DO UPDATE
    SET config = excluded.config, config_ms = excluded.config_ms, sampled = excluded.sampled
    WHERE hub_house.config_ms < excluded.config_ms
"""
_STATE: Final = """
    INSERT INTO hub_house (name, newest, late, alerts, kwh_today, collector, updated)
    VALUES (%s, %s, %s, %s, %s, %s, now())
    ON CONFLICT (name) DO UPDATE SET newest = excluded.newest, late = excluded.late,
        alerts = excluded.alerts, kwh_today = excluded.kwh_today, collector = excluded.collector,
        updated = excluded.updated
"""
_HOUSES: Final = """
    SELECT name, newest, late, alerts, kwh_today, collector, updated FROM hub_house ORDER BY name
"""


class HouseState(NamedTuple):
    """How a house is: newest reading, late codifiers, open alerts, energy of today."""

    name: str
    newest: datetime | None
    late: int | None
    alerts: int | None
    kwh_today: float | None
    collector: str | None = None
    updated: datetime | None = None


class Registry:
    """A session that knows the houses, and takes its share of them.

    Attributes:
        connection: of the session, for one thread.
    """

    def __init__(self, dsn: str, collector: str) -> None:
        """Connect, and make the table.

        Raises:
            StoreError: PostgreSQL is away or refuses.
        """
        self._collector = collector
        self.connection = connect(dsn, collector)
        self.connection.autocommit = True
        self._held: set[str] = set()
        lock = "SELECT pg_advisory_lock(%s)", "SELECT pg_advisory_unlock(%s)"
        query(self.connection, lock[0], (_TABLE_LOCK,))
        with transaction(self.connection) as cursor:
            cursor.execute(_TABLE)
        query(self.connection, lock[1], (_TABLE_LOCK,))
        query(self.connection, "SELECT pg_advisory_lock_shared(%s)", (_PRESENT,))

    def close(self) -> None:
        """End the session; its houses are free."""
        self.connection.close()

    def share(self, houses: Collection[str]) -> set[str]:
        """Take and release houses until this collector has its share; return those it has.

        Raises:
            StoreError: PostgreSQL is away.
        """
        ((collectors,),) = query(self.connection, _COLLECTORS)
        most = share(len(houses), collectors)
        for name in sorted(self._held.difference(houses)) + sorted(self._held)[most:]:
            if name in self._held:
                self._lock("pg_advisory_unlock", name)
                self._held.discard(name)
        for name in sorted(houses):
            if len(self._held) >= most:
                break
            if name not in self._held and self._lock("pg_try_advisory_lock", name):
                self._held.add(name)
        return set(self._held)

    def note_config(self, house: str, config: str, at_ms: int, sampled: Iterable[str]) -> None:
        """Keep the newest config of a house.

        Raises:
            StoreError: PostgreSQL is away.
        """
        with transaction(self.connection) as cursor:
            cursor.execute(_CONFIG, (house, config, at_ms, list(sampled)))

    def note_state(self, state: HouseState) -> None:
        """Keep how a house is.

        Raises:
            StoreError: PostgreSQL is away.
        """
        with transaction(self.connection) as cursor:
            cursor.execute(_STATE, (*state[:5], self._collector))

    def _lock(self, function: str, house: str) -> bool:
        ((done,),) = query(
            self.connection, f"SELECT {function}(%s, hashtext(%s))", (_HOUSE_LOCK, house)
        )
        return bool(done)


def read_config(connection: "connection", house: str) -> tuple[str, int, tuple[str, ...]] | None:
    """Return the config of a house, its time in ms, and the codifiers that are sampled.

    Raises:
        StoreError: PostgreSQL is away, or has no hub.
    """
    wanted = "SELECT config, config_ms, sampled FROM hub_house WHERE name = %s AND config <> ''"
    for config, at_ms, sampled in query(connection, wanted, (house,)):
        return str(config), int(at_ms), tuple(sampled)
    return None


def read_houses(connection: "connection") -> list[HouseState]:
    """Return how every house is, by name.

    Raises:
        StoreError: PostgreSQL is away, or has no hub.
    """
    return [HouseState(*row) for row in query(connection, _HOUSES)]
