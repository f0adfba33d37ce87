"""The plan over HTTP, against a real Schedule node: rooms, wishes, weeks, refusals, roles."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.node import Gateway
from nodes.schedule import Schedule
from tests.jph.gateway.roomhouse import ROOMS, room_house
from tests.jph.gateway.stage import RedisProcess, reading
from tests.support import running

NIGHT, MORNING = {"start": "00:00", "value": 17}, {"start": "06:15", "value": 21.5}
WEEK = {"days": [{"day": day, "slots": [NIGHT, MORNING]} for day in range(1, 8)]}


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess) -> Network:
    """Return the house with rooms, in the place of the plain one."""
    redis.write({"RA": reading(16.2), "I1": reading(27), "IS": reading(30)})
    return network(*room_house(WarmUp=2.0), Redis={"URL": redis.url}, Rooms=ROOMS)


@pytest.fixture
async def schedule(gateway: Gateway, home: Network) -> AsyncIterator[Schedule]:
    """Run the Schedule node beside the gateway."""
    schedule = Schedule("SC", home)
    async with running(schedule):
        yield schedule


async def rooms(client: httpx.AsyncClient) -> dict[str, Any]:
    """Return what the API tells, rooms by codifier, once the Schedule node has answered."""
    told: dict[str, Any] = {}

    async def known() -> bool:
        nonlocal told
        told = (await client.get("/api/plan")).raise_for_status().json()
        return bool(told["known"])

    while not await known():
        pass
    return told | {room["codifier"]: room for room in told["rooms"]}


@pytest.mark.usefixtures("schedule")
async def test_a_room_is_warmed_boosted_and_undone(
    operator: httpx.AsyncClient, viewer: httpx.AsyncClient
) -> None:
    told = await rooms(viewer)
    kitchen, hall = told["ZK"], told["ZH"]
    assert (kitchen["name"], kitchen["temperature"], kitchen["wish"]) == ("Kitchen", 16.2, 17.0)
    assert kitchen["by"] == "default"
    assert (hall["wish"], hall["degrees"], hall["temperature"]) == ("eco", 15.5, None)
    assert [value for _, value, _ in kitchen["ribbon"]] == [17.0]
    assert kitchen["boost"]["wish"] == 20.0
    assert told["breaker"] == {"said": "? + ? of 60 A", "level": "unknown"}

    done = await operator.put("/api/plan/rooms/ZK/wish", json={"value": 20.5, "seconds": 3600})
    assert done.status_code == 200, done.text
    after = (await rooms(viewer))["ZK"]
    assert (after["wish"], after["by"], after["hand"]) == (20.5, "hand", True)
    assert after["until"] is not None
    why = (await viewer.get("/api/plan/rooms/ZK")).json()
    assert [layer["decides"] for layer in why["layers"]] == [True, False]
    assert "operator (page)" in why["layers"][0]["text"]
    assert [each["wish"] for each in why["coming"]] == [17.0]
    assert (await operator.post("/api/plan/undo")).status_code == 200
    told = await rooms(viewer)
    assert (told["ZK"]["wish"], told["changes"]) == (17.0, [])


@pytest.mark.usefixtures("schedule")
async def test_away_and_home(operator: httpx.AsyncClient) -> None:
    await operator.put("/api/plan/rooms/ZK/wish", json={"value": 21})
    told = await rooms(operator)
    until_ms = told["changes"][0]["at"] + 86_400_000 * 3
    away = await operator.put("/api/plan/away", json={"until": until_ms, "value": 12})
    assert away.status_code == 200, away.text
    told = await rooms(operator)
    assert (told["ZK"]["wish"], told["away"]["until_ms"]) == (12.0, until_ms)
    assert (await operator.delete("/api/plan/away")).status_code == 200
    told = await rooms(operator)
    assert (told["ZK"]["wish"], told["away"]) == (17.0, None)


@pytest.mark.usefixtures("schedule")
async def test_the_week_of_a_room_and_conflicts(operator: httpx.AsyncClient) -> None:
    await rooms(operator)
    seen = (await operator.post("/api/plan/rooms/ZK/week/preview", json=WEEK)).json()
    assert [value for _, value, _ in seen["changes"][:3]] == [17.0, 21.5, 17.0]
    before = (await operator.get("/api/plan/rooms/ZK/week")).json()
    assert (before["schedule"], before["own"], before["a"]["1"]) == (None, False, [])
    version = before["version"]
    done = await operator.put("/api/plan/rooms/ZK/week", json=WEEK | {"version": version})
    assert done.status_code == 200, done.text
    after = (await operator.get("/api/plan/rooms/ZK/week")).json()
    assert (after["schedule"], after["own"]) == ("Week", True)
    assert after["b"]["7"][1] == {"start": "06:15", "value": 21.5, "set": "21.5°"}
    # Another person was faster.
    late = await operator.put("/api/plan/rooms/ZK/week", json=WEEK | {"version": version})
    assert late.status_code == 409
    assert "Kitchen: a new week (operator (page))" in late.json()["error"]
    twice = {"days": [{"day": 1, "slots": [NIGHT, MORNING, MORNING]}]}
    refused = await operator.put("/api/plan/rooms/ZK/week", json=twice)
    assert refused.status_code == 409
    assert refused.json()["id"] == "DUPLICATE_UNIQUE_KEY"
    assert refused.json()["path"] == "/week/1/slots['2']/start"
    assert refused.json()["error"] == "Two slots begin at 06:15"
    french = {"accept-language": "fr"}
    refused = await operator.put("/api/plan/rooms/ZK/week", json=twice, headers=french)
    assert refused.json()["error"] == "Deux créneaux commencent à 06:15"
    changes = (await operator.get("/api/plan", headers=french)).json()["changes"]
    assert changes[0]["what"] == "Cuisine : nouvelle semaine"
    assert (await operator.post("/api/plan/quiet")).status_code == 200
    quiet = (await rooms(operator))["ZK"]
    assert (quiet["wish"], quiet["by"]) == (17.0, "hand")
    assert (await operator.post("/api/plan/undo")).status_code == 200
    assert (await operator.post("/api/plan/rooms/ZK/skip")).status_code == 200
    assert (await rooms(operator))["ZK"]["by"] == "hand"
    assert (await operator.post("/api/plan/rooms/ZK/advance")).status_code == 200
    assert (await operator.delete("/api/plan/rooms/ZK/wish")).status_code == 200
    assert (await rooms(operator))["ZK"]["by"] == "schedule"
    none = await operator.put("/api/plan/schedule", json={"schedule": None})
    assert none.status_code == 200
    assert (await rooms(operator))["ZK"]["by"] == "default"


@pytest.mark.usefixtures("schedule")
async def test_the_document_by_the_verbs_of_the_app(operator: httpx.AsyncClient) -> None:
    await rooms(operator)
    sets: list[Any] = [{"alias": "All", "devices": [{"device_name": "Kitchen", "setpoint": 19}]}]
    edit = {"verb": "set_tempsets", "params": {"temperature_sets": sets, "schedule_name": ""}}
    assert (await operator.post("/api/plan/edits", json=edit)).status_code == 200
    document = (await operator.get("/api/plan/document")).json()
    assert document["scheduler"]["temperature_sets"][0]["alias"] == "All"
    sets[0]["devices"][0]["device_name"] = "Attic"
    refused = await operator.post("/api/plan/edits", json=edit)
    assert refused.status_code == 409
    assert refused.json()["id"] == "BAD_REFERENCE"
    assert refused.json()["path"].endswith("/device_name")
    unknown = await operator.post("/api/plan/edits", json={"verb": "undo", "params": {}})
    assert unknown.status_code == 400


async def test_who_may_and_what_is_said_while_the_schedule_is_away(
    visitor: httpx.AsyncClient, viewer: httpx.AsyncClient, operator: httpx.AsyncClient
) -> None:
    wish = ("/api/plan/rooms/ZK/wish", {"value": 20})
    assert (await visitor.put(wish[0], json=wish[1])).status_code == 401
    assert (await viewer.put(wish[0], json=wish[1])).status_code == 403
    assert (await operator.put("/api/plan/rooms/XX/wish", json=wish[1])).status_code == 404
    assert (await operator.put(wish[0], json=wish[1])).status_code == 503
    told = (await viewer.get("/api/plan")).json()
    assert told["known"] is False
    assert told["said"] == "The plan is not known: Schedule is away"
    kitchen = told["rooms"][0]
    assert (kitchen["wish"], kitchen["temperature"], kitchen["state"]) == (None, 16.2, "unknown")
    elsewhere = {"origin": "http://evil.example"}
    other = await operator.put(wish[0], json=wish[1], headers=elsewhere)
    assert other.status_code == 403
