"""The roster of a sealed house: members, their public keys and rights. Pure.

It is a part of the config, under the key `Roster`. The signature of the config covers it.
`cryptography` is imported only by the functions that need it: every config is read with these
structs, sealed or not.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from jph.errors import JphError

if TYPE_CHECKING:
    from jph.seal.identity import NodeKeys

GENERATION_KEY_BYTES: Final = 32
GRACE_S: Final = 600.0
"""How long receivers accept the generation before, after a rotation without a revoked member."""
EVERY: Final = "*"
HEATERS: Final = "heaters"
HOUSE: Final = "house"
"""Name under which the generation key is wrapped for the house key; no codifier is that long."""
_KEY: Final = msgspec.Meta(min_length=32, max_length=32)


class SealError(JphError):
    """A key, a signature or a roster that cannot be used; names the remedy."""


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """Commands that a member may give.

    `set` (control flags `A` and `E`) and `run` (`H`, `S` and `C`) list codifiers; a node stands for
    its elements too, `heaters` for every heater, `*` for all. `drill` allows fault injection.
    """

    set: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    drill: bool = False


class Member(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One node: its public keys, the generation key wrapped for it, and its rights.

    A node speaks for itself and for its elements in the config; `codifiers` are further ones.
    """

    sign: Annotated[bytes, _KEY]
    wrap: Annotated[bytes, _KEY]
    key: bytes
    codifiers: tuple[str, ...] = ()
    may: Rights = Rights()


class Roster(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The members of a house at one moment.

    Attributes:
        serial: rises with every signature of the config.
        generation: number of the generation key; rises when it is replaced.
        house: public Ed25519 key of the house, which signs the config.
        key: the generation key, wrapped for the holder of the house key.
        grace: seconds that receivers accept the generation before; 0 after a member was revoked.
        members: by codifier of the node.
        wrap: public X25519 key of the house.
    """

    serial: Annotated[int, msgspec.Meta(ge=1)]
    generation: Annotated[int, msgspec.Meta(ge=1)]
    house: Annotated[bytes, _KEY]
    wrap: Annotated[bytes, _KEY]
    key: bytes
    grace: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    members: dict[str, Member] = {}


def owners(roster: Roster, parents: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Return the member that speaks for each codifier.

    `parents` are the entries of the config: codifier, and for an element its node.
    """
    found = {code: code for code in roster.members}
    for code, parent in parents:
        if (parent or code) in roster.members:
            found[code] = parent or code
    for node, member in roster.members.items():
        found.update(dict.fromkeys(member.codifiers, node))
    return found


def open_generation_key(roster: Roster, node: str, keys: "NodeKeys") -> bytes:
    """Return the generation key of a roster, opened with the keys of `node`.

    Raises:
        SealError: the node is no member, or its keys are not those of the roster.
    """
    from jph.seal.wrapping import unwrap

    member = roster.members.get(node)
    if member is None:
        raise SealError(
            f"{node} is no member of this house: control.py enrol, on the machine of the house key"
        )
    public = keys.public
    if (public.sign, public.wrap) != (member.sign, member.wrap):
        raise SealError(
            f"the keys of {node} on this machine are not those of the roster: enrol {node} again"
        )
    return unwrap(member.key, keys.wrap, context(roster, node))


def context(roster: Roster, name: str) -> bytes:
    """Return what a wrapped key is bound to: the house, the generation and the member."""
    return b"\0".join((roster.house, str(roster.generation).encode(), name.encode()))


def renewed(
    roster: Roster, generation_key: bytes, *, new_generation: bool = False, grace_s: float = 0.0
) -> Roster:
    """Return a roster with the next serial and `generation_key` wrapped for every member.

    With `new_generation` the key is that of the next generation.
    """
    from jph.seal.wrapping import wrap

    number = roster.generation + new_generation
    following = msgspec.structs.replace(
        roster,
        serial=roster.serial + 1,
        generation=number,
        grace=grace_s if new_generation else roster.grace,
    )
    members = {
        node: msgspec.structs.replace(
            member, key=wrap(generation_key, member.wrap, context(following, node))
        )
        for node, member in roster.members.items()
    }
    return msgspec.structs.replace(
        following,
        members=members,
        key=wrap(generation_key, roster.wrap, context(following, HOUSE)),
    )


_RIGHTS: Final[Mapping[str, Rights]] = {
    "ControlProgram": Rights(set=(EVERY,), run=(EVERY,), drill=True),
    "Gateway": Rights(set=(EVERY,), run=(EVERY,)),
    "Flask": Rights(set=(EVERY,), run=(EVERY,)),
    "Mqtt": Rights(set=(EVERY,)),
    "Schedule": Rights(set=(HEATERS,)),
    "Thermostat": Rights(set=(HEATERS,)),
}


def usual_rights(node_type: str) -> Rights:
    """Return the rights that a new member of a kind gets: sensors have none."""
    return _RIGHTS.get(node_type, Rights())


def fingerprint(house: bytes) -> str:
    """Return the short form of a house's public key that people compare: 26 characters."""
    from _blake2 import blake2b  # hashlib loads OpenSSL

    digest = blake2b(house, digest_size=16, person=b"jph house").digest()
    return base64.b32encode(digest).decode().rstrip("=")
