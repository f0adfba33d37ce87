-- Energy, sheds and overruns by the hour. A row is labelled with the end of its hour, which belongs to
-- it, and has its local day.
CREATE TABLE energy_hour (
    codifier      text COLLATE "C" NOT NULL,  -- of the index
    timestamp     timestamptz NOT NULL,
    day           date NOT NULL,
    meter         text COLLATE "C" NOT NULL,
    period        text COLLATE "C" NOT NULL,
    wh            bigint NOT NULL,
    estimated_wh  bigint NOT NULL,  -- of these: interpolated over more than an hour
    index_wh      bigint NOT NULL,  -- where the hour ends, or the last value in it
    known_s       double precision NOT NULL,
    PRIMARY KEY (codifier, timestamp)
);
CREATE INDEX ON energy_hour (meter, day);
-- Index values that were rejected, meters that were exchanged.
CREATE TABLE energy_event (
    codifier   text COLLATE "C" NOT NULL,
    timestamp  timestamptz NOT NULL,
    kind       text NOT NULL,
    from_wh    bigint,
    to_wh      bigint,
    address    text NOT NULL,
    PRIMARY KEY (codifier, timestamp, kind)
);
-- The state of an index where an hour with readings ends: the computation goes on from there.
CREATE TABLE energy_state (
    codifier   text COLLATE "C" NOT NULL,
    timestamp  timestamptz NOT NULL,
    state      json NOT NULL,
    PRIMARY KEY (codifier, timestamp)
);
-- Times for which these tables must be computed, or computed again.
CREATE TABLE energy_touched (
    codifier   text COLLATE "C" NOT NULL,
    from_time  timestamptz NOT NULL,
    to_time    timestamptz NOT NULL
);
CREATE TABLE phase_hour (
    phase      smallint NOT NULL,
    timestamp  timestamptz NOT NULL,
    day        date NOT NULL,
    known_s    double precision NOT NULL,
    mean_a     double precision,
    mean_va    double precision,
    peak_a     double precision,
    peak_time  timestamptz,
    overruns   integer NOT NULL,
    overrun_s  double precision NOT NULL,
    shed_s     double precision NOT NULL,
    PRIMARY KEY (phase, timestamp)
);
CREATE TABLE heater_hour (
    codifier   text COLLATE "C" NOT NULL,
    timestamp  timestamptz NOT NULL,
    day        date NOT NULL,
    phase      smallint NOT NULL,
    known_s    double precision NOT NULL,
    shed_s     double precision NOT NULL,  -- forced off
    eco_s      double precision NOT NULL,  -- held at eco
    PRIMARY KEY (codifier, timestamp)
);
CREATE VIEW phase_day AS
    SELECT phase, day, sum(known_s) AS known_s,
        sum(mean_a * known_s) / nullif(sum(known_s) FILTER (WHERE mean_a IS NOT NULL), 0)
            AS mean_a,
        max(peak_a) AS peak_a,
        (array_agg(peak_time ORDER BY peak_a DESC NULLS LAST, peak_time))[1] AS peak_time,
        sum(overruns) AS overruns, sum(overrun_s) AS overrun_s,
        sum(shed_s) / 60 AS shed_minutes
    FROM phase_hour GROUP BY phase, day;
CREATE VIEW heater_day AS
    SELECT codifier, day, phase, sum(known_s) AS known_s, sum(shed_s) / 60 AS shed_minutes,
        sum(eco_s) / 60 AS eco_minutes
    FROM heater_hour GROUP BY codifier, day, phase;
-- An hour of heating: seconds shed, mean A and VA of the phase, the meter's index.
CREATE VIEW heating_hour AS
    SELECT phase_hour.timestamp, phase, shed_s, mean_a, mean_va,
        (SELECT sum(index_wh)::bigint FROM energy_hour
            WHERE energy_hour.timestamp = phase_hour.timestamp
            AND period NOT IN ('TOTAL', 'INJECTED')) AS index_wh
    FROM phase_hour;
CREATE VIEW energy_day AS
    SELECT meter, period, day AS day, sum(wh)::bigint AS wh,
        sum(estimated_wh)::bigint AS estimated_wh, sum(known_s) AS known_s
    FROM energy_hour GROUP BY meter, period, day;
CREATE VIEW energy_month AS
    SELECT meter, period, date_trunc('month', day::timestamp)::date AS month, sum(wh)::bigint AS wh,
        sum(estimated_wh)::bigint AS estimated_wh, sum(known_s) AS known_s
    FROM energy_hour GROUP BY meter, period, date_trunc('month', day::timestamp)::date;
CREATE VIEW energy_year AS
    SELECT meter, period, date_trunc('year', day::timestamp)::date AS year, sum(wh)::bigint AS wh,
        sum(estimated_wh)::bigint AS estimated_wh, sum(known_s) AS known_s
    FROM energy_hour GROUP BY meter, period, date_trunc('year', day::timestamp)::date;
