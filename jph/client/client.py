"""One program's conversation with the nodes: commands, and the readings that follow them."""

from collections.abc import Callable

from jph.client.commands import Address, Commander, Send
from jph.client.limits import Limits
from jph.client.replies import Replies
from jph.wire.codec import Control


class Client:
    """Commands and replies of one program; pass each control message to `hear`.

    Attributes:
        commands: ping, start, halt, reload.
        replies: readings from the data bus.
        limits: how long commands wait.
        listeners: called with every control message.
    """

    def __init__(
        self, send: Send, replies: Replies, limits: Limits | None = None, own: str = ""
    ) -> None:
        self.limits = limits or Limits()
        self.commands = Commander(send, self.limits, own)
        self.replies = replies
        self.listeners: list[Callable[[Control], None]] = []

    def send(self, flag: str, to: str, number: float = 0.0) -> None:
        """Send a control message."""
        self.commands.send(flag, to, number)

    def hear(self, message: Control, address: Address | None = None) -> None:
        """Take a control message from the bus."""
        self.commands.hear(message, address)
        for listener in self.listeners:
            listener(message)
