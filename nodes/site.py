"""Readings to and from other houses, over NATS JetStream.

What `Export` lists leaves in blocks. A block is on this machine's disk until the server has
acknowledged it; the newest leaves first, what waited follows behind. An element with `Remote`
publishes what comes from another site, with its timestamp and quality; a reading that comes twice
counts once. Commands never cross.
"""

import asyncio
import contextlib
import time
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from jph.config.model import Network, state_dir
from jph.config.validation import read_struct
from jph.errors import DecodeError, JphError, Problem, StoreError
from jph.node.node import Node, now_ms
from jph.retransmit import Gap
from jph.sites.accounts import Accounts
from jph.sites.block_log import BlockLog
from jph.sites.blocks import Chooser, Content, decode_block, encode_block, stream_of, subject_of
from jph.sites.carrier import RETRY_S, connect, reason
from jph.sites.hub_blocks import encode_config, encode_gaps
from jph.sites.settings import SiteSettings, imports_of, site_problems
from jph.util import durable
from jph.util.logs import Throttle
from jph.util.worker import Worker
from jph.wire.codec import Json, Quality, Reading

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.js import JetStreamContext

_CONTENTS: Final = {content[:1].encode(): content for content in Content}
"""By the first byte of a block on the disk."""
_LARGEST_BLOCK: Final = 16_384
_READING_BYTES: Final = 36
_PUBLISH_S: Final = 5.0
_FETCH: Final = 50
_FETCH_S: Final = 2.0
_KEPT_S: Final = 30 * 86_400
"""Age up to which a stream keeps blocks."""
_DOUBLES_S: Final = 3600.0
"""The server drops a block that it got within this time."""
_KEEP_ACCOUNTS_S: Final = 30.0


class Site(Node, type="Site", settings=SiteSettings):
    """Carry readings between houses; publish the number of blocks that wait for the carrier."""

    libraries = ("nats",)
    settings: SiteSettings
    repairs = True
    hears_itself = True  # what it imported may leave, and a hub has its own value too
    at_start = ("name", "url", "credentials", "authority", "hub")

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Find exports that do not exist and imports that would go round in a circle."""
        found: list[Problem] = []
        for node in network.nodes():
            if node.type in cls.types:
                settings = read_struct(SiteSettings, node.sensor, "", [])
                if settings is not None:
                    found += site_problems(network, node.codifier, settings)
        return found

    async def open(self) -> None:
        """Take up the blocks and accounts of the last run, and connect."""
        self._counts: Counter[str] = Counter()
        self._throttled = Throttle()
        self._disk = Worker(f"{self.codifier} site")
        self._log = BlockLog(self._folder, int(self.settings.megabytes * 2**20))
        self._waiting: deque[int] = deque(await self._disk.run(self._log.open))
        self._live: deque[int] = deque()
        self._leaving: int | None = None
        self._accounts = await self._disk.run(self._load)
        self._kept_s = time.monotonic()
        self._block: dict[tuple[str, ...], list[Reading]] = {}
        self._gaps: list[Gap] = []
        self._tell_config = False
        self._size = 0
        self._full = asyncio.Event()
        self._news = asyncio.Event()
        self._connected = False
        self._paths: dict[str, tuple[str, ...]] = {}
        self.on_reload()
        self.resume(self._accounts.checkpoints())
        self.spawn(self._write_blocks(), "blocks")
        self.spawn(self._carry(), "carrier")

    async def close(self) -> None:
        """Write what waits for its block."""
        await self._write()
        await self._keep()
        await self._disk.run(self._log.close)

    def on_reload(self) -> None:
        """Take new exports and imports."""
        self._imports = imports_of(self.network, self.codifier)
        every = [entry.codifier for entry in self.network.sensors] if self.settings.hub else ()
        self._chooser = Chooser(self.settings.export, self._imports.values(), every)
        self._tell_config = self.settings.hub

    # What leaves

    def on_data(self, readings: Sequence[Reading]) -> None:
        """Take readings that leave into the next block."""
        for reading in readings:
            if not self._chooser.lists(reading.source):
                continue
            if not self._accounts.take(("", reading.source), reading.epoch, reading.sequence):
                continue
            if not self._chooser.leaves(reading):
                continue
            self._take(reading)
        if self._size > _LARGEST_BLOCK:
            self._full.set()

    def on_announcement(self, announcement: Reading) -> None:
        """Take an announcement for a hub: it has a sequence."""
        if self.settings.hub and self._chooser.lists(announcement.source):
            taken = ("", announcement.source), announcement.epoch, announcement.sequence
            if self._accounts.take(*taken):
                self._take(announcement)

    def on_gaps(self, holes: list[Gap]) -> None:
        """Count readings that no block can have: their source has them no more."""
        self._counts["lost"] += len(holes)
        if self.settings.hub:
            self._gaps += [gap for gap in holes if self._chooser.lists(gap.source)]

    def _take(self, reading: Reading) -> None:
        path = (*self._paths.get(reading.source, ()), self.settings.name)
        self._block.setdefault(path, []).append(reading)
        self._size += _READING_BYTES

    async def _write_blocks(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.settings.block):
                    await self._full.wait()
            self._full.clear()
            await self._write()
            if time.monotonic() - self._kept_s >= _KEEP_ACCOUNTS_S:
                self._kept_s = time.monotonic()
                await self._keep()

    async def _write(self) -> None:
        """Put what waits on the disk, a block for each path."""
        blocks, self._block, self._size = self._block, {}, 0
        if self._tell_config:  # before the readings that it explains
            config = encode_config(self.network, now_ms(), self._chooser.sampled)
            self._tell_config = not await self._append(Content.CONFIG, config)
        for path, readings in blocks.items():
            if not await self._append(Content.DATA, encode_block(path, readings)):
                self._block.setdefault(path, [])[:0] = readings  # bounded by the next line
                del self._block[path][:-100_000]
        if gaps := self._gaps:
            self._gaps = []
            if not await self._append(Content.GAPS, encode_gaps(gaps)):
                self._gaps = [*gaps, *self._gaps][-10_000:]
        if self._log.dropped > self._counts["dropped"]:
            self._once("dropped", "%d blocks were dropped: no space", self._log.dropped)
            self._counts["dropped"] = self._log.dropped

    async def _append(self, content: Content, block: bytes) -> bool:
        """Put a block on the disk; return whether it is there."""
        try:
            number = await self._disk.run(self._log.append, content[:1].encode() + block)
        except OSError as error:
            self._once("disk", "blocks wait in memory: %s", error)
            return False
        self._live.append(number)
        self._news.set()
        return True

    # The carrier

    async def _carry(self) -> None:
        """Keep a connection."""
        from nats.errors import Error

        while True:
            try:
                client = await connect(
                    self.settings,
                    self.settings.name,
                    self._failed,
                    disconnected_cb=self._left,
                    reconnected_cb=self._came,
                )
            except (OSError, Error) as error:
                self._once("connect", "NATS does not answer: %s", reason(error))
                await asyncio.sleep(RETRY_S)
                continue
            try:
                await self._serve(client)
            except (OSError, Error, TimeoutError) as error:
                self._once("carrier", "NATS refuses: %s", reason(error))
                await asyncio.sleep(RETRY_S)
            finally:
                self._connected = False
                with contextlib.suppress(Exception):
                    await client.close()

    async def _serve(self, client: "Client") -> None:
        """Make this site's stream, then publish and import until the connection is closed."""
        stream = client.jetstream(timeout=_PUBLISH_S)
        if self.settings.export or self.settings.hub:
            await self._make_stream(stream)
        self._connected = True
        self._news.set()
        sites = sorted({site for site, _ in self._imports})
        work = [self._publish(stream), *(self._import(stream, site) for site in sites)]
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)

    async def _make_stream(self, stream: "JetStreamContext") -> None:
        from nats.js.errors import BadRequestError

        name, hub = self.settings.name, self.settings.hub
        options = {
            "name": stream_of(name, hub=hub),
            "subjects": [subject_of(name, ">", hub=hub)],
            "max_age": _KEPT_S,
            "duplicate_window": _DOUBLES_S,
        }
        try:
            await stream.add_stream(**options)
        except BadRequestError:  # it exists with other limits, which its owner chose
            await stream.stream_info(stream_of(name, hub=hub))

    async def _publish(self, stream: "JetStreamContext") -> None:
        """Publish the newest blocks first, and those that waited behind them."""
        backlog_s = 0.0
        while True:
            number = self._live.popleft() if self._live else None
            if number is None and self._waiting:
                await asyncio.sleep(max(0.0, backlog_s - time.monotonic()))
                if not self._live:
                    number = self._waiting.popleft()
                    backlog_s = time.monotonic() + 1 / self.settings.backlog
            if number is None:
                if not self._live:
                    self._news.clear()
                    await self._news.wait()
                continue
            await self._publish_one(stream, number)

    async def _publish_one(self, stream: "JetStreamContext", number: int) -> None:
        from nats.errors import Error

        self._leaving = number
        try:
            if (payload := await self._disk.run(self._log.read, number)) is not None:
                await self._send_block(stream, number, payload)
            self._leaving = None
        except (OSError, Error, TimeoutError) as error:
            self._once("publish", "a block could not be published and waits: %s", reason(error))
            await asyncio.sleep(RETRY_S)
        finally:  # also when the connection ends meanwhile
            if self._leaving is not None:
                self._waiting.appendleft(number)
                self._leaving = None

    async def _send_block(self, stream: "JetStreamContext", number: int, payload: bytes) -> None:
        content = _CONTENTS.get(payload[:1])
        if content is None:
            self._counts["refused"] += 1
            self._once("kept", "block %d on the disk is of another version: left out", number)
            await self._disk.run(self._log.done, number)
            return
        subject = subject_of(self.settings.name, content, hub=self.settings.hub)
        headers = {"Nats-Msg-Id": str(number)}
        await stream.publish(subject, payload[1:], timeout=_PUBLISH_S, headers=headers)
        self._counts["sent"] += 1
        await self._disk.run(self._log.done, number)

    # What arrives

    async def _import(self, stream: "JetStreamContext", site: str) -> None:
        """Take the blocks of another site, in their order, and acknowledge them."""
        from nats.errors import Error
        from nats.js.errors import NotFoundError

        while True:
            try:
                blocks = await stream.pull_subscribe(
                    subject_of(site, Content.DATA),
                    durable=stream_of(self.settings.name),
                    stream=stream_of(site),
                )
                try:
                    await self._take_blocks(blocks, site)
                finally:
                    with contextlib.suppress(Error):
                        await blocks.unsubscribe()
            except NotFoundError:  # that site has not exported anything yet
                pass
            except (OSError, Error, TimeoutError) as error:
                self._once(("import", site), "blocks of %s: %s", site, reason(error))
            await asyncio.sleep(RETRY_S)

    async def _take_blocks(self, blocks: "JetStreamContext.PullSubscription", site: str) -> None:
        from nats.errors import Error
        from nats.errors import TimeoutError as NoMessages

        while True:
            messages = []
            with contextlib.suppress(NoMessages, TimeoutError):
                messages = await blocks.fetch(_FETCH, timeout=_FETCH_S)
            for message in messages:
                self._take_block(site, message.data)
            if messages:
                await self._keep()
            for message in messages:
                with contextlib.suppress(Error):
                    await message.ack()

    def _take_block(self, site: str, block: bytes) -> None:
        try:
            path, readings = decode_block(block)
        except (DecodeError, JphError) as error:
            self._counts["refused"] += 1
            self._once(("block", site), "a block of %s cannot be read: %s", site, error)
            return
        if self.settings.name in path or path[-1] != site:
            self._counts["refused"] += 1
            return
        for reading in readings:
            code = self._imports.get((site, reading.source))
            if code is None:
                continue
            if not self._accounts.take((site, reading.source), reading.epoch, reading.sequence):
                self._counts["doubles"] += 1
                continue
            self._paths[code] = path
            self._counts["received"] += 1
            value = Json(str(reading.value)) if reading.flag == "j" else reading.value
            quality = Quality(reading.quality) if reading.quality in list(Quality) else Quality.GOOD
            self.send(value, codifier=code, timestamp_ms=reading.timestamp_ms, quality=quality)

    # State

    async def on_timer(self, now_ms: int) -> None:
        """Publish the number of blocks that wait, and the counters."""
        waiting = len(self._waiting) + len(self._live) + (self._leaving is not None)
        self.send(waiting)
        if self.settings.state:
            state = {"value": waiting, "connected": self._connected, **self._counts}
            self.send(Json(msgspec.json.encode(state).decode()), codifier=self.settings.state)

    async def _failed(self, error: Exception) -> None:
        self._once("carrier", "NATS: %s", reason(error))

    async def _left(self) -> None:
        self._connected = False
        self.log.warning("the connection to NATS is lost; blocks wait on the disk")

    async def _came(self) -> None:
        self._connected = True
        self.log.info("NATS answers again")

    def _once(self, key: object, text: str, *words: object) -> None:
        if self._throttled.allow(key, time.monotonic()):
            self.log.warning(text, *words)

    @property
    def _folder(self) -> Path:
        return state_dir() / "site" / self.codifier

    def _load(self) -> Accounts:
        path = self._folder / "accounts.json"
        try:
            stored = durable.load(path)
            taken = stored.get("taken", [])
            return Accounts.restored(taken if isinstance(taken, list) else [])
        except (StoreError, ValueError, TypeError) as error:
            aside = durable.set_aside(path)
            self.log.error("readings may come twice, kept as %s: %s", aside.name, error)
            return Accounts()

    async def _keep(self) -> None:
        content = msgspec.json.encode({"taken": self._accounts.stored()})
        try:
            await self._disk.run(durable.replace, self._folder / "accounts.json", [content])
        except StoreError as error:
            self._once("accounts", "a restart may repeat readings: %s", error)
