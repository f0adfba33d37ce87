"""The seal of a node: its keys and the rules of the config. Loaded only where one is configured."""

import os
import time
from collections.abc import Iterator
from typing import Final

from jph.config.house.loads import wiring
from jph.config.model import Network, state_dir
from jph.errors import ConfigError, SealError
from jph.net.sealed_bus import clock_ms
from jph.seal.frame import SALT_BYTES
from jph.seal.generation import open_generation_key
from jph.seal.identity import load_keys
from jph.seal.keyring import Generation, Keyring
from jph.seal.opening.opener import Opener
from jph.seal.roster import Roster, owners
from jph.seal.rules import Rules
from jph.seal.seal import Seal
from jph.seal.sealer import Sealer

_TRUSTED_KINDS: Final = frozenset({"Shedding", "PilotCard"})
"""Kinds that act at once on what they hear: it must be signed."""


def make_seal(node: str, epoch: int, network: Network) -> Seal:
    """Return the seal of a new start of a node.

    Raises:
        SealError: the node is no member, or its keys are not there.
    """
    roster = _roster(network)
    keys = load_keys(state_dir(), node)
    generation = Generation(roster.generation, open_generation_key(roster, node, keys))
    keyring, rules = _keyring([generation], roster), rules_of(network)
    salt = os.urandom(SALT_BYTES)
    sealer = Sealer(*(node, epoch, salt, keys.sign, keyring, rules), mtu=network.multicast.mtu)
    opener = Opener(node, keyring, rules, os.urandom)
    return Seal(sealer, opener, network.seal or "watch", clock_ms())


def renew_seal(seal: Seal, network: Network) -> None:
    """Have a seal take a new roster; the generation before is accepted for its grace.

    Raises:
        SealError: the node is no member any more.
    """
    roster = _roster(network)
    node = seal.sealer.node
    generation = Generation(
        roster.generation, open_generation_key(roster, node, load_keys(state_dir(), node))
    )
    kept = [generation]
    newest = seal.sealer.keyring.newest
    if newest.number != generation.number and roster.grace:
        until_s = time.monotonic() + roster.grace
        kept.append(Generation(newest.number, newest.key, until_s))
    elif newest.number == generation.number:
        kept += seal.sealer.keyring.generations[1:]
    seal.adopt(_keyring(kept, roster), rules_of(network), network.seal or "watch")


def rules_of(network: Network) -> Rules:
    """Return what a config says about senders."""
    roster = _roster(network)
    codes = {entry.codifier for entry in network.sensors}
    parents = {e.codifier: e.parent for e in network.sensors if e.parent is not None}
    signed: set[str] = set()
    for node in network.nodes():
        if node.type not in _TRUSTED_KINDS:
            continue
        signed |= {text for text in _texts(node.sensor) if text in codes}
        signed |= {code for code, parent in parents.items() if parent == node.codifier}
        signed.add(node.codifier)
    return Rules(
        owners=owners(roster, [(e.codifier, e.parent) for e in network.sensors]),
        rights={node: member.may for node, member in roster.members.items()},
        parents=parents,
        signed=signed,
        heaters=_heaters(network),
        open=frozenset(network.open),
    )


def _heaters(network: Network) -> frozenset[str]:
    try:
        return frozenset(wiring(network).heaters)
    except ConfigError:  # no heater can be commanded then
        return frozenset()


def _roster(network: Network) -> Roster:
    if network.roster is None:
        raise SealError("the config has a Seal and no Roster: control.py seal writes both")
    return network.roster


def _keyring(generations: list[Generation], roster: Roster) -> Keyring:
    members = {node: member.sign for node, member in roster.members.items()}
    return Keyring(generations, members, roster.serial)


def _texts(tree: object) -> Iterator[str]:
    """Yield every text in a tree of JSON."""
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _texts(value)
    elif isinstance(tree, list | tuple):
        for value in tree:
            yield from _texts(value)
