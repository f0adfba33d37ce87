"""The page of the cameras."""

from typing import Any, Final

from litestar import Response, get

from gateway import page
from gateway.cameras.settings import cameras_of
from gateway.parts import Parts
from gateway.shell import Link, WebRequest
from jph.config import Network


def _shown(network: Network) -> bool:
    return bool(cameras_of(network))


LINKS: Final = [Link("/camera", "Camera", 80, shown=_shown)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page; pictures come by `/api/camera/XX`."""

    @get("/camera", include_in_schema=False, sync_to_thread=False)
    def camera(request: WebRequest) -> Response[str]:
        feeds = parts.senses.cameras.values()
        seen = [
            (feed.entry.codifier, feed.entry.name or page.label(feed.entry))
            for feed in feeds
            if request.user.known or feed.settings.public
        ]
        return parts.shell.page(request, "camera.html", cameras=seen, hidden=len(feeds) - len(seen))

    return [camera]
