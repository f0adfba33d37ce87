"""The kind `Hub`: collects the histories of many houses from NATS JetStream into PostgreSQL.

Each house's `Site` with `Hub` fills a stream of its own. Several hubs on one database share the
houses. A block is acknowledged once PostgreSQL has it on its disk; one that comes again, to this
hub or another, is left out by the accounting in the transaction of its readings.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from collector.hub.blocks import Taken, take
from collector.hub.house import HouseHistory, Lane
from collector.hub.registry import Registry, read_config
from jph.config.model import Sql, parse
from jph.config.settings import described
from jph.config.stores import postgres_dsn
from jph.errors import ConfigError, StoreError
from jph.node.node import Node, Settings, now_ms
from jph.sites.blocks import stream_of, subject_of
from jph.sites.carrier import RETRY_S, connect, reason
from jph.sites.settings import SITE_NAME, is_site_name
from jph.util.logs import Throttle
from jph.util.worker import Worker

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

_ROUND_S: Final = 2.0
"""Between two looks at the houses and who has them."""
_FETCH: Final = 200
_FETCH_S: Final = 5.0
_ACK_S: Final = 10.0
"""Blocks of a hub that ended come to another one after this time."""
_CONSUMER: Final = "hub"
_PREFIX: Final = stream_of("", hub=True)


class HubSettings(Settings, frozen=True):
    """Where the blocks come from, and where they go."""

    url: Annotated[
        tuple[str, ...], described("Servers of NATS: nats://host:4222, or tls:// with TLS")
    ] = msgspec.field(name="URL")
    credentials: Annotated[str, described("File with the nkey seed or the credentials")] = ""
    authority: Annotated[str, described("Certificate file that the servers must prove with")] = ""
    sql: Annotated[Sql | None, described("Server of the histories, instead of the config's")] = (
        msgspec.field(default=None, name="SQL")
    )
    houses: Annotated[
        tuple[Annotated[str, msgspec.Meta(pattern=SITE_NAME)], ...],
        described("Only these houses; without it all"),
    ] = ()
    batch_interval: Annotated[
        float, described("Least time between two batches of a house", "s", ge=0)
    ] = 1.0
    compute_interval: Annotated[
        float, described("Time between two computations of statistics", "s", gt=0)
    ] = 60.0
    lanes: Annotated[int, described("Connections to PostgreSQL", ge=1, le=64)] = 2
    citus: Annotated[
        bool, described("Whether schemas of new houses are made for schema-based sharding")
    ] = False


class Hub(Node, type="Hub", settings=HubSettings):
    """Collect houses; publish the number of readings stored a minute."""

    libraries = ("nats",)
    settings: HubSettings
    at_start = ("url", "credentials", "authority", "sql", "lanes", "citus", "houses")

    async def open(self) -> None:
        """Start to collect; NATS and PostgreSQL may come later."""
        self.counts: Counter[str] = Counter()
        self._throttle = Throttle()
        self._following: dict[str, asyncio.Task[None]] = {}
        self._worker = Worker(f"{self.codifier} houses")
        self._registry: Registry | None = None
        self._counted: tuple[float, int] | None = None
        self.spawn(self._collect(), "hub")

    async def close(self) -> None:
        """Stop after the batches under way."""
        self._worker.stop()

    async def on_timer(self, now_ms: int) -> None:
        """Publish the readings stored a minute."""
        now_s, stored = time.monotonic(), self.counts["stored"]
        if self._counted is not None:
            since_s, before = self._counted
            self.send(round((stored - before) * 60 / (now_s - since_s)))
        self._counted = now_s, stored

    @property
    def houses(self) -> list[str]:
        """The houses that this hub collects now."""
        return sorted(self._following)

    async def _collect(self) -> None:
        from nats.errors import Error

        while True:
            lanes: list[Lane] = []
            client: Client | None = None
            try:
                dsn = postgres_dsn(self.network, self.settings.sql)
                self._registry = await self._worker.run(Registry, dsn, f"hub {self.codifier}")
                client = await connect(self.settings, self.codifier, self._failed)
                lanes = [Lane(dsn, f"hub {self.codifier}") for _ in range(self.settings.lanes)]
                await self._share(client, lanes)
            except (StoreError, OSError, Error, TimeoutError) as error:
                self._once("hub", "%s; trying again", reason(error))
            finally:
                await self._disconnect(lanes, client)
            await asyncio.sleep(RETRY_S)

    async def _disconnect(self, lanes: Sequence[Lane], client: "Client | None") -> None:
        """End what belongs to one connection."""
        following, self._following = self._following, {}
        for task in following.values():
            task.cancel()
        if following:  # they use the lanes to their end
            await asyncio.wait(following.values())
        for lane in lanes:
            lane.stop()
        if self._registry is not None:
            self._worker.post(self._registry.close)
            self._registry = None
        if client is not None:
            with contextlib.suppress(Exception):
                await client.close()

    async def _share(self, client: "Client", lanes: Sequence[Lane]) -> None:
        """Follow this hub's share of the houses, for ever."""
        stream = client.jetstream(timeout=_FETCH_S)
        assert self._registry is not None
        while True:
            names = self.settings.houses or await house_names(stream)
            mine = await self._worker.run(self._registry.share, names)
            for name in self._following.keys() - mine:
                self._following.pop(name).cancel()
            for name in sorted(mine - self._following.keys()):
                lane = lanes[hash(name) % len(lanes)]
                house = HouseHistory(name, citus=self.settings.citus)
                self._following[name] = self.spawn(self._follow(stream, house, lane), name)
            await asyncio.sleep(_ROUND_S)

    # One house

    async def _follow(self, stream: "JetStreamContext", house: HouseHistory, lane: Lane) -> None:
        """Store and compute a house until it goes to another hub."""
        from nats.errors import Error

        try:
            while True:
                try:
                    await self._store_blocks(stream, house, lane)
                except (StoreError, OSError, Error, TimeoutError) as error:
                    self._once(house.name, "%s: %s; trying again", house.name, reason(error))
                    await asyncio.sleep(RETRY_S)
        finally:
            with contextlib.suppress(StoreError):
                await lane.run(house, now_ms(), house.release)

    async def _store_blocks(
        self, stream: "JetStreamContext", house: HouseHistory, lane: Lane
    ) -> None:
        from nats.errors import TimeoutError as NoMessages

        sampled = await self._read_config(house, lane)
        from nats.js.api import ConsumerConfig

        blocks = await stream.pull_subscribe(
            subject_of(house.name, ">", hub=True),
            durable=_CONSUMER,
            stream=stream_of(house.name, hub=True),
            config=ConsumerConfig(ack_wait=_ACK_S),
        )
        computed_s = -float("inf")
        while True:
            started_s, messages = time.monotonic(), list["Msg"]()
            with contextlib.suppress(NoMessages, TimeoutError):
                messages = await blocks.fetch(_FETCH, timeout=_FETCH_S)
            if messages:
                taken = take(house.name, map(_content, messages), sampled)
                sampled = await self._keep_config(house, taken, sampled)
                await self._write(house, lane, taken)
                for message in messages:
                    await message.ack()
            if started_s - computed_s >= self.settings.compute_interval:
                computed_s = started_s
                await self._compute(house, lane)
            rest_s = started_s + self.settings.batch_interval - time.monotonic()
            if messages and len(messages) < _FETCH:
                await asyncio.sleep(max(0.0, rest_s))

    async def _write(self, house: HouseHistory, lane: Lane, taken: Taken) -> None:
        if taken.refused:
            self.counts["refused"] += taken.refused
            self._once("blocks", "%s: %d blocks cannot be read", house.name, taken.refused)
        if house.network is not None:
            alerts = {s.codifier for s in house.network.sensors if s.type == "Alerts"}
            for reading in taken.batch.readings:
                if reading.source in alerts and isinstance(reading.value, int | float):
                    house.alerts = int(reading.value)
        if taken.batch:
            written = await lane.run(house, now_ms(), house.write, taken.batch, now_ms())
            self.counts["stored"] += written.stored.new
            self.counts["doubles"] += written.stored.known

    async def _compute(self, house: HouseHistory, lane: Lane) -> None:
        try:
            steps = house.compute(now_ms())
            while await lane.run(house, now_ms(), _step, steps):
                pass
        except ConfigError as error:
            self._once((house.name, "energy"), "%s: not computed: %s", house.name, error)
        state = await lane.run(house, now_ms(), house.state, now_ms())
        if self._registry is not None:
            await self._worker.run(self._registry.note_state, state)

    # Configs of houses

    async def _read_config(self, house: HouseHistory, lane: Lane) -> frozenset[str]:
        """Take the config that the hub has; return the codifiers that are sampled."""
        assert self._registry is not None
        found = await self._worker.run(read_config, self._registry.connection, house.name)
        if found is None:
            return frozenset()
        self._use(house, found[0])
        return frozenset(found[2])

    async def _keep_config(
        self, house: HouseHistory, taken: Taken, sampled: frozenset[str]
    ) -> frozenset[str]:
        config = taken.config
        if config is None or self._registry is None:
            return sampled
        note = self._registry.note_config
        text = bytes(config.config).decode()
        await self._worker.run(note, house.name, text, config.at_ms, config.sampled)
        found = await self._worker.run(read_config, self._registry.connection, house.name)
        if found is not None:  # a newer one may be there
            self._use(house, found[0])
            return frozenset(found[2])
        return sampled

    def _use(self, house: HouseHistory, config: str) -> None:
        try:
            house.network = parse(config.encode(), f"the config of {house.name}")
        except ConfigError as error:
            self._once((house.name, "config"), "%s", error)

    async def _failed(self, error: Exception) -> None:
        self._once("carrier", "NATS: %s", reason(error))

    def _once(self, key: object, text: str, *words: object) -> None:
        if self._throttle.allow(key, time.monotonic()):
            self.log.warning(text, *words)


async def house_names(stream: "JetStreamContext") -> list[str]:
    """Return the houses that have a stream for the hub; other names are not those of a Site."""
    found: list[str] = []
    while page := await stream.streams_info(offset=len(found)):  # the server sends 256 at most
        found += [each.config.name or "" for each in page]
    names = (name.removeprefix(_PREFIX) for name in found if name.startswith(_PREFIX))
    return sorted(filter(is_site_name, names))


def _content(message: "Msg") -> tuple[str, bytes]:
    return message.subject.rpartition(".")[2], message.data


def _step(steps: Any) -> bool:  # noqa: ANN401
    """Run the next transaction; return whether there may be more."""
    return next(steps, steps) is None
