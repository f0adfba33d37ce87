"""Wraps a key for the holder of an X25519 key: ephemeral exchange, ChaCha20-Poly1305. Pure."""

from _blake2 import blake2b
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from jph.errors import SealError

_NONCE: Final = bytes(12)
"""Each key encrypts one message: the exchange has a fresh ephemeral key each time."""


def wrap(content: bytes, to: bytes, context: bytes) -> bytes:
    """Return `content` encrypted for the holder of the X25519 key `to`, bound to `context`."""
    ephemeral = X25519PrivateKey.generate()
    own = ephemeral.public_key().public_bytes_raw()
    shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(to))
    return own + _cipher(shared, own, to).encrypt(_NONCE, content, context)


def unwrap(wrapped: bytes, keys: X25519PrivateKey, context: bytes) -> bytes:
    """Return what `wrap` encrypted.

    Raises:
        SealError: it is for another key or another context, or was changed.
    """
    own, content = wrapped[:32], wrapped[32:]
    try:
        shared = keys.exchange(X25519PublicKey.from_public_bytes(own))
        cipher = _cipher(shared, own, keys.public_key().public_bytes_raw())
        return cipher.decrypt(_NONCE, content, context)
    except (InvalidTag, ValueError) as error:
        raise SealError("a wrapped key does not open: it is for another key") from error


def _cipher(shared: bytes, ephemeral: bytes, to: bytes) -> ChaCha20Poly1305:
    key = blake2b(ephemeral + to, key=shared, digest_size=32, person=b"jph wrap").digest()
    return ChaCha20Poly1305(key)
