"""Assembles the gateway's application: the subjects, and the doors around them.

A subject is a module in `pages/` or `api/` with `handlers(parts) -> list`; it is found by being
there. A page's module has `LINKS` too if it stands in the navigation.
"""

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from litestar import Litestar, MediaType, Response
from litestar.config.compression import CompressionConfig
from litestar.exceptions import HTTPException

import gateway.api
import gateway.pages
from gateway.assets import Assets
from gateway.guard import App, Guard
from gateway.parts import Parts
from gateway.security.entry import Entry
from gateway.shell import Link, Shell
from jph.config import Network

MOST_BODY_BYTES: Final = 64 * 1024
_STREAMS: Final = frozenset({"/events", "/api/events"})
_STATIC: Final = Path(__file__).parent / "static"


def make_shell(network: Callable[[], Network]) -> Shell:
    """Return the maker of pages, with every page's place in the navigation."""
    links: list[Link] = [link for subject in _subjects() for link in getattr(subject, "LINKS", ())]
    return Shell(network, Assets(_STATIC), links)


def build_app(
    parts: Parts, hosts: Collection[str], *, public: bool = False, secure: bool = False
) -> App:
    """Return the whole application, doors included.

    `hosts` are our names. `public` lets everybody read; `secure` says that browsers reach us by
    TLS only.
    """

    def as_fault(_: object, error: Exception) -> Response[dict[str, str]]:
        """Log a bug with its traceback and tell the browser only that there is one."""
        parts.log.error("the gateway failed", exc_info=error)
        return Response({"error": "internal error"}, status_code=500, media_type=MediaType.JSON)

    app = Litestar(
        [
            *(handler for subject in _subjects() for handler in subject.handlers(parts)),
            *parts.shell.assets.handlers(),
        ],
        exception_handlers={HTTPException: _as_json, Exception: as_fault},
        compression_config=CompressionConfig(
            backend="gzip", gzip_compress_level=6, exclude_opt_key="ready", exclude=["/events$"]
        ),
        request_max_body_size=MOST_BODY_BYTES,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    inside = Entry(_heads_as_gets(app), parts.accounts, public=public, secure=secure)
    return Guard(inside, hosts)


def _subjects() -> Iterator[ModuleType]:
    """Yield every subject."""
    for package in (gateway.pages, gateway.api):
        for found in pkgutil.iter_modules(package.__path__):
            subject = importlib.import_module(f"{package.__name__}.{found.name}")
            if hasattr(subject, "handlers"):
                yield subject


def _as_json(_: object, error: HTTPException) -> Response[dict[str, str]]:
    """Say a refusal in JSON, without more of the inside than its own words."""
    return Response(
        {"error": error.detail}, status_code=error.status_code, media_type=MediaType.JSON
    )


def _heads_as_gets(app: Any) -> App:  # noqa: ANN401 - Litestar's own types are narrower
    """Answer HEAD as GET; the server leaves the body out. A stream has no end to know before."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        if scope["type"] == "http" and scope["method"] == "HEAD" and scope["path"] not in _STREAMS:
            scope = {**scope, "method": "GET"}
        await app(scope, receive, send)

    return answer
