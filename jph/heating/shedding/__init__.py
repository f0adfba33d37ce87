"""Sheds heaters so that no breaker opens and rooms stay warm.

    rules            the policy's numbers, inputs and results
    inputs           readings of the bus, sorted for the policy
    policy           all phases together, warnings
    phase            one phase: shed, restore, wait
    planner          worth, relief, turns, caution
    knapsack         the sets behind that: branch and bound
    observer         current, commands and steps of a phase
    hypotheses       the hypothesis filter: heaters that draw
    learned_current  the current of each heater
    duty_cycle       the heat shortage of each room
    thermometer      the same, measured
    rooms            thermometers and wishes on the bus
    surge            the next pulse of the rest of the house
    trip             the time until a breaker opens
    peaks            the meter's own peak of the day
    memory           what survives a restart
    reasons          the reasons as they travel
    leadership       which of several shedders decides

Everything is pure: readings and monotonic time in, masks and reasons out.
"""

from jph.heating.shedding.policy import SheddingPolicy
from jph.heating.shedding.rules import Decision, Held, Readings, Reason, Report, Rules, Urgent

__all__ = [
    "Decision",
    "Held",
    "Readings",
    "Reason",
    "Report",
    "Rules",
    "SheddingPolicy",
    "Urgent",
]
