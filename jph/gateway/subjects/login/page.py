"""The page where people log in."""

from typing import Any

from litestar import Response, get

from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import WebRequest


def handlers(parts: Parts) -> list[Any]:
    """Return the page."""

    @get("/login", include_in_schema=False, sync_to_thread=False)
    def login(request: WebRequest) -> Response[str]:
        return parts.shell.page(request, "login.html", target=safe_target(request))

    return [login]


def safe_target(request: WebRequest) -> str:
    """Return where to go after the login: a path of ours, whatever the address says."""
    target = request.query_params.get("next", "/")
    plain = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if plain and target.isprintable() else "/"
