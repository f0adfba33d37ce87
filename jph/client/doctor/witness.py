"""Notes who sends on the control bus, from where, and whether two share a codifier. Pure."""

from dataclasses import dataclass, field

from jph.wire.codec import Control, Flag


@dataclass
class Voice:
    """The control messages of one codifier.

    Attributes:
        addresses: UDP source addresses; answered: whether it answered a ping of ours.
        config_ms: when it read its config; 0 if it did not say.
    """

    addresses: set[str] = field(default_factory=set)
    answered: bool = False
    config_ms: int = 0
    epochs: list[int] = field(default_factory=list)

    @property
    def programs(self) -> int:
        """How many programs send: one that restarts never returns to its earlier epoch."""
        returned = {e for e in self.epochs if self.epochs.count(e) > 1}
        return max(1, len({*self.epochs} if returned else {}))


class Witness:
    """Voices of all codifiers; pass it each control message."""

    def __init__(self) -> None:
        self.voices: dict[str, Voice] = {}
        self._pings: set[float] = set()

    def pinged(self, number: float) -> None:
        """Remember the number of a ping to every node."""
        self._pings.add(number)

    def hear(self, message: Control, address: str) -> None:
        """Take a control message."""
        voice = self.voices.setdefault(message.source, Voice())
        voice.addresses.add(address)
        if message.flag == Flag.TIME and message.number in self._pings:
            voice.answered = True
        if message.flag in (Flag.NEW, Flag.ALIVE) and 0 < message.number < 2**53:
            voice.config_ms = int(message.number)
        if voice.epochs[-1:] != [message.epoch] and len(voice.epochs) < 16:
            voice.epochs.append(message.epoch)
