"""Rules of a sealed house: proof that each message needs, and rights of its sender. Pure."""

from collections.abc import Collection, Mapping
from typing import Final

import msgspec

from jph.seal.frame import Bus, Fields, fields_of, messages_in
from jph.seal.roster import EVERY, HEATERS, Rights

_SIGNED_FLAGS: Final = frozenset("AEHSCDW")
"""Flags of commands. `D` is a command of later versions."""
_SET: Final = frozenset("AEW")
_RUN: Final = frozenset("HSC")
_UNICAST: Final = "U"
_FAULTS: Final = 7
_RESENT: Final = 3
_KIND_AT: Final = 29
_RESENT_AT: Final = 44
"""Resent readings lie behind the header and the prefix of a unicast message."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What a config says about senders.

    Attributes:
        owners: the member that speaks for each codifier.
        signed: codifiers whose readings need a signature: masks, and what heating and shedding
            listen to.
        heaters: codifiers of the heaters; parents: the node of each element.
        rights: rights of each member.
        open: codifiers whose readings are accepted without a seal.
    """

    owners: Mapping[str, str]
    rights: Mapping[str, Rights]
    parents: Mapping[str, str] = {}
    signed: Collection[str] = frozenset()
    heaters: Collection[str] = frozenset()
    open: Collection[str] = frozenset()

    def needs_signature(self, bus: Bus, message: bytes | memoryview, fields: Fields) -> bool:
        """Say whether a message needs the signature of its sender."""
        if bus is Bus.DATA:
            return fields.source in self.signed
        return fields.flag in _SIGNED_FLAGS or _injects_faults(message, fields)

    def may_send(self, node: str, bus: Bus, message: bytes | memoryview, fields: Fields) -> bool:
        """Say whether a member may send a message."""
        if self.owners.get(fields.source) != node:
            return False
        if bus is Bus.DATA:
            return True
        if fields.flag == _UNICAST and _kind(message) == _RESENT:
            return self._may_resend(node, bytes(message[_RESENT_AT:]))
        rights = self.rights.get(node, Rights())
        if _injects_faults(message, fields):  # the answer repeats the order
            return rights.drill or self.rights.get(fields.to, Rights()).drill
        if fields.flag in _SET:
            return self._covers(rights.set, fields.to)
        return fields.flag not in _RUN or self._covers(rights.run, fields.to)

    def _may_resend(self, node: str, joined: bytes) -> bool:
        """Say whether resent readings are all of the member; who reads them counts damage."""
        resent = messages_in(joined)
        return resent is None or all(
            self.owners.get(fields_of(each).source) == node for each in resent
        )

    def _covers(self, granted: Collection[str], to: str) -> bool:
        if EVERY in granted or to in granted or self.parents.get(to) in granted:
            return True
        return HEATERS in granted and to in self.heaters


def _injects_faults(message: bytes | memoryview, fields: Fields) -> bool:
    return fields.flag == _UNICAST and _kind(message) == _FAULTS


def _kind(message: bytes | memoryview) -> int:
    """Return the kind of a unicast message."""
    return message[_KIND_AT] if len(message) > _KIND_AT else 0
