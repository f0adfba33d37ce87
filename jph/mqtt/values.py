"""Plain values by MQTT: topics that become elements, and codifiers that become topics. Pure."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Final

from jph.config.settings import Settings, described
from jph.mqtt.door import Door, Effect, Order, Publish, Refused, Send
from jph.mqtt.homeassistant.entities import number_text
from jph.values.convert import NoValueError
from jph.values.elements import Feed, Outgoing, PathElement, Picker
from jph.values.forms import parse_answer
from jph.values.paths import MISSING
from jph.wire.codec import Quality, Reading

_TOPIC: Final = r"^[^\s]{1,200}$"
_LARGEST: Final = 100_000
"""Bytes of a message that are read."""
_KNOWN: Final = frozenset({Quality.GOOD, Quality.ESTIMATED, Quality.SIMULATED})


class InSettings(PathElement, frozen=True):
    """A value of a topic that becomes an element of the node."""

    topic: Annotated[
        str, described("Topic; + stands for any level, # at the end for all below", pattern=_TOPIC)
    ] = ""

    def __post_init__(self) -> None:
        if not self.topic:
            raise ValueError(f"{self.codifier}: Topic is missing")
        PathElement.__post_init__(self)


class OutSettings(Settings, frozen=True):
    """A codifier whose readings are published, and a topic that commands it."""

    codifier: Annotated[str, described("Codifier of the value")]
    topic: Annotated[str, described("Topic of its value", pattern=r"^([^\s#+]{1,200})?$")] = ""
    retain: Annotated[bool, described("Whether the broker keeps it for later clients")] = True
    set: Annotated[
        str, described("Topic whose numbers are orders to it", pattern=r"^([^\s#+]{1,200})?$")
    ] = ""


def matches(pattern: str, topic: str) -> bool:
    """Say whether a topic is one of a filter's."""
    wanted, found = pattern.split("/"), topic.split("/")
    for index, level in enumerate(wanted):
        if level == "#":
            return True
        if index >= len(found) or level not in ("+", found[index]):
            return False
    return len(wanted) == len(found)


class ValuesDoor(Door):
    """Takes values of topics into elements, and publishes readings.

    A retained message is of unknown age: its value is sent as stale until a new one comes.
    `types` returns the `DataType` of a codifier.
    """

    name = "values"

    def __init__(
        self,
        taken: Sequence[InSettings],
        given: Sequence[OutSettings],
        types: Callable[[str], str],
    ) -> None:
        self._taken = {each.codifier: each for each in taken}
        self._pickers = {each.codifier: Picker(each) for each in taken}
        self._feed = Feed(taken, types)
        self._topics = {each.codifier: each for each in given if each.topic}
        self._orders: Mapping[str, str] = {each.set: each.codifier for each in given if each.set}
        self._published: dict[str, Publish] = {}

    def subscriptions(self) -> Sequence[tuple[str, int]]:
        """Return the topics of values and orders, each once."""
        topics = dict.fromkeys([*(each.topic for each in self._taken.values()), *self._orders])
        return [(topic, 0) for topic in topics]

    def on_connect(self, now_ms: int) -> Iterable[Effect]:
        """Publish every value again."""
        return list(self._published.values())

    def takes(self, topic: str) -> bool:
        """Say whether a topic has values or orders for us."""
        return topic in self._orders or any(
            matches(each.topic, topic) for each in self._taken.values()
        )

    def on_message(
        self, topic: str, payload: bytes, *, retained: bool, now_ms: int
    ) -> Iterable[Effect]:
        """Take the values of a message, or an order."""
        if len(payload) > _LARGEST:
            return [Refused("long", topic)]
        try:
            text = payload.decode("utf-8-sig")
        except UnicodeDecodeError:
            return [Refused("text", topic)]
        if topic in self._orders:
            return self._order(topic, text, retained=retained)
        return list(self._values(topic, text, retained=retained, now_ms=now_ms))

    def _order(self, topic: str, text: str, *, retained: bool) -> list[Effect]:
        if retained:
            return [Refused("retained", topic)]
        try:
            number = float(text)
        except ValueError:
            return [Refused("order", f"{topic}: {text[:40]!r}")]
        if not abs(number) < 1e15:
            return [Refused("order", f"{topic}: {text[:40]!r}")]
        return [Order("A", self._orders[topic], number)]

    def _values(self, topic: str, text: str, *, retained: bool, now_ms: int) -> Iterator[Effect]:
        try:
            record = parse_answer(text, "json")
        except ValueError:
            record = text.strip()
        for code, element in self._taken.items():
            if not matches(element.topic, topic) or not self._pickers[code].applies(record):
                continue
            picker = self._pickers[code]
            raw = picker.pick(text if picker.in_text else record)
            if raw is MISSING:
                continue  # another sort of message on the same topic
            try:
                sent, reason = self._feed.take(
                    code, raw, now_ms, now_ms / 1000, picker.at_ms(record)
                )
            except NoValueError as error:
                sent, reason = None, str(error)
            if reason:
                yield Refused("value", f"{code}: {reason}")
            if sent is not None:
                yield _send(sent, stale=retained and not element.time)

    def on_timer(self, now_ms: int) -> Iterable[Effect]:
        """Send what filters send without a new value."""
        return [_send(each, stale=False) for each in self._feed.tick(now_ms / 1000)]

    def on_readings(self, readings: Sequence[Reading], now_ms: int) -> Iterable[Effect]:
        """Publish readings; one that is not known is published as JSON null."""
        for reading in readings:
            out = self._topics.get(reading.source)
            if out is None or reading.flag == "n":
                continue
            message = Publish(out.topic, _text(reading).encode(), retain=out.retain, merge=True)
            self._published[reading.source] = message
            yield message


def _send(outgoing: Outgoing, *, stale: bool) -> Send:
    quality = Quality.STALE if stale and outgoing.quality is Quality.GOOD else outgoing.quality
    return Send(outgoing.codifier, outgoing.value, quality, outgoing.at_ms)


def _text(reading: Reading) -> str:
    if reading.quality not in _KNOWN:
        return json.dumps(None)
    if isinstance(reading.value, str):
        return str(reading.value)
    return number_text(reading.value)
