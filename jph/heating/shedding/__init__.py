"""Load shedding: keeps the breakers closed at the least loss of comfort.

    rules     the policy's numbers, what goes in and what comes out
    policy    all phases together: rooms, warnings
    phase     one phase: when to shed, when to give back, what may not be switched yet
    planner   which heaters: worth, relief, turns, caution
    choose    the sets behind that
    observer  what is known of a phase
    belief    which heaters draw, from the steps of the current
    amperes   what each draws, learned
    rooms     how short of heat each room is
    surge     what the rest of the house may draw soon
    trip      how long until something opens
    peaks     whether the meter saw the same day

Everything is pure: readings and monotonic time in, masks and reasons out.
"""

from jph.heating.shedding.policy import SheddingPolicy
from jph.heating.shedding.rules import Decision, Held, Readings, Reason, Report, Rules

__all__ = [
    "Decision",
    "Held",
    "Readings",
    "Reason",
    "Report",
    "Rules",
    "SheddingPolicy",
]
