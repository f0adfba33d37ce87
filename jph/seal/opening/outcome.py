"""Values that follow from a frame: messages to pass on, hellos to send, proved messages. Pure."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from jph.seal.frame import Bus
from jph.wire.columns import Block


class Ask(NamedTuple):
    """A hello to send: to a node, with a random number to repeat, or one that is repeated.

    `by_bus` is whether it goes to the control bus too.
    """

    node: str
    ask: str = ""
    answer: str = ""
    by_bus: bool = False


class Due(NamedTuple):
    """A question that is due again; `context` is what came with the last frame of its start."""

    ask: Ask
    context: Any


class Released(NamedTuple):
    """Messages of one frame that may be passed on; `context` is what came with the frame."""

    bus: Bus
    context: Any
    blocks: Sequence[Block]

    @property
    def messages(self) -> list[bytes]:
        """The messages, each alone."""
        return [each for block in self.blocks for each in block.datagrams()]


class Proved(NamedTuple):
    """Digests of messages that a member has sent in the clear."""

    node: str
    signed: bool
    digests: list[bytes]


class Outcome(NamedTuple):
    """What follows from a frame."""

    released: Sequence[Released] = ()
    asks: Sequence[Ask] = ()
    proved: Sequence[Proved] = ()


NOTHING: Final = Outcome()
