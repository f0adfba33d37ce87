"""Addresses of the plan, its page, and the rooms as the first page of a house that has some."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, delete, get, post, put
from litestar.exceptions import HTTPException
from litestar.params import FromPath, JSONBody, QueryParameter

from jph.client import plan
from jph.config.house.loads import wiring
from jph.config.house.rooms import Room, rooms_of
from jph.config.model import Network
from jph.config.validation import read_struct
from jph.errors import ConfigError
from jph.gateway.accounts.roles import Role, needs
from jph.gateway.platform import language
from jph.gateway.platform.services import Services
from jph.gateway.platform.shell import Link, WebRequest
from jph.gateway.subjects.plan import view
from jph.gateway.subjects.plan.reader import Plans, has_plan
from jph.gateway.subjects.plan.rooms import Scene
from jph.gateway.subjects.plan.structs import (
    ActiveGiven,
    AwayGiven,
    Done,
    EditGiven,
    Explained,
    PlanNow,
    Preview,
    WeekGiven,
    WeekNow,
    WishGiven,
)
from jph.heating.plan.edits.edit import VERBS
from jph.heating.plan.settings import ScheduleSettings, make_planner
from jph.node.node import now_ms

AheadDays = Annotated[int, QueryParameter(ge=1, le=8, description="How many days from today on")]
_ORDERS: Final = [needs(Role.OPERATOR)]
LINKS: Final = [Link("/plan", "Plan", 12, shown=has_plan)]


def handlers(services: Services) -> list[Any]:
    """Return the page and the API."""
    plans = Plans(services)
    return [
        *_page(services),
        *_reading(services, plans),
        *_wishes(services, plans),
        *_everyone(services, plans),
        *_weeks(services, plans),
    ]


def _room(services: Services, codifier: str) -> Room:
    for room in rooms_in(services.network()):
        if room.codifier == codifier:
            return room
    raise HTTPException("no such room in the config", status_code=404)


def rooms_in(network: Network) -> tuple[Room, ...]:
    """Return the rooms of a configuration; a wiring with mistakes has no heaters."""
    try:
        heaters = wiring(network).heaters
    except ConfigError:
        heaters = {}
    return rooms_of(network, heaters)


def scene_of(services: Services, request: WebRequest) -> Scene:
    """Return what the views of the rooms need."""
    board, tongue = services.hub.board, language.of(request)
    board.settle(time.monotonic())
    network = board.network
    settings, warm_up = _settings(network)
    return Scene(
        board,
        rooms_in(network),
        time.monotonic(),
        now_ms(),
        make_planner(settings, ()).zone,
        warm_up,
        tongue.say,
        tongue.code,
        services.called(request),
    )


def _settings(network: Network) -> tuple[ScheduleSettings, float | None]:
    """Return the settings of the Schedule node, and the rise in K/h that the config names."""
    try:
        node = plan.schedule_node(network)
    except ConfigError:
        return ScheduleSettings(), None
    settings = read_struct(ScheduleSettings, node.sensor, "", []) or ScheduleSettings()
    return settings, settings.warm_up if "WarmUp" in node.sensor else None


def _reading(services: Services, plans: Plans) -> list[Any]:
    @get("/api/plan", tags=["plan"])
    async def plan_now(request: WebRequest) -> PlanNow:
        """Tell of every room: temperature, wish and why, what comes next, today's plan."""
        if not has_plan(services.network()):
            raise HTTPException("the config has no rooms with a Schedule node", status_code=404)
        report = await plans.now()
        scene = scene_of(services, request)
        said = "" if report is not None else scene.say("The plan is not known: Schedule is away")
        return view.plan_now(report, scene, said)

    @get("/api/plan/rooms/{room:str}", tags=["plan"])
    async def explain(request: WebRequest, room: FromPath[str], hours: float = 24) -> Explained:
        """Tell why a room has its wish: each layer, and what comes within `hours`."""
        chosen = _room(services, room)
        report = await plans.explain(hours=hours)
        if chosen.name not in report["rooms"]:
            raise HTTPException("the Schedule node does not know this room", status_code=503)
        return view.explained(chosen, report, scene_of(services, request))

    @get("/api/plan/document", tags=["plan"])
    async def document() -> dict[str, Any]:
        """Return the document: devices, schedules, temperature sets, wishes."""
        return await plans.document()

    return [plan_now, explain, document]


def said_by(services: Services, request: WebRequest) -> Callable[[dict[str, Any]], str]:
    """Return what words a change of the plan in the language of a request."""
    scene = scene_of(services, request)
    return lambda change: view.change_text(change, scene)


def _wishes(services: Services, plans: Plans) -> list[Any]:
    @put("/api/plan/rooms/{room:str}/wish", tags=["plan"], guards=_ORDERS)
    async def wish(request: WebRequest, room: FromPath[str], data: JSONBody[WishGiven]) -> Done:
        """Wish a temperature or an order for a room; a boost raises its rank too."""
        params: dict[str, Any] = {"room": _room(services, room).name, "value": data.value}
        if data.seconds is not None and data.until is not None:
            raise HTTPException("give seconds or until, not both", status_code=400)
        params |= {} if data.seconds is None else {"for_s": data.seconds}
        params |= {} if data.until is None else {"until_ms": data.until}
        return Done(await plans.change(request, "wish", params | {"boost": data.boost}))

    @delete("/api/plan/rooms/{room:str}/wish", tags=["plan"], status_code=200, guards=_ORDERS)
    async def cancel(request: WebRequest, room: FromPath[str]) -> Done:
        """End the hand wishes of a room: its plan holds again."""
        name = _room(services, room).name
        return Done(await plans.change(request, "cancel", {"room": name}))

    @post("/api/plan/rooms/{room:str}/skip", tags=["plan"], status_code=200, guards=_ORDERS)
    async def skip(request: WebRequest, room: FromPath[str]) -> Done:
        """Leave out the next change of a room's plan."""
        return Done(await plans.change(request, "skip", {"room": _room(services, room).name}))

    @post("/api/plan/rooms/{room:str}/advance", tags=["plan"], status_code=200, guards=_ORDERS)
    async def advance(request: WebRequest, room: FromPath[str]) -> Done:
        """Begin the next slot of a room's plan now."""
        return Done(await plans.change(request, "advance", {"room": _room(services, room).name}))

    return [wish, cancel, skip, advance]


def _everyone(services: Services, plans: Plans) -> list[Any]:
    @put("/api/plan/away", tags=["plan"], guards=_ORDERS)
    async def away(request: WebRequest, data: JSONBody[AwayGiven]) -> Done:
        """Leave: every room rests, and is warm again by `until`. It ends all hand wishes."""
        params: dict[str, Any] = {"value": data.value}
        params |= {} if data.until is None else {"until_ms": data.until}
        params |= {} if data.start is None else {"from_ms": data.start}
        return Done(await plans.change(request, "away", params))

    @delete("/api/plan/away", tags=["plan"], status_code=200, guards=_ORDERS)
    async def home(request: WebRequest) -> Done:
        """End the absence."""
        return Done(await plans.change(request, "home", {}))

    @post("/api/plan/quiet", tags=["plan"], status_code=200, guards=_ORDERS)
    async def quiet(request: WebRequest) -> Done:
        """Begin the night now: each room has its wish of the night until its plan next changes."""
        return Done(await plans.change(request, "quiet", {}))

    @post("/api/plan/undo", tags=["plan"], status_code=200, guards=_ORDERS)
    async def undo(request: WebRequest) -> Done:
        """Take back the last change of the plan."""
        return Done(await plans.change(request, "undo", {}))

    @put("/api/plan/schedule", tags=["plan"], guards=_ORDERS)
    async def use(request: WebRequest, data: JSONBody[ActiveGiven]) -> Done:
        """Choose the schedule to follow, or none."""
        params = {"schedule_name": data.schedule or ""}
        return Done(await plans.change(request, "set_active_schedule", params))

    @post("/api/plan/edits", tags=["plan"], status_code=200, guards=_ORDERS)
    async def edit(request: WebRequest, data: JSONBody[EditGiven]) -> Done:
        """Edit the document by one of the fifteen verbs of the heating control app."""
        if data.verb not in VERBS:
            known = ", ".join(VERBS)
            raise HTTPException(f"no such edit; known: {known}", status_code=400)
        await plans.at_version(data.version, said_by(services, request))
        return Done(await plans.change(request, data.verb, data.params))

    return [away, home, quiet, undo, use, edit]


def _weeks(services: Services, plans: Plans) -> list[Any]:
    def params_of(room: Room, data: WeekGiven) -> dict[str, Any]:
        given: dict[str, Any] = {"room": room.name, "days": msgspec.to_builtins(data.days)}
        return given | ({} if data.schedule is None else {"schedule": data.schedule})

    @get("/api/plan/rooms/{room:str}/week", tags=["plan"])
    async def week(
        request: WebRequest, room: FromPath[str], schedule: str | None = None
    ) -> WeekNow:
        """Return the slots of a room by day, in weeks A and B."""
        chosen = _room(services, room)
        settings, _ = _settings(services.network())
        planner = make_planner(settings, ())
        letter = planner.week(datetime.now(planner.zone).date())
        label = scene_of(services, request).name(chosen)
        return view.week_now(chosen, label, await plans.document(), schedule, letter)

    @get("/api/plan/rooms/{room:str}/ahead", tags=["plan"])
    async def ahead(room: FromPath[str], days: AheadDays = 7) -> Preview:
        """Tell what holds over the next days, with hand wishes, absences and rules."""
        return preview_of(_room(services, room), await plans.explain(hours=1, days=days))

    @put("/api/plan/rooms/{room:str}/week", tags=["plan"], guards=_ORDERS)
    async def set_week(request: WebRequest, room: FromPath[str], data: JSONBody[WeekGiven]) -> Done:
        """Replace the week of a room; slots that exclude each other are refused with their path."""
        chosen = _room(services, room)
        await plans.at_version(data.version, said_by(services, request))
        return Done(await plans.change(request, "set_week", params_of(chosen, data)))

    @post("/api/plan/rooms/{room:str}/week/preview", tags=["plan"], status_code=200, guards=_ORDERS)
    async def preview(room: FromPath[str], data: JSONBody[WeekGiven]) -> Preview:
        """Tell what would hold over the next seven days; nothing changes."""
        chosen = _room(services, room)
        command = {"verb": "set_week", "params": params_of(chosen, data)}
        report = await plans.explain(hours=1, days=7, **{"if": command})
        return preview_of(chosen, report)

    return [week, ahead, set_week, preview]


def preview_of(room: Room, report: dict[str, Any]) -> Preview:
    """Return the plan of a room over some days, from the answer of the Schedule node."""
    found = report["plan"]
    return Preview(found["days"], found["first"], found["rooms"].get(room.name, []))


_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _page(services: Services) -> list[Any]:
    @get("/plan", include_in_schema=False, sync_to_thread=False)
    def plan_page(request: WebRequest) -> Response[str]:
        network = services.network()
        rooms = rooms_in(network) if has_plan(network) else ()
        wanted = request.query_params.get("room")
        room = next((each for each in rooms if each.codifier == wanted), next(iter(rooms), None))
        return services.shell.page(
            request,
            "plan.html",
            rooms=rooms,
            chosen=room.codifier if room else "",
            days=_DAYS,
            facts=room and _facts(room),
        )

    return [plan_page]


def _facts(room: Room) -> dict[str, Any]:
    """Return what the editor needs to know of a room; `degrees`: it takes temperatures."""
    settings = room.settings
    return {
        "codifier": room.codifier,
        "degrees": bool(settings.thermometers),
        "minimum": settings.minimum,
        "maximum": settings.maximum,
    }
