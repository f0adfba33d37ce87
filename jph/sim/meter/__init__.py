"""The electricity meter: its counters, its information groups and its serial line.

frames    information groups and checksums of the historique mode (pure)
register  indexes, maxima and all other values of groups (pure)
line      order of the groups: long frames, and short ones while a phase is over (pure)
port      a pseudo-terminal that replaces the two wires
"""
