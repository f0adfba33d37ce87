"""The original's tables as views, one set for each codifier of the config.

`sensor_xx (timestamp, value)`, `sensor_xx_10min` and `sensor_xx_hour (timestamp, mean, mode,
median, max, min, stdev)`. Timestamps are ms since 1970, as there, so that SQL and pages written for
it continue to work. `sensor_xx_day` is new.
"""

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NamedTuple

from collector.db.connecting import error_text, transaction
from collector.db.schema import LOCK
from collector.db.tables import WIDTHS, lock_statement
from collector.history.numbers import FINITE, NUMBER, TEXT
from jph.config.model import Sensor

if TYPE_CHECKING:
    from psycopg2.extensions import connection, cursor

MARK: Final = "jph "
"""Start of the comment on a view of ours; the digest of its query follows."""
_NAME: Final = "sensor_[0-9a-z]{2}(_10min|_hour|_day)?"
_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint AS timestamp"
_SHAPE: Final = "mean, mode, median, max, min, stdev"
_VALUES: Final = {
    "float": NUMBER,
    "integer": f"coalesce(value_integer, round({NUMBER})::bigint)",
    "bool": f"({NUMBER} <> 0)",
    "text": TEXT,
}
"""A value in SQL by the config's DataType."""
_SAME: Final = {"string": "text", "boolean": "bool", "int": "integer", "bigint": "integer"}
_EXISTING: Final = f"""
    SELECT relname, relkind::text, coalesce(obj_description(oid, 'pg_class'), '') FROM pg_class
    WHERE relnamespace = current_schema()::regnamespace AND relname ~ '^{_NAME}$'
"""


class View(NamedTuple):
    """A view: name and query."""

    name: str
    query: str

    @property
    def comment(self) -> str:
        """The comment that marks the view as ours and up to date."""
        return MARK + hashlib.sha256(self.query.encode()).hexdigest()[:16]

    @property
    def statements(self) -> tuple[str, ...]:
        """The statements that create it again."""
        return (
            f"DROP VIEW IF EXISTS {self.name}",
            f"CREATE VIEW {self.name} AS\n{self.query}",
            f"COMMENT ON VIEW {self.name} IS '{self.comment}'",
        )


def views_of(sensor: Sensor) -> list[View]:
    """Return the views of a codifier."""
    code = sensor.codifier
    kind = _SAME.get(sensor.data_type, sensor.data_type)
    value = _VALUES.get(kind, NUMBER)
    where = "true" if kind == "text" else FINITE.strip()
    raw = (
        f"    SELECT {_MS}, {value} AS value\n"
        f"    FROM readings WHERE codifier = '{code}' AND {where}"
    )
    found = [View(f"sensor_{code}".lower(), raw)]
    for width in WIDTHS:
        query = f"    SELECT {_MS}, {_SHAPE}\n    FROM statistic_{width} WHERE codifier = '{code}'"
        found.append(View(f"sensor_{code}_{width}".lower(), query))
    return found


def sync_views(
    connection: "connection", sensors: Iterable[Sensor], only: str | None = None
) -> list[str]:
    """Create, update and drop views after the config; return problems in words.

    Views of codifiers that left the config are dropped, their readings stay. Another object of such
    a name (a table of the original's) is left alone. `only` limits it to the views of one codifier.

    Raises:
        StoreError: PostgreSQL is away.
    """
    wanted = {view.name: view for sensor in sensors for view in views_of(sensor)}
    problems = []
    with transaction(connection) as cursor:
        cursor.execute(lock_statement(LOCK))
        cursor.execute(_EXISTING)
        existing = {
            name: (kind, comment)
            for name, kind, comment in cursor.fetchall()
            if only is None or name.startswith(f"sensor_{only.lower()}")
        }
        for name in sorted(wanted.keys() | existing.keys()):
            kind, comment = existing.get(name, ("", MARK))
            if kind not in ("", "v") or not comment.startswith(MARK):
                if name in wanted:
                    problems.append(f"{name} exists already and is not ours: left alone")
            elif name not in wanted:
                problems += _attempt(cursor, [f"DROP VIEW {name}"])
            elif comment != wanted[name].comment:
                problems += _attempt(cursor, wanted[name].statements)
    return problems


def _attempt(cursor: "cursor", statements: Iterable[str]) -> list[str]:
    """Run all statements or none; return the problem."""
    import psycopg2

    cursor.execute("SAVEPOINT attempt")
    try:
        for statement in statements:
            cursor.execute(statement)
    except psycopg2.errors.DependentObjectsStillExist as error:
        cursor.execute("ROLLBACK TO attempt")
        return [error_text(error)]
    cursor.execute("RELEASE attempt")
    return []
