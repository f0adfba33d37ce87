"""Notes of a node about itself, in the fraction of the number of `N` and `I`. Pure.

The number is the time at which the node read its config, in whole ms. A double has room for eleven
more bits behind it until the year 2039. Programs that do not know them see a time that is off by
less than a ms.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from jph.wire.codec import Control, Flag

_STEPS: Final = 2048
_SHARED: Final = 1
_OTHER: Final = "other settings"
_KEYS: Final = (
    *("Ring", "Journal", "Type", "Logging", "Port", "Address", "Certificate", "Socket", "Group"),
    _OTHER,
)


class Notes(NamedTuple):
    """What a node reports of itself.

    `restart` are the config keys that changed and that only a restart applies. `shared` is whether
    it hears another program that sends under its codifiers.
    """

    restart: tuple[str, ...] = ()
    shared: bool = False


def with_notes(config_time_ms: int, restart: Iterable[str], *, shared: bool) -> float:
    """Return the number of `N` and `I`; a key without a bit of its own is one of the others."""
    bits = _SHARED if shared else 0
    for key in restart:
        bits |= 2 << _KEYS.index(key if key in _KEYS else _OTHER)
    return config_time_ms + bits / _STEPS


def notes_of(message: Control) -> Notes:
    """Return the notes in an `N` or `I`; an original program sends times with any fraction."""
    if message.flag not in (Flag.NEW, Flag.ALIVE) or not message.version:
        return Notes()
    bits = float(message.number) % 1 * _STEPS
    if not bits.is_integer():  # nor a time that is no number
        return Notes()
    keys = tuple(key for place, key in enumerate(_KEYS) if int(bits) & 2 << place)
    return Notes(keys, bool(int(bits) & _SHARED))
