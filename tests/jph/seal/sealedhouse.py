"""The config of a sealed house with real keys on the disk, for nodes on loopback."""

import os
from collections.abc import Mapping
from typing import Literal

import msgspec

from jph.config.model import Network, state_dir
from jph.seal.generation import renewed
from jph.seal.identity import HouseKey, load_or_create_keys
from jph.seal.roster import Member, Rights, Roster, usual_rights


def sealed(
    network: Network,
    mode: Literal["watch", "demand"] = "demand",
    rights: Mapping[str, Rights] | None = None,
) -> Network:
    """Return a network whose nodes are all members of one house."""
    house = HouseKey.new()
    members = {}
    for node in network.nodes():
        public = load_or_create_keys(state_dir(), node.codifier).public
        may = (rights or {}).get(node.codifier, usual_rights(node.type))
        members[node.codifier] = Member(sign=public.sign, wrap=public.wrap, key=b"", may=may)
    public = house.public
    roster = Roster(
        serial=1, generation=1, house=public.sign, wrap=public.wrap, key=b"", members=members
    )
    made = renewed(roster, os.urandom(32))
    return msgspec.structs.replace(network, seal=mode, roster=made)
