"""Graphs as a person uses them: lines added, zoomed, compared, exported, saved, found again."""

import asyncio
import csv
import io
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Page, Response, Route, expect

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.jph.gateway import past
from tests.jph.gateway.browser.conftest import HEIGHT, Show, Sound, fits, standing
from tests.jph.gateway.stage import RedisProcess, reading
from tests.jph.gateway.subjects.test_history import allow
from tests.support import LIMIT_S, running

HOUR_MS = 3_600_000
WIDTHS = [390, 1280]


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(
    network: Callable[..., Network], sql: dict[str, Any], redis: RedisProcess
) -> AsyncIterator[Gateway]:
    """Yield a gateway with a history of 26 hours, that any client may read."""
    home = past.home(network, sql, redis.url)
    past.fill(sql, home)
    page = Gateway("CF", home)
    async with running(page):
        yield page


State = dict[str, str]


async def state(page: Page) -> State:
    """Return what the address says: asked of the page itself, `page.url` may be behind it."""
    query = await page.evaluate("location.search")
    return {key: values[0] for key, values in parse_qs(query.removeprefix("?")).items()}


async def says(page: Page, condition: Callable[[State], object]) -> State:
    """Wait until the address is as wanted; return what it says then."""
    async with asyncio.timeout(LIMIT_S):
        while not condition(said := await state(page)):
            await page.wait_for_timeout(50)
    return said


def is_history(response: Response) -> bool:
    return "/api/history?" in response.url


async def add(page: Page, text: str, code: str) -> None:
    """Look for a codifier and add it with Enter."""
    box = page.get_by_role("combobox", name="Add a line")
    await box.fill(text)
    await expect(page.locator(f'#found [data-code="{code}"]')).to_be_visible()
    async with page.expect_response(is_history):
        await box.press("Enter")
    await expect(page.locator(f'.legend tr[data-code="{code}"]')).to_be_visible()
    await box.press("Escape")


async def drawn(page: Page) -> None:
    """Wait until every line of the legend has its numbers."""
    for cell in await page.locator('.legend [data-part="last"]').all():
        await expect(cell).not_to_have_text("–")


async def choose(page: Page, sheet: str) -> None:
    await page.locator(f'button[aria-controls="{sheet}"]').click()
    await expect(page.locator(f"#{sheet}")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS)
async def test_what_a_person_does(show: Show, sound: Sound, gateway: Gateway, width: int) -> None:
    page = await show("/graphs", width=width, role=Role.VIEWER)
    await expect(page.locator("#ideas")).to_contain_text("Nothing is drawn yet")
    await sound(page)

    await add(page, "kitch", "RA")
    await add(page, "i1", "I1")
    await add(page, "va", "PA")
    await says(page, lambda said: said == {"codes": "RA,I1,PA", "last": "24h"})
    await drawn(page)
    await expect(page.locator('.legend tr[data-code="I1"] [data-part="most"]')).to_have_text("40 A")
    await sound(page)
    await fits(page)
    await page.set_viewport_size({"width": width, "height": HEIGHT})

    over = page.locator(".u-over").first
    box = await standing(over)
    async with page.expect_response(is_history):
        await page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 90)
        await page.mouse.down()
        await page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 90, steps=5)
        await page.mouse.up()
    await expect(page.locator("#range-text")).to_contain_text("–")
    zoomed = await says(page, lambda said: said.keys() == {"codes", "from", "to"})

    await choose(page, "options")
    async with page.expect_response(is_history) as asked:
        await page.get_by_label("Compare with").select_option("day")
    assert (await asked.value).ok
    await page.get_by_label("A panel for each unit").check()
    await expect(page.locator(".panel")).to_have_count(3)
    await page.keyboard.press("Escape")
    await expect(page.locator("#options")).not_to_be_visible()
    await says(page, lambda said: said == {**zoomed, "against": "day", "split": "yes"})

    await _exports(page)
    await _saves(page)
    await sound(page)


async def _exports(page: Page) -> None:
    await choose(page, "exports")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Every reading (CSV)").click()
    await expect(page.locator("#exports")).not_to_be_visible()
    path = await (await coming.value).path()
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert {row["codifier"] for row in rows} == {"RA", "I1", "PA"}
    assert len(rows) > 3 * 1000
    await choose(page, "exports")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Picture (PNG)").click()
    path = await (await coming.value).path()
    assert path.read_bytes().startswith(b"\x89PNG")


async def _saves(page: Page) -> None:
    wanted = await state(page)
    await choose(page, "saves")
    name = page.get_by_role("textbox", name="Name")
    await name.fill("Cold morning")
    await name.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Cold morning")
    await expect(page.locator("#kept a")).to_have_text("Cold morning")
    await page.get_by_role("button", name="Rename Cold morning").click()
    await page.get_by_role("textbox", name="New name").fill("Warm evening")
    await page.get_by_role("button", name="Rename", exact=True).click()
    await page.get_by_role("button", name="Show Warm evening to the whole house").click()
    await expect(page.get_by_role("button", name="Show Warm evening to me alone")).to_be_visible()

    await page.goto(urlsplit(page.url)._replace(path="/graphs", query="").geturl())
    await choose(page, "saves")
    await page.get_by_role("link", name="Warm evening").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Warm evening")
    await expect(page.locator(".panel")).to_have_count(3)
    again = await says(page, lambda said: "kept" in said)
    again.pop("kept")
    assert again == wanted
    await choose(page, "saves")
    await page.get_by_role("button", name="Delete Warm evening").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.locator("#kept a")).to_have_count(0)
    await page.keyboard.press("Escape")


async def test_keys_move_and_undo(show: Show) -> None:
    page = await show("/graphs?codes=I1&last=6h")
    await drawn(page)
    await page.locator(".plots").focus()
    await page.keyboard.press("+")
    await expect(page.locator("#range-text")).to_contain_text("–")
    closer = await says(page, lambda said: "from" in said)
    await page.keyboard.press("ArrowLeft")
    await says(page, lambda said: said["from"] < closer["from"])
    await page.keyboard.press("Escape")
    await says(page, lambda said: said["from"] == closer["from"])
    await page.keyboard.press("Escape")
    await expect(page.locator("#range-text")).to_have_text("Last 6 hours")
    await page.get_by_text("The values as a table").click()
    await expect(page.locator("#table tbody tr").first).to_be_visible()
    await expect(page.locator("#table caption")).to_contain_text("points")


async def test_live_readings_join_the_line(show: Show, redis: RedisProcess) -> None:
    page = await show("/graphs?codes=I1&last=1h")
    await drawn(page)
    for value in ("33.5", "34.5"):
        redis.write({"I1": reading(value)})
        last = page.locator('.legend tr[data-code="I1"] [data-part="last"]')
        await expect(last).to_have_text(f"{value} A")
    most = page.locator('.legend tr[data-code="I1"] [data-part="most"]')
    await expect(most).to_have_text("34.5 A")


async def test_postgresql_away_and_back(show: Show, sql: dict[str, Any]) -> None:
    page = await show("/graphs?codes=I1&last=1h")
    await drawn(page)
    allow(sql, False)
    await page.get_by_role("button", name="Earlier").click()
    await page.get_by_role("button", name="Zoom out").click()
    told = page.locator("#graph .banner")
    await expect(told).to_contain_text("PostgreSQL cannot be read now")
    allow(sql, True)
    await expect(told).not_to_be_visible(timeout=10_000)


@pytest.mark.parametrize("width", WIDTHS)
async def test_a_codifier(show: Show, sound: Sound, redis: RedisProcess, width: int) -> None:
    page = await show("/codifier/I1", width=width)
    redis.write({"I1": reading("17.5")})
    await expect(page.locator("#value")).to_have_text("17.5")
    await expect(page.locator("#state")).to_have_text("alive")
    await drawn(page)
    await expect(page.locator("#messages tbody tr").nth(20)).to_be_attached()
    await expect(page.locator("#messages tr.heard").first).to_contain_text("17.5 A")
    await expect(page.locator("#gaps tbody tr")).to_contain_text("lost on the network")
    await page.get_by_role("button", name="10 minutes").click()
    await expect(page.locator("#statistics tbody tr").nth(30)).to_be_attached()
    await page.get_by_role("button", name="week").click()
    await expect(page.locator("#graph .state")).to_contain_text("10 min" if width > 390 else "hour")
    await fits(page)
    await page.set_viewport_size({"width": width, "height": HEIGHT})
    await sound(page)
    await page.get_by_role("link", name="Open in graphs").click()
    await page.wait_for_url(re.compile(r"/graphs\?codes=I1&last=7d"))


async def test_what_comes_while_messages_are_asked_for_stays(
    show: Show, redis: RedisProcess
) -> None:
    page = await show("/codifier/I1")
    slow = asyncio.Event()

    async def later(route: Route) -> None:
        await slow.wait()
        await route.continue_()

    await page.route("**/messages?*", later)
    await page.reload()
    await expect(page.locator("#link")).to_have_attribute("data-mood", "good")
    redis.write({"I1": reading("17.5")})
    live = page.locator("#messages tr.heard")
    await expect(live.first).to_contain_text("17.5 A")
    many = await live.count()
    slow.set()
    await expect(page.locator("#messages tbody tr").nth(20)).to_be_attached()
    await expect(live).to_have_count(many)


async def test_orders_are_words(show: Show) -> None:
    page = await show("/graphs?codes=11,I1&last=1h")
    await drawn(page)
    last, least, _, most = await page.locator('.legend tr[data-code="11"] td.right').all()
    for cell, text in ((last, "comfort"), (least, "comfort"), (most, "eco")):
        await expect(cell).to_have_text(text)
    await page.locator("#numbers summary").click()
    await expect(page.locator("#table")).to_contain_text("frost")
    orders, currents = await page.evaluate(_AXES)
    assert orders == ["hors-gel", "éco"]
    assert currents[-1] == "3.0"


async def test_words_have_their_changes(show: Show) -> None:
    page = await show("/codifier/TP?last=7d", language="fr")
    await expect(page.locator("#changes tbody tr")).to_have_count(4)
    await expect(page.locator("#changes tbody tr").first).to_contain_text("HP..")
    await expect(page.get_by_role("heading", name="Changements")).to_be_visible()


async def test_columns_are_joined_cut_and_counted(show: Show) -> None:
    """The pure part of the lines, where it runs."""
    page = await show("/graphs")
    await (await page.context.new_cdp_session(page)).send(
        "Emulation.setTimezoneOverride", {"timezoneId": "Europe/Paris"}
    )
    found = await page.evaluate(_PURE)
    assert found == {
        "cut": [[0, 1, 5.5, 10, 10.5, 11, 12], [1, 2, None, 3, None, 4, 5]],
        "joined": [[0, 10, 20, 30], [1, 2, 3, 4], 0, 40],
        "other": None,
        "appended": [[0, 10, 15], [1, 2, 9]],
        "old": False,
        "running": [[100, 170], [1, 5], [0, 1], [2, 9]],
        "summary": {"last": 4, "least": 2, "most": 4, "mean": 3},
        "nothing": None,
        "shift": 25 * HOUR_MS,
    }


_AXES = """
async () => {
  const { colours, makePlot } = await import("/static/graphs/plot.js");
  const place = document.createElement("div");
  document.body.append(place);
  const words = { 0: "confort", 1: "arrêt", 2: "hors-gel", 3: "éco" };
  const lines = [{ key: "11", unit: "order", words }, { key: "I1", unit: "A", symbol: "A" }];
  const shown = lines.map((line, at) => ({ ...line, code: line.key, tone: at, shown: true }));
  const plot = makePlot(place, shown, {
    width: 600, height: 300, view: () => ({ from: 0, to: 10 }), paint: colours(), sync: "test",
    hooks: { select() {}, cursor() {}, drawn() {}, marks: () => [] },
  });
  plot.setData([[0, 5, 10], [2, 3, 2], [0, 3, 0]]);
  await new Promise(requestAnimationFrame);
  return plot.axes.slice(1).map((axis) => axis._values);
}
"""

_PURE = """
async () => {
  const { append, broken, curveOf, joined, summary } = await import("/static/graphs/series.js");
  const { before, parse, format } = await import("/static/graphs/state.js");
  const raw = { every: "raw", step: 0, expect: 0.002 };
  const made = (t, v, more = {}) => curveOf({ ...raw, t, v, ...more }, t[0], t.at(-1));
  const gaps = [[10.2, 10.8, "lost", 1]];
  const cut = broken(made([0, 1, 10, 11, 12], [1, 2, 3, 4, 5], { gaps })).slice(0, 2);
  const left = curveOf({ every: "raw", step: 0, t: [0, 10, 20], v: [1, 2, 9] }, 0, 20);
  const right = curveOf({ every: "raw", step: 0, t: [20, 30], v: [3, 4] }, 20, 40);
  const one = joined(right, left);
  const live = curveOf({ every: "raw", step: 0, t: [0, 10], v: [1, 2] }, 0, 10);
  append(live, 15, 9);
  const buckets = { every: "10min", step: 100, t: [100, 150], v: [1, 5], lo: [0, 1], hi: [2, 6] };
  const running = curveOf(buckets, 0, 150);
  append(running, 170, 9);
  const noon = Date.parse("2026-10-25T12:00Z"); // the day on which Paris has 25 hours
  const { shift } = before({ from: noon, to: noon + 3600e3 }, "day");
  return {
    cut, joined: [one.t, one.v, one.from, one.to],
    other: joined(left, { ...right, step: 60 }),
    appended: [live.t, live.v], old: append(live, 15, 8),
    running: [running.t, running.v, running.lo, running.hi],
    summary: summary(one, 10, 30),
    nothing: summary(one, 50, 60),
    shift,
  };
}
"""
