"""The electricity meter: what it counts, what it says, and the line it says it on.

frames    information groups and checksums of the historique mode (pure)
register  indexes, maxima and everything else a group can tell (pure)
line      which group comes next: long frames, and short ones while a phase is over (pure)
port      a pseudo-terminal that stands for the two wires
"""
