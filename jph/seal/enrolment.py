"""Enrolment of a machine: the line that is carried over, and the encrypted exchange. Pure.

Both sides derive one key for each direction from the one-time secret of the line and two random
salts. The secret has 128 bits, so nothing can be tried offline.
"""

import base64
import binascii
from _blake2 import blake2b
from typing import Annotated, Final, NamedTuple

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from jph.errors import SealError
from jph.seal.identity import NodeKeys

LIFE_S: Final = 600.0
"""How long a line is good."""
SALT_BYTES: Final = 16
SECRET_BYTES: Final = 16
_PREFIX: Final = "JPH:"
_KEY: Final = msgspec.Meta(min_length=32, max_length=32)


class Line(NamedTuple):
    """What `enrol` prints: address of the enrolling machine, fingerprint of the house, secret."""

    address: str
    port: int
    fingerprint: str
    secret: bytes

    def __str__(self) -> str:
        """One line; capitals alone make the QR code small."""
        secret = base64.b32encode(self.secret).decode().rstrip("=")
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{_PREFIX}{host}:{self.port}/{self.fingerprint}/{secret}".upper()


def read_line(text: str) -> Line:
    """Return the parts of a line.

    Raises:
        SealError: it is not one, or was cut.
    """
    compact = "".join(text.split()).upper()
    try:
        where, print_, secret = compact.removeprefix(_PREFIX).split("/")
        host, _, port = where.rpartition(":")
        padded = secret + "=" * (-len(secret) % 8)
        line = Line(host.strip("[]").lower(), int(port), print_, base64.b32decode(padded))
    except (ValueError, binascii.Error) as error:
        raise SealError(f"{text!r} is no line of control.py enrol") from error
    good = compact.startswith(_PREFIX) and len(line.fingerprint) == 26 and line.address
    if not good or len(line.secret) != SECRET_BYTES or not 0 < line.port < 65536:
        raise SealError("this is no whole line of control.py enrol: a part is missing")
    return line


class Channel:
    """Encrypts what one side of an enrolment sends and opens what it receives."""

    def __init__(
        self, secret: bytes, joiner_salt: bytes, enroller_salt: bytes, joins: bool
    ) -> None:
        salts = joiner_salt + enroller_salt
        keys = [
            ChaCha20Poly1305(
                blake2b(way + salts, key=secret, digest_size=32, person=b"jph enrol").digest()
            )
            for way in (b"joiner", b"enroller")
        ]
        self._out, self._in = keys if joins else reversed(keys)
        self._sent = self._received = 0

    def seal(self, message: bytes) -> bytes:
        """Return the next message, encrypted."""
        self._sent += 1
        return self._out.encrypt(self._sent.to_bytes(12, "big"), message, None)

    def open(self, sealed: bytes) -> bytes:
        """Return the next message of the other side.

        Raises:
            SealError: it is not of a side with the secret of the line.
        """
        self._received += 1
        try:
            return self._in.decrypt(self._received.to_bytes(12, "big"), sealed, None)
        except (InvalidTag, ValueError) as error:
            raise SealError("the other side does not have the secret of this line") from error


class Offer(msgspec.Struct, frozen=True):
    """From the enroller: the house, and the codifiers whose keys the new machine makes."""

    house: Annotated[bytes, _KEY]
    name: str
    codes: list[str]


class Candidate(msgspec.Struct, frozen=True):
    """Public keys of one node of the new machine; `proof` is a signature with the Ed25519 key."""

    sign: Annotated[bytes, _KEY]
    wrap: Annotated[bytes, _KEY]
    proof: bytes


class Welcome(msgspec.Struct, frozen=True):
    """From the enroller: the signed config, and its URL if a server has it."""

    document: bytes
    signature: bytes
    url: str = ""


def candidate(keys: NodeKeys, code: str, house: bytes) -> Candidate:
    """Return the public parts of a node's keys, with the proof that the private parts exist."""
    public = keys.public
    proof = keys.sign.sign(_claim(code, house, public.sign, public.wrap))
    return Candidate(public.sign, public.wrap, proof)


def check_candidate(offered: Candidate, code: str, house: bytes) -> None:
    """Refuse keys of a machine that does not have their private part.

    Raises:
        SealError: the proof is wrong.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        key = Ed25519PublicKey.from_public_bytes(offered.sign)
        key.verify(offered.proof, _claim(code, house, offered.sign, offered.wrap))
    except (InvalidSignature, ValueError) as error:
        raise SealError(f"the keys for {code} come without a proof") from error


def _claim(code: str, house: bytes, sign: bytes, wrap: bytes) -> bytes:
    return b"\0".join((b"jph candidate", house, code.encode(), sign, wrap))
