"""The page of the cameras."""

from typing import Any, Final

from litestar import Response, get

from jph.config.model import Network
from jph.gateway.live import view
from jph.gateway.platform.services import Parts
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.subjects.camera.settings import cameras_of


def _shown(network: Network) -> bool:
    return bool(cameras_of(network))


LINKS: Final = [Link("/camera", "Camera", 80, shown=_shown)]


def handlers(parts: Parts) -> list[Any]:
    """Return the page; pictures come by `/api/camera/XX`."""

    @get("/camera", include_in_schema=False, sync_to_thread=False)
    def camera(request: WebRequest) -> Response[str]:
        feeds = parts.senses.cameras.values()
        seen = [
            (feed.entry.codifier, feed.entry.name or view.label(feed.entry))
            for feed in feeds
            if request.user.known or feed.settings.public
        ]
        return parts.shell.page(request, "camera.html", cameras=seen, hidden=len(feeds) - len(seen))

    return [camera]
