-- The readings of a codifier in (after, until], packed or not. In PL/pgSQL: Citus does not plan SQL-language
-- functions with parameters that read distributed tables.
CREATE OR REPLACE FUNCTION readings_as_sent(code text, after timestamptz, until timestamptz)
RETURNS TABLE ("timestamp" timestamptz, epoch bigint, sequence bigint, value_real double precision,
    value_integer bigint, quality smallint, codifier text, value_text text, value_json json)
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
        SELECT timestamp, epoch, sequence, value_real, value_integer, quality, codifier, value_text,
            value_json
        FROM reading WHERE codifier = code AND timestamp > after AND timestamp <= until;
    -- only the rows that may hold such readings are unpacked
    RETURN QUERY
        SELECT each.timestamp, packed.epoch,
            coalesce(each.sequence, packed.first_sequence + each.number - 1),
            each.value_real, each.value_integer, coalesce(each.quality, packed.quality),
            packed.codifier, each.value_text, each.value_json
        FROM packed CROSS JOIN LATERAL unnest(
            packed.timestamps, packed.sequences, packed.reals, packed.integers, packed.qualities,
            packed.texts, packed.jsons
        ) WITH ORDINALITY AS each (
            timestamp, sequence, value_real, value_integer, quality, value_text, value_json, number
        )
        WHERE packed.codifier = code AND packed.last_time > after AND packed.first_time <= until
            AND packed.day >= (after AT TIME ZONE 'UTC')::date
            AND packed.day <= (until AT TIME ZONE 'UTC')::date
            AND each.timestamp > after AND each.timestamp <= until;
END $$;
-- The same; a rejected index value has quality 2.
CREATE OR REPLACE FUNCTION readings(code text, after timestamptz, until timestamptz)
RETURNS TABLE ("timestamp" timestamptz, epoch bigint, sequence bigint, value_real double precision,
    value_integer bigint, quality smallint, codifier text, value_text text, value_json json)
LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
#variable_conflict use_column
DECLARE
    rejected timestamptz[] := ARRAY(
        SELECT timestamp FROM energy_doubt
        WHERE codifier = code AND timestamp > after AND timestamp <= until);
BEGIN
    IF cardinality(rejected) = 0 THEN
        RETURN QUERY SELECT * FROM readings_as_sent(code, after, until);
    ELSE
        RETURN QUERY
            SELECT timestamp, epoch, sequence, value_real, value_integer,
                CASE WHEN timestamp = ANY (rejected) THEN 2::smallint ELSE quality END,
                codifier, value_text, value_json
            FROM readings_as_sent(code, after, until);
    END IF;
END $$;
-- The time of the first reading of a codifier in (after, until].
CREATE OR REPLACE FUNCTION next_reading(code text, after timestamptz, until timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    row_time timestamptz;
    packed_day date;
    packed_time timestamptz;
BEGIN
    SELECT timestamp INTO row_time FROM reading
        WHERE codifier = code AND timestamp > after AND timestamp <= until
        ORDER BY timestamp LIMIT 1;
    SELECT day INTO packed_day FROM packed
        WHERE codifier = code AND last_time > after AND first_time <= until
            AND day >= (after AT TIME ZONE 'UTC')::date AND day <= (until AT TIME ZONE 'UTC')::date
        ORDER BY day LIMIT 1;
    IF packed_day IS NOT NULL THEN
        SELECT min(CASE WHEN first_time > after THEN first_time
                ELSE (SELECT min(one) FROM unnest(timestamps) AS one WHERE one > after) END)
            INTO packed_time FROM packed
            WHERE codifier = code AND last_time > after AND day = packed_day;
    END IF;
    RETURN least(row_time, CASE WHEN packed_time <= until THEN packed_time END);
END $$;
