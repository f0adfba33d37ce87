"""The tables on more than one machine's disk: what changes on TimescaleDB and on Citus.

Both are for a database that the programs have not filled yet: after `sql database`, before the
first collector. See docs/scale.md.
"""

from typing import Final

from collector.db.packed_schema import READINGS_VIEW
from collector.db.statistics_schema import WIDTHS

_STATISTICS: Final = tuple(f"statistic_{width}" for width in WIDTHS)

TIMESCALEDB: Final = "\n".join(
    [
        "CREATE EXTENSION IF NOT EXISTS timescaledb;",
        # The months of ours give way to its chunks: a collector makes none for a plain table, and
        # nothing is packed.
        "CREATE TABLE reading_plain (LIKE reading INCLUDING ALL);",
        "DROP VIEW readings;",
        "DROP TABLE reading;",
        "ALTER TABLE reading_plain RENAME TO reading;",
        " ".join(READINGS_VIEW.split()),
        "SELECT create_hypertable('reading', by_range('timestamp', INTERVAL '1 day'));",
        "ALTER TABLE reading SET (timescaledb.compress, timescaledb.compress_segmentby = "
        "'codifier', timescaledb.compress_orderby = 'timestamp, epoch, sequence');",
        "SELECT add_compression_policy('reading', INTERVAL '7 days');",
        *(
            f"SELECT create_hypertable('{table}', by_range('timestamp', INTERVAL '1 year'));"
            for table in _STATISTICS
        ),
    ]
)
CITUS: Final = "\n".join(
    [
        "CREATE EXTENSION IF NOT EXISTS citus;",
        # One codifier's rows are all on one worker: every question is about one codifier.
        *(
            f"SELECT create_distributed_table('{table}', 'codifier', colocate_with => '{group}');"
            for table, group in [
                ("reading", "default"),
                *((each, "reading") for each in ("packed", "energy_doubt", *_STATISTICS)),
            ]
        ),
    ]
)
TARGETS: Final = {"timescaledb": TIMESCALEDB, "citus": CITUS}
