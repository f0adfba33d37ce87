"""The page of the house as people use it: it lives, explains itself, and says what is wrong."""

import re
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from jph.config.model import Network
from jph.gateway.live.gaps import History, Lack
from jph.gateway.node import Gateway
from tests.jph.gateway.browser.conftest import Show, Sound, fits
from tests.jph.gateway.houses import LATE_MS, house, with_a_late_card
from tests.jph.gateway.stage import RedisProcess, alive, now_ms, reading
from tests.support import running


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess) -> Network:
    """Return the house; card P2 has been late for a while when the gateway starts."""
    redis.write({"P2": alive(at_ms=now_ms() - LATE_MS), "P1": alive(), "SH": alive()})
    return network(*with_a_late_card(house()), Redis={"URL": redis.url})


def heater(page: Page, code: str) -> Locator:
    return page.locator(f'.heater[data-code="{code}"]')


@pytest.mark.parametrize("width", [390, 1280])
async def test_values_change_without_a_reload(show: Show, redis: RedisProcess, width: int) -> None:
    page = await show(width=width)
    await page.evaluate("window.same = true")
    gauge = page.locator('.gauge[data-code="I1"]')
    for value in ("17", "29", "31"):
        redis.write({"I1": reading(value), "IS": reading(30), "11": reading(3), "S1": reading(1)})
        await expect(gauge.locator('[data-part="value"]')).to_have_text(value)
    await expect(gauge).to_have_attribute("data-level", "over")
    await expect(gauge).to_have_attribute("aria-valuetext", "31 A of 30 A")
    await expect(heater(page, "11").locator(".chip")).to_have_text("eco")
    await expect(heater(page, "11")).to_have_attribute("data-shed", "")
    await expect(heater(page, "11").locator(".reason")).to_contain_text("Why, and until when")
    await expect(page.locator("#shedding")).to_have_text(
        "1 heater off for the breaker; a phase is above its limit"
    )
    assert await page.evaluate("window.same")


async def test_the_late_node_is_found_in_plain_words(show: Show) -> None:
    page = await show(width=390)
    line = page.locator("#troubles li", has_text="Card 2 (P2)")
    await expect(line).to_have_text(
        re.compile(r"Card 2 \(P2\) is late: no sign of life for \d+\smin, expected every 600 s")
    )
    await expect(page.locator("#nodes")).to_contain_text("need a look")
    await line.get_by_role("link").click()
    await expect(page).to_have_url(re.compile("/network#P2$"))
    await expect(page.locator('tr[data-code="P2"] [data-part="state"]')).to_have_text("late")


async def test_why_in_the_words_of_why(show: Show, redis: RedisProcess) -> None:
    page = await show()
    redis.write({"11": reading(0), "S1": reading(1), "I1": reading(31), "IS": reading(30)})
    await expect(heater(page, "11").locator(".reason")).not_to_be_empty()
    await heater(page, "11").get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text(
        "11 (Kitchen Wall): ordered comfort, but shed: it gets off."
    )
    await expect(dialog).to_contain_text("Phase 1 draws 31 A now, its limit is 30 A")
    await page.keyboard.press("Escape")
    await expect(dialog).not_to_be_visible()


async def test_a_value_in_doubt_says_so(show: Show, redis: RedisProcess) -> None:
    page = await show()
    redis.write({"11": reading(3) | {"Quality": "1"}})
    await expect(heater(page, "11").locator(".quality")).to_have_text("stale")
    await page.reload()
    await expect(heater(page, "11").locator(".quality")).to_have_text("stale")
    redis.write({"11": reading(3, 1) | {"Quality": "0"}})
    await expect(heater(page, "11").locator(".quality")).to_be_empty()


async def test_everything_in_french(show: Show, redis: RedisProcess) -> None:
    redis.write({"RA": reading(19.25), "11": reading(2), "TP": reading("HP..")})
    page = await show(language="fr-FR")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Maison")
    await expect(page.locator('.warmth[data-code="RA"] [data-part="value"]')).to_have_text("19,2")
    await expect(heater(page, "11").locator(".chip")).to_have_text("hors-gel")
    await expect(page.locator('.tile[data-code="TP"] .value')).to_contain_text("heures pleines")
    await expect(page.locator("#troubles")).to_contain_text("est en retard : aucun signe de vie")
    await page.get_by_role("button", name="Affichage et compte").click()
    await page.get_by_role("button", name="English").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("House")


async def test_the_theme_is_kept(show: Show) -> None:
    page = await show()
    await page.get_by_role("button", name="Display and account").click()
    await page.get_by_role("button", name="dark").click()
    await page.keyboard.press("Escape")
    await page.reload()
    assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(18, 22, 21)"


async def test_the_pages_are_reached_on_the_smallest_screen(show: Show) -> None:
    page = await show(width=320)
    hidden = page.locator("#rest a").last
    await expect(hidden).not_to_be_visible()
    await page.get_by_role("button", name="More").click()
    where = await hidden.get_attribute("href")
    await hidden.click()
    await expect(page).to_have_url(re.compile(f"{where}$"))
    await page.get_by_role("link", name="House").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("House")


async def test_redis_away_and_back(show: Show, redis: RedisProcess) -> None:
    page = await show()
    banner = page.locator("#cache")
    await expect(banner).not_to_be_visible()
    redis.stop()
    await expect(banner).to_be_visible()
    redis.start()
    redis.write({"RA": reading(18)})
    await expect(banner).not_to_be_visible()
    await expect(page.locator('.warmth[data-code="RA"] .value')).to_contain_text("18.0")


async def test_the_page_finds_its_gateway_again(
    show: Show, gateway: Gateway, redis: RedisProcess
) -> None:
    page = await show()
    assert gateway._hub is not None
    await page.context.set_offline(True)
    await page.evaluate("document.body.dataset.same = 'yes'")
    redis.write({"I2": reading(8)})
    await page.context.set_offline(False)
    await expect(page.locator('.gauge[data-code="I2"] [data-part="value"]')).to_have_text("8")
    await expect(page.locator("#link")).to_have_attribute("data-mood", "good")
    assert gateway._hub.clients == 1
    assert await page.evaluate("document.body.dataset.same") == "yes"


async def test_nothing_scrolls_sideways_and_nothing_keeps_people_out(
    show: Show, sound: Sound, redis: RedisProcess
) -> None:
    long = "HEURES PLEINES ET AUTRES " * 9
    redis.write({"TP": reading(long), "11": reading(0), "S1": reading(1), "I1": reading(31)})
    redis.write({"12": reading(3), "21": reading(2), "IS": reading(30), "RA": reading(19)})
    page = await show()
    await expect(heater(page, "11").locator(".reason")).not_to_be_empty()
    await fits(page)
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        await sound(page)
    await page.get_by_role("button", name="Display and account").click()
    await sound(page)
    await page.keyboard.press("Escape")
    await heater(page, "11").get_by_role("button").click()
    await sound(page)


async def test_a_meter_has_a_name_and_there_is_one_heading(show: Show) -> None:
    page = await show()
    for role in ("banner", "main", "navigation"):
        await expect(page.get_by_role(role).first).to_be_visible()
    assert await page.locator("h1").count() == 1
    await expect(page.get_by_role("meter", name="Current of phase 1")).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def away(network: Callable[..., Network], redis: RedisProcess) -> AsyncIterator[Gateway]:
    """Run a gateway whose PostgreSQL is nowhere."""
    nowhere = {"Host": "/nowhere", "Database": "jph", "User": "jph"}
    gateway = Gateway("CF", network(*house(), SQL=nowhere, Redis={"URL": redis.url}))
    async with running(gateway):
        yield gateway


class TestWithoutHistory:
    @pytest.fixture
    def gateway(self, away: Gateway) -> Gateway:
        """Show that gateway instead."""
        return away

    async def test_it_is_said_and_holes_come_as_they_are_known(
        self, show: Show, gateway: Gateway
    ) -> None:
        page = await show(width=320)
        await expect(page.locator("#today")).to_contain_text("PostgreSQL does not answer")
        panel = page.get_by_role("region", name="History")
        await expect(panel).to_contain_text("PostgreSQL cannot be read")
        await expect(panel.locator("table")).not_to_be_visible()
        assert gateway._hub is not None
        lack = Lack("I1", "<b>Phase", "2026-11-20 13:00:00 – ?", "4", "lost " + "x" * 200)
        gateway._hub.board.set_history(History("1 hole", "", (lack,), "2 older"))
        gateway._hub.wake()
        await expect(panel.locator("tbody tr")).to_have_count(1)
        for text in ("1 hole", "<b>Phase", "13:00:00 – ?", "2 older"):
            await expect(panel).to_contain_text(text)
        await fits(page)
