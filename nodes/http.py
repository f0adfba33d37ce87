"""Values from a web server, and orders to it: boards, sockets, weather, any JSON or text.

`failsafeReader` and `DwarfpoolReader` are the original's names for two such servers.
"""

import asyncio
import base64
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

from jph.config.model import Network, Sensor, expand
from jph.config.settings import described
from jph.devices.services.http_request import HttpClient, Request, Response, check_url
from jph.devices.services.oauth import AccessToken, refresh_request
from jph.errors import DeviceError
from jph.node.node import Settings
from jph.util.secrets import SecretUrl, remember
from jph.values.elements import Element, PathElement
from jph.values.mappings import key_of
from jph.values.node import ValueNode
from jph.wire.codec import Control, Flag

_LONGEST_SECRET: Final = 10_000


class OrderSettings(Settings, frozen=True):
    """Request that sets a value; `{value}` in `URL` and `Body` is the value."""

    url: Annotated[str, described("Address; {value} in it is the value")] = msgspec.field(
        name="URL"
    )
    method: Annotated[Literal["GET", "POST", "PUT", "PATCH"], described("Method")] = "POST"
    body: Annotated[str, described("Body; {value} in it is the value")] = ""
    map: Annotated[dict[str, str], described('Words for the values: {"1": "on", "0": "off"}')] = (
        msgspec.field(default_factory=dict)
    )


class HttpElement(PathElement, frozen=True):
    """One value of an answer."""

    set: Annotated[
        OrderSettings | None,
        described('Request that sets the value; its entry needs "Control": "enabled"'),
    ] = None


class OAuthSettings(Settings, frozen=True):
    """Where access tokens come from."""

    token_url: Annotated[str, described("Address of the token server")] = msgspec.field(
        name="TokenURL"
    )
    client_id: Annotated[str, described("Client id")] = msgspec.field(name="ClientID")
    client_secret: Annotated[str, described("Path of a file with the client secret")] = ""
    refresh_token: Annotated[str, described("Path of a file with the refresh token")] = ""


class HttpSettings(Settings, frozen=True):
    """One request each `SensorInterval`, many values."""

    url: Annotated[SecretUrl, described("Address; {NAME} in it is a secret")] = msgspec.field(
        name="URL"
    )
    elements: Annotated[tuple[HttpElement, ...], described("Values in the answer")]
    method: Annotated[Literal["GET", "POST"], described("Method")] = "GET"
    headers: Annotated[dict[str, str], described("Headers; {NAME} in a value is a secret")] = (
        msgspec.field(default_factory=dict)
    )
    body: Annotated[str, described("Body of a POST; {NAME} in it is a secret")] = ""
    secrets: Annotated[
        dict[str, str], described("NAME to the path of a file that holds the secret")
    ] = msgspec.field(default_factory=dict)
    format: Annotated[Literal["json", "text"], described("What the server answers")] = "json"
    timeout: Annotated[float, described("Limit of a whole request", "s", gt=0, le=600)] = 10.0
    ca_file: Annotated[str, described("Certificate to trust instead of those of the system")] = (
        msgspec.field(default="", name="CAFile")
    )
    socket: Annotated[str, described("Path of a Unix socket on which the server listens")] = ""
    o_auth: Annotated[OAuthSettings | None, described("Access tokens by OAuth 2")] = msgspec.field(
        default=None, name="OAuth"
    )

    def __post_init__(self) -> None:
        addresses = [self.url.reveal(), *(e.set.url for e in self.elements if e.set)]
        if self.o_auth is not None:
            addresses.append(self.o_auth.token_url)
        for address in addresses:
            try:
                check_url(address.replace("{value}", "0"))
            except ValueError as error:
                raise ValueError(f"URL: {error}") from None
        if self.socket and not self.url.reveal().startswith("http://"):
            raise ValueError("Socket: expected an address with http://")
        for name, value in self.headers.items():
            if "\n" in name + value or "\r" in name + value:
                raise ValueError(f"Headers.{name}: a line break")


class Http(ValueNode, type="Http", settings=HttpSettings):
    """Publish values of one answer each `SensorInterval`; send orders.

    Without a whole good answer nothing is sent, and the log names the reason once a minute.
    """

    async def open(self) -> None:
        """Prepare the elements and a thread for requests."""
        self._client = HttpClient(self.codifier)
        self._token = AccessToken()
        self._busy = asyncio.Lock()
        self._wanted: dict[str, float] = {}
        await super().open()

    async def close(self) -> None:
        """End a request under way."""
        self._client.close()

    async def read(self, now_ms: int) -> None:
        """Send the request and take its answer."""
        source = self.source
        try:
            async with self._busy:
                body = source.body if source.method == "POST" else ""
                answer = await self._request(source.url.reveal(), source.method, body)
        except (DeviceError, OSError, ValueError) as error:
            self.explain("answer", str(error))
            return
        self.show_raw(answer.text)
        self.take_text(answer.text, source.format)

    def on_control(self, message: Control) -> None:
        """Take an order to an element that has `Set`; the newest one of each counts."""
        element = self._settable(message.to)
        value = self.ordered(message)
        if element is None or value is None:
            return
        if message.flag == Flag.STEP and message.to in self._wanted:
            value = self._wanted[message.to] + message.number
        idle = not self._wanted
        self._wanted[message.to] = value
        if idle:
            self.spawn(self._send_orders(), "order")

    def _settable(self, codifier: str) -> HttpElement | None:
        for element in self.described:
            if element.codifier == codifier and isinstance(element, HttpElement) and element.set:
                return element
        return None

    async def _send_orders(self) -> None:
        while self._wanted:
            codifier, value = next(iter(self._wanted.items()))
            element = self._settable(codifier)
            if element is not None and element.set is not None:
                await self._order(codifier, element.set, value)
            if self._wanted.get(codifier) == value:
                del self._wanted[codifier]
        self._timer_due.set()  # what became of it is read at once

    async def _order(self, codifier: str, order: OrderSettings, value: float) -> None:
        word = order.map.get(key_of(value), key_of(value))
        try:
            async with self._busy:
                url = order.url.replace("{value}", word)
                await self._request(url, order.method, order.body.replace("{value}", word))
        except (DeviceError, OSError, ValueError) as error:
            self.log.warning("%s: the order %s was not obeyed: %s", codifier, word, error)

    async def _request(self, url: str, method: str, body: str) -> Response:
        """Return a good answer.

        Raises:
            DeviceError: the server does not answer, or with a status that is no success.
        """
        source = self.source
        secrets = await asyncio.to_thread(_read_secrets, source.secrets)
        headers = {name: _filled(value, secrets) for name, value in source.headers.items()}
        url, basic = _without_user(_filled(url, secrets))
        if basic:
            headers.setdefault("Authorization", basic)
        if source.o_auth is not None:
            headers["Authorization"] = f"Bearer {await self._access_token(source.o_auth)}"
        if body and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = "application/json"
        data = _filled(body, secrets).encode() if body else None
        places = (expand(source.ca_file), expand(source.socket))
        request = Request(url, method, tuple(headers.items()), data, *places)
        answer = await self._client.send(request, source.timeout)
        if answer.status == 401:
            self._token.forget()
        if not 200 <= answer.status < 300:
            raise DeviceError(f"the server answers with status {answer.status}")
        return answer

    async def _access_token(self, settings: OAuthSettings) -> str:
        if token := self._token.valid(time.monotonic()):
            return token
        paths = {"secret": settings.client_secret, "refresh": settings.refresh_token}
        read = await asyncio.to_thread(_read_secrets, {k: v for k, v in paths.items() if v})
        request = refresh_request(
            settings.token_url, settings.client_id, read.get("secret", ""), read.get("refresh", "")
        )
        answer = await self._client.send(request, self.source.timeout)
        self._token.take(answer, time.monotonic())
        return self._token.valid(time.monotonic())


def _read_secrets(paths: dict[str, str]) -> dict[str, str]:
    """Return the secrets in files; they are read again each time, so they can be changed."""
    found = {}
    for name, path in paths.items():
        with Path(expand(path)).open(encoding="utf-8") as file:
            found[name] = file.read(_LONGEST_SECRET).strip()
        if "\n" in found[name] or "\r" in found[name]:
            raise DeviceError(f"the secret {name} has more than one line")
        remember(found[name])
    return found


def _filled(text: str, secrets: dict[str, str]) -> str:
    for name, secret in secrets.items():
        text = text.replace(f"{{{name}}}", secret)
    return text


def _without_user(url: str) -> tuple[str, str]:
    """Return an address without its user and password, and the header that carries them."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, ""
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, f"Basic {base64.b64encode(pair.encode()).decode()}"


class FieldEntry(Settings, frozen=True):
    """A further element of the original's settings."""

    codifier: Annotated[str, described("Codifier of the element")]
    field: Annotated[str, described("Key of its value in the answer")]


class FailsafeSettings(Settings, frozen=True):
    """Settings of the original's `failsafeReader`."""

    url: Annotated[SecretUrl, described("Address of the board")] = msgspec.field(name="URL")
    field: Annotated[str, described("Key of the node's own value in the answer")]
    proxy: Annotated[tuple[FieldEntry, ...], described("Further elements")] = ()

    def __post_init__(self) -> None:
        check_url(self.url.reveal())


class FailsafeReader(Http, type="failsafeReader", settings=FailsafeSettings):
    """The original's board with a web server and flat JSON."""

    @classmethod
    def source_of(cls, entry: Sensor, settings: Any) -> HttpSettings:  # noqa: ANN401
        """Return one element a key."""
        assert isinstance(settings, FailsafeSettings)
        keys = [(entry.codifier, settings.field), *((e.codifier, e.field) for e in settings.proxy)]
        elements = tuple(HttpElement(codifier=code, key=key) for code, key in keys)
        return HttpSettings(url=settings.url, elements=elements)


class WorkerEntry(Settings, frozen=True):
    """A further element of the original's settings."""

    codifier: Annotated[str, described("Codifier of the element")]


class DwarfpoolSettings(Settings, frozen=True):
    """Settings of the original's `DwarfpoolReader`."""

    url: Annotated[SecretUrl, described("Address of the pool")] = msgspec.field(name="URL")
    server: Annotated[str, described("Name of the worker")]
    proxy: Annotated[tuple[WorkerEntry, ...], described("Elements that get the mean rate")] = ()

    def __post_init__(self) -> None:
        check_url(self.url.reveal())
        if '"' in self.server or "\\" in self.server:
            raise ValueError(f"Server: expected a name, found {self.server!r}")


class DwarfpoolReader(Http, type="DwarfpoolReader", settings=DwarfpoolSettings):
    """The original's mining pool: a rate with a time of its own, taken once."""

    @classmethod
    def source_of(cls, entry: Sensor, settings: Any) -> HttpSettings:  # noqa: ANN401
        """Return the rates of one worker."""
        assert isinstance(settings, DwarfpoolSettings)
        worker = f'workers."{settings.server}"'
        keys = [(entry.codifier, "hashrate")]
        keys += [(each.codifier, "hashrate_calculated") for each in settings.proxy]
        elements = tuple(
            HttpElement(codifier=code, path=f"{worker}.{key}", time=f"{worker}.last_submit")
            for code, key in keys
        )
        return HttpSettings(url=settings.url, elements=elements)


class NestEntry(Settings, frozen=True):
    """A further element of the original's settings."""

    codifier: Annotated[str, described("Codifier of the element")]
    field: Annotated[str, described("Value of the thermostat, in the original's words")]


class NestSettings(Settings, frozen=True):
    """Settings of the original's `NestReader`."""

    field: Annotated[str, described("Value of the thermostat, in the original's words")] = ""
    password: Annotated[str, described("Path of the original's password file; not read")] = ""
    proxy: Annotated[tuple[NestEntry, ...], described("Further elements")] = ()


class NestReader(ValueNode, type="NestReader", settings=NestSettings):
    """The original's thermostat with a password, which its maker no longer serves."""

    replaced = (
        "the thermostat's password API no longer exists: use Http with OAuth and Smart Device "
        "Management, or the thermostat by MQTT (docs/nodes/http.md)"
    )

    @classmethod
    def elements_of(cls, entry: Sensor, settings: Any) -> Sequence[Element]:  # noqa: ANN401
        """Return none: nothing can be read."""
        return ()

    async def open(self) -> None:
        """Log what replaces it."""
        await super().open()
        self.log.warning("sends nothing: %s", self.replaced)

    @classmethod
    def check_network(cls, network: Network) -> Sequence[Any]:
        """Find no contradictions."""
        return ()
