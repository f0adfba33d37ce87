"""Settings of a `Router`: the two networks that it joins, and what may pass."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

from jph.config.model import Endpoint, Multicast
from jph.config.settings import Settings, described


class Rule(Settings, frozen=True):
    """Messages that a rule is about: all that it names must hold."""

    codifier: Annotated[
        str, described("Codifier of the sender; * stands for any characters, ? for one")
    ] = "*"
    flag: Annotated[
        str, described("Flags, such as NIPT for life signs and pings; empty for all")
    ] = ""
    direction: Annotated[
        Literal["both", "out", "in"],
        described("out leads to the network `To`, in leads from it"),
    ] = "both"

    def holds(self, codifier: str, flag: str, outwards: bool) -> bool:
        """Say whether the rule is about a message."""
        if self.direction != "both" and (self.direction == "out") is not outwards:
            return False
        return (not self.flag or flag in self.flag) and fnmatchcase(codifier, self.codifier)


class RouterSettings(Settings, frozen=True):
    """`To` is the other network; `From` is needed in the configs of networks that are neither."""

    to: Annotated[Multicast, described("Groups and interfaces of the other network")]
    from_: Annotated[
        Multicast | None, described("Groups and interfaces of this side; else those of the config")
    ] = msgspec.field(default=None, name="From")
    pass_: Annotated[
        tuple[Rule, ...], described("What may pass: messages for which a rule holds")
    ] = msgspec.field(default=(Rule(),), name="Pass")
    block: Annotated[tuple[Rule, ...], described("What of it does not pass")] = ()
    state: Annotated[str, described("Element that carries the counters as JSON")] = ""

    def passes(self, codifier: str, flag: str, outwards: bool) -> bool:
        """Say whether a message may pass."""
        return any(rule.holds(codifier, flag, outwards) for rule in self.pass_) and not any(
            rule.holds(codifier, flag, outwards) for rule in self.block
        )


def place_of(endpoint: Endpoint) -> str:
    """Return a group and its port as text."""
    return f"{endpoint.address}:{endpoint.port}"


def network_name(near: Multicast, other: Multicast) -> str:
    """Return what tells a network from the other one: groups, and interfaces if these are equal."""
    name = f"{place_of(near.control)} {place_of(near.data)}"
    if name == f"{place_of(other.control)} {place_of(other.data)}":
        return f"{name} {sorted(near.interfaces.items())}"
    return name
