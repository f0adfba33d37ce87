"""Readings packed by the day, and all of them together: a migration of `collector.db.schema`.

A row of `packed` holds up to CHUNK readings of one codifier, start of it (`epoch`) and UTC day, a
column an array, which PostgreSQL compresses. Values stay what they were, bit by bit.
"""

from typing import Final

CHUNK: Final = 4000
"""As many readings are one row of `packed` at most."""
PACK_LOCK: Final = 0x6A706804
"""Advisory lock: alone for who packs a day, shared by who adds readings to days that may be."""

COLUMNS: Final = (
    *("timestamp", "epoch", "sequence", "value_real", "value_integer", "quality"),
    *("codifier", "value_text", "value_json"),
)
"""The columns of `reading`, in its order."""
_TYPES: Final = (
    '"timestamp" timestamptz, epoch bigint, sequence bigint, value_real double precision, '
    "value_integer bigint, quality smallint, codifier text, value_text text, value_json json"
)
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
"""SQL of every reading that is packed, in the order of COLUMNS; `packed` may be narrowed."""
_ALL: Final = ", ".join(COLUMNS)
_SHOWN: Final = _ALL.replace("quality", "{} AS quality")
_DOUBTED: Final = "CASE WHEN {} THEN 2::smallint ELSE quality END"
_WITHIN: Final = "timestamp > after AND {0}timestamp <= until"

READINGS_VIEW: Final = f"""
    CREATE VIEW readings AS
        SELECT {
    _SHOWN.format(
        _DOUBTED.format("(codifier, timestamp) IN (SELECT codifier, timestamp FROM energy_doubt)")
    )
} FROM (
        SELECT {_ALL} FROM reading
        UNION ALL {UNPACKED}
        ) AS every;
"""
PACKED_TABLES: Final = f"""
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
    -- readings for times up to this may be packed already
    ALTER TABLE statistics_until
        ADD COLUMN packed timestamptz NOT NULL DEFAULT '1970-01-01 00:00+00';
    -- up to when the readings of a codifier are kept no longer
    CREATE TABLE retired (
        codifier   text COLLATE "C" PRIMARY KEY,
        timestamp  timestamptz NOT NULL
    );
    -- indexes that energy does not believe, though their node did
    CREATE TABLE energy_doubt (
        codifier   text COLLATE "C" NOT NULL,
        timestamp  timestamptz NOT NULL,
        PRIMARY KEY (codifier, timestamp)
    );
    -- every reading, packed or not; an index that energy does not believe has quality 2
    {READINGS_VIEW.strip()}
    -- the readings of a codifier in (after, until] with the quality that was sent
    CREATE FUNCTION readings_as_sent(code text, after timestamptz, until timestamptz)
    RETURNS TABLE ({_TYPES}) LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT {_ALL} FROM reading
        WHERE codifier = code AND {_WITHIN.format("")}
        UNION ALL {UNPACKED}
        WHERE packed.codifier = code AND packed.last_time > after AND packed.first_time <= until
            AND packed.day >= (after AT TIME ZONE 'UTC')::date
            AND packed.day <= (until AT TIME ZONE 'UTC')::date
            AND each.{_WITHIN.format("each.")}
    $$;
    -- the readings of a codifier in (after, until]: only what may be in there is unpacked
    CREATE FUNCTION readings(code text, after timestamptz, until timestamptz)
    RETURNS TABLE ({_TYPES}) LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT {
    _SHOWN.format(
        _DOUBTED.format(
            "timestamp = ANY (ARRAY(SELECT doubt.timestamp FROM energy_doubt AS doubt "
            "WHERE doubt.codifier = code))"
        )
    )
} FROM readings_as_sent(code, after, until)
    $$;
    -- when the first reading of a codifier in (after, until] was taken
    CREATE FUNCTION next_reading(code text, after timestamptz, until timestamptz)
    RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE AS $$
        SELECT min(moment) FROM (
            (SELECT timestamp AS moment FROM reading
            WHERE codifier = code AND {_WITHIN.format("")} ORDER BY timestamp LIMIT 1)
            UNION ALL
            SELECT CASE WHEN first_time > after THEN first_time
                ELSE (SELECT min(one) FROM unnest(timestamps) AS one WHERE one > after) END
            FROM packed WHERE codifier = code AND last_time > after AND day = (
                SELECT day FROM packed
                WHERE codifier = code AND last_time > after AND first_time <= until
                    AND day >= (after AT TIME ZONE 'UTC')::date
                    AND day <= (until AT TIME ZONE 'UTC')::date
                ORDER BY day LIMIT 1)
        ) AS found WHERE moment <= until
    $$;
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
"""
