-- Statistics of 10 minutes, hours and days.
CREATE TABLE statistic_10min (
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
CREATE TABLE statistic_hour (
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
CREATE TABLE statistic_day (
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
-- Buckets are computed up to this time; readings that come later for times up to it are late.
CREATE TABLE statistics_until (timestamp timestamptz NOT NULL);
INSERT INTO statistics_until VALUES ('1970-01-01 00:00+00');
-- Times whose buckets must be computed, or computed again; codifier null: of every codifier.
CREATE TABLE touched (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    codifier   text COLLATE "C",
    from_time  timestamptz NOT NULL,
    to_time    timestamptz NOT NULL
);
-- From `since` on a codifier's value counts as late after so many seconds.
CREATE TABLE expected (
    codifier  text COLLATE "C" NOT NULL,
    since     timestamptz NOT NULL,
    seconds   double precision NOT NULL,
    PRIMARY KEY (codifier, since)
);
-- A gap that is recorded or filled changes the coverage.
CREATE FUNCTION touch_gap() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed gap;
BEGIN
    IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
    IF changed.from_time IS NOT NULL AND changed.to_time IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock_shared(1785751553);
        INSERT INTO touched (codifier, from_time, to_time)
            SELECT changed.codifier, changed.from_time, changed.to_time FROM statistics_until
            WHERE changed.from_time <= timestamp;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER touch AFTER INSERT OR DELETE ON gap FOR EACH ROW EXECUTE FUNCTION touch_gap();
-- The number in a JSON reading; null if there is none.
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
