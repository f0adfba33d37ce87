"""Outcome of an order: reports of a heater and its card after it, in words and numbers. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from jph.config.house.loads import Load
from jph.config.model import Network
from jph.heating.explain.sentences import Say, english
from jph.heating.orders.coding import Order
from jph.wire.codec import Quality, Reading

Readings = Mapping[str, Reading]
"""The newest reading of each heater, and of the element that carries the order on its wire."""


class Outcome(NamedTuple):
    """What became of an order for one heater; `refusal` is why it was not sent at all."""

    heater: Load
    wanted: Order
    readings: Readings
    refusal: str | None = None

    @property
    def ordered(self) -> Order | None:
        """The order the heater says it has."""
        return order_in(self.readings, self.heater.codifier)

    @property
    def applied(self) -> Order | None:
        """The order on its wire, None where it is not reported."""
        return order_in(self.readings, self.heater.actuator.applied)

    @property
    def stale(self) -> bool:
        """Whether the card cannot reach its chip."""
        reading = self.readings.get(self.heater.codifier)
        return reading is not None and reading.quality == Quality.STALE

    @property
    def followed(self) -> bool:
        """Whether the heater has taken the order."""
        return self.ordered is self.wanted and not self.stale

    @property
    def complete(self) -> bool:
        """Whether everything that is to be said was said."""
        applied = self.heater.actuator.applied
        followed = self.ordered is self.wanted
        return followed and (not applied or applied in self.readings)

    def words(self, say: Say = english) -> str:
        """Tell it to a person."""
        if self.refusal is not None:
            return say("refused, {why}", why=self.refusal)
        if self.ordered is None:
            return say("no answer")
        ordered = say(self.ordered.word)
        if self.ordered is not self.wanted:
            text = "{order}, not {wanted}: its card refused the order"
            return say(text, order=ordered, wanted=say(self.wanted.word))
        if self.stale:
            return say("{order} from when its card finds its chip again", order=ordered)
        if self.applied is not None and self.applied is not self.ordered:
            text = "{order}, but {applied} for now: it is shed"
            return say(text, order=ordered, applied=say(self.applied.word))
        return ordered

    def as_json(self) -> dict[str, Any]:
        """Tell it to a program."""
        reading = self.readings.get(self.heater.codifier)
        return {
            "codifier": self.heater.codifier,
            "room": self.heater.room,
            "name": self.heater.name,
            "wanted": self.wanted.word,
            "ordered": self.ordered.word if self.ordered is not None else None,
            "applied": self.applied.word if self.applied is not None else None,
            "stale": self.stale,
            "followed": self.followed,
            "refused": self.refusal,
            "timestamp_ms": reading.timestamp_ms if reading else None,
        }


def order_in(readings: Readings, codifier: str) -> Order | None:
    """Return the order that a codifier sent."""
    reading = readings.get(codifier)
    if reading is None or reading.number is None:
        return None
    try:
        return Order.of(reading.number)
    except ValueError:
        return None


def refusals(
    network: Network, heaters: Iterable[Load], wanted: Order, say: Say = english
) -> Iterator[tuple[str, str]]:
    """Yield the heaters that may not have an order, and why."""
    for heater in heaters:
        if not heater.takes(wanted):
            text = "{order} would wear out its relay: its wire is not declared SolidState"
            yield heater.codifier, say(text, order=say(wanted.word))
        elif network.sensor(heater.codifier).control != "enabled":
            yield heater.codifier, say('its entry in the config has no "Control": "enabled"')
