"""Sentences about refused messages, for the log and for people. Pure."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jph.seal.opener import Refused

_SENTENCES: Final = {
    "open": "{source} sent {flag} without a seal",
    "generation": "{node} has another key than the house: it was away; reload it",
    "key": "a frame in the name of {node} is not from a member, or was changed",
    "signature": "{node} did not sign {flag} of {source}, or the signature is wrong",
    "right": "{node} may not send {flag} of {source} to {to}",
    "replay": "a frame of {node} arrived again, or left before this node could trust it",
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
    "replay": "it arrived again, or left before its sender was trusted",
    "stale": "it is an order or a mask older than two seconds",
    "unfresh": "the node has not proved yet that it runs now",
    "serial": "its config is older",
}
"""Causes in words, for tables: what is wrong with a message."""


def sentence(refused: "Refused") -> str:
    """Return why a message was refused."""
    claimed = refused.claimed
    return _SENTENCES[refused.cause].format(
        node=refused.node,
        flag=claimed.flag if claimed else "?",
        source=claimed.source if claimed else refused.node,
        to=claimed.to if claimed else "?",
    )
