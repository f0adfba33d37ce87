"""The typed model of a house: orders, loads, cards, meters, shedders, phases and rooms. Pure.

orders   the orders of a heater
card     settings of a pilot card
shedder  settings of a shedder
meter    settings of an electricity meter
loads    the loads of all cards, and the bits of the shed masks
house    meters, shedders, phases and rooms of a network
"""
