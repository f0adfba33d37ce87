"""Round trips of pings, the event stream of a page, and counters of Redis and PostgreSQL."""

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
    """Pings one program after the other and keeps the round-trip times, s."""

    announces = False

    def __init__(self, network: Network, pinged: Sequence[str]) -> None:
        super().__init__(CONSOLE, network)
        self._pinged = pinged
        self.times: list[float] = []
        self.answered: set[str] = set()
        self.asked: dict[float, float] = {}

    async def open(self) -> None:
        """Start."""
        self.spawn(self._ask(), "pings")

    def on_control(self, message: Control) -> None:
        """Note the time of an answer."""
        if message.flag == Flag.TIME and message.to == self.codifier:
            self.answered.add(message.source)
            if (asked_s := self.asked.pop(message.number, None)) is not None:
                self.times.append(time.perf_counter() - asked_s)

    def restart(self) -> None:
        """Drop the times measured so far."""
        self.times, self.asked = [], {}

    async def _ask(self) -> None:
        number = 0
        while True:
            number += 1
            self.asked[float(number)] = time.perf_counter()
            self.send_control(Flag.PING, self._pinged[number % len(self._pinged)], number)
            await asyncio.sleep(PING_EVERY_S)


class EventStream:
    """A client of the gateway's event stream, as a browser is one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.bytes = 0

    async def watch(self) -> None:
        """Read events until cancelled."""
        end = time.monotonic() + START_LIMIT_S
        while True:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                break
            except OSError:
                if time.monotonic() > end:
                    raise SystemExit(
                        "the gateway does not listen; see its messages above"
                    ) from None
                await asyncio.sleep(0.1)
        writer.write(b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while data := await reader.read(2**20):
            self.bytes += len(data)


_OTHERS: Final = "codifier NOT IN ({})".format(", ".join(f"'{code}'" for code in NODES))


class Stores:
    """Counters of Redis and PostgreSQL."""

    def __init__(self, redis: str, sql: str) -> None:
        import psycopg2
        from redis import Redis

        self._redis = Redis(unix_socket_path=redis, decode_responses=True)
        self._sql = psycopg2.connect(host=sql, user=DATABASE, dbname=DATABASE)
        self._sql.autocommit = True

    def commands(self) -> int:
        """Return the number of commands that Redis has processed."""
        found: Any = self._redis.info("stats")
        return int(found["total_commands_processed"])

    def missed(self) -> int:
        """Return the number of messages of the data bus that the cache did not receive."""
        pipe = self._redis.pipeline(transaction=False)
        for code in self._redis.scan_iter("??"):
            pipe.hget(code, "DPacketsLost")
        return sum(int(lost or 0) for lost in pipe.execute())

    def settled(self) -> int:
        """Return the number of readings that are stored or counted as lost."""
        missing = (
            "(SELECT coalesce(sum(upper(each) - lower(each)), 0) FROM unnest(missing) AS each)"
        )
        return self._number(f"SELECT sum(last - first - {missing}) FROM source WHERE {_OTHERS}")

    def lost(self) -> int:
        """Return the number of readings that the accounting counts as lost."""
        return self._number(f"SELECT sum(messages) FROM gap WHERE {_OTHERS}")

    def rows(self) -> int:
        """Return the number of stored readings."""
        return self._number(f"SELECT count(*) FROM reading WHERE {_OTHERS}")

    def _number(self, query: str) -> int:
        with self._sql.cursor() as cursor:
            cursor.execute("SELECT to_regclass('source')")
            if cursor.fetchone() == (None,):
                return 0
            cursor.execute(query)
            (number,) = cursor.fetchone() or (0,)
            return int(number or 0)
