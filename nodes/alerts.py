"""Alerts: sends by ntfy, Gotify, mail or a webhook what is wrong in the house, and its end.

Its own value is the number of open alerts. What waits is in `$JPH_STATE/alerts/XX.json`: a restart
sends nothing twice and loses nothing.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from jph.alerts import services
from jph.alerts.conditions import Conditions, Limits
from jph.alerts.notices import MOST_WAITING, Notice, Outbox, QuietHours, notice_of
from jph.alerts.observer import Observer
from jph.alerts.rules import Alert, AlertBook
from jph.alerts.settings import AlertsSettings, SenderSettings
from jph.config.model import Network, expand, state_dir
from jph.devices.services.http_request import HttpClient
from jph.devices.services.smtp import MailServer
from jph.errors import DeviceError, JphError, Problem, StoreError
from jph.heating.explain.clocks import Clocks
from jph.node.node import Node, now_ms
from jph.util import durable
from jph.util.logs import Throttle
from jph.util.secrets import remember, scrub
from jph.util.worker import Worker
from jph.wire.codec import Control, Json, Reading

_LOOK_S: Final = 1.0
_BACKUP_LOOK_S: Final = 600.0
_SEND_LIMIT_S: Final = 20.0
_MOST_ENDED: Final = 50
"""Alerts that are over and stay in the state."""
_MOST_SENT: Final = 20
"""Those of them that the element `State` carries."""


class _Saved(msgspec.Struct, frozen=True):
    """The content of the state file; `waiting` is by service."""

    next_number: int = 1
    open: list[Alert] = []
    ended: list[Alert] = []
    waiting: dict[str, list[Notice]] = {}
    dropped: dict[str, int] = {}


class Alerts(Node, type="Alerts", settings=AlertsSettings):
    """Watch both buses for what is wrong; each alert is sent once, and its end after it."""

    settings: AlertsSettings
    halts = False

    async def open(self) -> None:
        """Take up what the last run left."""
        self._path = state_dir() / "alerts" / f"{self.codifier}.json"
        self._worker = Worker(f"{self.codifier} alerts")
        self._log_throttle = Throttle()
        self._changed, self._unsaved = asyncio.Event(), asyncio.Event()
        self._backup_age_s: float | None = None
        self._backup_look_s = -math.inf
        saved = self._load()
        self._ended = saved.ended
        self._book = AlertBook({}, saved.open, saved.next_number)
        self._outboxes = {
            name: Outbox(saved.waiting.get(name, ()), saved.dropped.get(name, 0))
            for name in _names(self.settings.senders)
        }
        self._set_up()
        self.spawn(self._look(), "rules")
        self.spawn(self._save(), "state")
        self._start_sending()

    async def close(self) -> None:
        """Keep what waits."""
        self._worker.stop()
        for client in self._clients.values():
            client.close()
        try:
            await asyncio.to_thread(self._write)
        except StoreError as error:
            self.log.error("%s", error)

    def on_reload(self) -> None:
        """Watch what the new config names."""
        for task in self._sending:
            task.cancel()
        names = _names(self.settings.senders)
        self._outboxes = {name: self._outboxes.get(name) or Outbox() for name in names}
        self._set_up()
        self._start_sending()

    async def on_timer(self, now_ms: int) -> None:
        """Send the number of open alerts, and the alerts themselves."""
        self._publish()

    def on_control(self, message: Control) -> None:
        """Note a sign of life."""
        self._observer.hear_control(message, time.monotonic())
        self._clocks.hear(message.source, message.timestamp_ms, now_ms())

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Note readings."""
        self._observer.hear_data(readings, time.monotonic())

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Return elements of `State` that are no elements of the node."""
        found = []
        for entry in network.nodes():
            state = entry.sensor.get("State") if entry.type in cls.types else None
            if state and state not in {e.codifier for e in network.elements(entry.codifier)}:
                path = f"Sensors[{entry.codifier}].Sensor.State"
                found.append(Problem(path, f"{state} is no element of {entry.codifier}"))
        return found

    def _set_up(self) -> None:
        settings = self.settings
        self._observer = Observer(self.network, time.monotonic())
        self._clocks = Clocks(self.network)
        self._conditions = Conditions(self.network, Limits(settings.cold, settings.backup_days))
        self._quiet, self._zone = QuietHours(settings.quiet), ZoneInfo(settings.time_zone)
        self._book.rules = settings.watched()

    def _start_sending(self) -> None:
        pairs = list(zip(_names(self.settings.senders), self.settings.senders, strict=True))
        self._clients = {name: HttpClient(f"{self.codifier} {name}") for name, _ in pairs}
        self._sending = [self.spawn(self._send_to(name, sender), name) for name, sender in pairs]

    async def _look(self) -> None:
        """Judge the rules each second."""
        while True:
            await asyncio.sleep(_LOOK_S)
            now_s = time.monotonic()
            self.deadlines.expect("rules", now_s)
            if self.settings.backups and now_s - self._backup_look_s >= _BACKUP_LOOK_S:
                self._backup_look_s = now_s
                folder = Path(expand(self.settings.backups))
                self._backup_age_s = await asyncio.to_thread(_newest_age_s, folder)
            age_s = self._backup_age_s if self.settings.backups else None
            found = self._conditions.now(self._observer, now_s, self._clocks.offsets, age_s)
            for alert in self._book.update(found, now_s, now_ms()):
                self._happened(alert)

    def _happened(self, alert: Alert) -> None:
        notice = notice_of(alert, urgent=self._book.urgent(alert))
        if notice.end:
            self.log.info("%s: over: %s", alert.rule, alert.words())
            self._ended = [*self._ended, alert][-_MOST_ENDED:]
        else:
            self.log.warning("%s: %s", alert.rule, alert.words())
        for outbox in self._outboxes.values():
            outbox.put(notice)
        self._changed.set()
        self._unsaved.set()
        self._publish()

    def _publish(self) -> None:
        self.send(len(self._book.open))
        if self.settings.state:
            content = {
                "value": len(self._book.open),
                "open": [_shown(alert) for alert in self._book.open.values()],
                "ended": [_shown(alert) for alert in self._ended[-_MOST_SENT:]],
                "waiting": {name: len(box.waiting) for name, box in self._outboxes.items()},
            }
            self.send(Json(msgspec.json.encode(content).decode()), codifier=self.settings.state)

    async def _send_to(self, name: str, sender: SenderSettings) -> None:
        """Send what waits for a service, and what comes, for ever."""
        outbox = self._outboxes[name]
        while True:
            quiet = self._quiet.include(datetime.now(self._zone))
            notice = outbox.next(time.monotonic(), quiet=quiet)
            if notice is None:
                await asyncio.sleep(_LOOK_S)
                continue
            try:
                await self._send_notice(self._clients[name], sender, notice, outbox.dropped)
            except (JphError, OSError, ValueError) as error:
                wait_s = outbox.failed(time.monotonic())
                if self._log_throttle.allow(name, time.monotonic()):
                    text = scrub(str(error))
                    self.log.warning("%s: %s; trying again in %.0f s", name, text, wait_s)
            else:
                outbox.sent(notice)
                self._unsaved.set()

    async def _send_notice(
        self, client: HttpClient, sender: SenderSettings, notice: Notice, dropped: int
    ) -> None:
        """Send one notice.

        Raises:
            JphError: the service does not take it.
            OSError: it cannot be reached, or a file of a secret cannot be read.
        """
        house = self.settings.house
        if sender.type == "smtp":
            message = services.mail(sender.sender, sender.to, notice, house, dropped)
            async with asyncio.timeout(2 * _SEND_LIMIT_S):
                password = await asyncio.to_thread(_secret, sender.password)
                server = MailServer(
                    *(sender.host, sender.port, sender.tls, sender.user, password),
                    expand(sender.ca_file) if sender.ca_file else "",
                )
                await self._worker.run(server.send, message, _SEND_LIMIT_S)
            return
        token = await asyncio.to_thread(_secret, sender.token)
        form = _FORMS[sender.type]
        request = form(sender.url.reveal(), token, notice, house, dropped)
        request = request._replace(ca_file=expand(sender.ca_file) if sender.ca_file else "")
        answer = await client.send(request, _SEND_LIMIT_S)
        if not 200 <= answer.status < 300:
            raise DeviceError(f"it answers with status {answer.status}")

    def _load(self) -> _Saved:
        try:
            return msgspec.convert(durable.load(self._path), _Saved)
        except (StoreError, msgspec.ValidationError) as error:
            self.log.error("%s; starting without it", error)
            durable.set_aside(self._path)
            return _Saved()

    async def _save(self) -> None:
        """Write the state after each change."""
        while True:
            await self._unsaved.wait()
            self._unsaved.clear()
            try:
                await asyncio.to_thread(self._write)
            except StoreError as error:
                if self._log_throttle.allow("state", time.monotonic()):
                    self.log.error("%s", error)
            await asyncio.sleep(_LOOK_S)

    def _write(self) -> None:
        boxes = dict(self._outboxes)
        saved = _Saved(
            self._book.next_number,
            list(self._book.open.values()),
            list(self._ended),
            {name: box.waiting[-MOST_WAITING:] for name, box in boxes.items()},
            {name: box.dropped for name, box in boxes.items()},
        )
        self._path.parent.mkdir(parents=True, exist_ok=True)
        durable.save(self._path, msgspec.to_builtins(saved))


_FORMS: Final = {"ntfy": services.ntfy, "gotify": services.gotify, "webhook": services.webhook}


def _names(senders: Sequence[SenderSettings]) -> list[str]:
    """Return a name for each service: its type, with a number from the second on."""
    found: list[str] = []
    for sender in senders:
        count = sum(name.split()[0] == sender.type for name in found)
        found.append(f"{sender.type} {count + 1}" if count else sender.type)
    return found


def _shown(alert: Alert) -> dict[str, Any]:
    """Return an alert for the page."""
    return {
        "number": alert.number,
        "rule": alert.rule,
        "subject": alert.subject,
        "text": alert.text,
        "values": alert.values,
        "began": alert.began_ms,
        "ended": alert.ended_ms,
    }


def _newest_age_s(folder: Path) -> float:
    """Return the age of the newest file of a folder, infinite if there is none."""
    try:
        times = [each.stat().st_mtime for each in folder.iterdir() if each.is_file()]
    except OSError:
        return math.inf
    return max(0.0, time.time() - max(times)) if times else math.inf


def _secret(path: str) -> str:
    """Return the content of a file that holds a secret, empty for no path."""
    if not path:
        return ""
    text = Path(expand(path)).read_text(encoding="utf-8").strip()
    remember(text)
    return text
