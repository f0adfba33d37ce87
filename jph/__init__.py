"""jph: small programs on two multicast buses.

For scripts written for the original library, `jph.jph(configURL, Codifier)`, `jph.timeNow()` and
`jph.STATE` are here too; they are imported when they are first used.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jph.compat import STATE, jph, timeNow

__version__ = "0.1.0"
__all__ = ["STATE", "__version__", "jph", "timeNow"]


def __getattr__(name: str) -> Any:  # noqa: ANN401
    if name not in ("STATE", "jph", "timeNow"):
        raise AttributeError(f"module 'jph' has no attribute {name!r}")
    from jph import compat

    return getattr(compat, name)
