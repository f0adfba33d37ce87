"""Settings of an Alerts node. Pure."""

from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from jph.alerts.notices import QuietHours
from jph.alerts.rules import RULES, Rule
from jph.config.settings import Settings, described
from jph.util.secrets import SecretUrl

RuleName = Literal[
    "overrun", "blind", "card", "store", "disk", "sensor", "clock", "cold", "window", "backup"
]


class RuleSettings(Settings, frozen=True):
    """Changes of one rule; what is not given stays as usual."""

    active: Annotated[bool, described("Whether the rule is watched")] = True
    after: Annotated[float | None, described("Time it holds before the alert", "s")] = None
    clear: Annotated[float | None, described("Time it is gone before the end", "s")] = None
    urgent: Annotated[bool | None, described("Whether quiet hours let it through")] = None

    def __post_init__(self) -> None:
        if min(self.after or 0.0, self.clear or 0.0) < 0:
            raise ValueError("expected After and Clear of 0 s or more")


class SenderSettings(Settings, frozen=True):
    """A service that takes notices; `token` and `password` are paths of files."""

    type: Annotated[Literal["ntfy", "gotify", "webhook", "smtp"], described("Kind of service")]
    url: Annotated[SecretUrl, described("Address of ntfy, Gotify, webhook")] = msgspec.field(
        default_factory=lambda: SecretUrl(""), name="URL"
    )
    token: Annotated[str, described("Path of a file with the token")] = ""
    host: Annotated[str, described("Mail server")] = ""
    port: Annotated[int, described("Port of the mail server", ge=1, le=65_535)] = 587
    tls: Annotated[Literal["starttls", "tls", "none"], described("Encryption of the mail")] = (
        msgspec.field(default="starttls", name="TLS")
    )
    user: Annotated[str, described("Login of the mail server")] = ""
    password: Annotated[str, described("Path of a file with its password")] = ""
    sender: Annotated[str, described("Address that mails come from")] = msgspec.field(
        default="", name="From"
    )
    to: Annotated[tuple[str, ...], described("Addresses that mails go to")] = ()
    ca_file: Annotated[str, described("Certificate to trust instead of those of the system")] = (
        msgspec.field(default="", name="CAFile")
    )

    def __post_init__(self) -> None:
        if self.type == "smtp":
            if not (self.host and self.sender and self.to):
                raise ValueError("smtp: expected Host, From and To")
        elif not self.url.reveal().startswith(("http://", "https://")):
            raise ValueError(f"{self.type}: expected a URL with http: or https:")


class AlertsSettings(Settings, frozen=True):
    """Services, rules and quiet hours; without services the page alone shows the alerts."""

    senders: Annotated[tuple[SenderSettings, ...], described("Services that take notices")] = ()
    rules: Annotated[dict[RuleName, RuleSettings], described("Changes of rules, by name")] = (
        msgspec.field(default_factory=dict)
    )
    quiet: Annotated[str, described("Hours without notices that are not urgent")] = ""
    time_zone: Annotated[str, described("Time zone of the quiet hours")] = "Europe/Paris"
    cold: Annotated[float, described("Temperature below which a room is cold", "°C")] = 12.0
    backups: Annotated[str, described("Folder of backups; empty: they are not watched")] = ""
    backup_days: Annotated[float, described("Age of a backup that is old", "d", gt=0)] = 8.0
    house: Annotated[str, described("Name of the house in notices")] = "jph"
    state: Annotated[str, described("Element of this node: alerts as JSON, for the page")] = ""

    def __post_init__(self) -> None:
        QuietHours(self.quiet)
        try:
            ZoneInfo(self.time_zone)
        except (LookupError, ValueError, OSError):
            raise ValueError(f"TimeZone: {self.time_zone!r} is no time zone") from None

    def watched(self) -> dict[str, Rule]:
        """Return the rules that are watched, with their changes."""
        found = {}
        for name, usual in RULES.items():
            change = self.rules.get(name, RuleSettings())  # type: ignore[call-overload]
            if change.active:
                found[name] = Rule(
                    usual.after_s if change.after is None else change.after,
                    usual.clear_s if change.clear is None else change.clear,
                    usual.urgent if change.urgent is None else change.urgent,
                )
        return found
