"""`up`: runs everything that belongs on this machine until a signal ends it."""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from jph.cli.supervise import plan
from jph.cli.supervise.broker import BrokerServer
from jph.cli.supervise.lifeline import follow_parent
from jph.cli.supervise.servers import PostgresServer, RedisServer
from jph.cli.supervise.statelock import state_lock
from jph.cli.supervise.storekeeper import StoreKeeper
from jph.cli.supervise.supervisor import Supervisor
from jph.cli.terminal.context import App, run_async
from jph.client.commands import Commander
from jph.config import last_good, references
from jph.config.model import Network, Sensor, state_dir
from jph.errors import DuplicateInstance, JphError
from jph.node import kinds
from jph.util.secrets import scrub
from jph.util.statedir import private_files
from jph.wire.codec import Flag

SETTLE_LIMIT_S: Final = 30.0
"""After this time the missing parts are named, and the rest is reported as ready."""
END_LIMIT_S: Final = 4.5
"""Time for parts and stores to end; the rest is killed."""
ASK_LIMIT_S: Final = 0.75
"""Time for nodes that already run to answer; each start waits for it."""
LEAVE_LIMIT_S: Final = 3.0
"""Time for the parts of a house that was just killed to end."""
_ENDINGS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_LOOK_S: Final = 0.1


@click.command()
@click.option(
    "--follow-parent",
    "follows",
    is_flag=True,
    help="End when the parent process does (make: it keeps a Ctrl-C to itself).",
)
@click.option(
    "--take-over",
    "takes_over",
    is_flag=True,
    help="Run even if another house runs on these groups: its parts then end.",
)
@click.pass_obj
def up(app: App, follows: bool, takes_over: bool) -> None:
    """Run everything that belongs on this machine, a process each, until SIGTERM or Ctrl-C.

    `Hosts` in the config places the nodes; without it, every codifier with a Type of jph's kinds
    runs here. Redis, PostgreSQL and an MQTT broker are started too where the config names none. A
    part that fails is started again; logs are under var/log (JPH_STATE), the page is on JPH_PORT,
    8080 if it is not set.

    Exit status 1 if its codifiers already run on these multicast groups.
    """
    network = app.network = _network(app.url)
    types = frozenset(filter(kinds.is_known, {node.type for node in network.nodes()}))
    parts = plan.parts_here(network, socket.gethostname(), types)
    parts = [part for part in parts if can_run(part)]
    if not parts:
        raise JphError("nothing in the config is for this machine to run")
    state = state_dir()
    private_files()
    with state_lock(state):
        gateway = plan.gateway_of(parts)
        port = _claim_port(gateway) if gateway else None
        environment = _environment(app, state, port)
        house = House(app, network, parts, environment, state, port)
        raise SystemExit(run_async(house.run(follows, takes_over)))


def _network(url: str) -> Network:
    """Read the configuration; wait for its server, or take its last good copy.

    Raises:
        ConfigError: it has mistakes, or is a file that cannot be read.
    """
    fetched = last_good.fetch_at_start(url, tell)
    network = kinds.parse(fetched.document, url)
    if fetched.copy_of:
        tell(fetched.copy_of)
    else:
        last_good.try_to_keep(url, fetched.signed, tell)
    for problem in references.mistakes(network):
        tell(f"warning: {problem}")
    return network


class House:
    """The parts and stores of one `up`."""

    def __init__(
        self,
        app: App,
        network: Network,
        parts: list[Sensor],
        environment: Mapping[str, str],
        state: Path,
        port: int | None,
    ) -> None:
        self._app = app
        self._port = port
        self._gateway = plan.gateway_of(parts)
        self._parts = parts
        self._supervisor = Supervisor(parts, environment, state / "log", tell)
        needs_redis, needs_sql = plan.stores_needed(network, parts)
        self._stores = [StoreKeeper(RedisServer(state), tell)] if needs_redis else []
        self._stores += [StoreKeeper(PostgresServer(state), tell)] if needs_sql else []
        if plan.broker_needed(parts):
            self._stores.append(StoreKeeper(BrokerServer(state), tell))
        self._end = asyncio.Event()

    async def run(self, follows_parent: bool, takes_over: bool) -> int:
        """Run until a signal, or until newer instances have every part; return the status."""
        loop = asyncio.get_running_loop()
        for ending in _ENDINGS:
            if ending is signal.SIGHUP and signal.getsignal(ending) is signal.SIG_IGN:
                continue  # nohup: the house goes on without a terminal
            loop.add_signal_handler(ending, self._end.set)
        watching = [asyncio.create_task(self._live(takes_over), name="house")]
        if follows_parent:
            watching.append(asyncio.create_task(follow_parent(self._end.set), name="parent"))
        ending_task = asyncio.create_task(self._end.wait(), name="end")
        try:
            await asyncio.wait([watching[0], ending_task], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*watching, ending_task):
                task.cancel()
            await self._stop()
        results = await asyncio.gather(*watching, return_exceptions=True)
        for failure in (r for r in results if isinstance(r, Exception)):
            raise failure
        return DuplicateInstance.exit_status if self._supervisor.deserted else 0

    async def _live(self, takes_over: bool) -> None:
        """Start all parts, report when they are ready, and go on while there is a part to run.

        Raises:
            JphError: another house runs here, and `--take-over` is not given.
        """
        async with self._app.session() as session:
            if not takes_over:
                codes = {part.codifier for part in self._parts}
                commands, patience = session.client.commands, self._app.patience
                await refuse_another(
                    commands, codes, ASK_LIMIT_S * patience, LEAVE_LIMIT_S * patience
                )
            session.client.listeners.append(self._supervisor.hear)
            for store in self._stores:
                store.start()
            for part in self._parts:
                self._supervisor.start(part.codifier)
            await self._settle()
            while not self._supervisor.deserted:
                self._supervisor.changed.clear()
                await self._supervisor.changed.wait()
            tell("newer instances have every part: nothing is left to run here")

    async def _settle(self) -> None:
        """Wait for parts, stores and page; name those that are not ready in time."""
        try:
            async with asyncio.timeout(SETTLE_LIMIT_S * self._app.patience):
                for store in self._stores:
                    await store.settled.wait()
                while self._supervisor.pending:
                    self._supervisor.changed.clear()
                    await self._supervisor.changed.wait()
        except TimeoutError:
            missing = " ".join(self._supervisor.pending) or "a store"
            tell(f"not ready yet: {missing} (the logs are in {state_dir() / 'log'})")
        if self._port is None or self._gateway is None:
            tell(f"ready: {len(self._parts)} parts")
            return
        address = plan.address_of(self._gateway)
        while not await _listens(address, self._port):
            if self._supervisor.deserted:
                return
            await asyncio.sleep(_LOOK_S)
        host = f"[{address}]" if ":" in address else address
        scheme = "https" if self._gateway.sensor.get("Certificate") else "http"
        tell(f"ready: {scheme}://{host}:{self._port}")
        if no_admin_yet():
            tell("to command from there, make the first admin: control.py user add NAME")

    async def _stop(self) -> None:
        """End the parts, then the stores that they write to."""
        began_s = time.monotonic()
        await self._supervisor.stop()
        left_s = max(1.0, END_LIMIT_S - (time.monotonic() - began_s))
        await asyncio.gather(*(store.stop(left_s) for store in self._stores))


async def refuse_another(
    commands: Commander,
    codes: set[str],
    ask_s: float = ASK_LIMIT_S,
    limit_s: float = LEAVE_LIMIT_S,
) -> None:
    """Make sure that no node on the bus has one of `codes`; wait for nodes that are ending.

    Raises:
        JphError: some still run.
    """
    until_s = time.monotonic() + limit_s
    while True:
        answers = await commands.ask_all(Flag.PING, sorted(codes), limit_s=ask_s)
        living = {answer.node for answer in answers if answer.answered}
        if not living:
            return
        if time.monotonic() > until_s:
            break
        await asyncio.sleep(_LOOK_S)
    run = "runs" if len(living) == 1 else "run"
    raise JphError(
        f"{' '.join(sorted(living))} {run} already: another house runs on these groups; "
        "change Multicast's ports in the config, or use --take-over"
    )


def can_run(part: Sensor) -> bool:
    """Return whether the libraries of a part's kind are installed; report it if they are not."""
    try:
        kinds.find(part.type).check_installed()
    except JphError as error:
        tell(f"{part.codifier:<10} is left out: {error}")
        return False
    return True


def _claim_port(gateway: Sensor) -> int:
    wanted = os.environ.get("JPH_PORT") or gateway.sensor.get("Port", plan.DEFAULT_PORT)
    try:
        number = int(wanted)
        if not 0 <= number <= 65535:
            raise ValueError
    except ValueError:
        raise JphError(f"JPH_PORT: expected a port from 0 to 65535, found {wanted!r}") from None
    return plan.claim_port(str(gateway.sensor.get("Address", plan.LOOPBACK)), number)


def _environment(app: App, state: Path, port: int | None) -> dict[str, str]:
    """Return the environment of the parts: the same config, state and port."""
    is_url = "://" in app.url or app.url.startswith("file:")
    url = app.url if is_url else str(Path(app.url).absolute())
    environment = {**os.environ, "JPH_CONFIG": url, "JPH_STATE": str(state)}
    environment.pop("JPH_SENSOR", None)
    environment["PYTHONUNBUFFERED"] = "1"
    if port is not None:
        environment["JPH_PORT"] = str(port)
    return environment


def no_admin_yet() -> bool:
    """Return whether the page has no admin yet."""
    from jph.gateway.accounts.database import accounts_path, open_accounts
    from jph.gateway.accounts.users import any_admin

    try:
        with contextlib.closing(open_accounts(accounts_path())) as accounts:
            return not any_admin(accounts)
    except JphError:  # the gateway reports it
        return False


async def _listens(address: str, port: int) -> bool:
    """Return whether the page's port accepts connections; its node is ready earlier."""
    try:
        _, writer = await asyncio.open_connection(address, port)
    except OSError:
        return False
    writer.close()
    return True


def tell(line: str) -> None:
    """Print a line at once; a closed output does not stop the house."""
    with contextlib.suppress(OSError):
        click.echo(scrub(line))
