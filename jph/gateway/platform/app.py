"""Assembles the gateway's application: the subjects, and the doors around them.

A subject is a module in `subjects/`, or the module `web` of a package there, with a function
`handlers(parts) -> list`: its page and its API. Its `LINKS` are its entries in the navigation.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from litestar import Litestar, MediaType, Response
from litestar.config.compression import CompressionConfig
from litestar.exceptions import HTTPException
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Reference, SecurityScheme

import jph.gateway.subjects
from jph.config.model import Network
from jph.gateway.accounts.authentication import Entry, login_for
from jph.gateway.accounts.database import AccountsError
from jph.gateway.accounts.passwords import TooManyLogins
from jph.gateway.accounts.users import UserError
from jph.gateway.platform.assets import Assets
from jph.gateway.platform.guard import App, Guard
from jph.gateway.platform.proxies import Proxies, networks_of
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, Shell, WebRequest
from jph.version import __version__

MOST_BODY_BYTES: Final = 64 * 1024
_STREAMS: Final = frozenset({"/events", "/api/events"})
_STATIC: Final = Path(__file__).parent.parent / "static"


def make_shell(network: Callable[[], Network]) -> Shell:
    """Return the maker of pages, with every page's place in the navigation."""
    links: list[Link] = [link for subject in _subjects() for link in getattr(subject, "LINKS", ())]
    return Shell(network, Assets(_STATIC), links)


def build_app(
    parts: Parts,
    hosts: Collection[str],
    cookie: str,
    *,
    public: bool = False,
    proxies: Iterable[str] = (),
) -> App:
    """Return the whole application, doors included.

    `hosts` are our names, `cookie` is that of a session's. `public` lets everybody read.
    `proxies` are believed about clients.

    Raises:
        ConfigError: `proxies` are no addresses or networks.
    """
    app = Litestar(
        [
            *(handler for subject in _subjects() for handler in subject.handlers(parts)),
            *parts.shell.assets.handlers(),
        ],
        exception_handlers=_answers_to_errors(parts),
        compression_config=CompressionConfig(
            backend="gzip", gzip_compress_level=6, exclude_opt_key="ready", exclude=["/events$"]
        ),
        request_max_body_size=MOST_BODY_BYTES,
        openapi_config=_openapi(cookie),
        logging_config=None,
        debug=False,
    )
    inside = Entry(_heads_as_gets(app), parts.accounts, cookie, public=public)
    return Proxies(Guard(inside, hosts), networks_of(proxies))


def _answers_to_errors(parts: Parts) -> dict[int | type[Exception], Any]:
    """Return what is answered where something is refused or fails."""

    def as_fault(_: object, error: Exception) -> Response[dict[str, str]]:
        """Log a bug with its traceback and tell the browser only that there is one."""
        parts.log.error("the gateway failed", exc_info=error)
        return Response({"error": "internal error"}, status_code=500, media_type=MediaType.JSON)

    def as_refusal(request: WebRequest, error: HTTPException) -> Response[Any]:
        """Say a refusal in JSON, or on a page to who looks at pages."""
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            if error.status_code == 401:
                target = login_for(request.scope["path"], request.scope["query_string"])
                return Response("", status_code=303, headers={"location": target})
            told = {"status": error.status_code, "said": error.detail}
            return parts.shell.page(request, "error.html", status_code=error.status_code, **told)
        return _said(error.detail, error.status_code, error.headers)

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


def _said(words: str, status: int, headers: dict[str, str] | None = None) -> Response[Any]:
    """Say a refusal in JSON, without more of the inside than its own words."""
    return Response(
        {"error": words}, status_code=status, media_type=MediaType.JSON, headers=headers
    )


def _as_conflict(_: object, error: UserError) -> Response[Any]:
    return _said(str(error), 409)


def _as_busy(_: object, error: TooManyLogins) -> Response[Any]:
    return _said(str(error), 429)


def _as_away(_: object, __: AccountsError) -> Response[Any]:
    return _said("the accounts cannot be read now", 503)


def _as_too_deep(_: object, __: RecursionError) -> Response[Any]:
    """Refuse a body of thousands of brackets, which nothing else here goes as deep as."""
    return _said("that is nested too deeply", 400)


def _openapi(cookie: str) -> OpenAPIConfig:
    """Describe the API; the description is for programs, at `/api/openapi.json`."""
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
    """Answer HEAD as GET; the server leaves the body out. A stream has no end to know before."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] not in _STREAMS:
            scope = {**scope, "method": "GET"}
        await app(scope, receive, send)

    return answer
