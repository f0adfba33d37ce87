"""A whole evening with the page: from the login to the log-out, as one person does it."""

import csv
import io
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, Response, expect

from jph.config.model import Network
from jph.gateway.accounts import passwords
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from nodes.jphredis import JphRedis
from tests.i2cserver import I2CServer
from tests.jph.gateway import past
from tests.jph.gateway.browser.conftest import Show, standing
from tests.jph.gateway.houses import element, node
from tests.jph.gateway.people import PASSWORD, add
from tests.jph.gateway.stage import RedisProcess, alive, now_ms
from tests.jph.gateway.warmhouse import QuickCard, warm_house
from tests.support import running


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(
    network: Callable[..., Network], sql: dict[str, Any], redis: RedisProcess, chip: I2CServer
) -> AsyncIterator[Gateway]:
    """Yield the page of a house with a card, its cache and 26 hours of history; C1 is late."""
    collector = node("Q1", "jphPostgreSQL")
    sensors = [*warm_house(chip), element("PA", "TI", "Power", "VA"), collector]
    home = network(*sensors, SQL=sql, Redis={"URL": redis.url})
    past.fill(sql, home)
    redis.write({"C1": alive(at_ms=now_ms() - 15_000)})
    page = Gateway("CF", home)
    async with running(QuickCard("P1", home), JphRedis("R1", home), page):
        kept = passwords.hash_of(PASSWORD)
        await add(page, "ann", Role.OPERATOR, kept)
        yield page


def is_history(response: Response) -> bool:
    return "/api/history?" in response.url


async def go(page: Page, name: str) -> None:
    """Go to another page by the navigation, behind "More" where the screen is narrow."""
    link = page.get_by_role("navigation", name="Pages").get_by_role("link", name=name)
    more = page.get_by_role("button", name="More")
    if await more.is_visible() and not await link.is_visible():
        await more.click()
    await link.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    await expect(page.locator("#link")).to_have_attribute("data-mood", "good")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("width", [390, 1280])
async def test_an_evening(show: Show, chip: I2CServer, width: int) -> None:
    page = await show("/", width=width)
    await _logs_in(page)
    await _finds_the_late_node(page)
    await _turns_a_room_to_eco(page, chip)
    await _looks_at_yesterday(page)
    await _exports_and_saves(page)
    await _logs_out(page)


async def _logs_in(page: Page) -> None:
    await page.get_by_role("button", name="Display and account").click()
    await page.get_by_role("link", name="Log in").click()
    await page.wait_for_url(re.compile("/login"))  # and until its scripts have run
    await page.get_by_label("Name").fill("ann")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("House")
    await expect(page.locator("#link")).to_have_attribute("data-mood", "good")


async def _finds_the_late_node(page: Page) -> None:
    told = page.get_by_text(re.compile(r"Processor \(C1\) is (late|dead): no sign of life"))
    await expect(told.first).to_be_visible()
    await go(page, "Network")
    await page.get_by_role("button", name="Trouble").click()
    line = page.locator('tr[data-code="C1"]')
    await expect(line.locator('[data-part="state"]')).to_have_text(re.compile("late|dead"))
    await expect(page.locator('tr[data-code="P1"]')).not_to_be_visible()


async def _turns_a_room_to_eco(page: Page, chip: I2CServer) -> None:
    await go(page, "Heaters")
    hall = page.locator("article.room", has=page.get_by_role("heading", name="Hall"))
    await hall.get_by_role("button", name="eco", exact=True).click()
    await expect(hall.locator(".answer")).to_have_text("12: eco")
    await expect(hall.locator(".heater .chip")).to_have_text("eco")
    assert chip.latches[0] >> 2 & 0b11 == 0b11


async def _looks_at_yesterday(page: Page) -> None:
    await go(page, "Graphs")
    box = page.get_by_role("combobox", name="Add a line")
    await box.fill("Power")
    async with page.expect_response(is_history):
        await box.press("Enter")
    await box.press("Escape")
    last = page.locator('.legend tr[data-code="PA"] [data-part="last"]')
    await expect(last).to_contain_text("VA")
    over = page.locator(".u-over").first
    where = await standing(over)
    async with page.expect_response(is_history):
        await page.mouse.move(where["x"] + 0.6 * where["width"], where["y"] + 90)
        await page.mouse.down()
        await page.mouse.move(where["x"] + 0.9 * where["width"], where["y"] + 90, steps=4)
        await page.mouse.up()
    await page.wait_for_url(re.compile("from="))
    await page.get_by_role("button", name="View").click()
    async with page.expect_response(is_history) as asked:
        await page.get_by_label("Compare with").select_option("day")
    assert (await asked.value).ok
    await expect(page.locator("#graph .state")).to_contain_text("dashed: the day before")
    await page.keyboard.press("Escape")


async def _exports_and_saves(page: Page) -> None:
    await page.get_by_role("button", name="Export").click()
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="Every reading (CSV)").click()
    path = await (await coming.value).path()
    rows = list(csv.DictReader(io.StringIO(path.read_text())))
    assert {row["codifier"] for row in rows} == {"PA"}
    assert len(rows) > 1000
    await page.get_by_role("button", name="Saved").click()
    name = page.get_by_role("textbox", name="Name")
    await name.fill("Evenings")
    await name.press("Enter")
    await expect(page.locator("#kept a")).to_have_text("Evenings")
    await page.keyboard.press("Escape")


async def _logs_out(page: Page) -> None:
    await page.get_by_role("button", name="Display and account").click()
    await page.get_by_role("button", name="Log out").click()
    await expect(page.locator("#logout")).to_have_count(0)
    await page.goto(page.url.partition("/")[0] + "//" + page.url.split("/")[2] + "/heaters")
    await expect(page.locator("[data-give]")).to_have_count(0)
