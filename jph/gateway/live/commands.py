"""Answers of nodes to commands, as the API returns them."""

from typing import Final

import msgspec

from jph.client.commands import NodeAnswer
from jph.client.limits import Limits
from jph.heating.explain.sentences import Say, english
from jph.wire.codec import Flag

FLAGS: Final = {"P": "ping", "S": "start", "H": "halt", "C": "reload"}
_NO_RELOAD: Final = (
    "no sign within {limit} s that {node} read its configuration again: "
    "it is away, or has refused it (its log says why)"
)
_RESTART: Final = "{node} read its configuration again; needs a restart: {keys}"


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer of a node to a command: `text` for people, `milliseconds` of the round trip.

    `active` is whether the node says that it sends data. `restart` are the config keys that a
    reload left to a restart.
    """

    codifier: str
    flag: str
    answered: bool
    text: str
    milliseconds: float | None = None
    active: bool | None = None
    restart: tuple[str, ...] = ()


def answer_of(codifier: str, heard: NodeAnswer, limits: Limits, say: Say = english) -> Answer:
    """Put the answer to a command to `codifier` into words."""
    flag, node = heard.flag, heard.node
    if not heard.answered or heard.round_trip_ms is None:
        reload = flag == Flag.RELOAD
        text = _NO_RELOAD if reload else "{node} did not answer within {limit} s"
        limit = f"{limits.reload_s if reload else limits.answer_s:g}"
        return Answer(codifier, flag, False, say(text, node=node, limit=limit))
    time = f"{heard.round_trip_ms:.1f}"
    text = say(_text(flag, bool(heard.active)), node=node, time=time)
    if heard.restart:
        text = say(_RESTART, node=node, keys=", ".join(heard.restart))
    milliseconds = round(heard.round_trip_ms, 3)
    return Answer(codifier, flag, True, text, milliseconds, heard.active, heard.restart)


def _text(flag: str, active: bool) -> str:
    if flag == Flag.PING:
        if active:
            return "{node} answered in {time} ms; it is sending"
        return "{node} answered in {time} ms; it is halted"
    if flag == Flag.RELOAD:
        return "{node} read its configuration again"
    if active is (flag == Flag.START):
        return "{node} says that it is sending" if active else "{node} says that it is halted"
    if active:
        return "{node} says that it is sending all the same"
    return "{node} says that it is halted all the same"
