"""The generation key of a house: opened from a roster, and wrapped for its members again. Pure."""

from typing import Final

import msgspec

from jph.errors import SealError
from jph.seal.identity import HouseKey, NodeKeys, PublicKeys
from jph.seal.roster import Member, Rights, Roster
from jph.seal.wrapping import unwrap, wrap

KEY_BYTES: Final = 32
_HOUSE: Final = "house"
"""Name under which the generation key is wrapped for the house key; no codifier is that long."""


def open_generation_key(roster: Roster, node: str, keys: NodeKeys) -> bytes:
    """Return the generation key of a roster, opened with the keys of `node`.

    Raises:
        SealError: the node is no member, or its keys are not those of the roster.
    """
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
        key=wrap(generation_key, roster.wrap, context(following, _HOUSE)),
    )


def open_for_house(roster: Roster, house: HouseKey) -> bytes:
    """Return the generation key of a roster, opened with the house key.

    Raises:
        SealError: the roster is of another house.
    """
    if house.public.sign != roster.house:
        raise SealError("the config is signed for another house than this house key")
    return unwrap(roster.key, house.wrap_key, context(roster, _HOUSE))


def added(
    roster: Roster, generation_key: bytes, code: str, public: PublicKeys, rights: Rights
) -> Roster:
    """Return the roster with a member more, or with other keys of a member; rights are kept."""
    known = roster.members.get(code)
    member = Member(
        sign=public.sign,
        wrap=public.wrap,
        key=wrap(generation_key, public.wrap, context(roster, code)),
        codifiers=known.codifiers if known else (),
        may=known.may if known else rights,
    )
    members = dict(sorted({**roster.members, code: member}.items()))
    return msgspec.structs.replace(roster, members=members)
