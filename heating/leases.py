"""What is left of a shed mask while its shedder is silent.

Safe behaviour: the last mask is held for a while, since an overload that was being held off may
still be there; then heaters come back one by one, for a dead shedder must not leave a house cold.
Every card computes this from the phase's whole mask, so that cards which never speak to each
other still release one heater at a time.
"""

from collections.abc import Sequence

from heating.wiring import Heater


def remaining(
    mask: int, heaters: Sequence[Heater], silent_s: float, hold_s: float, interval_s: float
) -> int:
    """Return the part of a phase's mask still in force after `silent_s` without a word.

    `heaters` are all of the phase.  The most important heater is released when `hold_s` is over,
    the next one `interval_s` later, and so on.
    """
    if silent_s < hold_s:
        return mask
    shed = [heater for heater in heaters if mask >> heater.bit & 1]
    shed.sort(key=lambda heater: (-heater.priority, heater.codifier))
    released = len(shed) if interval_s <= 0 else 1 + int((silent_s - hold_s) / interval_s)
    return sum(1 << heater.bit for heater in shed[released:])
