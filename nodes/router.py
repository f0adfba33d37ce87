"""Joins two multicast networks: forwards the datagrams of both buses unchanged, both ways.

One network is that of the config, or `From`; the other is `To`. What a network carried in the last
two seconds is not sent to it again. Of several routers that hear each other only as many forward as
join all networks. Unicast messages that reach the router are passed on: requests to resend and
their answers, edits. What may pass is decided by `jph.router`; this node has the sockets.
"""

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Final

import msgspec

from jph.config.model import Multicast, Network
from jph.config.validation import read_struct
from jph.errors import ConfigError, Problem
from jph.net.bus import Address, Bus
from jph.net.channel import Channel
from jph.node.node import Node
from jph.router.election import Link, forwards
from jph.router.guard import Guard
from jph.router.relay import Place, RelayTable
from jph.router.settings import RouterSettings, network_name
from jph.wire.codec import HEADER_SIZE, Json

_SILENT_INTERVALS: Final = 3.0
"""A router that is silent for so many of its keep-alive intervals counts as ended."""
_HEAD: Final = slice(16, 21)
"""Flag, sender and addressee in the header."""
_VERDICTS_KEPT: Final = 20_000


class Router(Node, type="Router", settings=RouterSettings):
    """Forward between two networks; publish the number of forwarded datagrams, modulo 2³¹.

    Without the other network it waits for it. It keeps nothing: a restart loses what arrives
    meanwhile, and receivers request it again from its source.
    """

    settings: RouterSettings
    at_start = ("to", "from_")
    halts = False

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Problem]:
        """Find routers whose two networks are one."""
        return [
            Problem(f"Sensors[{code}].Sensor.To", "is the same network as From: name other groups")
            for code, link in _links(network).items()
            if link[0] == link[1]
        ]

    async def open(self) -> None:
        """Join both networks."""
        near = self.settings.from_ or self.network.multicast
        self._heard_s: dict[str, float] = {}
        self._began_s = time.monotonic()
        self._forwards = False
        self._counts: Counter[str] = Counter()
        self._relays = RelayTable()
        self._guards: dict[Channel, Guard] = {}
        self._verdicts: dict[tuple[bytes, bool], bool] = {}
        self._near, self._far = (
            Bus(multicast, socket.gethostname(), self.log) for multicast in (near, self.settings.to)
        )
        for outside, here, there in (
            (False, self._near, self._far),
            (True, self._far, self._near),
        ):
            for channel, other in ((here.control, there.control), (here.data, there.data)):
                self._guards[channel] = Guard()
                here.listen(channel, partial(self._receive, outside, channel, other))
            here.listen_to_unicast(partial(self._receive_unicast, outside))
        self.on_reload()
        for bus in (self._near, self._far):
            await bus.start(lambda: None)

    async def close(self) -> None:
        """Leave both networks."""
        for bus in (self._near, self._far):
            await bus.close()

    def on_reload(self) -> None:
        """Take new rules, and the other routers of the config."""
        self._verdicts.clear()
        self._links = _links(self.network)
        self._limits_s = {
            node.codifier: _SILENT_INTERVALS * node.keep_alive_interval
            for node in self.network.nodes()
            if node.codifier in self._links
        }
        self._elect()

    # Which router forwards

    def _elect(self) -> None:
        """Decide whether this router forwards; until the others could be heard it does not."""
        now_s = time.monotonic()
        alive = {
            code
            for code, at_s in self._heard_s.items()
            if code in self._limits_s and now_s - at_s < self._limits_s[code]
        }
        before = [self._limits_s[code] for code in self._links if code < self.codifier]
        if now_s - self._began_s < max(before, default=0.0) and not self._forwards:
            return
        chosen = forwards(self.codifier, self._links, alive)
        if chosen is not self._forwards:
            self._forwards = chosen
            others = ", ".join(sorted(alive)) or "none"
            what = "it forwards" if chosen else "it stands by: the networks are joined already"
            self.log.info("%s; other routers heard: %s", what, others)

    # What is forwarded

    def _receive(
        self,
        outside: bool,
        channel: Channel,
        other: Channel,
        batch: memoryview,
        size: int,
        sender: Address,
    ) -> None:
        """Forward the datagrams of a batch that are new to both networks and may pass."""
        now_s = time.monotonic()
        here, there = self._guards[channel], self._guards[other]
        passing = []
        for start in range(0, len(batch), size or 1):
            datagram = bytes(batch[start : start + size])
            head = datagram[_HEAD]
            if len(datagram) < HEADER_SIZE:
                self._counts["refused"] += 1
                continue
            digest = hash(datagram)
            if not here.is_new(digest, now_s):
                self._counts["seen"] += 1
                continue
            self._hear(head, outside, sender, now_s)
            if not self._forwards:
                continue
            if not self._may_pass(head, not outside):
                self._counts["blocked"] += 1
            elif there.is_new(digest, now_s):
                passing.append(datagram)
            else:
                self._counts["seen"] += 1
        if passing:
            left = other.send_many(passing)
            self._counts["in" if outside else "out"] += left
            self._counts["unsent"] += len(passing) - left

    def _hear(self, head: bytes, outside: bool, sender: Address, now_s: float) -> None:
        codifier = head[1:3].decode("latin-1")
        if codifier in self._links and codifier != self.codifier:
            new = codifier not in self._heard_s
            self._heard_s[codifier] = now_s
            if new:
                self._elect()
        self._relays.hear(codifier, outside, sender, now_s)

    def _may_pass(self, head: bytes, outwards: bool) -> bool:
        key = head[:3], outwards
        verdict = self._verdicts.get(key)
        if verdict is None:
            if len(self._verdicts) >= _VERDICTS_KEPT:
                self._verdicts.clear()
            flag, codifier = head[:1].decode("latin-1"), head[1:3].decode("latin-1")
            verdict = self._verdicts[key] = self.settings.passes(codifier, flag, outwards)
        return verdict

    def _receive_unicast(
        self, outside: bool, via: socket.socket, batch: memoryview, size: int, sender: Address
    ) -> None:
        """Pass unicast messages on to where their addressee was heard, and answers back."""
        if not self._forwards:
            return
        came = Place(outside, sender, via, time.monotonic())
        for start in range(0, len(batch), size or 1):
            datagram = bytes(batch[start : start + size])
            head = datagram[_HEAD]
            source, to = head[1:3].decode("latin-1"), head[3:5].decode("latin-1")
            target = self._relays.target(source, to, came) if len(head) == 5 else None
            if target is None or not self._may_pass(head, not outside):
                self._counts["refused"] += 1
                continue
            bus = self._far if target.outside else self._near
            with contextlib.suppress(OSError):
                bus.data.answer([datagram], target.address, target.via)
                self._counts["relayed"] += 1

    async def on_timer(self, now_ms: int) -> None:
        """Look which router forwards, and publish the counters."""
        self._elect()
        counts = self._counts
        forwarded = counts["in"] + counts["out"]
        self.send(forwarded % 2**31)
        if self.settings.state:
            state = {"value": forwarded, "forwards": self._forwards, **counts}
            self.send(Json(msgspec.json.encode(state).decode()), codifier=self.settings.state)


def _links(network: Network) -> dict[str, Link]:
    """Return the two networks of each router of the config."""
    found = {}
    for node in network.nodes():
        if node.type not in Router.types:
            continue
        with contextlib.suppress(ConfigError):
            settings = read_struct(RouterSettings, node.sensor, "", [])
            if settings is not None:
                near: Multicast = settings.from_ or network.multicast
                names = network_name(near, settings.to), network_name(settings.to, near)
                found[node.codifier] = names
    return found
