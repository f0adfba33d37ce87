"""Energy and costs in a real browser: spans, figures, bars, the keyboard, no tariffs."""

import re
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta, tzinfo
from typing import Any, Self

import pytest
import pytest_asyncio
from playwright.async_api import expect

from jph.config.model import Network
from jph.gateway.node import Gateway
from jph.gateway.subjects.energy import web
from tests.jph.gateway.browser.conftest import Show, Sound
from tests.jph.gateway.stage import RedisProcess
from tests.jph.gateway.subjects.test_energy import FIRST, PARIS, TARIFF, history, hour_rows, sensors
from tests.support import running

__all__ = ["history"]

Document = dict[str, Any]


@pytest.fixture
def priced() -> list[Document]:
    """Return the tariffs of the config."""
    return [TARIFF]


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """Return a time in the middle of this month or the last one, which is now for the page."""
    today = datetime.now(PARIS)
    time = (today if today.day > 2 else today - timedelta(days=10)).replace(microsecond=0)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return cls.fromtimestamp(time.timestamp(), tz)

    monkeypatch.setattr(web, "datetime", Clock)
    return time


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(
    network: Callable[..., Network],
    history: Document,
    redis: RedisProcess,
    priced: list[Document],
) -> AsyncIterator[Gateway]:
    """Yield a gateway with a history."""
    page = Gateway("CF", network(*sensors(), SQL=history, Redis={"URL": redis.url}, Tariffs=priced))
    async with running(page):
        yield page


@pytest.mark.parametrize("width", [390, 1280])
async def test_from_a_month_to_its_days_and_back(show: Show, sound: Sound, width: int) -> None:
    page = await show("/energy?span=month&at=2026-03-10", width=width)
    await expect(page.locator("#when")).to_have_text("March 2026")
    bars = page.locator("#chart .bar")
    await expect(bars).to_have_count(31)
    rows = hour_rows(datetime(2026, 4, 1, tzinfo=PARIS))
    wh = sum(w for _, end, day, _, w in rows if (day.year, day.month) == (2026, 3))
    await expect(page.locator("#figures")).to_contain_text(f"{wh / 1000:.0f}".replace(",", ""))
    await expect(page.locator("#figures")).to_contain_text("Against February 2026")
    await expect(page.locator("#phases")).to_contain_text("31.5 A")
    await expect(page.locator("#heaters")).to_contain_text("11 Kitchen, Wall")
    await expect(page.locator("#lines")).to_contain_text("VAT")
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0
    await sound(page)

    await page.locator("#chart svg").focus()
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#caption")).to_contain_text("2 March 2026")
    await page.keyboard.press("Enter")
    await expect(page.locator("#when")).to_contain_text("2 March 2026")
    await expect(bars).to_have_count(24)
    await page.get_by_role("button", name="Earlier").click()
    await expect(page.locator("#when")).to_contain_text("1 March 2026")
    await page.get_by_role("button", name="Year").click()
    await expect(bars).to_have_count(12)
    await page.get_by_role("button", name="€").click()
    await expect(page).to_have_url(re.compile("span=year.*unit=money"))
    await expect(page.locator("#legend")).to_contain_text("subscription, taxes")
    await page.locator("summary").click()
    await expect(page.locator("#numbers tbody tr").first).to_contain_text("January 2026")


async def test_a_time_before_all_readings_has_no_axis(show: Show, sound: Sound) -> None:
    page = await show("/energy?span=month&at=2020-01-10")
    expected = re.compile(rf"^no data before {FIRST.day} {FIRST:%b}\w* {FIRST.year}$")
    await expect(page.locator("#chart")).to_have_text(expected)
    await expect(page.locator("#chart svg")).to_have_count(0)
    await sound(page)


async def test_the_running_month_in_french(show: Show) -> None:
    page = await show("/energy", language="fr")
    await expect(page.locator("#figures")).to_contain_text("si cela continue ainsi")
    await expect(page.locator("#figures")).to_contain_text("au même moment")
    await expect(page.locator("#later")).to_be_disabled()


class TestWithoutTariffs:
    @pytest.fixture
    def priced(self) -> list[Document]:
        return []

    async def test_kwh_alone_and_how_to_add_prices(self, show: Show, sound: Sound) -> None:
        page = await show("/energy?span=month&at=2026-03-10", width=390)
        await expect(page.get_by_text("No tariff is configured")).to_be_visible()
        await expect(page.locator("#money")).to_be_disabled()
        await expect(page.locator("#bill")).not_to_be_visible()
        await expect(page.locator("#chart .bar")).to_have_count(31)
        await sound(page)
