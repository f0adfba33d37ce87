"""The log: a page, and `/api/log` with the lines of all nodes as they come."""

from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Response, get
from litestar.params import Parameter

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.live.logbook import Entry, matching
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.view import panels
from jph.net.log_channel import LEVELS

MOST: Final = 1000
LONGEST_WAIT_S: Final = 20.0

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Lines(msgspec.Struct, frozen=True):
    """Lines, the oldest first.

    Ask again with `after` = `last`, and with no `after` when `epoch` is another. `more` says that
    there are lines already. `missed` lines were lost on the way or held back by their program,
    `surplus` came too fast, `refused` were none. `heard` is whether lines can come at all,
    `channel` whether the config has a place for them.
    """

    epoch: str
    last: int
    more: bool
    lines: list[Entry]
    missed: int
    surplus: int
    refused: int
    heard: bool
    channel: bool


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the address of the log."""
    book = services.senses.logbook

    @get("/api/log")
    async def log(
        request: WebRequest,
        after: Annotated[int, Parameter(ge=-1, lt=2**53)] = -1,
        wait: Annotated[float, Parameter(ge=0, le=LONGEST_WAIT_S)] = 0.0,
        code: Annotated[str, Parameter(max_length=2)] = "",
        level: Level = "DEBUG",
        text: Annotated[str, Parameter(max_length=200)] = "",
        epoch: Annotated[str, Parameter(max_length=16)] = "",
    ) -> Lines:
        """Return at most 1000 lines after one, and wait up to `wait` s for the first.

        `level` is the least; `code` and `text` narrow further. Lines of the gateway tell of people
        (who has logged in, who commanded what): admins alone see them, as those of `/api/audit`.
        """
        if epoch not in ("", book.epoch):
            after = -1
        if wait and after + 1 >= book.next_id:
            await book.wait(after, wait)
        found = book.after(after, MOST)
        last = found[-1].id if found else min(after, book.next_id - 1)
        if request.user.role < Role.ADMIN:
            private = _gateways(services.network())
            found = [entry for entry in found if entry.code not in private]
        levels = frozenset(LEVELS[LEVELS.index(level) :])
        return Lines(
            epoch=book.epoch,
            last=last,
            more=last + 1 < book.next_id,
            lines=list(matching(found, code, levels, text)),
            missed=book.missed,
            surplus=book.surplus,
            refused=book.refused,
            heard=book.joined,
            channel=services.network().multicast.log is not None,
        )

    return [log]


def _gateways(network: Network) -> frozenset[str]:
    return frozenset(s.codifier for s in network.sensors if s.type in ("Gateway", "Flask"))


LINKS: Final = [Link("/log", "Log", 60)]


def _page(services: Services) -> list[Any]:
    """Return the page; its lines come by `/api/log`."""

    @get("/log", include_in_schema=False, sync_to_thread=False)
    def log(request: WebRequest) -> Response[str]:
        network = services.network()
        return services.shell.page(
            request,
            "log.html",
            nodes=[(node.codifier, panels.label(node)) for node in network.nodes()],
            channel=network.multicast.log is not None,
        )

    return [log]
