"""A house spread over hosts, and its PostgreSQL, which may be killed."""

import asyncio
import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

from jph.cli.supervise.servers import PostgresServer
from jph.config.stores import DATABASE
from tests.faults.lan import Host, Lan, Program
from tests.faults.tally import Tally, sent, settled, wait_for
from tests.stores_fixtures import connect
from tests.support import LIMIT_S

FULL = os.environ.get("JPH_FAULTS") == "full"
"""The lengths that were asked for; the suite has to do with less."""


def seconds(full: float, short: float) -> float:
    """Return how long something lasts."""
    return full if FULL else short


_numbers = itertools.count()


class Server:
    """A PostgreSQL that is stopped, killed and started again."""

    def __init__(self, state: Path) -> None:
        self._server = PostgresServer(state)
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.start()

    @property
    def host(self) -> str:
        return str(self._server.socket.parent)

    def start(self) -> None:
        async def start() -> None:
            await self._server.start()
            await self._server.wait_ready(LIMIT_S)

        self._runner.run(start())

    def stop(self) -> None:
        self._runner.run(self._server.stop())

    def kill(self) -> None:
        """End it with SIGKILL, its clients' servers too."""
        os.kill(self._server.pid or 0, signal.SIGKILL)
        self._runner.run(self._server.wait())

    def database(self) -> dict[str, Any]:
        """Make an empty database; return the config's `SQL` for it."""
        name = f"house_{next(_numbers)}"
        entry = {"User": DATABASE, "Host": self.host}
        connection = connect({**entry, "Database": DATABASE})
        try:
            connection.autocommit = True
            connection.cursor().execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        finally:
            connection.close()
        return {**entry, "Database": name}

    def close(self) -> None:
        self.stop()
        self._runner.close()


class House:
    """Sources on hosts, collectors on hosts, one database."""

    def __init__(self, network: Lan, server: Server) -> None:
        self.lan = network
        self.server = server
        self.sql = server.database()
        self.logs: list[Path] = []
        self.collector_settings: dict[str, Any] = {}
        self.source_entry: dict[str, Any] = {}
        self._config = network.directory / "config.json"

    def source(self, host: Host, *codes: str, lasting_s: float, rate: float = 200.0) -> Program:
        """Let these codifiers send from a host."""
        log = self.lan.directory / f"{'-'.join(codes)}.sent"
        log.touch()
        self.logs.append(log)
        words = ("--log", str(log), "--for", str(lasting_s), "--rate", str(rate), *codes)
        return host.run("-m", "tests.faults.source", "--config", str(self.config()), *words)

    def collect(self, host: Host, code: str = "Q1") -> Program:
        """Let a host collect."""
        return host.run("control.py", "--config", str(self.config()), "run", code)

    def config(self) -> Path:
        """Write the config, the first time; return where it is."""
        if self._config.exists():
            return self._config
        sources = [
            {"Codifier": f"S{n}", "Type": "ADCpiReader", **self.source_entry} for n in range(1, 6)
        ]
        collectors = [
            {
                "Codifier": code,
                "Type": "jphPostgreSQL",
                "SensorInterval": 1,
                "Sensor": self.collector_settings,
            }
            for code in ("Q1", "Q2")
        ]
        multicast = {
            "Control-Channel": {"Address": "239.255.92.1", "Port": 7001},
            "Data-Channel": {"Address": "239.255.92.2", "Port": 7002},
            "Interfaces": {"*": "eth0"},
        }
        document = {
            "Multicast": multicast,
            "SQL": self.sql,
            "Sensors": sources + collectors,
            "Drill": True,
        }
        self._config.write_text(json.dumps(document), encoding="utf-8")
        return self._config

    def sent(self) -> int:
        """How many readings were sent so far."""
        return len(sent(self.logs))

    def wait_sent(self, count: int) -> None:
        """Wait until so many readings were sent."""
        limit_s = LIMIT_S + count / 500  # they come at 1000 a second
        wait_for(lambda: self.sent() >= count, limit_s, f"{count} readings sent")

    def wait_done(self, limit_s: float) -> None:
        """Wait until the sources have sent everything."""
        done = [log.with_suffix(".done") for log in self.logs]
        wait_for(lambda: all(path.exists() for path in done), limit_s, "the sources' end")

    def settled(self, limit_s: float = 3 * LIMIT_S) -> Tally:
        """Wait until every reading is stored or in a gap; return the tally, good or not."""
        return settled(self.sql, self.logs, limit_s)
