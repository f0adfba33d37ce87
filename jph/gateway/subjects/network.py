"""The network: every codifier, and commands to nodes with their own answers."""

import time
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, get, post, put
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody

from jph.client import setting
from jph.config.model import Sensor
from jph.gateway.accounts.roles import Role, needs
from jph.gateway.live.commands import FLAGS, Answer
from jph.gateway.live.safety import loss_of, losses_of_all
from jph.gateway.live.setting import Taken, taken
from jph.gateway.platform import language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.subjects import commands
from jph.gateway.subjects.sensors import known
from jph.gateway.view import panels
from jph.gateway.view.widgets import Control, control_of
from jph.heating.orders.coding import Order
from jph.net import seals
from jph.seal.words import CAUSES
from jph.wire.codec import Flag

ORDERS: Final = {order.word: int(order) for order in Order}
_WORDS: Final = {word: flag for flag, word in FLAGS.items()}
_COMMANDS: Final = [needs(Role.OPERATOR)]


class Member(msgspec.Struct, frozen=True):
    """A codifier: `state` is alive, late, halted, dead or silent, `age` and `timeout` in s.

    Of a node: `active` is whether it sends, `trip` its last answer to a ping in ms, `host` where it
    was heard from, `wire` the version of its datagrams (0: an original program).
    """

    codifier: str
    name: str
    kind: str
    parent: str | None
    state: str
    age: float | None
    timeout: float
    losses: int
    value: str
    unit: str
    trip: float | None
    host: str
    wire: int | None
    commands: list[str]
    control: Control | None


class Number(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number to set, or to step by."""

    number: Annotated[float, msgspec.Meta(ge=-1e15, le=1e15)]


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    return [*_page(services), *_api(services)]


def _api(services: Services) -> list[Any]:
    """Return the addresses."""

    async def change(request: WebRequest, codifier: str, flag: Flag, number: float) -> Taken:
        sensor = _sensor(services, codifier)
        if sensor.control != "enabled":
            raise HTTPException(f"{sensor.codifier} takes no numbers", status_code=409)
        result = await setting.change(services.client, sensor, flag, number)
        answer = taken(result, language.of(request).say)
        word = "set" if flag is Flag.SET else "step"
        services.audit(request, f"{word} {sensor.codifier} {number:g}", answer.text)
        return answer

    @get("/api/network", tags=["network"], sync_to_thread=False)
    def network() -> list[Member]:
        """Tell of every codifier, each node followed by its elements."""
        services.hub.board.settle(time.monotonic())
        return [_member(services, line) for line in panels.lines_of(services.hub.board)]

    @post("/api/network/{command:str}", tags=["network"], status_code=200, guards=_COMMANDS)
    async def everybody(request: WebRequest, command: FromPath[str]) -> list[Answer]:
        """Tell all nodes to ping, start, halt or reload; each answers for itself."""
        return await commands.command_all(services, request, _flag(command))

    @post(
        "/api/network/{codifier:str}/{command:str}",
        tags=["network"],
        status_code=200,
        guards=_COMMANDS,
    )
    async def one(request: WebRequest, codifier: FromPath[str], command: FromPath[str]) -> Answer:
        """Tell a node to ping, start, halt or reload; an element takes ping, its node answers."""
        return await commands.command(services, request, codifier, _flag(command))

    @put("/api/values/{codifier:str}", tags=["network"], guards=_COMMANDS)
    async def set_to(request: WebRequest, codifier: FromPath[str], data: JSONBody[Number]) -> Taken:
        """Set a codifier with `Control` to a number, and tell what its node made of it."""
        return await change(request, codifier, Flag.SET, data.number)

    @post("/api/values/{codifier:str}/step", tags=["network"], status_code=200, guards=_COMMANDS)
    async def step(request: WebRequest, codifier: FromPath[str], data: JSONBody[Number]) -> Taken:
        """Step a codifier with `Control` by a number, and tell what its node made of it."""
        return await change(request, codifier, Flag.STEP, data.number)

    return [network, everybody, one, set_to, step]


def _sensor(services: Services, codifier: str) -> Sensor:
    return services.hub.board.network.sensor(known(services, codifier))


def _flag(word: str) -> str:
    if word not in _WORDS:
        raise HTTPException(f"no such command; known: {', '.join(_WORDS)}", status_code=404)
    return _WORDS[word]


def _member(services: Services, line: panels.TableRow) -> Member:
    board, row = services.hub.board, line.row
    sensor = board.network.sensor(line.codifier)
    return Member(
        codifier=line.codifier,
        name=line.name,
        kind=line.kind,
        parent=line.parent,
        state=row.state,
        age=row.age,
        timeout=sensor.timeout_warning,
        losses=row.losses,
        value=row.value,
        unit=row.unit,
        trip=row.trip,
        host=row.host,
        wire=row.wire,
        commands=list(line.flags.values()),
        control=control_of(sensor, board.house.wiring, ORDERS),
    )


LINKS: Final = [Link("/network", "Network", 50)]


def _page(services: Services) -> list[Any]:
    """Return the page."""

    @get("/network", include_in_schema=False, sync_to_thread=False)
    def network(request: WebRequest) -> Response[str]:
        board, tongue = services.hub.board, language.of(request)
        board.settle(time.monotonic())
        sensors = board.network.sensors
        wires = board.house.wiring
        controls = {s.codifier: control_of(s, wires, ORDERS) for s in sensors}
        return services.shell.page(
            request,
            "network.html",
            board=board,
            lines=panels.lines_of(board),
            controls={code: each for code, each in controls.items() if each},
            controls_plain={c: msgspec.to_builtins(each) for c, each in controls.items() if each},
            losses={s.codifier: loss for s in sensors if (loss := loss_of(s, tongue.say))},
            all_losses=losses_of_all(board.network, tongue.say),
            refusals=sealing.refusals() if (sealing := seals.current()) else [],
            causes=CAUSES,
            timeouts={s.codifier: s.timeout_warning for s in sensors},
            worded=lambda row: panels.worded(row, tongue.say, tongue.code),
        )

    return [network]
