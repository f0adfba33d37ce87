"""SQL of the points of graphs, for `collector.history.query`. Pure."""

from typing import Final

from collector.db.tables import LARGEST
from collector.history.gaps import BEGAN, ENDED, LATEST
from collector.history.numbers import FINITE, NUMBER

GAPS_MOST: Final = 300
_MS: Final = "(date_part('epoch', timestamp) * 1000)::bigint"
RAW: Final = f"""
    SELECT {_MS}, {NUMBER} FROM readings(%(code)s, %(start)s, %(end)s) WHERE {FINITE}
    ORDER BY timestamp, epoch, sequence
"""
MIDNIGHTS: Final = "width_bucket(ms - 1, %(midnights)s::bigint[])"
"""The local day of a moment."""
_COMMON: Final = f"""
    (SELECT seconds FROM expected WHERE codifier = wanted.codifier AND since <= %(end)s
        ORDER BY since DESC LIMIT 1),
    (SELECT json_agg(json_build_array(
            (date_part('epoch', from_time) * 1000)::bigint,
            (date_part('epoch', to_time) * 1000)::bigint, cause, messages) ORDER BY from_time)::text
        FROM (SELECT {BEGAN} AS from_time, {ENDED} AS to_time, cause, messages FROM gap
            WHERE codifier = wanted.codifier AND {BEGAN} < %(end)s
                AND {LATEST} > %(start)s AND {ENDED} > %(start)s
            ORDER BY from_time DESC LIMIT {GAPS_MOST}) AS newest),
    (SELECT {_MS} FROM statistics_until)
"""
_ARRAYS: Final = """
    sum(count)::bigint AS readings, max(count)::bigint AS most,
    array_to_json(array_agg(ms))::text AS times,
    -- a mean can have 17 digits: seven draw the same line
    CASE WHEN max(abs(value)) < 1e5 AND NOT %(exact)s
        THEN array_to_json(array_agg(
            (CASE WHEN abs(value) < 1e-30 THEN 0 ELSE value END)::real))
        ELSE array_to_json(array_agg(value)) END::text AS values,
    array_to_json(array_agg(low))::text AS low, array_to_json(array_agg(high))::text AS high,
    CASE WHEN %(exact)s THEN array_to_json(array_agg(count))::text END AS counts
"""
CURVES: Final = f"""
    SELECT wanted.codifier, readings, most, times, values, low, high, counts, {_COMMON}
    FROM unnest(%(codifiers)s::text[]) WITH ORDINALITY AS wanted (codifier, place)
    LEFT JOIN LATERAL (SELECT {_ARRAYS} FROM ({{points}}) AS point) AS found ON true
    ORDER BY wanted.place
"""
_SUMMABLE: Final = f"max < {LARGEST!r} AND min > -{LARGEST!r}"
_WHICH: Final = (
    f"codifier = wanted.codifier AND timestamp > %(start)s AND timestamp <= %(end)s AND {_SUMMABLE}"
)
WHOLE_BUCKETS: Final = f"""
    SELECT {_MS} AS ms, {{statistic}} AS value, min AS low, max AS high, count
    FROM statistic_{{width}} WHERE {_WHICH} ORDER BY timestamp
"""
JOINED_BUCKETS: Final = f"""
    SELECT max({_MS}) AS ms, {{statistic}} AS value, min(min) AS low, max(max) AS high,
        sum(count) AS count
    FROM statistic_{{width}} WHERE {_WHICH} GROUP BY ({_MS} - {{half}}) / {{step}} ORDER BY 1
"""
WHOLE_READINGS: Final = f"""
    SELECT max(ms) AS ms, {{statistic}} AS value, min(min) AS low, max(max) AS high,
        count(*) AS count
    FROM (SELECT ms, value AS mean, value AS min, value AS max, 1 AS count FROM (
        SELECT {_MS} AS ms, {NUMBER} AS value
        FROM readings(%(code)s, %(start)s, %(end)s) WHERE {FINITE}
    ) AS number) AS each GROUP BY (ms - 1) / {{step}} ORDER BY 1
"""
RUNNING: Final = f"""
    SELECT codifier, max(ms), {{statistic}}, min(min), max(max), sum(count)::bigint FROM (
        SELECT codifier, {_MS} AS ms, mean, min, max, count FROM statistic_10min
        WHERE codifier = ANY(%(codifiers)s) AND timestamp > %(open)s AND timestamp <= %(known)s
            AND {_SUMMABLE}
        UNION ALL {{readings}}
    ) AS part GROUP BY codifier, {{bucket}} ORDER BY 2
"""
# One after the other, each by its name: `readings` then looks only once what is rejected.
SINCE: Final = f"""
    SELECT codifier, ms, value, value, value, 1 FROM (
        SELECT codifier, {_MS} AS ms, {NUMBER} AS value
        FROM readings(%(code{{number}})s, %(unknown)s, %(end)s) WHERE {FINITE}
    ) AS number
"""
