"""Assembles the gateway's application: subjects, authentication, protection, proxies.

A subject is a module in `subjects/`, or the module `web` of a package there, with a function
`handlers(services) -> list`: its page and its API. Its `LINKS` are its entries in the navigation.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple, cast

from litestar import Litestar, MediaType, Response
from litestar.config.compression import CompressionConfig
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Reference, SecurityScheme

import jph.gateway.subjects
from jph.config.model import Network
from jph.gateway.accounts.database import AccountsError
from jph.gateway.accounts.passwords import TooManyLogins
from jph.gateway.accounts.users import UserError
from jph.gateway.platform import language
from jph.gateway.platform.assets import Assets
from jph.gateway.platform.authentication import Authentication, cookie_names, login_for
from jph.gateway.platform.forwarded import ProxyNetwork, behind_proxies
from jph.gateway.platform.protection import App, Protection, Receive, Scope, Send
from jph.gateway.platform.relay import MqttRelay
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, Shell, WebRequest
from jph.gateway.platform.sockets import Door, LiveSockets
from jph.version import __version__

MOST_BODY_BYTES: Final = 64 * 1024
_STREAMS: Final = frozenset({"/events", "/api/events"})
_STATIC: Final = Path(__file__).parent.parent / "static"


def make_shell(network: Callable[[], Network]) -> Shell:
    """Return the renderer of pages, with the links of the navigation."""
    links: list[Link] = [link for subject in _subjects() for link in getattr(subject, "LINKS", ())]
    return Shell(network, Assets(_STATIC), links)


class Access(NamedTuple):
    """Who reaches the gateway: the settings that a reload changes.

    `hosts` are our names. `public` lets any client read. `proxies` are trusted about clients,
    `prefix` is the path below which they serve us. `radiator_app` is the door of that app.
    """

    hosts: Collection[str]
    public: bool = False
    proxies: tuple[ProxyNetwork, ...] = ()
    prefix: str = ""
    radiator_app: Door = Door()


class WebApp:
    """The whole ASGI application; `cookie` is the name of the session cookie."""

    def __init__(self, services: Services, access: Access, cookie: str) -> None:
        self._services = services
        self._cookie = cookie
        self._inside = _heads_as_gets(_litestar(services, cookie))
        self.use(access)

    def use(self, access: Access) -> None:
        """Apply settings from the next request on."""
        accounts, cookie = self._services.accounts, self._cookie
        inside = Authentication(self._inside, accounts, cookie, public=access.public)
        protected = Protection(inside, access.hosts, cookie_names(cookie))
        services = self._services
        relay = MqttRelay(protected, access.hosts, services.network, services.log)
        door = access.radiator_app
        live = LiveSockets(relay, services, door, access.hosts, inside.may_read)
        self._app = behind_proxies(live, access.proxies, access.prefix)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)


def _litestar(services: Services, cookie: str) -> Litestar:
    """Return the application without authentication and protection."""
    return Litestar(
        [
            *(handler for subject in _subjects() for handler in subject.handlers(services)),
            *services.shell.assets.handlers(),
        ],
        exception_handlers=_answers_to_errors(services),
        compression_config=CompressionConfig(
            backend="gzip", gzip_compress_level=6, exclude_opt_key="ready", exclude=["/events$"]
        ),
        request_max_body_size=MOST_BODY_BYTES,
        openapi_config=_openapi(cookie),
        logging_config=None,
        debug=False,
    )


def _answers_to_errors(services: Services) -> dict[int | type[Exception], Any]:
    """Return the handlers of errors, by type."""

    def as_fault(_: object, error: Exception) -> Response[dict[str, str]]:
        """Log a bug with its traceback; the browser gets no detail."""
        services.log.error("the gateway failed", exc_info=error)
        return Response({"error": "internal error"}, status_code=500, media_type=MediaType.JSON)

    def as_refusal(request: WebRequest, error: HTTPException) -> Response[Any]:
        """Return a refusal as JSON, or as a page if the client accepts HTML."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            if error.status_code == 401:
                target = login_for(cast("Scope", request.scope))
                return Response("", status_code=303, headers={"location": target})
            facts = {"status": error.status_code, "reason": error.detail}
            return services.shell.page(
                request, "error.html", status_code=error.status_code, **facts
            )
        more = dict(error.extra) if isinstance(error.extra, dict) else {}
        text, values = str(more.pop("text", error.detail)), more.pop("values", {})
        said = language.of(request).say(text, **values)
        return _refused(said, error.status_code, error.headers, more)

    return {
        HTTPException: as_refusal,
        UserError: _as_conflict,
        TooManyLogins: _as_busy,
        AccountsError: _as_away,
        RecursionError: _as_too_deep,
        Exception: as_fault,
    }


def _subjects() -> Iterator[ModuleType]:
    """Yield every subject."""
    package = jph.gateway.subjects
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        module = importlib.import_module(found.name)
        if hasattr(module, "handlers"):
            yield module


def _refused(
    reason: str,
    status: int,
    headers: dict[str, str] | None = None,
    more: dict[str, Any] | None = None,
) -> Response[Any]:
    """Return a refusal as JSON; `more` says where an edit is wrong."""
    content = {**(more or {}), "error": reason}
    return Response(content, status_code=status, media_type=MediaType.JSON, headers=headers)


def _as_conflict(_: object, error: UserError) -> Response[Any]:
    return _refused(str(error), 409)


def _as_busy(_: object, error: TooManyLogins) -> Response[Any]:
    return _refused(str(error), 429)


def _as_away(_: object, __: AccountsError) -> Response[Any]:
    return _refused("the accounts cannot be read now", 503)


def _as_too_deep(_: object, __: RecursionError) -> Response[Any]:
    """Refuse a body of thousands of nested brackets."""
    return _refused("the body is nested too deeply", 400)


def _openapi(cookie: str) -> OpenAPIConfig:
    """Describe the API at `/api/openapi.json`."""
    schemes: dict[str, SecurityScheme | Reference] = {
        "token": SecurityScheme(type="http", scheme="bearer"),
        "session": SecurityScheme(type="apiKey", security_scheme_in="cookie", name=cookie),
    }
    return OpenAPIConfig(
        title="jph gateway",
        version=__version__,
        description="What the pages do. Commands need an operator; see docs/gateway.md.",
        path="/api",
        render_plugins=[JsonRenderPlugin(path="/openapi.json")],
        components=Components(security_schemes=schemes),
        security=[{"token": []}, {"session": []}],
    )


def _heads_as_gets(app: Any) -> App:  # noqa: ANN401 - Litestar's own types are narrower
    """Answer HEAD as GET; the server drops the body. Streams are left out: they do not end."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] not in _STREAMS:
            scope = {**scope, "method": "GET"}
        await app(scope, receive, send)

    return answer
