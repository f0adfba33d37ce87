"""Facts about the tables that several modules need: columns, widths, locks. Pure."""

from typing import Final

LATE_LOCK: Final = 0x6A706801
"""Advisory lock: shared while readings or gaps are added, exclusive while
`statistics_until` moves."""
PACK_LOCK: Final = 0x6A706804
"""Advisory lock: exclusive while a day is packed, shared while readings are added to such days."""


def lock_statement(key: int, *, shared: bool = False) -> str:
    """Return the statement that takes an advisory lock until the transaction ends."""
    return f"SELECT pg_advisory_xact_lock{'_shared' * shared}({schema_key(key)})"


def schema_key(key: int) -> str:
    """Return the SQL of an advisory lock's number: one for each schema.

    Houses in schemas of one database do not wait for each other. In `public` it is the number
    itself, which programs of version 0.1.0 use.
    """
    other = "hashtext(current_schema()::text)::bigint << 32"
    return f"{key} + CASE current_schema() WHEN 'public' THEN 0 ELSE {other} END"


CHUNK: Final = 4000
"""A row of `packed` holds at most this many readings."""
LARGEST: Final = 2.0**337
"""About 2.8e101: no physical value is larger, and sums of squares of smaller ones stay finite."""

WIDTHS: Final = {"10min": "10 minutes", "hour": "1 hour", "day": "25 hours"}
"""The tables of statistics, with the longest time that one bucket can cover."""

COLUMNS: Final = (
    *("timestamp", "epoch", "sequence", "value_real", "value_integer", "quality"),
    *("codifier", "value_text", "value_json"),
)
"""The columns of `reading`, in its order."""
UNPACKED: Final = """
        SELECT each.timestamp, packed.epoch,
            coalesce(each.sequence, packed.first_sequence + each.number - 1) AS sequence,
            each.value_real, each.value_integer, coalesce(each.quality, packed.quality) AS quality,
            packed.codifier, each.value_text, each.value_json
        FROM packed CROSS JOIN LATERAL unnest(
            packed.timestamps, packed.sequences, packed.reals, packed.integers, packed.qualities,
            packed.texts, packed.jsons
        ) WITH ORDINALITY AS each (
            timestamp, sequence, value_real, value_integer, quality, value_text, value_json, number
        )"""
"""SQL that selects every packed reading, in the order of COLUMNS; a WHERE may follow."""
