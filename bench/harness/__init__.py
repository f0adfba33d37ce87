"""The common parts of all measurements.

report     command line, rows, tables, JSON
timing     medians, percentiles, calls in turns
network    free ports, and configs on buses of their own
processes  servers and programs, their CPU time and memory
senders    nodes that send at a given rate, in one process
observers  round trips, event streams and the stores, while a network runs
"""
