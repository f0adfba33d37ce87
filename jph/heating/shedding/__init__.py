"""Sheds heaters so that no breaker opens and rooms stay warm.

    rules                  the policy's numbers, inputs and results
    memory                 what survives a restart
    bus/
        inputs             readings of the bus, sorted for the policy
        load_bus           the same of loads, and what the shedder says of them
        rooms              thermometers and wishes on the bus
        reasons            the reasons as they travel
        leadership         which of several shedders decides
    decision/
        policy             all phases together, warnings
        phase              one phase: shed, restore, wait
        planner            worth, relief, turns, caution
        knapsack           the sets behind that: branch and bound
        trip               the time until a breaker opens
        returns            the time until a shed heater returns
    loads/
        steering           switches and chargers beside the heaters
        steered            one of them: need, times, energy
    estimates/
        observer           current, commands and steps of a phase
        hypotheses         the hypothesis filter: heaters that draw
        learned_current    the current of each heater
        duty_cycle         the heat shortage of each room
        thermometer        the same, measured
        surge              the next pulse of the rest of the house
        peaks              the meter's own peak of the day

Everything is pure: readings and monotonic time in, masks and reasons out.
"""

from jph.heating.shedding.decision.policy import SheddingPolicy
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
