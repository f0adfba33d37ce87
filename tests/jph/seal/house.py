"""A small sealed house without a network: members, their seals, and a clock."""

import os
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jph.seal.frame import Bus
from jph.seal.keyring import Generation, Keyring
from jph.seal.opening.opener import Opener
from jph.seal.opening.outcome import Outcome
from jph.seal.roster import Rights
from jph.seal.rules import Rules
from jph.seal.seal import Mode, Seal
from jph.seal.sealer import Sealer
from jph.wire.codec import Control, Reading, encode_control, encode_data

NODES = ("TI", "SH", "P1", "CC", "RA")
KEYS = {node: Ed25519PrivateKey.generate() for node in NODES}
PUBLIC = {node: key.public_key().public_bytes_raw() for node, key in KEYS.items()}
GENERATION = Generation(7, bytes(range(32)))
RULES = Rules(
    owners={**{node: node for node in NODES}, "I1": "TI", "S1": "SH", "11": "P1", "R1": "RA"},
    rights={"CC": Rights(set=("*",), run=("*",), drill=True), "SH": Rights(set=("heaters",))},
    parents={"I1": "TI", "S1": "SH", "11": "P1", "R1": "RA"},
    signed={"I1", "S1", "SH", "P1", "11"},
    heaters={"11"},
    open={"OT"},
)
Messages = list[bytes]


def keyring(*generations: Generation, serial: int = 1) -> Keyring:
    """Return the keys of a member, of one generation if none is given."""
    return Keyring(list(generations) or [GENERATION], PUBLIC, serial)


def seal(
    node: str,
    epoch: int,
    keys: Keyring | None = None,
    mode: Mode = "demand",
    salt: bytes | None = None,
    key: Ed25519PrivateKey | None = None,
    now_ms: int = 0,
) -> Seal:
    """Return the seal of one start of a member."""
    ring = keys or keyring()
    made = salt or os.urandom(16)
    sealer = Sealer(node, epoch, made, key or KEYS[node], ring, RULES)
    return Seal(sealer, Opener(node, ring, RULES, os.urandom), mode, now_ms)


def reading(source: str, value: float = 1.0, sequence: int = 0) -> bytes:
    return encode_data(Reading(sequence, 5, 1_790_000_000_000, "d", source, "@@", 1, 0, value))


def control(source: str, flag: str, to: str = "@@", sequence: int = 0) -> bytes:
    fields = (sequence, 5, 1_790_000_000_000, flag, source, to, 1, 1.0, True)
    return encode_control(Control(*fields))


def messages(outcome: Outcome) -> Messages:
    return [message for released in outcome.released for message in released.messages]


def causes(at: Seal) -> Mapping[str, int]:
    """Return the refusals of a member by cause."""
    found: dict[str, int] = {}
    for (cause, _), count in at.opener.refusals.counts.items():
        found[str(cause)] = found.get(str(cause), 0) + count
    return found


def deliver(sender: Seal, to: Seal, frames: list[bytes], bus: Bus, now_ms: int) -> Messages:
    """Pass frames on, and carry what both ask each other; return what was accepted."""
    accepted: Messages = []
    for frame in frames:
        outcome = to.opened(bus, frame, None, now_ms)
        accepted += messages(outcome)
        for ask in outcome.asks:
            question = to.hello(Bus.UNICAST, ask, now_ms)
            answer = sender.opened(Bus.UNICAST, question, None, now_ms)
            for reply in answer.asks:
                hello = sender.hello(Bus.UNICAST, reply, now_ms)
                accepted += messages(to.opened(Bus.UNICAST, hello, None, now_ms))
    return accepted


def send(sender: Seal, to: Seal, bus: Bus, *sent: bytes, now_ms: int = 1000) -> Messages:
    """Seal messages and deliver them."""
    return deliver(sender, to, sender.closed(bus, sent, now_ms), bus, now_ms)
