"""The one definition of an overrun: a current above the limit of its phase. Pure.

The flight recorder and the Energy page use it.  A warning of the meter lasts until it expires, long
after the current has fallen, so it counts only where no current is known.
"""


def is_overrun(current_a: float | None, limit_a: float | None, warning: bool = False) -> bool:
    """Return whether a phase is above its limit; `warning` is whether the meter warns."""
    if current_a is None or limit_a is None:
        return warning
    return current_a > limit_a
