"""Sentences about refused messages, for the log and for people. Pure."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jph.seal.frame import Fields
    from jph.seal.opening.refusals import Cause

_SENTENCES: Final = {
    "open": "{source} sent {flag} without a seal",
    "generation": "{node} has another key than the house: it was away; reload it",
    "key": "a frame in the name of {node} is not from a member, or was changed",
    "signature": "{node} did not sign {flag} of {source}, or the signature is wrong",
    "right": "{node} may not send {flag} of {source} to {to}",
    "replay": "a frame of {node} arrived again",
    "early": "a frame of {node} left before this node began, so it may be a recorded one",
    "stale": "an order or a mask of {node} is older than two seconds",
    "unfresh": "{node} has not proved that it runs now; its frame was dropped",
    "serial": "{node} has an older config than this node",
}

CAUSES: Final = {
    "open": "it has no seal",
    "generation": "its key is not the one of now; reload the node",
    "key": "it is not from a member, or was changed",
    "signature": "it is not signed by that node",
    "right": "the node has no right to that",
    "replay": "it arrived again",
    "early": "it left before the node that heard it began",
    "stale": "it is an order or a mask older than two seconds",
    "unfresh": "the node has not proved yet that it runs now",
    "serial": "its config is older",
}
"""Causes in words, for tables: what is wrong with a message."""


def sentence(cause: "Cause", node: str, claimed: "Fields | None") -> str:
    """Return why a message was refused: its cause, the node of the frame, and what it claims."""
    return _SENTENCES[cause].format(
        node=node,
        flag=claimed.flag if claimed else "?",
        source=claimed.source if claimed else node,
        to=claimed.to if claimed else "?",
    )
