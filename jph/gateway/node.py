"""The gateway as a node: control bus on one side, HTTP on the other."""

import asyncio
import contextlib
import importlib.util
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

import msgspec

from jph.client.client import Client
from jph.client.limits import Limits
from jph.client.replies import GroupReplies
from jph.config.model import expand
from jph.config.settings import described
from jph.config.stores import redis_url
from jph.errors import ConfigError, JphError
from jph.gateway.accounts import users
from jph.gateway.accounts.accounts import Accounts
from jph.gateway.accounts.confirmations import Confirmations
from jph.gateway.accounts.database import AccountsError
from jph.gateway.accounts.roles import Role
from jph.gateway.live.board import Board
from jph.gateway.live.cache_reader import Hashes, Reader
from jph.gateway.live.gap_reader import HoleReader
from jph.gateway.live.history_reader import HistoryReader
from jph.gateway.live.senses import Senses
from jph.gateway.live.stream import MERGE_S, Hub
from jph.node.node import Node, Settings, now_ms
from jph.node.outbox import ping_number
from jph.wire.codec import EVERY_NODE, Control, Flag

if TYPE_CHECKING:
    from jph.gateway.platform.app import Access, WebApp
    from jph.gateway.platform.server import WebServer
    from jph.gateway.platform.services import Services

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_JUDGE_EVERY_S: Final = 1.0
_ASK_EVERY_S: Final = 60.0
_SIGNS_OF_LIFE: Final = frozenset({Flag.ALIVE, Flag.NEW, Flag.TIME})


class RadiatorAppSettings(Settings, frozen=True, kw_only=True):
    """The app of the radiator project: its token is public, so its role is viewer by default."""

    token: Annotated[str, described("Token that the app was built with, its WebSocket subprotocol")]
    role: Annotated[Literal["viewer", "operator"], described("What the app may do")] = "viewer"
    port: Annotated[int, described("Further TCP port, 3000 for an app built with it; 0: none")] = 0

    def __post_init__(self) -> None:
        if not self.token or not all(c.isalnum() or c in "!#$%&'*+-.^_`|~" for c in self.token):
            raise ValueError("Token: expected letters, digits and !#$%&'*+-.^_`|~")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"Port: expected 0 to 65535, found {self.port}")


class GatewaySettings(Settings, frozen=True, kw_only=True):
    """Where to listen, and by which names (`Hosts`) a reverse proxy or a browser may call us.

    `public`: "read" lets any client read without a login; commands always need one.
    `certificate` and `key` are files for TLS. `proxies` are the reverse proxies (addresses or
    networks) that are believed about whom they ask for.
    `sql` is the original's key for its Flask program; the page does not need it.
    """

    port: Annotated[int, described("TCP port of the page", ge=0, le=65535)] = 8080
    address: Annotated[str, described("Address on which the page listens")] = "127.0.0.1"
    hosts: Annotated[tuple[str, ...], described("Names under which the page may be opened")] = ()
    public: Annotated[Literal["", "read"], described('"read" shows the page without a login')] = ""
    certificate: Annotated[str, described("Path of the TLS certificate")] = ""
    key: Annotated[str, described("Path of the TLS key")] = ""
    proxies: Annotated[
        tuple[str, ...],
        described("Addresses or networks of reverse proxies whose headers are trusted"),
    ] = ()
    prefix: Annotated[str, described("Path below which a reverse proxy serves the page")] = ""
    socket: Annotated[str, described("Path of a Unix socket for a reverse proxy")] = ""
    group: Annotated[str, described("Group that may connect to Socket")] = ""
    radiator_app: Annotated[
        RadiatorAppSettings | None, described("Door for the radiator project's app")
    ] = None
    sql: Annotated[dict[str, Any], described("Key of the original's program; not used")] = (
        msgspec.field(default_factory=dict, name="SQL")
    )


class Gateway(Node, type=("Gateway", "Flask"), settings=GatewaySettings):
    """Show the network on a web page and let people command it.

    A port that is taken raises `JphError` from `open`. Redis may come and go.

    Attributes:
        url: address of the page, once the node is open.
        limits: how long commands wait for answers.
        confirmations: sessions in which the password was entered lately.
    """

    at_start = ("port", "address", "certificate", "key", "socket", "group")
    halts = False
    hears_itself = True
    libraries = ("argon2", "jinja2", "litestar", "prometheus_client", "uvicorn")
    settings: GatewaySettings
    url = ""
    limits: ClassVar[Limits] = Limits()
    _hub: "Hub | None" = None
    _accounts: "Accounts | None" = None
    _history: "HistoryReader | None" = None
    _senses: "Senses | None" = None
    _web: "WebServer | None" = None
    _app: "WebApp | None" = None
    _reader: "asyncio.Task[None] | None" = None
    _ask_s = 0.0

    async def open(self) -> None:
        """Listen, serve, and follow the cache."""
        # Imported here: `up` and `config check` load the kind, but not the page.
        from jph.gateway.platform.app import WebApp
        from jph.gateway.platform.server import Tls, WebServer, listen, listen_unix, port_of, url_of

        self._heard = asyncio.Event()
        self._replies = GroupReplies(lambda: self.network)
        self._client = Client(self.send_control, self._replies, self.limits, self.codifier)
        self._hub = Hub(Board(self.network))
        self._holes = HoleReader(self._hub, self.log)
        self._accounts = Accounts(self.log)
        self.confirmations = Confirmations()
        wanted = self.settings
        tls = Tls.of(wanted.certificate, wanted.key)
        self._app = WebApp(self._services(), self._access(), f"jph-{self.codifier}")
        listener = listen(wanted.address, port_of(wanted.port))
        listeners = [listener]
        if wanted.socket:
            listeners.append(listen_unix(Path(expand(wanted.socket)), wanted.group))
        if wanted.radiator_app is not None and wanted.radiator_app.port:
            listeners.append(listen(wanted.address, wanted.radiator_app.port))
        self.url = url_of(listener, tls)
        installed = importlib.util.find_spec("websockets") is not None
        self._web = WebServer(
            *(self._app, listeners, self._web_ended, self.log, tls), websockets=installed
        )
        self._follow(self._hub.board)
        self.spawn(self._judge(self._hub), "judge")
        self.spawn(self._holes.run(), "holes")
        self.spawn(self._check_first(self._accounts), "accounts")
        self.log.info("ready: %s", self.url)
        if not (tls or wanted.proxies or wanted.socket or wanted.address in _LOOPBACK):
            self.log.warning("passwords travel in the clear: see Certificate or Proxies")

    async def close(self) -> None:
        """End the streams and the server."""
        if self._hub is not None:
            self._hub.close()
            self._replies.close()
        if self._senses is not None:
            self._senses.close()
        if self._web is not None:
            await self._web.stop()
        if self._history is not None:
            self._history.close()
        if self._accounts is not None:
            self._accounts.close()

    async def _check_first(self, accounts: Accounts) -> None:
        """Log how to make the first account if there is none."""
        try:
            if not await accounts.run(users.any_admin):
                self.log.warning("no account yet: `control.py user add NAME` makes the first admin")
        except AccountsError as error:
            self.log.error("logins fail: %s", error)

    def _access(self) -> "Access":
        """Return who reaches the gateway, by the settings of now.

        Raises:
            ConfigError: `Proxies` or `Prefix` has a mistake.
        """
        from jph.gateway.platform.app import Access
        from jph.gateway.platform.forwarded import networks_of, prefix_of
        from jph.gateway.platform.protection import known_hosts
        from jph.gateway.platform.sockets import Door

        app = self.settings.radiator_app
        return Access(
            radiator_app=Door(app.token, Role[app.role.upper()]) if app else Door(),
            hosts=known_hosts(self.settings.hosts),
            public=self.settings.public == "read",
            proxies=networks_of(self.settings.proxies),
            prefix=prefix_of(self.settings.prefix),
        )

    def _services(self) -> "Services":
        """Return what the pages and the API are built from."""
        from jph.gateway.accounts.audit import Auditor
        from jph.gateway.platform.app import make_shell
        from jph.gateway.platform.services import Services

        assert self._hub is not None
        assert self._accounts is not None
        hub = self._hub
        self._history = HistoryReader(lambda: hub.board.network, self.log)
        self._senses = Senses(self.log)
        self._senses.follow(self.network, self.spawn)
        return Services(
            hub=hub,
            client=self._client,
            holes=self._holes,
            history=self._history,
            senses=self._senses,
            log=self.log,
            network=lambda: hub.board.network,
            shell=make_shell(lambda: hub.board.network),
            accounts=self._accounts,
            auditor=Auditor(self._accounts),
            confirmations=self.confirmations,
            public=lambda: self.settings.public == "read",
        )

    async def on_timer(self, now_ms: int) -> None:
        """Ask who is there now and then: where each node lives, and how long its answer takes.

        And look whether there is another certificate.
        """
        if self._hub is not None and time.monotonic() >= self._ask_s:
            self._ask_s = time.monotonic() + _ASK_EVERY_S
            self.send_control(Flag.PING, EVERY_NODE, ping_number())
            self._renew()

    def on_control(self, message: Control) -> None:
        """Take what nodes say of themselves, and their answers to our commands.

        Nothing here may cost more with more codifiers: a bus may carry thousands of these a second.
        """
        if self._hub is not None and message.flag in _SIGNS_OF_LIFE:
            now_s, host = time.monotonic(), self.sender[0]
            board, source = self._hub.board, message.source
            if board.hear(source, message.active, now_s, host, message.version):
                self._heard.set()
                board.clocks.hear(source, message.timestamp_ms, now_ms())
                board.note(message)
            self._client.hear(message, self.sender)

    def on_reload(self) -> None:
        """Show the new configuration; browsers load the page again when it looks different.

        The socket stays as it is: a new port or address takes a restart.
        """
        self._renew()
        self._apply_access()
        if self._hub is not None:
            self._replies.close()
            self._hub.use(Board(self.network))
            self._follow(self._hub.board)
            self._holes.show()
        if self._senses is not None:
            self._senses.follow(self.network, self.spawn)

    def _apply_access(self) -> None:
        """Apply Hosts, Public, Proxies and Prefix."""
        if self._app is None:
            return
        try:
            self._app.use(self._access())
        except ConfigError as error:
            self.log.error("%s; the old settings stay", error)

    def _renew(self) -> None:
        """Take a certificate whose files have changed."""
        try:
            if self._web is not None and self._web.renew():
                self.log.info("the certificate is a new one")
        except ConfigError as error:
            self.log.error("%s; the old certificate stays", error)

    def _follow(self, board: Board) -> None:
        """Follow the cache for `board`, and no other any more."""
        if self._reader is not None:
            self._reader.cancel()

        def take(hashes: Hashes, old: bool) -> None:
            board.update(hashes, now_ms(), time.monotonic(), old=old)
            self._wake()

        def here(answers: bool) -> None:
            board.set_cache(answers)
            self._wake()

        reader = Reader(redis_url(self.network), board.codifiers, take, here, self.log)
        self._reader = self.spawn(reader.run(), "redis")

    async def _judge(self, hub: "Hub") -> None:
        """Show what was heard, merged, and find what became late: silence sends no message."""
        next_s = time.monotonic()
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(next_s - time.monotonic()):
                    await self._heard.wait()
            now_s, heard = time.monotonic(), self._heard.is_set()
            self._heard.clear()
            if now_s >= next_s:
                next_s = now_s + _JUDGE_EVERY_S
                heard |= hub.board.refresh(now_s)
            else:
                hub.board.settle(now_s)
            if heard:  # a request may have settled it already
                hub.wake()
            await asyncio.sleep(MERGE_S)

    def _wake(self) -> None:
        if self._hub is not None:
            self._hub.wake()

    def _web_ended(self, error: BaseException | None) -> None:
        self.stop(JphError(f"{self.codifier}: the web server ended: {error!r}"))
