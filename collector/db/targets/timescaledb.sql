-- `reading` becomes a hypertable: its chunks replace the months, and nothing is packed. The collector creates
-- no months for a plain table.
CREATE EXTENSION IF NOT EXISTS timescaledb;
DO $$
DECLARE
    definition text := pg_get_viewdef('readings'::regclass);
BEGIN
    CREATE TABLE reading_plain (LIKE reading INCLUDING ALL);
    DROP VIEW readings;
    DROP TABLE reading;
    ALTER TABLE reading_plain RENAME TO reading;
    EXECUTE 'CREATE VIEW readings AS ' || definition;
END $$;
SELECT create_hypertable('reading', by_range('timestamp', INTERVAL '1 day'));
ALTER TABLE reading SET (
    timescaledb.compress, timescaledb.compress_segmentby = 'codifier',
    timescaledb.compress_orderby = 'timestamp, epoch, sequence');
SELECT add_compression_policy('reading', INTERVAL '7 days');
SELECT create_hypertable('statistic_10min', by_range('timestamp', INTERVAL '1 year'));
SELECT create_hypertable('statistic_hour', by_range('timestamp', INTERVAL '1 year'));
SELECT create_hypertable('statistic_day', by_range('timestamp', INTERVAL '1 year'));
