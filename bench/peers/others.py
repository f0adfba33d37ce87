"""The other systems, each through its own Python interface, set up as its documents advise."""

import asyncio
import threading
import time
from typing import Any

from bench.peers.callbacks import Called


class Lcm(Called):
    """Lightweight Communications and Marshalling: UDP multicast, a C core."""

    title = "LCM"

    def connect(self) -> None:
        """Join the group on this machine."""
        import lcm

        group, port = self.link["group"], self.link["port"]
        self._lcm = lcm.LCM(f"udpm://{group}:{port}?ttl=0&recv_buf_size={8 * 2**20}")
        self._subscription = self._lcm.subscribe(self.receives, self._take)
        self._subscription.set_queue_capacity(0)  # no bound

    def _take(self, _: str, message: bytes) -> None:
        self.hear(message)

    def publish(self, message: bytes) -> None:
        """Send."""
        self._lcm.publish(self.sends, message)

    def turn(self, seconds: float) -> None:
        """Take one message."""
        self._lcm.handle_timeout(max(1, int(1000 * seconds)))


class Threaded(Called):
    """A system whose own thread calls back."""

    def turn(self, seconds: float) -> None:
        """Leave the processor to that thread."""
        time.sleep(min(seconds, 0.01))


class Zenoh(Threaded):
    """Zenoh: peer to peer over TCP, a Rust core."""

    title = "zenoh"
    fans = True

    def connect(self) -> None:
        """Meet without scouting."""
        import zenoh

        config = zenoh.Config()
        here = f'["tcp/127.0.0.1:{self.link["tcp"]}"]'
        config.insert_json5("mode", '"peer"')
        config.insert_json5("scouting/multicast/enabled", "false")
        config.insert_json5("scouting/gossip/enabled", "false")
        config.insert_json5("listen/endpoints" if self.near else "connect/endpoints", here)
        if not self.near:
            config.insert_json5("listen/endpoints", "[]")
        self._session = zenoh.open(config)
        sends, receives = f"jph/{self.sends}", f"jph/{self.receives}"
        blocking = zenoh.CongestionControl.BLOCK
        self._publisher = self._session.declare_publisher(sends, congestion_control=blocking)
        self._subscriber = self._session.declare_subscriber(receives, self._take)

    def _take(self, sample: Any) -> None:  # noqa: ANN401
        self.hear(sample.payload.to_bytes())

    def publish(self, message: bytes) -> None:
        """Send."""
        self._publisher.put(message)

    def close(self) -> None:
        """Leave."""
        self._session.close()  # type: ignore[no-untyped-call]


class Cyclone(Threaded):
    """Cyclone DDS: reliable, so that a slow subscriber slows the publisher."""

    title = "Cyclone DDS"

    def connect(self) -> None:
        """Join a domain of its own on the loopback interface."""
        from cyclonedds.core import Listener, Policy, Qos
        from cyclonedds.domain import Domain, DomainParticipant
        from cyclonedds.pub import DataWriter
        from cyclonedds.sub import DataReader
        from cyclonedds.topic import Topic

        from bench.peers.dds import Message

        number = self.link["port"] % 200
        self._domain = Domain(
            number,
            "<CycloneDDS><Domain><General><Interfaces><NetworkInterface name='lo' "
            "multicast='true'/></Interfaces></General></Domain></CycloneDDS>",
        )
        participant = DomainParticipant(number)
        wait_ns = 10**9
        qos = Qos(Policy.Reliability.Reliable(wait_ns), Policy.History.KeepAll)
        hear = self.hear_sample

        class Receiver(Listener):
            def on_data_available(self, reader: Any) -> None:  # noqa: ANN401
                for sample in reader.take(1_000):
                    hear(sample)

        self._make = Message
        self._writer = DataWriter(participant, Topic(participant, self.sends, Message), qos=qos)
        topic = Topic(participant, self.receives, Message)
        self._reader = DataReader(participant, topic, qos=qos, listener=Receiver())  # type: ignore[no-untyped-call]

    def hear_sample(self, sample: Any) -> None:  # noqa: ANN401
        """Take one sample, which is decoded already."""
        self.hear(self._question)

    def publish(self, message: bytes) -> None:
        """Send."""
        sequence, epoch, timestamp_ms, head, _, value = self._struct.unpack(message)
        self._writer.write(self._make(sequence, epoch, timestamp_ms, head.decode(), value))


class Nats(Called):
    """NATS: core publish and subscribe, through its server."""

    title = "NATS"

    def connect(self) -> None:
        """Connect to the server."""
        self._waiting: list[bytes] = []
        self._runner = asyncio.Runner()
        self._runner.run(self._connect())

    async def _connect(self) -> None:
        import nats

        self._client = await nats.connect(f"nats://127.0.0.1:{self.link['tcp']}")
        self._publish = self._client.publish
        await self._client.subscribe(
            self.receives, cb=self._take, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        await self._client.flush()

    async def _take(self, message: Any) -> None:  # noqa: ANN401
        self.hear(message.data)
        for each in self._waiting:
            await self._publish(self.sends, each)
        if self._waiting:
            self._waiting.clear()
            await self._client._flush_pending()

    def publish(self, message: bytes) -> None:
        """Queue it."""
        self._waiting.append(message)

    def flush(self) -> None:
        """Send what waits, unless the loop that is running will."""
        if not self._runner.get_loop().is_running():
            self._runner.run(self._send())

    async def _send(self) -> None:
        for each in self._waiting:
            await self._publish(self.sends, each)
        self._waiting.clear()
        await self._client._flush_pending(force_flush=True)
        await asyncio.sleep(0)

    def turn(self, seconds: float) -> None:
        """Run the loop."""
        self._runner.run(asyncio.sleep(min(seconds, 0.05)))


class Mqtt(Called):
    """MQTT with quality of service 0, through mosquitto."""

    title = "MQTT QoS 0"

    def connect(self) -> None:
        """Connect to the broker."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._take
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", self.link["tcp"])
        self._client.subscribe(self.receives)
        while not subscribed.is_set():
            self._client.loop(0.1)

    def _take(self, _: Any, __: Any, message: Any) -> None:  # noqa: ANN401
        self.hear(message.payload)

    def publish(self, message: bytes) -> None:
        """Send."""
        self._client.publish(self.sends, message)

    def turn(self, seconds: float) -> None:
        """Take what is there."""
        self._client.loop(seconds)


class Redis(Called):
    """Redis publish and subscribe, a pipeline of 100 where there are many."""

    title = "Redis pub/sub"

    def connect(self) -> None:
        """Connect to the server."""
        import redis

        self._client = redis.Redis("127.0.0.1", self.link["tcp"])
        self._pipe = self._client.pipeline(transaction=False)
        self._subscription = self._client.pubsub(ignore_subscribe_messages=True)
        self._subscription.subscribe(self.receives)
        self._subscription.get_message(timeout=1)

    def publish(self, message: bytes) -> None:
        """Send with the next flush."""
        self._pipe.publish(self.sends, message)

    def flush(self) -> None:
        """Send."""
        self._pipe.execute()

    def turn(self, seconds: float) -> None:
        """Take one message."""
        if message := self._subscription.get_message(timeout=seconds):
            self.hear(message["data"])
