"""Commands, orders, settings and surveys over the two buses, for a console and for a gateway.

Every function returns facts; the caller puts them into words.
"""
