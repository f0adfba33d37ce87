"""Closes messages into frames: one start of one member. Pure, with a random salt."""

import itertools
import json
import os
import weakref
from _blake2 import blake2b
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jph.errors import SealError
from jph.seal.frame import (
    DIGEST_BYTES,
    MAC_BYTES,
    OVERHEAD,
    SIGNATURE_BYTES,
    TAG_BYTES,
    Bus,
    Level,
    fields_of,
    heads,
    like,
    nonce,
    packed,
    seal_byte,
    write_header,
)
from jph.seal.keyring import Keyring, StartCiphers, hello_mac
from jph.seal.rules import Rules
from jph.wire.codec import EVERY_NODE, HEADER_SIZE, MAX_DATAGRAM
from jph.wire.columns import Block

_IP_UDP: Final = 48
"""Bytes of the headers of IPv6 and UDP."""
LONGEST_HELD_MS: Final = 2000
"""A message may wait so long between its sender and its receiver."""
_LEVELS_KEPT: Final = 4096
_COUNTERS: Final = max(Bus) + 1
_sealers: "weakref.WeakSet[Sealer]" = weakref.WeakSet()


def digest(message: bytes | memoryview) -> bytes:
    """Return the digest that a proof has of a message."""
    return blake2b(message, digest_size=DIGEST_BYTES).digest()


class Sealer:
    """Closes what one start of a member sends.

    A copy of its process (fork) may not seal: it would use the same nonces.

    Attributes:
        counters: the next counter of each bus.
        most: bytes of the largest payload that is packed.
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
        self.counters = [0] * _COUNTERS
        self.rules = rules
        self._next = [itertools.count() for _ in range(_COUNTERS)]  # atomic: the log has threads
        self._forked = False
        _sealers.add(self)
        self._key = key
        self._ciphers = StartCiphers(node, epoch, salt)
        self.keyring = keyring
        self.most = mtu - _IP_UDP - OVERHEAD

    @property
    def keyring(self) -> Keyring:
        """The keys; other ones after a reload."""
        return self._keyring

    @keyring.setter
    def keyring(self, keyring: Keyring) -> None:
        self._keyring = keyring
        generation = keyring.newest
        self._encrypt = self._ciphers.of(generation).encrypt
        self._seals = {level: seal_byte(generation.number, level) for level in Level}

    @property
    def rules(self) -> Rules:
        """The rules; other ones after a reload."""
        return self._rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._rules = rules
        self._signs: dict[tuple[int, bytes], bool] = {}

    def skip(self, bus: Bus, counter: int) -> None:
        """Go on with a higher counter."""
        if counter < self.counters[bus]:
            raise ValueError("counters only rise")
        self._next[bus] = itertools.count(counter)
        self.counters[bus] = counter

    def frames_of(self, bus: Bus, blocks: Sequence[Block], since_ms: int) -> list[bytes]:
        """Close the messages of blocks into few frames, as `frames` does; quick for large ones."""
        if len(blocks) == 1 and len(blocks[0].joined) == blocks[0].size and bus is not Bus.UNICAST:
            message = blocks[0].joined
            signed = self._must_sign(bus, message[16:24])
            level = Level.SIGNED if signed else Level.GROUP
            return [self._close(bus, level, message, since_ms)]
        found: list[bytes] = []
        waiting: list[bytes] = []
        for joined, size in filter(itemgetter(0), blocks):
            signs = {self._must_sign(bus, head) for head in heads(joined, size)}
            if len(joined) == size or len(signs) != 1 or bus is Bus.UNICAST:
                waiting += Block(joined, size).datagrams()
                continue
            if waiting:
                found += self.frames(bus, waiting, since_ms)
                waiting = []
            level = Level.SIGNED if signs.pop() else Level.GROUP
            step = max(1, self.most // size) * size
            found += [
                self._close(bus, level, joined[at : at + step], since_ms)
                for at in range(0, len(joined), step)
            ]
        return found + self.frames(bus, waiting, since_ms) if waiting else found

    def _must_sign(self, bus: Bus, head: bytes) -> bool:
        signs = self._signs.get((bus, head))
        if signs is None:
            if len(self._signs) >= _LEVELS_KEPT:
                self._signs.clear()
            message = like(head)
            signs = self._rules.needs_signature(bus, message, fields_of(message))
            self._signs[bus, head] = signs
        return signs

    def frames(self, bus: Bus, messages: Sequence[bytes], since_ms: int) -> list[bytes]:
        """Close messages into few frames; those of one level of proof keep their order."""
        signed, plain = self._by_proof(bus, messages)
        found = [
            self._close(bus, Level.GROUP, payload, since_ms) for payload in packed(plain, self.most)
        ]
        found += [
            self._close(bus, Level.SIGNED, payload, since_ms)
            for payload in packed(signed, self.most)
        ]
        return found

    def proofs(self, bus: Bus, messages: Sequence[bytes], since_ms: int) -> list[bytes]:
        """Prove messages that were sent in the clear."""
        payloads = packed([digest(message) for message in messages], self.most)
        return [self._close(bus, Level.PROOF, payload, since_ms) for payload in payloads]

    def hello(self, bus: Bus, content: dict[str, object], since_ms: int, to: str) -> bytes:
        """Return a hello: salt, serial, and which counters come next."""
        full = {
            "floors": [self.counters[each] for each in Bus],
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

    def _close(
        self, bus: Bus, level: Level, payload: bytes, since_ms: int, to: str = EVERY_NODE
    ) -> bytes:
        if self._forked:
            raise SealError(f"this process is a copy of that of {self.node}: it may not seal")
        counter = next(self._next[bus])
        self.counters[bus] = counter + 1
        clear = b""
        if level is Level.HELLO:
            clear = self.salt + counter.to_bytes(8, "little")
            clear += self._keyring.serial.to_bytes(4, "little") + bytes(MAC_BYTES)
        signs = level is not Level.GROUP
        length = len(clear) + len(payload) + TAG_BYTES + SIGNATURE_BYTES * signs
        if length > MAX_DATAGRAM - HEADER_SIZE:
            raise SealError(f"a message of {len(payload)} bytes is too long for a sealed frame")
        header = write_header(
            counter, self.epoch, since_ms, self.node, to, self._seals[level], length
        )
        known = header + clear
        if level is Level.HELLO:
            begin = known[:-MAC_BYTES]
            known = begin + hello_mac(self._keyring.newest, begin)
        frame = known + self._encrypt(nonce(bus, counter), payload, known)
        return frame + self._key.sign(frame) if signs else frame


def _forbid_copies() -> None:
    for sealer in _sealers:
        sealer._forked = True


os.register_at_fork(after_in_child=_forbid_copies)
