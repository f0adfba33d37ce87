"""The tables of statistics, a migration of `collector.db.schema`."""

from typing import Final

LATE_LOCK: Final = 0x6A706801
"""Advisory lock: shared by whoever adds readings, alone for who moves `statistics_until`."""

STATISTICS: Final = (
    "timestamp",
    *("mean", "mode", "median", "max", "min", "stdev"),
    *("count", "coverage", "time_mean"),
)
"""The columns of a table of statistics, after `codifier`."""

WIDTHS: Final = {"10min": "10 minutes", "hour": "1 hour", "day": "25 hours"}
"""The tables of statistics by how long a bucket is at most."""

_TABLE: Final = """
    CREATE TABLE statistic_{width} (
        timestamp  timestamptz NOT NULL,  -- the end of the bucket, which belongs to it
        mean       double precision NOT NULL,
        mode       double precision,
        median     double precision NOT NULL,
        max        double precision NOT NULL,
        min        double precision NOT NULL,
        stdev      double precision NOT NULL,
        coverage   double precision NOT NULL,
        time_mean  double precision,
        count      integer NOT NULL,
        codifier   text COLLATE "C" NOT NULL,
        PRIMARY KEY (codifier, timestamp)
    );
"""
STATISTICS_TABLES: Final = (
    "".join(_TABLE.format(width=width) for width in WIDTHS)
    + f"""
    -- up to when buckets are computed; readings that come later for times up to this are late
    CREATE TABLE statistics_until (timestamp timestamptz NOT NULL);
    INSERT INTO statistics_until VALUES ('1970-01-01 00:00+00');
    -- times whose buckets are to be computed, or again; codifier null: everybody's
    CREATE TABLE touched (
        id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        codifier   text COLLATE "C",
        from_time  timestamptz NOT NULL,
        to_time    timestamptz NOT NULL
    );
    -- since when a codifier's value counts as late after how many seconds
    CREATE TABLE expected (
        codifier  text COLLATE "C" NOT NULL,
        since     timestamptz NOT NULL,
        seconds   double precision NOT NULL,
        PRIMARY KEY (codifier, since)
    );
    -- a gap that is recorded or healed changes the coverage
    CREATE FUNCTION touch_gap() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        changed gap;
    BEGIN
        IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
        IF changed.from_time IS NOT NULL AND changed.to_time IS NOT NULL THEN
            PERFORM pg_advisory_xact_lock_shared({LATE_LOCK});
            INSERT INTO touched (codifier, from_time, to_time)
                SELECT changed.codifier, changed.from_time, changed.to_time FROM statistics_until
                WHERE changed.from_time <= timestamp;
        END IF;
        RETURN NULL;
    END $$;
    CREATE TRIGGER touch AFTER INSERT OR DELETE ON gap FOR EACH ROW EXECUTE FUNCTION touch_gap();
    -- the number that a JSON reading carries, null if none
    CREATE FUNCTION json_number(document json) RETURNS double precision
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
    BEGIN
        RETURN CASE json_typeof(document -> 'value')
            WHEN 'number' THEN (document ->> 'value')::double precision
            WHEN 'boolean' THEN ((document ->> 'value')::boolean)::integer
        END;
    EXCEPTION WHEN OTHERS THEN  -- no object, or beyond a double
        RETURN NULL;
    END $$;
    """
)
# One codifier after the other by the index of the months in question, however many readings.
CODIFIERS_BETWEEN: Final = """
    CREATE FUNCTION codifiers_between(since timestamptz, until timestamptz) RETURNS SETOF text
    LANGUAGE plpgsql STABLE AS $$
    DECLARE
        found text COLLATE "C" := '';
    BEGIN
        LOOP
            -- a plan for these months each time, so that the others are left out
            EXECUTE 'SELECT codifier FROM reading WHERE codifier > $1 '
                'AND timestamp >= $2 AND timestamp < $3 ORDER BY codifier LIMIT 1'
                INTO found USING found, since, until;
            EXIT WHEN found IS NULL;
            RETURN NEXT found;
        END LOOP;
    END $$;
"""
