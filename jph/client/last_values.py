"""Last values of codifiers from the cache in Redis, for a command that does not want to wait."""

from collections.abc import Iterable
from typing import Final

from jph.wire.codec import EVERY_NODE, Quality, Reading, Value

LIMIT_S: Final = 1.0


def read_last_values(url: str, codifiers: Iterable[str]) -> dict[str, Reading] | None:
    """Return the last reading of each codifier that the cache has; None if it does not answer."""
    from redis import Redis, RedisError

    wanted = list(codifiers)
    try:
        client = Redis.from_url(
            url,
            decode_responses=True,
            encoding_errors="replace",
            socket_timeout=LIMIT_S,
            socket_connect_timeout=LIMIT_S,
        )
        with client, client.pipeline(transaction=False) as pipeline:
            for codifier in wanted:
                pipeline.hgetall(codifier)
            hashes = pipeline.execute(raise_on_error=False)
    except (RedisError, OSError, ValueError):
        return None
    found = {}
    for codifier, fields in zip(wanted, hashes, strict=True):
        reading = _reading(codifier, fields) if isinstance(fields, dict) else None
        if reading is not None:
            found[codifier] = reading
    return found


def _reading(codifier: str, fields: dict[str, str]) -> Reading | None:
    try:
        timestamp_ms = int(float(fields["DTimestamp"]))
        text = fields["Value"]
    except (KeyError, ValueError, OverflowError):
        return None
    quality = fields.get("Quality", "0")
    return Reading(
        0,
        0,
        timestamp_ms,
        "d",
        codifier,
        EVERY_NODE,
        1,
        int(quality) if quality.isdigit() else int(Quality.GOOD),
        _value(text),
    )


def _value(text: str) -> Value:
    try:
        return float(text)
    except ValueError:
        return text
