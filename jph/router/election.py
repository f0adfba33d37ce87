"""Election of the routers that forward: no two ways lead from one network to another. Pure.

The routers that are alive take turns in the order of their codifiers. A router forwards if its two
networks are not joined yet by the routers before it.
"""

from collections.abc import Collection, Mapping

Link = tuple[str, str]
"""The names of the two networks that a router joins."""


def forwards(codifier: str, links: Mapping[str, Link], alive: Collection[str]) -> bool:
    """Say whether a router forwards; it counts itself as alive."""
    joined: dict[str, str] = {}

    def root(network: str) -> str:
        while (above := joined.get(network, network)) != network:
            network = above
        return network

    for each in sorted(links):
        if each != codifier and each not in alive:
            continue
        one, other = (root(network) for network in links[each])
        if each == codifier:
            return one != other
        joined[one] = other
    return False
