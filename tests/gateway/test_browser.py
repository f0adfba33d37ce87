"""The page in a real browser: what a person sees and does."""

import shutil
from collections.abc import AsyncIterator, Callable

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from gateway.history import History, Lack
from gateway.node import Gateway
from gateway.security.roles import Role
from jph.config import Network
from tests.gateway.conftest import Plain
from tests.gateway.houses import house
from tests.gateway.people import cookie_of
from tests.gateway.stage import RedisProcess, alive, reading
from tests.support import running, until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WIDTHS = [(390, 844), (1280, 900), (320, 568)]

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium on this machine (Debian: apt install chromium)"
)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        await browser.close()


@pytest.fixture
async def page(browser: Browser, gateway: Gateway) -> AsyncIterator[Page]:
    """Yield the page, live; what it says on the console fails the test."""
    said: list[str] = []
    page = await browser.new_page(viewport={"width": 390, "height": 844})
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    await page.context.add_cookies([await cookie_of(gateway, Role.OPERATOR)])
    await page.goto(gateway.url)
    await expect(page.locator("#link")).to_have_text("live")
    yield page
    assert [text for text in said if "ERR_" not in text] == []


def row(page: Page, codifier: str, part: str) -> object:
    """Return the cell of a codifier in the table."""
    return page.locator(f'tr[data-code="{codifier}"] [data-part="{part}"]')


async def test_values_change_without_a_reload(page: Page, redis: RedisProcess) -> None:
    await page.evaluate("window.same = true")
    for value in ("17", "29", "31"):
        redis.write({"I1": reading(value), "IS": reading(30), "11": reading(3), "S1": reading(1)})
        await expect(row(page, "I1", "value")).to_have_text(value)
    gauge = page.locator('.gauge[data-code="I1"]')
    await expect(gauge).to_have_attribute("data-level", "over")
    await expect(gauge).to_have_attribute("aria-valuetext", "31 A of 30 A")
    heater = page.locator('.heater[data-code="11"]')
    await expect(heater.locator(".order")).to_have_text("eco, shed")
    await expect(page.locator("#shedding")).to_contain_text("1 heater off for the breaker")
    await expect(row(page, "I1", "state")).to_have_text("alive")
    await expect(row(page, "I1", "age")).to_have_text("0 s")
    await expect(row(page, "I1", "age")).not_to_have_text("0 s")
    assert await page.evaluate("window.same")


async def test_a_value_in_doubt_says_so(page: Page, redis: RedisProcess) -> None:
    order = page.locator('.heater[data-code="11"] .order')
    redis.write({"11": reading(3) | {"Quality": "1"}, "I1": reading(9) | {"Quality": "2"}})
    await expect(order).to_have_text("eco stale")
    await expect(row(page, "I1", "quality")).to_have_text("implausible")
    await page.reload()
    await expect(order).to_have_text("eco stale")
    redis.write({"11": reading(3, 1) | {"Quality": "0"}})
    await expect(order).to_have_text("eco")


async def test_nothing_scrolls_sideways(page: Page, redis: RedisProcess) -> None:
    redis.write(
        {"C1": reading("x" * 500), "TP": reading("HEURES PLEINES ET AUTRES"), "11": reading(0)}
    )
    await expect(row(page, "C1", "value")).to_contain_text("xxx")
    for width, height in WIDTHS:
        await page.set_viewport_size({"width": width, "height": height})
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{wide} px too wide at {width}"


async def test_a_command_is_confirmed_and_its_answer_shown(page: Page, meter: Plain) -> None:
    dialog, line = page.locator("#confirm"), page.locator('tr[data-code="TI"]')
    await line.get_by_role("button", name="halt").click()
    await expect(dialog.locator("#question")).to_have_text("Halt TI, Meter?")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).not_to_be_visible()
    assert meter.active

    await line.get_by_role("button", name="halt").click()
    await dialog.get_by_role("button", name="Halt").click()
    await expect(dialog.locator("#answer")).to_have_text("TI says that it is halted")
    assert not meter.active
    await page.keyboard.press("Escape")
    await expect(row(page, "TI", "state")).to_have_text("halted")

    await line.get_by_role("button", name="start").click()
    await dialog.get_by_role("button", name="Start").click()
    await expect(dialog.locator("#answer")).to_have_text("TI says that it is sending")
    await until(lambda: meter.active)
    await dialog.get_by_role("button", name="Close").click()
    await expect(row(page, "TI", "state")).to_have_text("alive")


async def test_a_node_that_does_not_answer_is_told(page: Page) -> None:
    await page.locator('tr[data-code="P1"]').get_by_role("button", name="ping").click()
    await page.locator("#confirm").get_by_role("button", name="Ping").click()
    await expect(page.locator("#answer")).to_have_text("P1 did not answer within 1 s")
    await expect(page.locator("#answer")).to_have_attribute("data-mood", "bad")


async def test_redis_away_and_back(page: Page, redis: RedisProcess) -> None:
    banner = page.locator("#cache")
    await expect(banner).not_to_be_visible()
    redis.stop()
    await expect(banner).to_be_visible()
    redis.start()
    redis.write({"I1": reading(5)})
    await expect(banner).not_to_be_visible()
    await expect(row(page, "I1", "value")).to_have_text("5")


async def test_the_page_finds_its_gateway_again(
    page: Page, gateway: Gateway, meter: Plain, redis: RedisProcess
) -> None:
    await page.context.set_offline(True)
    assert gateway._hub is not None
    hub = gateway._hub
    await page.evaluate("document.body.dataset.same = 'yes'")
    redis.write({"I2": reading(8)})
    await page.context.set_offline(False)
    await expect(row(page, "I2", "value")).to_have_text("8")
    await expect(page.locator("#link")).to_have_text("live")
    assert hub.clients == 1
    assert await page.evaluate("document.body.dataset.same") == "yes"


async def test_hostile_text_stays_text(page: Page, redis: RedisProcess) -> None:
    evil = "<img src=x onerror=alert(1)>"
    redis.write({"C1": reading(evil), "TI": alive() | {"Value": evil}})
    await expect(row(page, "C1", "value")).to_have_text(evil)
    assert await page.locator("main img").count() == 0


async def test_holes_in_the_history_are_told_as_they_come(
    browser: Browser, network: Callable[..., Network], redis: RedisProcess
) -> None:
    nowhere = {"Host": "/nowhere", "Database": "jph", "User": "jph"}
    gateway = Gateway("CF", network(*house(), SQL=nowhere, Redis={"URL": redis.url}))
    async with running(gateway):
        page = await browser.new_page(viewport={"width": 320, "height": 568})
        await page.goto(gateway.url)
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
        wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0


async def test_headings_labels_and_landmarks(page: Page) -> None:
    for role in ("banner", "main", "table"):
        await expect(page.get_by_role(role).first).to_be_visible()
    assert await page.locator("h1").count() == 1
    unnamed = await page.evaluate(
        "[...document.querySelectorAll('tr button:not([aria-label])')].length"
    )
    assert unnamed == 0
    await expect(page.get_by_role("meter", name="Current of phase 1")).to_be_visible()
