"""Removes readings after their time; statistics and energy stay. Every function blocks.

Buckets and hours are computed before their readings go. The table `retired` has the time up to
which they are gone, so that no program computes them again from the rest.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from collector.db.connecting import query, transaction
from collector.db.schema import first_day, months_of
from collector.history.packing import oldest, tidy, try_to_drop
from jph.config.model import Network
from jph.config.settings import described
from jph.errors import Problem
from jph.node.node import Settings

if TYPE_CHECKING:
    from psycopg2.extensions import connection

_LONGEST_DAYS: Final = 36_500
_DAY: Final = timedelta(days=1)
_TABLES: Final = ("packed", "reading")
# A local day that holds the last moment ends within 25 hours.
_RETIRE: Final = """
    INSERT INTO retired AS old SELECT %(codifier)s, %(end)s
    WHERE next_reading(%(codifier)s, '-infinity', %(end)s) < %(end)s
        AND (SELECT timestamp FROM statistics_until) >= %(computed)s
        AND NOT EXISTS (SELECT FROM touched
            WHERE coalesce(codifier, %(codifier)s) = %(codifier)s AND from_time < %(computed)s)
        AND NOT EXISTS (SELECT FROM energy_touched
            WHERE codifier = %(codifier)s AND from_time < %(computed)s)
    ON CONFLICT (codifier) DO UPDATE SET timestamp = greatest(old.timestamp, excluded.timestamp)
"""


class RetentionSettings(Settings, frozen=True):
    """Days for which readings are kept, 0 for ever: by codifier, else by kind, else the default.

    The kind of an element is that of its node.
    """

    default: Annotated[
        int, described("Time for which readings are kept; 0 is for ever", "days")
    ] = 0
    types: Annotated[dict[str, int], described("Kind of node to that time", "days")] = (
        msgspec.field(default_factory=dict)
    )
    codifiers: Annotated[dict[str, int], described("Codifier to that time", "days")] = (
        msgspec.field(default_factory=dict)
    )

    def __post_init__(self) -> None:
        named = {"Default": self.default}
        named |= {f"Types.{name}": days for name, days in self.types.items()}
        named |= {f"Codifiers.{name}": days for name, days in self.codifiers.items()}
        for name, days in named.items():
            if not 0 <= days <= _LONGEST_DAYS:
                raise ValueError(
                    f"{name}: expected 0 (for ever) to {_LONGEST_DAYS} days, found {days}"
                )


def check(retention: RetentionSettings, network: Network, path: str) -> Iterator[Problem]:
    """Yield names that are not in the config."""
    known = {sensor.codifier for sensor in network.sensors}
    kinds = {sensor.type for sensor in network.sensors}
    for name in retention.codifiers.keys() - known:
        yield Problem(f"{path}.Codifiers", f"codifier {name!r} is not in the config")
    for name in retention.types.keys() - kinds:
        found = ", ".join(sorted(kinds))
        yield Problem(f"{path}.Types", f"no node is of type {name!r}; there are {found}")


def days_kept(retention: RetentionSettings, network: Network) -> Callable[[str], int]:
    """Return a function from codifier to days, 0 for ever; Default outside the config."""
    types = {sensor.codifier: sensor.type for sensor in network.sensors}
    kinds = {each.codifier: types.get(each.parent or "", each.type) for each in network.sensors}

    def days(codifier: str) -> int:
        of_kind = retention.types.get(kinds.get(codifier, ""), retention.default)
        return retention.codifiers.get(codifier, of_kind)

    return days


def retire_all(
    connection: "connection", days: Callable[[str], int], now: datetime
) -> Iterator[None]:
    """Remove readings after their time by whole UTC days, yielding after each transaction.

    Readings whose statistics or energy are not computed yet stay until they are. Only the program
    that computes may call it (`Calculator.alone`).

    Raises:
        StoreError: PostgreSQL is away.
    """
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC)
    ends: dict[str, datetime] = {}
    for (codifier,) in query(connection, "SELECT codifiers_between('-infinity', 'infinity')"):
        if kept := days(codifier):
            end = midnight - kept * _DAY
            wanted = {"codifier": codifier, "end": end, "computed": end + timedelta(hours=25)}
            with transaction(connection) as cursor:
                cursor.execute(_RETIRE, wanted)
                if cursor.rowcount:
                    ends[codifier] = end
            yield
    if ends:
        yield from _drop_months(connection, ends)
        yield from _delete(connection, ends)


def _drop_months(connection: "connection", ends: dict[str, datetime]) -> Iterator[None]:
    """Drop the months of which no reading is kept."""
    for table in _TABLES:
        with transaction(connection) as cursor:
            months = months_of(cursor, table)
        for month in months:
            after = datetime.fromisoformat(first_day(month + 1))
            gone = [codifier for codifier, end in ends.items() if end >= after]
            if gone:
                try_to_drop(connection, month, table, gone)
                yield


def _delete(connection: "connection", ends: dict[str, datetime]) -> Iterator[None]:
    """Delete by codifier the rest: rows of `packed`, days of `reading`."""
    emptied: set[int] = set()
    start = datetime(1970, 1, 1, tzinfo=UTC)
    for codifier, end in ends.items():
        with transaction(connection) as cursor:
            cursor.execute(
                "DELETE FROM packed WHERE codifier = %s AND day < %s", (codifier, end.date())
            )
        yield
        while (day := oldest(connection, codifier, start, end)) is not None:
            first = datetime(day.year, day.month, day.day, tzinfo=UTC)
            with transaction(connection) as cursor:
                cursor.execute(
                    "DELETE FROM reading "
                    "WHERE codifier = %s AND timestamp >= %s AND timestamp < %s",
                    (codifier, first, first + _DAY),
                )
            emptied.add(day.year * 12 + day.month - 1)
            yield
    yield from tidy(connection, max(ends.values()), emptied)
    with transaction(connection) as cursor:
        months = months_of(cursor, "packed")
    for month in months:
        try_to_drop(connection, month, "packed")
        yield
