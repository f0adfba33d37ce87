"""Records the readings that a restored history does not have as gaps.

The accounting of the history that is replaced says how far each epoch of a source was stored; what
lies beyond the accounting of the backup is lost with it. Collectors request it again (a resend
buffer or log may still hold it), and a reading that comes leaves its gap as always.
"""

from typing import Final

from jph.retransmit import Cause

REMEMBER: Final = """
    DO $$ BEGIN
        CREATE TEMPORARY TABLE had ON COMMIT DROP AS
            SELECT codifier, epoch, first, last, timestamp FROM source WHERE last IS NOT NULL;
    EXCEPTION WHEN undefined_table OR undefined_column THEN  -- nothing, or of a first version
    END $$;
"""
"""SQL before the history is removed."""

RECORD: Final = f"""
    DO $$ BEGIN
        CREATE TEMPORARY TABLE lost ON COMMIT DROP AS
            SELECT codifier, epoch, had.first AS begun, had.last, had.timestamp AS to_time,
                coalesce(source.last + 1, had.first) AS first,
                coalesce(source.timestamp,
                    lag(had.timestamp) OVER (PARTITION BY codifier ORDER BY had.timestamp),
                    (SELECT max(earlier.timestamp) FROM source earlier
                        WHERE earlier.codifier = had.codifier
                            AND earlier.timestamp < had.timestamp)) AS from_time
            FROM had LEFT JOIN source USING (codifier, epoch);
        -- sequences of the original's programs (epoch 0) begin anew at each start
        DELETE FROM lost WHERE
            CASE epoch WHEN 0 THEN coalesce(from_time >= to_time, true) ELSE first > last END;
        INSERT INTO gap (codifier, epoch, first, messages, from_time, to_time, cause)
            SELECT codifier, epoch, first, CASE WHEN epoch <> 0 THEN last - first + 1 END,
                from_time, to_time, '{Cause.RESTORED}'
            FROM lost ORDER BY codifier, to_time;
        INSERT INTO touched (codifier, from_time, to_time)
            SELECT codifier, from_time, to_time FROM lost, statistics_until
            WHERE to_time IS NOT NULL AND from_time <= statistics_until.timestamp;
        INSERT INTO source (codifier, epoch, first, last, timestamp)
            SELECT codifier, epoch, begun, last, to_time FROM lost
            ON CONFLICT (codifier, epoch) DO UPDATE SET last = excluded.last,
                first = coalesce(source.first, excluded.first), timestamp = excluded.timestamp;
    EXCEPTION WHEN undefined_table OR undefined_column THEN
    END $$;
"""
"""SQL after the backup is restored, in the same transaction."""
