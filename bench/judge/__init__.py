"""A judge of shedding policies on simulated winter days.

neighbourhood  random houses of three sizings
case           one house on one day, with properties of meter, heaters and breaker
pace           timing of the meter's line without its characters
faults         losses on the line
policies       our policy and the ones beside it, behind one small interface
bound          the best possible result, with perfect knowledge
scorer         integrals over the limit, trips, cold rooms
day            one policy on one day
figures        many days in a few numbers
realtime       one house in real time, and the config of its programs
"""
