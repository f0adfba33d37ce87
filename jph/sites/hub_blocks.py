"""Blocks for a hub beside readings: gaps that will never be filled, and the house's config. Pure.

Of the config leaves what a hub's pages and calculations read: codifiers, rooms, tariffs, names, and
the settings of kinds that describe the house. Addresses of servers, passwords and tokens stay.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from jph.config.model import PROXY, Network
from jph.errors import DecodeError
from jph.retransmit import Gap
from jph.util.secrets import is_secret_name

_DESCRIBES: Final = frozenset(
    (
        *("Teleinfo", "PilotCard", "Shedding", "Thermostat", "Schedule", "Setpoint", PROXY),
        *("postgresCalcHandler", "jphCalcHistory"),
    )
)
"""Types whose settings describe the house."""
_PARTS: Final = ("Multicast", "Tariffs", "Rooms", "Translations")


class HouseConfig(msgspec.Struct, frozen=True):
    """The config of a house since `at_ms`; `sampled` are codifiers of which not all leaves."""

    at_ms: int
    config: msgspec.Raw
    sampled: tuple[str, ...] = ()


def encode_gaps(gaps: Iterable[Gap]) -> bytes:
    """Return a block of gaps."""
    return msgspec.json.encode(list(gaps))


def decode_gaps(block: bytes) -> list[Gap]:
    """Return the gaps of a block.

    Raises:
        DecodeError: it is none.
    """
    try:
        return msgspec.json.decode(block, type=list[Gap])
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise DecodeError("block", str(error)) from error


def encode_config(network: Network, at_ms: int, sampled: Iterable[str] = ()) -> bytes:
    """Return the block with the config of a house, as far as a hub may read it."""
    whole = msgspec.to_builtins(network, enc_hook=str)
    document = {name: whole[name] for name in _PARTS}
    document["Sensors"] = [
        {**entry, "Sensor": _open(entry["Sensor"]) if entry["Type"] in _DESCRIBES else {}}
        for entry in whole["Sensors"]
    ]
    raw = msgspec.Raw(msgspec.json.encode(document))
    return msgspec.json.encode(HouseConfig(at_ms, raw, tuple(sampled)))


def decode_config(block: bytes) -> HouseConfig:
    """Return the config in a block; its document is not checked here.

    Raises:
        DecodeError: it is none.
    """
    try:
        return msgspec.json.decode(block, type=HouseConfig)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise DecodeError("block", str(error)) from error


def _open(tree: Any) -> Any:  # noqa: ANN401
    """Return settings without what is secret by its name, and without servers."""
    if isinstance(tree, dict):
        return {
            name: _open(value)
            for name, value in tree.items()
            if not is_secret_name(str(name)) and name != "SQL"
        }
    if isinstance(tree, list):
        return [_open(value) for value in tree]
    return None if isinstance(tree, str) and "://" in tree else tree
