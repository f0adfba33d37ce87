"""An HTTP server inside the loop of a node; it leaves signals and logging to the node."""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import uvicorn

from jph.config.model import expand
from jph.errors import ConfigError, JphError
from jph.gateway.platform.connections import Connection, ServerLog
from jph.gateway.platform.protection import App

DEFAULT_PORT: Final = 8080
_BACKLOG: Final = 64
_UNTAKEN_MS: Final = 15_000
"""After this time without room at a client's side the kernel drops the connection, and with it
what was written for it (TCP_USER_TIMEOUT, RFC 5482)."""
_LAST_WORDS_S: Final = 2
_SEND_BUFFER_BYTES: Final = 64 * 1024
"""What the kernel may hold for one client; left to itself it keeps megabytes for a stalled one."""
_LARGEST_MESSAGE_BYTES: Final = 256 * 1024
_LARGEST_HEAD_BYTES: Final = 16 * 1024


def port_of(setting: int) -> int:
    """Return the port to listen on: `JPH_PORT` wins over the setting.

    Raises:
        JphError: `JPH_PORT` is no port.
    """
    text = os.environ.get("JPH_PORT", "").strip()
    if not text:
        return setting
    if not text.isdecimal() or not 0 <= int(text) <= 65535:
        raise JphError(f"JPH_PORT is {text!r}: expected a port from 1 to 65535")
    return int(text)


def listen(address: str, port: int) -> socket.socket:
    """Return a listening socket on `address` and `port` (0: any free one).

    Raises:
        JphError: it cannot be had; says what to do.
    """
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            address, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNTAKEN_MS)
            listener.bind(where)
            listener.listen(_BACKLOG)
            listener.setblocking(False)
            undo.pop_all()
            return listener
    except OSError as error:
        raise JphError(f"cannot listen on {address} port {port}: {_hint(error)}") from error


def listen_unix(path: Path, group: str) -> socket.socket:
    """Return a listening Unix socket for a reverse proxy; only `group` can connect to it.

    Without a group only the user of this program can connect.

    Raises:
        JphError: the path or the group cannot be used.
    """
    try:
        with contextlib.ExitStack() as undo:
            listener = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            path.unlink(missing_ok=True)  # of a run that ended without tidying up
            before = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(before)
            if group:
                shutil.chown(path, group=group)
                path.chmod(0o660)
            listener.listen(_BACKLOG)
            listener.setblocking(False)
            undo.pop_all()
            return listener
    except (OSError, LookupError) as error:
        raise JphError(f"cannot listen on Socket {path}: {error}") from error


def _hint(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program has it; set JPH_PORT or the gateway's Port to a free one"
    if error.errno == errno.EACCES:
        return "ports below 1024 are for root; set JPH_PORT or the gateway's Port to a higher one"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address; mend the gateway's Address"
    return str(error)


def url_of(listener: socket.socket, tls: "Tls | None" = None) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Tls(NamedTuple):
    """The files of a certificate, chain included, and of its key."""

    certificate: str
    key: str

    @classmethod
    def of(cls, certificate: str, key: str) -> "Tls | None":
        """Return the files of the settings, None if none are named.

        Raises:
            ConfigError: one is missing, cannot be read, or does not fit the other.
        """
        if not certificate and not key:
            return None
        if not certificate or not key:
            raise ConfigError("TLS needs both Certificate and Key in the gateway's settings")
        tls = cls(expand(certificate), expand(key))
        tls.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        return tls

    def load(self, context: ssl.SSLContext) -> None:
        """Have a context show this certificate from the next connection on.

        Raises:
            ConfigError: a file is missing, cannot be read, or does not fit the other.
        """
        try:
            context.load_cert_chain(*self)
        except (OSError, ssl.SSLError) as error:
            reason = error.strerror if error.strerror else "they do not fit"
            message = f"cannot use Certificate {self.certificate} with Key {self.key}: {reason}"
            raise ConfigError(message) from error

    def stamps(self) -> list[tuple[int, int]]:
        """Return what is different once a file is; of one that is missing, what none has."""
        found = []
        for path in self:
            try:
                stat = Path(path).stat()
            except OSError:
                found.append((0, 0))
            else:
                found.append((stat.st_ino, stat.st_mtime_ns))
        return found


class WebServer:
    """Serves one application on some sockets from now on until `stop`.

    `ended` is called with the error if it ends before that; `websockets` are taken too.
    """

    def __init__(
        self,
        app: App,
        listeners: Sequence[socket.socket],
        ended: Callable[[BaseException | None], None],
        log: logging.LoggerAdapter[logging.Logger],
        tls: Tls | None = None,
        *,
        websockets: bool = False,
    ) -> None:
        self._server = _server(app, tls, websockets=websockets)
        self._tls = tls
        self._stamps = tls.stamps() if tls else []
        self._log = ServerLog(log)
        self._log.start()
        self._listeners = listeners
        self._ended = ended
        # A task of its own: it must outlive the node's tasks to answer what is under way.
        self._task = asyncio.create_task(
            self._server.serve(sockets=list(listeners)), name="web server"
        )
        self._task.add_done_callback(self._finish)

    def renew(self) -> bool:
        """Take a certificate whose files have changed; return whether they have.

        Raises:
            ConfigError: it cannot be used; the one before stays, until they change again.
        """
        context = self._server.config.ssl
        if self._tls is None or context is None or self._tls.stamps() == self._stamps:
            return False
        self._stamps = self._tls.stamps()
        self._tls.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        self._tls.load(context)
        return True

    async def stop(self) -> None:
        """Stop taking requests and wait a little for those under way."""
        self._server.should_exit = True
        await asyncio.wait([self._task], timeout=_LAST_WORDS_S + 1)

    def _finish(self, task: "asyncio.Task[None]") -> None:
        for listener in self._listeners:
            listener.close()
        self._log.stop()
        error = None if task.cancelled() else task.exception()
        if not self._server.should_exit or error is not None:
            self._ended(error)


def _server(app: App, tls: Tls | None, *, websockets: bool) -> uvicorn.Server:
    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            """Leave the signals to the node, whose program this is."""
            yield

    return Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            ws="websockets-sansio" if websockets else "none",
            ws_max_size=_LARGEST_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            http=Connection,
            backlog=_BACKLOG,  # taken in one turn of the loop, before any can be refused
            timeout_graceful_shutdown=_LAST_WORDS_S,
            h11_max_incomplete_event_size=_LARGEST_HEAD_BYTES,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
    )
