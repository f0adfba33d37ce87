"""The base of every node: it joins the buses, announces itself, stays alive and obeys commands.

A kind is a subclass with a few hooks (timer, control message, readings). What every node does alike
is here.
"""

import asyncio
import contextlib
import logging
import math
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from jph.config.model import Network, Sensor, state_dir
from jph.config.settings import Settings
from jph.errors import DuplicateInstance, JphError
from jph.net.bus import Address, Bus
from jph.node.arrivals import note_foreign, parts
from jph.node.hooks import Hooks
from jph.node.outbox import now_ms
from jph.node.receiver import Receiver, Refusals
from jph.node.sender import pasts
from jph.node.unicast_service import UnicastService
from jph.retransmit import Checkpoint
from jph.util.deadlines import Deadlines
from jph.util.disk import is_full
from jph.util.logs import Throttle, node_logger
from jph.util.token_bucket import TokenBucket
from jph.wire.codec import (
    EVERY_NODE,
    Control,
    Flag,
    Quality,
    Reading,
    Value,
    decode_batch,
    decode_control,
)
from jph.wire.notes import with_notes
from jph.wire.sequence import SequenceTable

if TYPE_CHECKING:  # a node of an open house does not load it
    from jph.seal.seal import Seal

__all__ = ["Node", "Settings", "now_ms"]

_PINGS_A_SECOND: Final = 50.0
_PINGS_AT_ONCE: Final = 200.0
"""Every node answers a ping to all: the answers on the bus have a limit."""
_MOST_SKIPPED: Final = 5
"""Keep-alives in a row that readings may replace: two instances must hear of each other."""

Reload = Callable[[], Awaitable[Network]]


class Node(Hooks):
    """One codifier's program on both buses.

    A kind names its `Type` and its settings:

        class Teleinfo(Node, type="Teleinfo", settings=TeleinfoSettings): ...

    Attributes:
        codifier: codifier of this node.
        network: the whole configuration; replaced when it is reloaded.
        entry: this node's own entry in it; settings: the entry's `Sensor`, typed.
        elements: the elements that this node sends, by codifier.
        active: whether it sends and receives data.
        control_sequences, data_sequences: what arrived and what is missing, per source.
        refused: datagrams that were not ours, counted by reason.
        config_url: path or URL of the config, empty if a program made the node itself.
        foreign: messages that another program sent under a codifier of this node.
        sender: address and port of what a hook is called with.
        deadlines: by when its recurring work reports again; the watchdog of a service reads it.
        settled: set once it has joined the bus or waits for a network, or has ended.
    """

    def __init__(self, codifier: str, network: Network, reload: Reload | None = None) -> None:
        self.codifier = codifier
        self._adopt(network)
        self._began = self.entry, self.settings, network.logging
        self._restart: tuple[str, ...] = ()
        self._shared_s = -math.inf
        self._reload = reload
        self.config_url = ""
        self._hands_over = False
        self._reloading = asyncio.Lock()
        self._reloads = 0
        self.active = self.entry.active or not self.halts
        self.log = node_logger(codifier, self.entry.type, network.logging)
        self._refusals = Refusals(self.log)
        self.refused = self._refusals.counts
        self._unicast = UnicastService(self.entry, self._refusals, self.log, self._replaced)
        self._sender = self._unicast.sender
        self._outbox = self._sender.outbox
        self._seal: Seal | None = None
        self.bus = self._make_bus()
        self._receiver = self._make_receiver()
        self.control_sequences = SequenceTable()
        self.data_sequences = self._receiver.sequences
        self.sender: Address = ("", 0)
        self.foreign: Counter[str] = Counter()
        self._ping_bucket = TokenBucket(_PINGS_A_SECOND, _PINGS_AT_ONCE)
        self._throttle = Throttle()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._end: asyncio.Future[None] | None = None
        self.deadlines = Deadlines()
        self.settled = asyncio.Event()
        self._timer_due = asyncio.Event()
        self._announced = False
        self._signalled = False

    # What a kind uses

    def send(
        self,
        value: Value | bool,
        *,
        codifier: str | None = None,
        timestamp_ms: int | None = None,
        quality: Quality = Quality.GOOD,
    ) -> None:
        """Send one reading, of this node or of an element of it; nothing while halted.

        Raises:
            EncodeError: the value cannot travel.
        """
        if not self.active:
            return
        code = codifier or self.codifier
        dialect = self.network.multicast.dialect
        datagram = self._outbox.one(code, value, timestamp_ms or now_ms(), quality, dialect)
        if datagram is None:
            self.send_many(((code, value),), timestamp_ms, quality)
            return
        if not self.bus.data.send(datagram):
            self.bus.send_failed()
        self._signalled = self._signalled or code == self.codifier

    def send_many(
        self,
        readings: Iterable[tuple[str, Value | bool]],
        timestamp_ms: int | None = None,
        quality: Quality = Quality.GOOD,
    ) -> None:
        """Send readings (codifier, value) of one moment together; nothing while halted.

        Each source's leave in this order; those of different sources may not.

        Raises:
            EncodeError: a value cannot travel; nothing is sent then.
        """
        if not self.active:
            return
        batch = list(readings)
        dialect = self.network.multicast.dialect
        blocks = self._outbox.blocks(batch, timestamp_ms or now_ms(), quality, dialect)
        if not self.bus.data.send_blocks(blocks):
            self.bus.send_failed()
        self._signalled = self._signalled or any(codifier == self.codifier for codifier, _ in batch)

    def send_control(self, flag: str, to: str = EVERY_NODE, number: float = 0.0) -> None:
        """Send one control message."""
        if not self.bus.control.send(self._outbox.control(flag, to, number, self.active)):
            self.bus.send_failed()

    def resume(self, checkpoints: Iterable[Checkpoint]) -> None:
        """Request what is missing after these checkpoints; for kinds with `repairs`.

        Best called in `open`: a second later, all that a source keeps is requested, with or without
        a checkpoint.
        """
        self._receiver.resume(checkpoints)

    @property
    def seal(self) -> "Seal | None":
        """The seal in a sealed house: `opener.refusals.counts` has refusals by cause and node."""
        return self._seal

    @property
    def requested(self) -> bool:
        """Whether the readings that `on_data` gets now were requested, and so may be old."""
        return self._receiver.requested

    def note_storing(self, storing: bool) -> None:
        """Say in every control message whether the store of this node takes what is written."""
        self._outbox.not_storing = not storing

    def count_as_alive(self) -> None:
        """Count what the node just did as its next keep-alive."""
        self._signalled = True

    def reload_config(self, asker: str) -> None:
        """Read the configuration again; a broken one is refused and the old one kept."""
        # One reload is under way and one waits: it reads what is new for all later ones.
        if self._reload is not None and self._reloads < _MOST_RELOADS:
            self._reloads += 1
            self.spawn(self._take_config(self._reload, asker), "reload")

    def hears_data(self) -> bool:
        """Whether the node joins the data bus: it has an `on_data` of its own."""
        return type(self).on_data is not Node.on_data

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run `work` until it is done or the node ends; if it crashes the node ends with it."""
        task = asyncio.create_task(work, name=f"{self.codifier} {name}")
        self._tasks.add(task)
        task.add_done_callback(self._task_done)
        return task

    def alive(self) -> None:
        """Send `I` now."""
        if self.announces:
            self.send_control(Flag.ALIVE, number=self._config_number())

    def _config_number(self) -> float:
        shared = time.monotonic() - self._shared_s < _SHARED_FOR_S
        return with_notes(self.config_time_ms, self._restart, shared=shared)

    def stop(self, error: JphError | None = None) -> None:
        """End the node, with `error` if there is one."""
        if self._end is None or self._end.done():
            return
        if error is None:
            self._end.set_result(None)
        else:
            self._end.set_exception(error)

    # Running

    async def run(self) -> None:
        """Run until `stop`.

        Raises:
            DuplicateInstance: a newer instance has taken this codifier.
            JphError: the kind cannot work at all.
        """
        self._end = asyncio.get_running_loop().create_future()
        try:
            self._sender.start()
            self._receiver.start()
            await self.open()
            self._listen()
            self.spawn(self._sender.responder.serve(), "answers")
            self.spawn(self._sender.keep_log(), "resend log")
            await self.bus.start(self._joined)
            self.settled.set()
            self.spawn(self._run_timer(), "timer")
            self._hand_over()
            if self.announces:
                self.spawn(self._keep_alive(), "keep-alive")
                self.spawn(self._watch_disk(), "disk")
            await self._end
        finally:
            self.settled.set()
            self.deadlines.clear()
            await self._shut_down()

    async def _shut_down(self) -> None:
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.remove_done_callback(self._task_done)
            task.cancel()
        # A step that fails or is cancelled does not keep the others from being taken.
        async with contextlib.AsyncExitStack() as steps:
            steps.push_async_callback(self.bus.close)
            steps.callback(self._sender.close)
            steps.callback(self._receiver.close)
            steps.push_async_callback(self.close)
            await asyncio.gather(*tasks, return_exceptions=True)
        if self.refused:
            self.log.warning("refused in all: %s", self._refusals.tally())

    def _adopt(self, network: Network) -> None:
        """Make `network` the configuration.

        Raises:
            ConfigError: it has no entry for this node, or the entry's settings are wrong.
        """
        entry = network.sensor(self.codifier)
        settings = type(self).check_settings(entry)
        self.network, self.entry, self.settings = network, entry, settings
        self.elements: dict[str, Sensor] = {e.codifier: e for e in network.elements(self.codifier)}
        self._own = {self.codifier, *self.elements}
        self._past_s = pasts(network)
        self.config_time_ms = now_ms()

    def _make_bus(self) -> Bus:
        basics = self.network.multicast, socket.gethostname(), self.log
        if self.network.seal is None:
            return Bus(*basics)
        # Imported here: `cryptography` takes 9 MB.
        from jph.net.sealed_bus import SealedBus
        from jph.node.sealing import make_seal, renew_seal

        if self._seal is None:
            self._seal = make_seal(self.codifier, self._outbox.epoch, self.network)
        else:
            renew_seal(self._seal, self.network)
        sealed = self._seal, self._refusals.count, self.heard_newer_roster
        return SealedBus(*basics, *sealed, hello_s=self.entry.keep_alive_interval)

    def heard_newer_roster(self, serial: int, address: Address) -> None:
        """Get the config again, once a minute at most: another node has a newer roster."""
        if self._throttle.allow("roster", time.monotonic()):
            self.log.info("%s port %s has roster %d: reading the config again", *address, serial)
            if self.config_url:
                self.spawn(self._take_over(address[0]), "newer roster")
            else:
                self.reload_config("a newer roster")

    async def _take_over(self, host: str) -> None:
        from jph.node.handover import take_over  # only a sealed house has it

        try:
            done = await take_over(self.config_url, self.codifier, self.network, host)
            self.log.info("newer roster: %s", done)
        except JphError as error:
            self.log.warning("newer roster: %s", error)
        self.reload_config("a newer roster")

    def _hand_over(self) -> None:
        """Let other members fetch the signed config from here, in a sealed house."""
        if self.network.roster is not None and self.config_url and not self._hands_over:
            from jph.node.handover import serve

            self._hands_over = True
            self.spawn(serve(self.config_url, self.network), "handover")

    def _make_receiver(self) -> Receiver:
        basics = (self.bus.data, self._deliver, self._refusals, self.log)
        if not self.repairs:
            return Receiver(*basics)
        # Imported here: most kinds request nothing.
        from jph.node.requesting_receiver import RequestingReceiver

        return RequestingReceiver(
            *basics,
            self.codifier,
            self._sender.epoch,
            lambda gaps: self._guarded(self.on_gaps, gaps),
            lambda source: self._past_s.get(source, 0.0),
        )

    def _listen(self) -> None:
        if not self.hears_itself:
            self.bus.ignore(self._outbox.epoch)
        self.bus.listen(self.bus.control, self._receive_control)
        self._unicast.elements = self.elements
        receiver = self._receiver if self.hears_data() else None
        if type(self).on_edit is not Node.on_edit and self.entry.control == "enabled":
            self._unicast.edited = lambda edit: self._guarded(self.on_edit, edit)
        self._unicast.listen(self.bus, receiver, self.network.drill)
        if self.hears_data():
            self._receiver.channel = self.bus.data
            self.bus.listen(self.bus.data, self._receiver.receive)

    def _joined(self) -> None:
        """Announce the node: the first time with `N`, later with `I` alone."""
        if self.announces and not self._announced:
            self._announced = True
            self.send_control(Flag.NEW, number=self._config_number())
        self.alive()

    async def _run_timer(self) -> None:
        """Call the timer hook each interval, by a monotonic clock."""
        due = time.monotonic()
        while True:
            self._timer_due.clear()
            interval = self.entry.sensor_interval
            self.deadlines.expect("timer", time.monotonic(), self.longest_turn_s + 2 * interval)
            if self.active:
                try:
                    await self.on_timer(now_ms())
                except Exception:  # a kind's mistake must not end the node
                    self.log.exception("the timer failed")
            interval = self.entry.sensor_interval
            self.deadlines.expect("timer", time.monotonic(), 3 * interval)
            now = time.monotonic()
            due = max(due + interval, now) if due + 2 * interval > now else now + interval
            # Not wait_for: before Python 3.12 it may swallow the cancellation.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(due - now):
                    await self._timer_due.wait()
                    due = time.monotonic()

    async def _keep_alive(self) -> None:
        """Send `I` each interval, unless a reading of our own just replaced it."""
        skipped = 0
        while True:
            self.deadlines.expect(
                "keep-alive", time.monotonic(), 3 * self.entry.keep_alive_interval
            )
            await asyncio.sleep(self.entry.keep_alive_interval)
            if self._signalled and skipped < _MOST_SKIPPED:
                skipped += 1
            else:
                skipped = 0
                self.alive()
            self._signalled = False

    async def _watch_disk(self) -> None:
        """Say on the bus, as soon as it is seen, that files cannot be written, or can again."""
        while True:
            if (full := is_full(state_dir())) != self._outbox.disk_full:
                self._outbox.disk_full = full
                level = logging.ERROR if full else logging.INFO
                self.log.log(level, "files in %s %s", state_dir(), _DISK[full])
                self.alive()
            await asyncio.sleep(_DISK_EVERY_S)

    def _task_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if task.cancelled() or task.exception() is None:
            return
        error = task.exception()
        if isinstance(error, JphError):
            self.stop(error)
        else:
            self.log.critical("%s crashed", task.get_name(), exc_info=error)
            self.stop(JphError(f"{self.codifier}: {task.get_name()} crashed: {error!r}"))

    # Arrivals

    def _receive_control(self, batch: memoryview, size: int, sender: Address) -> None:
        self.sender = sender
        for message in decode_batch(decode_control, batch, size, self._refusals.by(sender)):
            new = message.flag == Flag.NEW
            self.control_sequences.observe(message.source, message.sequence, message.epoch, new)
            self._guarded(self._obey, message)

    def _deliver(self, readings: Sequence[Reading], sender: Address) -> None:
        self.sender = sender
        note_foreign(readings, self._own, self._outbox.epoch, self._note_foreign)
        if not self.active:
            return
        for part in parts(readings):
            if isinstance(part, Reading):
                self._guarded(self.on_announcement, part)
            else:
                self._guarded(self.on_data, part)

    def _note_foreign(self, codifier: str) -> None:
        """Count and log that another program sends under a codifier of this node."""
        self.foreign[codifier] += 1
        self._shared_s = time.monotonic()
        if self._throttle.allow(("foreign", codifier), time.monotonic()):
            self.log.warning(
                "%s is also sent by another program, at %s port %s: two programs share the "
                "codifier (so far: %d messages)",
                *(codifier, *self.sender[:2], self.foreign[codifier]),
            )

    def _guarded(self, hook: Callable[..., None], *arguments: object) -> None:
        try:
            hook(*arguments)
        except Exception:  # a kind's mistake must not end the node
            if self._throttle.allow(hook, time.monotonic()):
                self.log.exception("%s failed", hook.__name__)

    def _obey(self, message: Control) -> None:
        if message.source == self.codifier and self.announces:
            if message.epoch != self._outbox.epoch:
                self._note_foreign(self.codifier)
            if message.flag in (Flag.NEW, Flag.ALIVE):
                self._check_duplicate(message)
        if action := _ACTIONS.get(message.flag):
            if message.to in (self.codifier, EVERY_NODE) or self._asks_element(message):
                action(self, message)
        elif message.flag in (Flag.SET, Flag.STEP) and not self._may_command(message):
            return
        self.on_control(message)

    def _asks_element(self, message: Control) -> bool:
        return message.flag in (Flag.PING, Flag.REPEAT) and message.to in self.elements

    def _may_command(self, message: Control) -> bool:
        """Whether an `A` or `E` may be passed to the kind; one for another node may."""
        target = self.entry if message.to == self.codifier else self.elements.get(message.to)
        if target is None:
            return True
        if target.control == "enabled" and math.isfinite(message.number):
            return True
        why = (
            "it has no Control" if target.control != "enabled" else f"{message.number} is no value"
        )
        if self._throttle.allow((message.source, message.to), time.monotonic()):
            self.log.warning("%s from %s to %s: %s", message.flag, message.source, message.to, why)
        return False

    def _check_duplicate(self, message: Control) -> None:
        if message.epoch == self._outbox.epoch:
            return
        if (message.number, message.epoch) > (self.config_time_ms, self._outbox.epoch):
            self._unicast.probe(self.sender)

    def _replaced(self) -> None:
        """End: a later instance has answered at its address."""
        self.stop(
            DuplicateInstance(
                f"another instance of {self.codifier} was started later than this one; "
                "this one ends"
            )
        )

    def _answer_ping(self, message: Control) -> None:
        if self._ping_bucket.take(time.monotonic()):
            if self.announces and not self._config_number().is_integer():
                self.alive()  # first: the answer ends the wait of who asks
            self.send_control(Flag.TIME, message.source, message.number)

    def _resend(self, message: Control) -> None:
        self._unicast.resend(message, self.sender)

    def _start(self, _: Control) -> None:
        self.active = True
        self._timer_due.set()
        self.alive()

    def _halt(self, message: Control) -> None:
        if not self.halts:
            return
        if self.active:
            self.log.info("halted by %s", message.source)
        self.active = False
        self.alive()

    def _read_config_again(self, message: Control) -> None:
        self.reload_config(message.source)

    async def _take_config(self, reload: Reload, asker: str) -> None:
        """Take a new config and restart the channels, or keep the old one and log why."""
        try:
            async with self._reloading:
                await self._reload_once(reload, asker)
        finally:
            self._reloads -= 1

    async def _reload_once(self, reload: Reload, asker: str) -> None:
        before, network = self.config_time_ms, self.network
        try:
            self._adopt(await reload())
            bus = self._make_bus()
        except Exception as error:  # whatever is wrong with it, the old one is good
            self._adopt(network)
            self.config_time_ms = before
            self.log.error("%s asked to reload; keeping the old config: %s", asker, error)
            return
        self.config_time_ms = max(self.config_time_ms, before + 1)
        self.log.info("config reloaded, as %s asked", asker)
        self._restart = self._waits_for_restart()
        if self._restart:
            names = ", ".join(self._restart)
            self.log.warning("%s: changed in the config, needs a restart", names)
        old, self.bus = self.bus, bus
        self._listen()
        await old.close()
        self._announced = False
        await self.bus.start(self._joined)
        self._hand_over()
        self._guarded(self.on_reload)
        self._timer_due.set()

    def _waits_for_restart(self) -> tuple[str, ...]:
        """Return the keys that differ from those the node started with, and have no effect yet."""
        entry, settings, logging = self._began
        found = [
            key.title() for key in _AT_START if getattr(entry, key) != getattr(self.entry, key)
        ]
        found += ["Logging"] if self.network.logging != logging else []
        names = dict(
            zip(settings.__struct_fields__, settings.__struct_encode_fields__, strict=True)
        )
        found += [
            names[key]
            for key in self.at_start
            if getattr(settings, key) != getattr(self.settings, key)
        ]
        return tuple(found)


_DISK_EVERY_S: Final = 4.0
_DISK: Final = ("can be written again", "cannot be written: the disk is full or read-only")
_SHARED_FOR_S: Final = 60.0
"""How long a node reports another program under its codifiers after its last message."""
_MOST_RELOADS: Final = 2
"""Reloads under way and waiting together."""

_AT_START: Final = ("ring", "journal", "type")
"""Keys of an entry that only a restart applies."""
_ACTIONS: Final[dict[str, Callable[[Node, Control], None]]] = {
    Flag.PING: Node._answer_ping,
    Flag.START: Node._start,
    Flag.HALT: Node._halt,
    Flag.RELOAD: Node._read_config_again,
    Flag.REPEAT: Node._resend,
}
"""Actions of every node on a control message to it, by flag."""
