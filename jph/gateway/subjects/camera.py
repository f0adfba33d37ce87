"""Cameras: a page and their pictures, from the addresses of the config only."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Response, get
from litestar.exceptions import HTTPException
from litestar.params import Parameter

from jph.config.model import Network
from jph.gateway.accounts.roles import User
from jph.gateway.camera.feed import Crowded
from jph.gateway.camera.pictures import NoPicture
from jph.gateway.camera.settings import cameras_of
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.view import panels

WAIT_S: Final = 10.0
"""How long the next picture may take."""


class Camera(msgspec.Struct, frozen=True):
    """A camera; `trouble` says why there is no picture, "" while there is no reason."""

    code: str
    name: str
    mode: str
    trouble: str


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the addresses of cameras."""

    @get("/api/camera", sync_to_thread=False)
    def cameras(request: WebRequest) -> list[Camera]:
        """Return the cameras that who asks may see."""
        return [
            Camera(feed.entry.codifier, feed.entry.name, feed.settings.mode, feed.trouble)
            for feed in services.senses.cameras.values()
            if _may_see(request.user, public=feed.settings.public)
        ]

    @get("/api/camera/{codifier:str}", ready=True, media_type="image/jpeg")
    async def camera(
        request: WebRequest,
        codifier: Annotated[str, Parameter(max_length=2)],
        after: Annotated[int, Parameter(ge=0)] = 0,
    ) -> Response[bytes]:
        """Return the newest picture, or the next one if that is number `after` (`X-Picture`).

        204 if none comes: `X-Trouble` says why.
        """
        feed = services.senses.cameras.get(codifier)
        if feed is None:
            raise HTTPException("no such camera in the config", status_code=404)
        if not _may_see(request.user, public=feed.settings.public):
            raise HTTPException("log in to see this camera", status_code=401)
        try:
            picture = await feed.next(after, WAIT_S)
        except Crowded as error:
            raise HTTPException(str(error), status_code=429) from error
        except NoPicture as error:
            return Response(b"", status_code=204, headers={"x-trouble": str(error)})
        headers = {
            "x-picture": str(feed.count),
            "cache-control": "no-store",
            # Should it ever be opened by itself: nothing in it may run, or load anything.
            "content-security-policy": "default-src 'none'; sandbox",
        }
        return Response(picture.content, media_type=picture.media_type, headers=headers)

    return [cameras, camera]


def _may_see(user: User, *, public: bool) -> bool:
    return public or user.known


def _shown(network: Network) -> bool:
    return bool(cameras_of(network))


LINKS: Final = [Link("/camera", "Camera", 80, shown=_shown)]


def _page(services: Services) -> list[Any]:
    """Return the page; pictures come by `/api/camera/XX`."""

    @get("/camera", include_in_schema=False, sync_to_thread=False)
    def camera(request: WebRequest) -> Response[str]:
        feeds = services.senses.cameras.values()
        seen = [
            (feed.entry.codifier, feed.entry.name or panels.label(feed.entry))
            for feed in feeds
            if request.user.known or feed.settings.public
        ]
        return services.shell.page(
            request, "camera.html", cameras=seen, hidden=len(feeds) - len(seen)
        )

    return [camera]
