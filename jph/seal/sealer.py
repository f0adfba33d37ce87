"""Closes messages into frames: one start of one member. Pure, with a random salt."""

import json
from _blake2 import blake2b
from collections import deque
from collections.abc import Sequence
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jph.seal.frame import (
    DIGEST_BYTES,
    OVERHEAD,
    SIGNATURE_BYTES,
    TAG_BYTES,
    Bus,
    Level,
    fields_of,
    nonce,
    packed,
    seal_byte,
    write_header,
)
from jph.seal.keyring import Keyring, StartCiphers
from jph.seal.rules import Rules
from jph.wire.codec import EVERY_NODE

_IP_UDP: Final = 48
"""Bytes of the headers of IPv6 and UDP."""
LONGEST_HELD_MS: Final = 2000
"""A message may wait so long between its sender and its receiver."""
MARK_MS: Final = 500
"""Pause between two notes of where the counters are."""


def digest(message: bytes | memoryview) -> bytes:
    """Return the digest that a proof has of a message."""
    return blake2b(message, digest_size=DIGEST_BYTES).digest()


class Sealer:
    """Closes what one start of a member sends.

    Attributes:
        counters: the next counter of each bus.
    """

    def __init__(
        self,
        node: str,
        epoch: int,
        salt: bytes,
        key: Ed25519PrivateKey,
        keyring: Keyring,
        rules: Rules,
        mtu: int = 1500,
    ) -> None:
        self.node, self.epoch, self.salt = node, epoch, salt
        self.keyring, self.rules = keyring, rules
        self.counters = dict.fromkeys(Bus, 0)
        self._key = key
        self._ciphers = StartCiphers(node, epoch, salt)
        self._most = mtu - _IP_UDP - OVERHEAD
        self._marks: deque[tuple[int, dict[Bus, int]]] = deque([(0, dict(self.counters))])

    def frames(self, bus: Bus, messages: Sequence[bytes], since_ms: int) -> list[bytes]:
        """Close messages into few frames; those of one level of proof keep their order."""
        signed, plain = self._by_proof(bus, messages)
        found = [
            self._close(bus, Level.GROUP, payload, since_ms)
            for payload in packed(plain, self._most)
        ]
        found += [
            self._close(bus, Level.SIGNED, payload, since_ms)
            for payload in packed(signed, self._most)
        ]
        return found

    def proofs(self, bus: Bus, messages: Sequence[bytes], since_ms: int) -> list[bytes]:
        """Prove messages that were sent in the clear."""
        payloads = packed([digest(message) for message in messages], self._most)
        return [self._close(bus, Level.PROOF, payload, since_ms) for payload in payloads]

    def hello(self, bus: Bus, content: dict[str, object], since_ms: int, to: str) -> bytes:
        """Return a hello: the salt, the serial, and where the counters were two seconds ago."""
        self._mark(since_ms)
        floors = self._marks[0][1]
        for at_ms, counters in self._marks:
            if since_ms - at_ms > LONGEST_HELD_MS:
                floors = counters
        full = {
            "serial": self.keyring.serial,
            "floors": [floors[each] for each in Bus],
            **content,
        }
        return self._close(bus, Level.HELLO, json.dumps(full).encode(), since_ms, to)

    def _by_proof(self, bus: Bus, messages: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
        signed: list[bytes] = []
        plain: list[bytes] = []
        for message in messages:
            needs = self.rules.needs_signature(bus, message, fields_of(message))
            (signed if needs else plain).append(message)
        return signed, plain

    def _mark(self, since_ms: int) -> None:
        """Note where the counters are, every half second."""
        if since_ms - self._marks[-1][0] >= MARK_MS:
            self._marks.append((since_ms, dict(self.counters)))
            while len(self._marks) > 2 and since_ms - self._marks[1][0] > LONGEST_HELD_MS:
                self._marks.popleft()

    def _close(
        self, bus: Bus, level: Level, payload: bytes, since_ms: int, to: str = EVERY_NODE
    ) -> bytes:
        self._mark(since_ms)
        counter = self.counters[bus]
        self.counters[bus] = counter + 1
        generation = self.keyring.newest
        clear = self.salt + counter.to_bytes(8, "little") if level is Level.HELLO else b""
        signs = level is not Level.GROUP
        length = len(clear) + len(payload) + TAG_BYTES + SIGNATURE_BYTES * signs
        header = write_header(
            *(counter, self.epoch, since_ms, self.node, to),
            *(seal_byte(generation.number, level), length),
        )
        known = header + clear
        cipher = self._ciphers.of(generation)
        frame = known + cipher.encrypt(nonce(bus, counter), payload, known)
        return frame + self._key.sign(frame) if signs else frame
