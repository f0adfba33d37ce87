"""Turns the blocks of a house into batches for its history. Pure."""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from collector.ingest.buffer import Batch
from jph.errors import JphError
from jph.sites.blocks import Content, decode_block
from jph.sites.hub_blocks import HouseConfig, decode_config, decode_gaps
from jph.sites.settings import is_site_name
from jph.wire.codec import Reading

_ORIGINAL: Final = 0
"""Epoch of programs without accounts: time and sequence identify their readings."""


class Taken(NamedTuple):
    """What blocks hold: a batch, the newest config, and how many blocks were none."""

    batch: Batch
    config: HouseConfig | None
    refused: int


def take(house: str, blocks: Iterable[tuple[str, bytes]], sampled: Collection[str] = ()) -> Taken:
    """Read blocks: the last word of the subject, and the payload.

    Of `sampled` codifiers some readings never come: missing sequences are no loss.
    """
    batch, refused = Batch([]), 0
    readings: list[Reading] = []
    config: HouseConfig | None = None
    for content, block in blocks:
        try:
            if content == Content.DATA:
                path, found = decode_block(block)
                if path[-1] != house:
                    raise JphError(f"a block of {path[-1]}")
                readings += found
            elif content == Content.GAPS:
                batch.gaps += decode_gaps(block)
            elif content == Content.CONFIG:
                found_config = decode_config(block)
                if config is None or found_config.at_ms > config.at_ms:
                    config = found_config
        except JphError:
            refused += 1
    if sampled:
        readings = [
            each._replace(epoch=_ORIGINAL) if each.source in sampled else each for each in readings
        ]
    batch.readings = readings
    return Taken(batch, config, refused)


def share(houses: int, collectors: int) -> int:
    """Return how many houses a collector takes at most."""
    return -(-houses // max(1, collectors))


def schema_of(house: str) -> str:
    """Return the schema of a house; the name of a site has no underscore.

    Raises:
        ValueError: no site has such a name; it would become SQL.
    """
    if not is_site_name(house):
        raise ValueError(f"{house!r} is not the name of a site")
    return f"house_{house.replace('-', '_')}"
