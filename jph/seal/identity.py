"""Private keys of nodes and of the house, and their files."""

import base64
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from jph.errors import SealError, StoreError
from jph.util import durable

FOLDER: Final = "seal"
"""Folder of keys, house key and pinned house below the state directory."""
_TIME_COST: Final = 3
_MEMORY_KIB: Final = 65_536
_LANES: Final = 4
_LEAST_CHARACTERS: Final = 8
_NONCE_BYTES: Final = 12


class PublicKeys(NamedTuple):
    """The public parts of a node's keys."""

    sign: bytes
    wrap: bytes


class NodeKeys(NamedTuple):
    """Keys of one node: Ed25519 proves who sent, X25519 opens the generation key."""

    sign: Ed25519PrivateKey
    wrap: X25519PrivateKey

    @property
    def public(self) -> PublicKeys:
        """The public parts."""
        return PublicKeys(
            self.sign.public_key().public_bytes_raw(), self.wrap.public_key().public_bytes_raw()
        )


def new_keys() -> NodeKeys:
    """Return new keys of a node."""
    return NodeKeys(Ed25519PrivateKey.generate(), X25519PrivateKey.generate())


def key_path(state: Path, node: str) -> Path:
    """Return the file of a node's keys below the state directory."""
    return state / FOLDER / f"{node}.key"


def save_keys(state: Path, node: str, keys: NodeKeys) -> None:
    """Write the keys of a node for its owner alone.

    Raises:
        StoreError: the disk refuses.
    """
    content = {
        "Sign": _text(keys.sign.private_bytes_raw()),
        "Wrap": _text(keys.wrap.private_bytes_raw()),
    }
    _save_private(key_path(state, node), content)


def load_keys(state: Path, node: str) -> NodeKeys:
    """Return the keys of a node.

    Raises:
        SealError: they are not there, damaged, or readable by other users.
    """
    path = key_path(state, node)
    content = _load_private(path, f"{node} has no keys on this machine: control.py enrol and join")
    try:
        return NodeKeys(
            Ed25519PrivateKey.from_private_bytes(_bytes(content["Sign"])),
            X25519PrivateKey.from_private_bytes(_bytes(content["Wrap"])),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise SealError(f"{path} holds no keys: {error!r}; enrol {node} again") from error


def has_keys(state: Path, node: str) -> bool:
    """Whether this machine has keys of a node."""
    return key_path(state, node).exists()


def load_or_create_keys(state: Path, node: str) -> NodeKeys:
    """Return the keys of a node, new ones if there are none.

    Raises:
        SealError: the file is damaged or readable by other users.
        StoreError: the disk refuses.
    """
    if has_keys(state, node):
        return load_keys(state, node)
    keys = new_keys()
    save_keys(state, node, keys)
    return keys


class HouseKey:
    """The house's Ed25519 key: it signs the config. Its seed gives an X25519 key too."""

    def __init__(self, seed: bytes) -> None:
        from _blake2 import blake2b

        self._seed = seed
        self.sign_key = Ed25519PrivateKey.from_private_bytes(seed)
        self.wrap_key = X25519PrivateKey.from_private_bytes(
            blake2b(b"wrap", key=seed, digest_size=32, person=b"jph house").digest()
        )

    @classmethod
    def new(cls) -> "HouseKey":
        """Return a new key."""
        return cls(os.urandom(32))

    @property
    def public(self) -> PublicKeys:
        """The public parts."""
        return NodeKeys(self.sign_key, self.wrap_key).public

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message."""
        return self.sign_key.sign(message)

    def save(self, path: Path, passphrase: str) -> None:
        """Write the key, encrypted with a passphrase.

        Raises:
            SealError: the passphrase is too short.
            StoreError: the disk refuses.
        """
        if len(passphrase) < _LEAST_CHARACTERS:
            raise SealError(f"the passphrase needs {_LEAST_CHARACTERS} characters or more")
        salt, nonce = os.urandom(16), os.urandom(_NONCE_BYTES)
        cost = {"Time": _TIME_COST, "Memory": _MEMORY_KIB, "Lanes": _LANES}
        cipher = ChaCha20Poly1305(_derive(passphrase, salt, cost))
        box = nonce + cipher.encrypt(nonce, self._seed, b"jph house key")
        public = _text(self.public.sign)
        _save_private(path, {"Public": public, "Salt": _text(salt), "Box": _text(box), **cost})

    @classmethod
    def load(cls, path: Path, passphrase: str) -> "HouseKey":
        """Return the key of a file.

        Raises:
            SealError: there is none, it is damaged, or the passphrase is wrong.
        """
        content = _load_private(path, f"there is no house key at {path}: control.py seal makes one")
        try:
            box = _bytes(content["Box"])
            cipher = ChaCha20Poly1305(_derive(passphrase, _bytes(content["Salt"]), content))
            return cls(cipher.decrypt(box[:_NONCE_BYTES], box[_NONCE_BYTES:], b"jph house key"))
        except InvalidTag as error:
            raise SealError(f"the passphrase of {path} is wrong") from error
        except (KeyError, ValueError, TypeError) as error:
            raise SealError(f"{path} holds no house key: {error!r}") from error


def _derive(passphrase: str, salt: bytes, cost: dict[str, Any]) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    time_cost, memory, lanes = (int(cost[name]) for name in ("Time", "Memory", "Lanes"))
    if not (0 < time_cost <= 100 and 0 < memory <= 2**21 and 0 < lanes <= 64):
        raise ValueError("its costs are out of range")
    return hash_secret_raw(
        passphrase.encode(), salt, time_cost, memory, lanes, hash_len=32, type=Type.ID
    )


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def _save_private(path: Path, content: Mapping[str, object]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(json.dumps(content, indent=1).encode())
        durable.put_in_place(fresh, path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error


def _load_private(path: Path, missing: str) -> dict[str, Any]:
    try:
        mode = path.stat().st_mode
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise SealError(missing) from error
    except (OSError, ValueError) as error:
        raise SealError(f"{path} cannot be read: {error}") from error
    if stat.S_IMODE(mode) & 0o077:
        raise SealError(f"other users can read {path}: replace the key, or chmod 600 {path}")
    if not isinstance(content, dict):
        raise SealError(f"{path} cannot be read: it holds no JSON object")
    return content
