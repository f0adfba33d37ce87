"""A judge of shedding policies: simulated winter days, and what a policy made of them.

case      what is judged: sizing, seed, and how kind meter, heaters and breaker are
faults    what the line loses
policies  our policy and those it is compared with, all behind one small interface
bound     perfect knowledge: what nobody can do better
scorer    integrals over the limit, trips, cold rooms
day       one policy, one day
figures   many days in a few numbers
realtime  one house at the pace of the clock, and the programs that look after it
"""
