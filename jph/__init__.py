"""A house on a multicast bus. This module is the public library.

A kind of node is a subclass of `Node` with `Settings`; its hooks take `Reading` and `Control`
messages. `load` reads a config, `run` runs nodes until a signal. What these names do stays stable;
all other modules of the package may change with any version.

`jph.jph(configURL, Codifier)`, `jph.timeNow()` and `jph.STATE` serve scripts that were written for
the original library. Each name is imported when it is first used, so that `import jph` is cheap.
"""

from typing import TYPE_CHECKING, Any, Final

from jph.version import __version__

if TYPE_CHECKING:
    from jph.compat import STATE, jph, timeNow
    from jph.config.settings import Settings
    from jph.errors import ConfigError, DeviceError, JphError, StoreError
    from jph.node.kinds import load
    from jph.node.node import Node
    from jph.node.program import run
    from jph.wire.codec import Control, Flag, Json, Quality, Reading

__all__ = [
    "STATE",
    "ConfigError",
    "Control",
    "DeviceError",
    "Flag",
    "JphError",
    "Json",
    "Node",
    "Quality",
    "Reading",
    "Settings",
    "StoreError",
    "__version__",
    "jph",
    "load",
    "run",
    "timeNow",
]

_HOMES: Final = {
    "ConfigError": "jph.errors",
    "Control": "jph.wire.codec",
    "DeviceError": "jph.errors",
    "Flag": "jph.wire.codec",
    "JphError": "jph.errors",
    "Json": "jph.wire.codec",
    "Node": "jph.node.node",
    "Quality": "jph.wire.codec",
    "Reading": "jph.wire.codec",
    "STATE": "jph.compat",
    "Settings": "jph.config.settings",
    "StoreError": "jph.errors",
    "jph": "jph.compat",
    "load": "jph.node.kinds",
    "run": "jph.node.program",
    "timeNow": "jph.compat",
}
"""Module of each public name."""


def __getattr__(name: str) -> Any:  # noqa: ANN401
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'jph' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
