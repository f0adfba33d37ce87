"""The keys that open and close frames: generations, and the cipher of each start of a sender."""

from _blake2 import blake2b
from collections.abc import Mapping, Set
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from jph.seal.frame import MAC_BYTES

_PERSON: Final = b"jph seal"
_HELLO: Final = b"jph hello"


def start_key(generation_key: bytes, node: str, epoch: int, salt: bytes) -> bytes:
    """Return the key of one start of a sender.

    The salt is random at each start: no nonce repeats, even if an epoch does.
    """
    start = node.encode() + epoch.to_bytes(4, "little") + salt
    return blake2b(start, key=generation_key, digest_size=32, person=_PERSON).digest()


class Generation(msgspec.Struct, frozen=True):
    """A generation key, its number, and until when it is accepted (s, monotonic); None: ever."""

    number: int
    key: bytes
    until_s: float | None = None


def hello_mac(generation: Generation, clear: bytes) -> bytes:
    """Return the tag of what is in the clear in a hello; quick to check before all else."""
    return blake2b(clear, key=generation.key, digest_size=MAC_BYTES, person=_HELLO).digest()


def decrypted(cipher: ChaCha20Poly1305, nonce: bytes, sealed: bytes, header: bytes) -> bytes | None:
    """Return what was encrypted, None if it is not genuine."""
    try:
        return cipher.decrypt(nonce, sealed, header)
    except InvalidTag:
        return None


class Keyring:
    """Generations that are accepted, and the public keys of the members.

    Attributes:
        serial: serial of the roster.
        members: codifiers of the members.
    """

    def __init__(
        self, generations: list[Generation], members: Mapping[str, bytes], serial: int
    ) -> None:
        self.serial = serial
        self._generations = generations
        self._by_number = {each.number % 16: each for each in reversed(generations)}
        self._members = {
            node: Ed25519PublicKey.from_public_bytes(key) for node, key in members.items()
        }
        self.members: Set[str] = frozenset(members)

    @property
    def newest(self) -> Generation:
        """The generation that frames are sealed with."""
        return self._generations[0]

    @property
    def generations(self) -> list[Generation]:
        """All generations that may be accepted, the newest first."""
        return list(self._generations)

    def accepted(self, number: int, now_ms: int) -> Generation | None:
        """Return the generation with this number modulo 16, if it is accepted now."""
        found = self._by_number.get(number)
        if found is None or (found.until_s is not None and now_ms >= 1000 * found.until_s):
            return None
        return found

    def verifies(self, node: str, signature: bytes, content: bytes) -> bool:
        """Say whether a signature is that of a member."""
        key = self._members.get(node)
        if key is None:
            return False
        try:
            key.verify(signature, content)
        except InvalidSignature:
            return False
        return True


class StartCiphers:
    """The ciphers of one start of a sender, one for each generation, made when needed."""

    __slots__ = ("_ciphers", "_start")

    def __init__(self, node: str, epoch: int, salt: bytes) -> None:
        self._start = node, epoch, salt
        self._ciphers: dict[bytes, ChaCha20Poly1305] = {}

    def of(self, generation: Generation) -> ChaCha20Poly1305:
        """Return the cipher of a generation."""
        cipher = self._ciphers.get(generation.key)
        if cipher is None:
            if len(self._ciphers) > 1:
                self._ciphers.clear()
            cipher = ChaCha20Poly1305(start_key(generation.key, *self._start))
            self._ciphers[generation.key] = cipher
        return cipher
