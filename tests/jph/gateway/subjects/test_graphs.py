"""The page of graphs, and the graphs that people save: theirs alone, or the house's."""

import json
import re
from html import unescape
from typing import Any

import httpx
import pytest

from jph.config.model import Sensor
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from jph.gateway.view.settings import HIDDEN, settings_of
from tests.jph.gateway.people import logged_in
from tests.support import LIMIT_S

QUERY = "codes=I1,I2&last=7d"


async def save(http: httpx.AsyncClient, name: str = "Mine", query: str = QUERY) -> dict[str, Any]:
    answer = await http.post("/api/graphs", json={"name": name, "query": query})
    saved: dict[str, Any] = answer.raise_for_status().json()
    return saved


def facts(page: str) -> dict[str, Any]:
    """Return what a page tells its script."""
    found = re.search(r'id="facts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    told: dict[str, Any] = json.loads(found[1])
    return told


async def test_saved_shared_changed_and_deleted(
    gateway: Gateway, viewer: httpx.AsyncClient
) -> None:
    mine = await save(viewer)
    assert mine == {
        "id": mine["id"],
        "name": "Mine",
        "query": QUERY,
        "shared": False,
        "owner": "viewer",
        "mine": True,
    }
    address = f"/api/graphs/{mine['id']}"
    async with logged_in(gateway, Role.OPERATOR, "other") as other:
        assert (await other.get("/api/graphs")).json() == []
        assert (await other.put(address, json={"name": "Stolen"})).status_code == 409
        assert (await other.delete(address)).status_code == 409
        changed = (await viewer.put(address, json={"shared": True, "name": "Ours"})).json()
        assert (changed["name"], changed["query"], changed["shared"]) == ("Ours", QUERY, True)
        (seen,) = (await other.get("/api/graphs")).json()
        assert (seen["name"], seen["owner"], seen["mine"]) == ("Ours", "viewer", False)
        assert (await other.delete(address)).status_code == 409
    assert (await viewer.put(address, json={"query": "codes=TO"})).json()["query"] == "codes=TO"
    assert (await viewer.delete(address)).status_code == 200
    assert (await viewer.get("/api/graphs")).json() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Mine", "query": QUERY}, 409),
        ({"name": " ", "query": QUERY}, 409),
        ({"name": "", "query": QUERY}, 400),
        ({"name": "x" * 101, "query": QUERY}, 400),
        ({"name": "x", "query": "c" * 2001}, 400),
        ({"name": "x"}, 400),
        ({"name": 5, "query": QUERY}, 400),
    ],
)
async def test_what_is_no_graph_is_refused(
    viewer: httpx.AsyncClient, body: dict[str, object], status: int
) -> None:
    await save(viewer)
    assert (await viewer.post("/api/graphs", json=body)).status_code == status


async def test_who_is_not_logged_in_saves_nothing(visitor: httpx.AsyncClient) -> None:
    for method, address in (("POST", "/api/graphs"), ("DELETE", "/api/graphs/1")):
        answer = await visitor.request(method, address, json={"name": "x", "query": ""})
        assert answer.status_code in (401, 403)


async def test_the_page_tells_what_there_is(http: httpx.AsyncClient) -> None:
    page = (await http.get("/graphs")).text
    told = facts(page)
    codifiers = {each["code"]: each for each in told["codifiers"]}
    assert codifiers["RA"]["unit"] == "°C"
    assert codifiers["I1"]["short"] == "IINST1"
    assert [code for code, each in codifiers.items() if each["order"]] == ["11", "12", "21"]
    assert told["orders"]["3"] == "eco"
    assert {idea["name"]: idea["codes"] for idea in told["ideas"]} == {
        "Currents of the phases": ["I1", "I2"],
        "Temperatures": ["RA", "C1"],
    }
    assert "style=" not in page
    assert "Courbes" in (await http.get("/graphs", headers={"accept-language": "fr"})).text


async def test_hostile_names_stay_text(http: httpx.AsyncClient) -> None:
    evil = "</script><script>alert(1)</script>"
    await save(http, evil)
    page = (await http.get(f"/graphs?codes={evil}")).text
    assert "alert(1)" not in unescape(page)


def test_an_entry_without_its_secrets() -> None:
    sensor = Sensor(
        codifier="XX",
        type="Thing",
        name="A thing",
        sensor={
            "Password": "hunter2",
            "ApiKey": 12345,
            "Device": "/dev/ttyS0",
            "Address": 32,
            "Server": "someone@example.org",
            "Nested": [{"Token": "t", "Room": "Hall"}, {"Room": "Attic"}],
            "Limits": [1, 2.5],
            "Place": "C:\\secret",
            "On": True,
            "Nothing": None,
        },
    )
    lines = dict(settings_of(sensor))
    hidden = {name for name, value in lines.items() if value == HIDDEN}
    assert hidden == {
        f"Sensor.{name}"
        for name in ("Password", "ApiKey", "Device", "Server", "Nested[1].Token", "Place")
    }
    assert lines["Sensor.Address"] == "32"
    assert lines["Sensor.Nested[2].Room"] == "Attic"
    assert lines["Sensor.Limits"] == "1, 2.5"
    assert (lines["Sensor.On"], lines["Sensor.Nothing"]) == ("yes", "–")
    for secret in ("hunter2", "12345", "ttyS0", "example.org"):
        assert secret not in str(lines)


async def test_a_token_that_reads_changes_no_graph(
    gateway: Gateway, viewer: httpx.AsyncClient
) -> None:
    mine = f"/api/graphs/{(await save(viewer))['id']}"
    made = await viewer.post("/api/tokens", json={"name": "wall", "role": "viewer"})
    head = {"Authorization": f"Bearer {made.json()['secret']}"}
    async with httpx.AsyncClient(base_url=gateway.url, headers=head, timeout=LIMIT_S) as program:
        assert [each["name"] for each in (await program.get("/api/graphs")).json()] == ["Mine"]
        assert (await program.delete(mine)).status_code == 403
        assert (await program.put(mine, json={"shared": True})).status_code == 403
