"""What a network shows while it is measured: answers to pings, a page, and what the stores say."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

from jph.config.model import Network
from jph.config.stores import DATABASE
from jph.node.node import Node
from jph.wire.codec import Control, Flag

CACHE, COLLECTOR, GATEWAY, CONSOLE = "R1", "Q1", "W0", "CC"
NODES: Final = (CACHE, COLLECTOR, GATEWAY, CONSOLE)
PING_EVERY_S: Final = 0.02
START_LIMIT_S: Final = 60.0


class Pinger(Node, type="BenchPinger"):
    """Pings one program after the other, and keeps how long each answer took, s."""

    announces = False

    def __init__(self, network: Network, pinged: Sequence[str]) -> None:
        super().__init__(CONSOLE, network)
        self._pinged = pinged
        self.times: list[float] = []
        self.answered: set[str] = set()
        self.asked: dict[float, float] = {}

    async def open(self) -> None:
        """Begin."""
        self.spawn(self._ask(), "pings")

    def on_control(self, message: Control) -> None:
        """Take an answer."""
        if message.flag == Flag.TIME and message.to == self.codifier:
            self.answered.add(message.source)
            if (asked_s := self.asked.pop(message.number, None)) is not None:
                self.times.append(time.perf_counter() - asked_s)

    def begin(self) -> None:
        """Forget what was measured so far."""
        self.times, self.asked = [], {}

    async def _ask(self) -> None:
        number = 0
        while True:
            number += 1
            self.asked[float(number)] = time.perf_counter()
            self.send_control(Flag.PING, self._pinged[number % len(self._pinged)], number)
            await asyncio.sleep(PING_EVERY_S)


class Page:
    """A browser that watches, as far as the gateway can tell."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.taken = 0

    async def watch(self) -> None:
        """Take events until cancelled."""
        end = time.monotonic() + START_LIMIT_S
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                break
            except OSError:
                if time.monotonic() > end:
                    raise SystemExit("the gateway does not listen; its words are above") from None
                await asyncio.sleep(0.1)
        writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while data := await reader.read(2**20):
            self.taken += len(data)


_OTHERS: Final = "codifier NOT IN ({})".format(", ".join(f"'{code}'" for code in NODES))


class Stores:
    """What Redis and PostgreSQL say of themselves."""

    def __init__(self, redis: str, sql: str) -> None:
        import psycopg2
        from redis import Redis

        self._redis = Redis(unix_socket_path=redis, decode_responses=True)
        self._sql = psycopg2.connect(host=sql, user=DATABASE, dbname=DATABASE)
        self._sql.autocommit = True

    def commands(self) -> int:
        """Return how many commands Redis has obeyed."""
        found: Any = self._redis.info("stats")
        return int(found["total_commands_processed"])

    def missed(self) -> int:
        """Return how many messages of the data bus the cache did not hear."""
        pipe = self._redis.pipeline(transaction=False)
        for code in self._redis.scan_iter("??"):
            pipe.hget(code, "DPacketsLost")
        return sum(int(lost or 0) for lost in pipe.execute())

    def settled(self) -> int:
        """Return how many readings are stored or given up, those still asked for left out."""
        missing = (
            "(SELECT coalesce(sum(upper(each) - lower(each)), 0) FROM unnest(missing) AS each)"
        )
        return self._number(f"SELECT sum(last - first - {missing}) FROM source WHERE {_OTHERS}")

    def given_up(self) -> int:
        """Return how many readings the books say are lost."""
        return self._number(f"SELECT sum(messages) FROM gap WHERE {_OTHERS}")

    def rows(self) -> int:
        """Return how many readings there are."""
        return self._number(f"SELECT count(*) FROM reading WHERE {_OTHERS}")

    def _number(self, query: str) -> int:
        with self._sql.cursor() as cursor:
            cursor.execute("SELECT to_regclass('source')")
            if cursor.fetchone() == (None,):
                return 0
            cursor.execute(query)
            (number,) = cursor.fetchone() or (0,)
            return int(number or 0)
