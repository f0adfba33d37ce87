"""Conditions of the house that are wrong now. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from jph.alerts.observer import Observer
from jph.alerts.rules import Condition
from jph.config.house.house import House
from jph.config.house.orders import Order
from jph.config.house.rooms import rooms_of
from jph.config.model import Network
from jph.heating.explain.blindness import CURRENT_S, Watch
from jph.heating.explain.sentences import span

_RULE_OF: Final = {
    "cache": "store",
    "history": "store",
    "card": "card",
    "disk": "disk",
    "sensor": "sensor",
    "clock": "clock",
}
"""Rule of each part that is not known; all others are `blind`."""
_OLD_S: Final = 3600.0
"""A thermometer, window or order without a `TimeoutWarning` counts so long."""
_DAY_S: Final = 86_400
_COLD_ORDERS: Final = frozenset({Order.OFF, Order.FROST})


class Limits(NamedTuple):
    """Limits of conditions: °C of a cold room, days of an old backup."""

    cold_c: float = 12.0
    backup_days: float = 8.0


class Conditions:
    """Finds the conditions of one network."""

    def __init__(self, network: Network, limits: Limits) -> None:
        self._network = network
        self._limits = limits
        self._house = House(network)
        self._watch = Watch(network)
        self._rooms = rooms_of(network, self._house.wiring.heaters)

    def now(
        self,
        observer: Observer,
        now_s: float,
        clocks: Mapping[str, float],
        backup_age_s: float | None,
    ) -> Iterator[Condition]:
        """Yield what is wrong.

        `clocks` are the offsets of nodes' clocks in s; `backup_age_s` is the age of the newest
        backup, infinite if there is none, None if it is not watched.
        """
        yield from self._blind(observer, now_s, clocks)
        yield from self._overruns(observer, now_s)
        yield from self._cold(observer, now_s)
        yield from self._windows(observer, now_s)
        if backup_age_s is not None and backup_age_s > self._limits.backup_days * _DAY_S:
            text = "The newest backup is {time} old."
            if backup_age_s == float("inf"):
                text = "There is no backup."
            values = {} if backup_age_s == float("inf") else {"time": span(backup_age_s)}
            yield Condition("backup", "", text, values)

    def _blind(
        self, observer: Observer, now_s: float, clocks: Mapping[str, float]
    ) -> Iterator[Condition]:
        found = self._watch.blindness(
            observer.seen(now_s),
            disks=observer.full_disks(),
            clocks=clocks,
            shared=observer.shared(),
        )
        for each in found:
            rule = _RULE_OF.get(each.part, "blind")
            yield Condition(rule, each.codifier or each.part, each.text, each.values)

    def _overruns(self, observer: Observer, now_s: float) -> Iterator[Condition]:
        for phase in self._house.phases:
            current_a = observer.number(phase.current, now_s, CURRENT_S)
            subscribed_a = observer.number(phase.subscribed, now_s, _DAY_S)
            limit_a = phase.smaller_limit(subscribed_a)
            if current_a is not None and limit_a is not None and current_a > limit_a:
                values = {
                    "phase": str(phase.number),
                    "amperes": f"{current_a:g}",
                    "limit": f"{limit_a:g}",
                }
                text = "Phase {phase} draws {amperes} A, above its {limit} A."
                yield Condition("overrun", str(phase.number), text, values)

    def _cold(self, observer: Observer, now_s: float) -> Iterator[Condition]:
        thermometers = {r.thermometer: r.name for r in self._house.rooms if r.thermometer}
        for room in self._rooms:
            thermometers |= dict.fromkeys(room.settings.thermometers, room.name)
        for codifier, name in thermometers.items():
            celsius = observer.number(codifier, now_s, self._age_limit_s(codifier))
            if celsius is not None and celsius < self._limits.cold_c:
                values = {"room": name, "celsius": f"{celsius:.1f}"}
                yield Condition("cold", codifier, "It is {celsius} °C in {room}.", values)

    def _windows(self, observer: Observer, now_s: float) -> Iterator[Condition]:
        for room in self._rooms:
            is_open = any(
                observer.number(window, now_s, self._age_limit_s(window)) == 1
                for window in room.settings.windows
            )
            if not is_open:
                continue
            orders = {
                load.codifier: observer.number(load.codifier, now_s, _OLD_S)
                for load in room.heaters
            }
            heats = [code for code, order in orders.items() if order in set(Order) - _COLD_ORDERS]
            if heats:
                text = "A window of {room} is open and its heating is on."
                yield Condition("window", room.codifier, text, {"room": room.name})

    def _age_limit_s(self, codifier: str) -> float:
        for sensor in self._network.sensors:
            if sensor.codifier == codifier:
                return sensor.timeout_warning or _OLD_S
        return _OLD_S
