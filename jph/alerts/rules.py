"""Rules of alerts: how long a condition holds before it is one, and how long it is gone. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec


class Rule(NamedTuple):
    """Hysteresis of one kind of condition, in s; an urgent alert is sent in quiet hours too."""

    after_s: float
    clear_s: float
    urgent: bool = False


RULES: Final[Mapping[str, Rule]] = {
    "overrun": Rule(5, 60, urgent=True),
    "blind": Rule(60, 60, urgent=True),
    "card": Rule(60, 60, urgent=True),
    "store": Rule(300, 60),
    "disk": Rule(60, 60),
    "sensor": Rule(900, 60),
    "clock": Rule(300, 300),
    "cold": Rule(1800, 600),
    "window": Rule(300, 60),
    "backup": Rule(0, 0),
}
"""The rules and their usual hysteresis."""


class Condition(NamedTuple):
    """Something that is wrong now: its rule, what it is about, and a sentence.

    `text` is English with the names of `values` in braces.
    """

    rule: str
    subject: str
    text: str
    values: Mapping[str, str]


class Alert(msgspec.Struct, frozen=True):
    """A condition that held for long enough; `ended_ms` is 0 while it is open."""

    number: int
    rule: str
    subject: str
    text: str
    values: dict[str, str]
    began_ms: int
    ended_ms: int = 0

    def words(self) -> str:
        """Return the sentence in English."""
        return self.text.format(**self.values)


class AlertBook:
    """The open alerts; each event makes one alert, and its end follows it.

    Attributes:
        open: the alerts by rule and subject.
        next_number: the number of the next alert.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule] = RULES,
        known: Iterable[Alert] = (),
        next_number: int = 1,
    ) -> None:
        self.rules = rules
        self.next_number = next_number
        self.open = {(alert.rule, alert.subject): alert for alert in known}
        self._since_s: dict[tuple[str, str], float] = {}
        self._gone_s: dict[tuple[str, str], float] = {}

    def update(self, conditions: Iterable[Condition], now_s: float, now_ms: int) -> list[Alert]:
        """Take what is wrong now; return the alerts that begin, and those that end."""
        present = {(c.rule, c.subject): c for c in conditions if c.rule in self.rules}
        ended = [alert for key in list(self.open) if (alert := self._end(key, present, now_s))]
        done = [msgspec.structs.replace(alert, ended_ms=max(1, now_ms)) for alert in ended]
        self._since_s = {key: self._since_s.get(key, now_s) for key in present}
        begun = []
        for key, condition in present.items():
            if key not in self.open and now_s - self._since_s[key] >= self.rules[key[0]].after_s:
                self.open[key] = self._begin(condition, now_ms)
                begun.append(self.open[key])
        return [*done, *begun]

    def urgent(self, alert: Alert) -> bool:
        """Whether an alert is sent in quiet hours too."""
        rule = self.rules.get(alert.rule)
        return rule is not None and rule.urgent

    def _begin(self, condition: Condition, now_ms: int) -> Alert:
        number, self.next_number = self.next_number, self.next_number + 1
        rule, subject, text, values = condition
        return Alert(number, rule, subject, text, dict(values), now_ms)

    def _end(
        self, key: tuple[str, str], present: Mapping[tuple[str, str], Condition], now_s: float
    ) -> Alert | None:
        """Return the alert of `key` if its condition is gone for long enough."""
        if key in present:
            self._gone_s.pop(key, None)
            return None
        rule = self.rules.get(key[0])
        if rule is not None and now_s - self._gone_s.setdefault(key, now_s) < rule.clear_s:
            return None
        self._gone_s.pop(key, None)
        return self.open.pop(key)
