-- Readings packed by the day. A row holds up to 4,000 readings of one codifier, epoch and UTC day: each
-- column is an array, which PostgreSQL compresses. Values stay bit by bit as they were.
CREATE TABLE packed (
    first_time      timestamptz NOT NULL,
    last_time       timestamptz NOT NULL,
    epoch           bigint NOT NULL,
    first_sequence  bigint NOT NULL,  -- they count on from it, where `sequences` is null
    day             date NOT NULL,
    part            integer NOT NULL,  -- of the day, from 0
    count           integer NOT NULL,
    quality         smallint NOT NULL,  -- of all, where `qualities` is null
    codifier        text COLLATE "C" NOT NULL,
    timestamps      timestamptz[] NOT NULL,
    sequences       bigint[],
    qualities       smallint[],
    reals           double precision[],
    integers        bigint[],
    texts           text[],
    jsons           json[],
    PRIMARY KEY (codifier, day, epoch, part)
) PARTITION BY RANGE (day);
-- Readings for times up to this may be packed already.
ALTER TABLE statistics_until
    ADD COLUMN packed timestamptz NOT NULL DEFAULT '1970-01-01 00:00+00';
-- The readings of a codifier up to this time are no longer kept.
CREATE TABLE retired (
    codifier   text COLLATE "C" PRIMARY KEY,
    timestamp  timestamptz NOT NULL
);
-- Index values that the energy computation rejects, though their node did not.
CREATE TABLE energy_doubt (
    codifier   text COLLATE "C" NOT NULL,
    timestamp  timestamptz NOT NULL,
    PRIMARY KEY (codifier, timestamp)
);
-- Every reading, packed or not; a rejected index value has quality 2.
CREATE VIEW readings AS
    SELECT timestamp, epoch, sequence, value_real, value_integer,
        CASE WHEN (codifier, timestamp) IN (SELECT codifier, timestamp FROM energy_doubt)
            THEN 2::smallint ELSE quality END AS quality,
        codifier, value_text, value_json
    FROM (
        SELECT timestamp, epoch, sequence, value_real, value_integer, quality, codifier, value_text,
            value_json
        FROM reading
        UNION ALL
        SELECT each.timestamp, packed.epoch,
            coalesce(each.sequence, packed.first_sequence + each.number - 1) AS sequence,
            each.value_real, each.value_integer, coalesce(each.quality, packed.quality) AS quality,
            packed.codifier, each.value_text, each.value_json
        FROM packed CROSS JOIN LATERAL unnest(
            packed.timestamps, packed.sequences, packed.reals, packed.integers, packed.qualities,
            packed.texts, packed.jsons
        ) WITH ORDINALITY AS each (
            timestamp, sequence, value_real, value_integer, quality, value_text, value_json, number
        )
    ) AS every;
CREATE OR REPLACE FUNCTION codifiers_between(since timestamptz, until timestamptz)
RETURNS SETOF text LANGUAGE plpgsql STABLE AS $$
DECLARE
    found text COLLATE "C" := '';
BEGIN
    LOOP
        -- a plan for these months each time, so that the others are left out
        EXECUTE 'SELECT min(codifier) FROM ('
            '(SELECT codifier FROM reading WHERE codifier > $1 '
            'AND timestamp >= $2 AND timestamp < $3 ORDER BY codifier LIMIT 1) UNION ALL '
            '(SELECT codifier FROM packed WHERE codifier > $1 '
            'AND day >= ($2 AT TIME ZONE ''UTC'')::date '
            'AND day <= ($3 AT TIME ZONE ''UTC'')::date ORDER BY codifier LIMIT 1)) AS every'
            INTO found USING found, since, until;
        EXIT WHEN found IS NULL;
        RETURN NEXT found;
    END LOOP;
END $$;
