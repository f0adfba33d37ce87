"""Time limits on the answers of nodes. Pure."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a command waits for answers, in seconds.

    Attributes:
        answer_s: a ping, start or halt; nodes answer within a few ms, or wait for a slow device.
        reload_s: a reload; the configuration may come over the network.
        order_s: each attempt of an order; heaters without an answer get the order again between.
        setting_s: the reading with the number that was set; after that the last reading counts.
        settle_s: after a step, a reading that was sent before the step may be the first to arrive.
    """

    answer_s: float = 2.0
    reload_s: float = 3.0
    order_s: tuple[float, ...] = (0.5, 0.5, 1.0)
    setting_s: float = 2.0
    settle_s: float = 0.3

    def times(self, factor: float) -> "Limits":
        """Return the limits multiplied by `factor`, for slow machines."""
        return replace(
            self,
            answer_s=factor * self.answer_s,
            reload_s=factor * self.reload_s,
            order_s=tuple(factor * each for each in self.order_s),
            setting_s=factor * self.setting_s,
            settle_s=factor * self.settle_s,
        )
