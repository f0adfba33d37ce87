"""A sealed house for measurements: every process derives the same keys, which protect nothing."""

import os
from _blake2 import blake2b
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from jph.config.model import Network, parse
from jph.seal.document import signature_line, with_keys
from jph.seal.generation import renewed
from jph.seal.identity import HouseKey, NodeKeys, save_keys
from jph.seal.roster import Member, Roster, usual_rights
from jph.seal.trust import Trust, save_trust


def sealed(network: Network, state: Path) -> Network:
    """Return a network whose nodes are members; their keys are kept below `state`."""
    os.environ["JPH_STATE"] = str(state)
    members = {}
    for node in network.nodes():
        keys = NodeKeys(
            Ed25519PrivateKey.from_private_bytes(_seed("sign", node.codifier)),
            X25519PrivateKey.from_private_bytes(_seed("wrap", node.codifier)),
        )
        save_keys(state, node.codifier, keys)
        members[node.codifier] = Member(
            sign=keys.public.sign, wrap=keys.public.wrap, key=b"", may=usual_rights(node.type)
        )
    house = HouseKey(_seed("house", "")).public
    roster = Roster(
        serial=1, generation=1, house=house.sign, wrap=house.wrap, key=b"", members=members
    )
    roster = renewed(roster, _seed("generation", ""))
    return msgspec.structs.replace(network, seal="demand", roster=roster)


def seal_file(path: Path) -> None:
    """Make the config in a file that of a sealed house, signed, with its keys beside it."""
    network = sealed(parse(path.read_bytes()), path.parent)
    document = with_keys(path.read_bytes(), {"Roster": network.roster, "Seal": "demand"})
    house = HouseKey(_seed("house", ""))
    path.write_bytes(document)
    path.with_name("config.json.sig").write_bytes(signature_line(house, document))
    save_trust(path.parent, Trust(house.public.sign, 1, 1))


def _seed(purpose: str, node: str) -> bytes:
    """Return a key that protects nothing but a measurement."""
    return blake2b(f"{purpose} {node}".encode(), digest_size=32, person=b"jph bench").digest()
