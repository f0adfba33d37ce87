"""The devices of the house: sensors and actuators by room or group."""

import time
from typing import Any, Final

import msgspec
from litestar import Response, get

from jph.config.model import Network
from jph.gateway.live.gaps import keeps_history
from jph.gateway.platform import language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.view import panels
from jph.gateway.view.devices import Group, groups_of
from jph.node import kinds


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""

    @get("/api/devices", tags=["network"], sync_to_thread=False)
    def devices() -> list[Group]:
        """Return the devices by room or group; they are set by `PUT /api/values/{codifier}`."""
        return _groups(services)

    return [devices, *_page(services)]


def is_device(kind: str) -> bool:
    """Whether the codifiers of a kind are devices of the house."""
    return kinds.is_known(kind) and kinds.find(kind).is_device


def _groups(services: Services) -> list[Group]:
    board = services.hub.board
    board.settle(time.monotonic())
    return groups_of(board, is_device)


def _shown(network: Network) -> bool:
    return any(is_device(sensor.type) for sensor in network.nodes())


LINKS: Final = [Link("/devices", "Devices", 20, shown=_shown)]


def _page(services: Services) -> list[Any]:
    """Return the page."""

    @get("/devices", include_in_schema=False, sync_to_thread=False)
    def page(request: WebRequest) -> Response[str]:
        board, tongue = services.hub.board, language.of(request)
        groups = _groups(services)
        plain = {
            device.codifier: msgspec.to_builtins(device)
            for group in groups
            for device in group.devices
        }
        for each in plain.values():
            del each["row"]
        return services.shell.page(
            request,
            "devices.html",
            board=board,
            groups=groups,
            plain=plain,
            kept=keeps_history(board.network),
            worded=lambda row: panels.worded(row, tongue.say, tongue.code),
        )

    return [page]
