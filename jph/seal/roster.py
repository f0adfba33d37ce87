"""The roster of a sealed house: members, their public keys and rights. Pure.

It is a part of the config, under the key `Roster`. The signature of the config covers it. Every
config is read with these structs, sealed or not, so nothing here imports `cryptography`.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec

GRACE_S: Final = 600.0
"""How long receivers accept the generation before, after a rotation without a revoked member."""
EVERY: Final = "*"
HEATERS: Final = "heaters"


def _described(text: str, unit: str = "", **limits: Any) -> msgspec.Meta:  # noqa: ANN401
    return msgspec.Meta(description=text, extra={"unit": unit}, **limits)


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """Commands that a member may give.

    A node in a list stands for its elements too, `heaters` for every heater, `*` for all.
    """

    set: Annotated[tuple[str, ...], _described("Codifiers that it may set and step")] = ()
    run: Annotated[
        tuple[str, ...], _described("Nodes that it may start, halt and let reload the config")
    ] = ()
    drill: Annotated[bool, _described("Whether it may inject faults")] = False


class Member(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One node: its public keys, the generation key wrapped for it, and its rights.

    A node speaks for itself and for its elements in the config; `codifiers` are further ones.
    """

    sign: Annotated[bytes, _described("Public Ed25519 key", min_length=32, max_length=32)]
    wrap: Annotated[bytes, _described("Public X25519 key", min_length=32, max_length=32)]
    key: Annotated[bytes, _described("The generation key, wrapped for this member")]
    codifiers: Annotated[
        tuple[str, ...], _described("Codifiers that it speaks for, beside its elements")
    ] = ()
    may: Annotated[Rights, _described("Commands that it may give")] = Rights()


class Roster(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """The members of a house at one moment."""

    serial: Annotated[int, _described("Rises with every signature of the config", ge=1)]
    generation: Annotated[int, _described("Number of the generation key", ge=1)]
    house: Annotated[
        bytes, _described("Public Ed25519 key of the house", min_length=32, max_length=32)
    ]
    wrap: Annotated[
        bytes, _described("Public X25519 key of the house", min_length=32, max_length=32)
    ]
    key: Annotated[bytes, _described("The generation key, wrapped for the house key")]
    grace: Annotated[float, _described("How long the generation before is accepted", "s", ge=0)] = (
        0.0
    )
    members: Annotated[dict[str, Member], _described("Members, by codifier of the node")] = {}


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
