"""Orders as people give them: a tap for a room, a boost with an end, the card's answer shown."""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.i2cserver import I2CServer
from tests.jph.gateway.browser.conftest import Show, Sound, fits
from tests.jph.gateway.stage import RedisProcess, reading
from tests.jph.gateway.warmhouse import QuickCard, warm_house
from tests.support import running


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess, chip: I2CServer) -> Network:
    """Return a house that can be heated, with a cache that follows the bus."""
    return network(*warm_house(chip), Redis={"URL": redis.url})


@pytest_asyncio.fixture(loop_scope="session")
async def card(gateway: Gateway, home: Network) -> AsyncIterator[QuickCard]:
    """Run the card, and the cache that tells the page of it."""
    from nodes.jphredis import JphRedis

    card = QuickCard("P1", home)
    async with running(card, JphRedis("R1", home)):
        yield card


def room(page: Page, name: str) -> Locator:
    return page.locator("article.room", has=page.get_by_role("heading", name=name))


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.usefixtures("patient", "card")
async def test_a_room_is_turned_to_eco(show: Show, chip: I2CServer, width: int) -> None:
    page = await show("/heaters", width=width, role=Role.OPERATOR)
    hall = room(page, "Hall")
    await hall.get_by_role("button", name="eco", exact=True).click()
    await expect(hall.locator(".answer")).to_have_text("12: eco")
    await expect(hall.locator(".answer")).to_have_attribute("data-mood", "good")
    await expect(hall.locator('[data-give="eco"]')).to_have_attribute("aria-pressed", "true")
    await expect(hall.locator(".heater .chip")).to_have_text("eco")
    assert chip.latches[0] >> 2 & 0b11 == 0b11


@pytest.mark.usefixtures("patient", "card")
async def test_a_boost_with_an_end_and_back_again(show: Show) -> None:
    page = await show("/heaters", width=390, role=Role.OPERATOR)
    line = page.locator('.heater[data-code="11"]')
    await line.get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("eco", exact=True).click()
    await dialog.get_by_role("button", name="Give the order").click()
    await expect(dialog).to_be_hidden()
    await expect(page.locator(".toast").first).to_have_text("1 heater: eco")
    await line.get_by_role("button").click()
    await dialog.get_by_text("comfort", exact=True).click()
    await dialog.get_by_label("For how long").select_option("3600")
    await expect(dialog.locator("#give-hint")).to_contain_text("then the card itself goes back")
    await dialog.get_by_role("button", name="Give the order").click()
    await expect(dialog).to_be_hidden()
    await line.get_by_role("button").click()
    await expect(dialog.locator("#give-why")).to_contain_text("then eco.")
    await dialog.get_by_role("button", name="Close").click()
    await expect(line.locator(".reason")).to_have_text(re.compile(r"until .*\d\d:\d\d, then eco\."))
    await expect(line.locator(".chip")).to_have_text("comfort")


async def test_a_card_that_is_away_is_told(show: Show) -> None:
    page = await show("/heaters", role=Role.OPERATOR)
    hall = room(page, "Hall")
    await hall.get_by_role("button", name="off", exact=True).click()
    await expect(hall.locator(".answer")).to_have_text("12: no answer")
    await expect(hall.locator(".answer")).to_have_attribute("data-mood", "bad")


@pytest.mark.usefixtures("patient", "card")
async def test_all_heaters_answer_each_for_itself(show: Show) -> None:
    page = await show("/heaters", role=Role.OPERATOR)
    await page.get_by_role("button", name="Phase 1").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Give the order").click()
    await expect(dialog.locator("#give-answers")).to_have_text("Choose an order first")
    await dialog.get_by_text("−1").click()
    await dialog.get_by_role("button", name="Give the order").click()
    answers = dialog.locator("#give-answers li")
    await expect(answers.nth(0)).to_contain_text("comfort-1")
    await expect(answers.nth(1)).to_contain_text("refused, comfort-1 would wear out its relay")


async def test_who_may_only_look_sees_no_buttons(show: Show) -> None:
    page = await show("/heaters", role=Role.VIEWER)
    await expect(page.locator(".banner:visible")).to_contain_text(
        "an admin can let you give orders"
    )
    assert await page.locator("[data-give], [data-ask]").count() == 0
    await page.locator(".heater button").first.click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    await expect(page.get_by_role("button", name="Give the order")).to_have_count(0)


async def test_it_fits_and_keeps_nobody_out(show: Show, sound: Sound, redis: RedisProcess) -> None:
    redis.write({"11": reading(0), "S1": reading(1), "12": reading(3), "21": reading(2)})
    page = await show("/heaters", role=Role.OPERATOR)
    await expect(page.locator('.heater[data-code="11"] .reason')).not_to_be_empty()
    await fits(page)
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        await sound(page)
    await page.get_by_role("button", name="Boost").first.click()
    await sound(page)
    french = await show("/heaters", language="fr", role=Role.OPERATOR)
    await fits(french)
