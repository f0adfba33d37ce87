"""A real browser on a real gateway: pages that fail on any word on the console, and axe-core.

`show` opens a page; `sound` looks for what keeps people out, in the light and in the dark:

    async def test_it(show: Show, sound: Sound) -> None:
        page = await show("/network", width=390)
        await sound(page)

All tests run in the loop of the browser: a fixture that is a coroutine is made with
`pytest_asyncio.fixture(loop_scope="session")`.
"""

import asyncio
import contextlib
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    FloatRect,
    Locator,
    Page,
    async_playwright,
    expect,
)
from playwright.async_api import TimeoutError as PlaywrightTimeout

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.people import cookie_of
from tests.support import LIMIT_S, running

expect.set_options(timeout=1000 * LIMIT_S)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HEIGHT = 900
_AWAY = re.compile(r"ERR_|status of 503")
_WIDE = "document.documentElement.scrollWidth - innerWidth"
GRAVE = frozenset({"serious", "critical"})

Sound = Callable[[Page], Awaitable[None]]


class Show(Protocol):
    """Opens a page of the gateway and waits until it is live."""

    def __call__(
        self,
        path: str = "/",
        *,
        width: int = 1280,
        language: str = "en",
        live: bool = True,
        role: Role = Role.NOBODY,
    ) -> Awaitable[Page]:
        """Return the page at `path`, `width` px wide, in `language`; `role` logs in first."""
        ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder in the loop of the browser: starting one takes a second."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Yield the browser of all tests."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine (Debian: apt install chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(home: Network, meter: Plain) -> AsyncIterator[Gateway]:
    """Yield a running gateway."""
    page = Gateway("CF", home)
    async with running(meter, page):
        yield page


@pytest_asyncio.fixture(loop_scope="session")
async def show(browser: Browser, gateway: Gateway) -> AsyncIterator[Show]:
    """Yield what opens pages; what one says on its console fails the test.

    Lines of the browser itself about a connection that failed (ERR_…) or a store that is away
    (503) are left out: tests take both away.
    """
    said: list[str] = []
    contexts: list[BrowserContext] = []

    async def opened(
        path: str = "/",
        *,
        width: int = 1280,
        language: str = "en",
        live: bool = True,
        role: Role = Role.NOBODY,
    ) -> Page:
        context = await browser.new_context(
            locale=language, viewport={"width": width, "height": HEIGHT}
        )
        contexts.append(context)
        if role is not Role.NOBODY:
            await context.add_cookies([await cookie_of(gateway, role)])
        context.set_default_timeout(1000 * LIMIT_S)
        page = await context.new_page()
        page.on("console", lambda message: said.append(f"{path}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"{path}: {error}"))
        await page.goto(f"{gateway.url}{path}")
        if live:
            await expect(page.locator("#link")).to_have_attribute("data-mood", "good")
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert [text for text in said if not _AWAY.search(text)] == []


async def fits(page: Page) -> None:
    """Make sure that nothing scrolls sideways, from a small telephone to a wall screen."""
    for width in (320, 390, 768, 1280, 1920):
        await page.set_viewport_size({"width": width, "height": HEIGHT})
        with contextlib.suppress(PlaywrightTimeout):  # what is drawn follows the width
            await page.wait_for_function(f"{_WIDE} <= 0")
        wide = await page.evaluate(_WIDE)
        assert wide <= 0, f"{page.url} is {wide} px too wide at {width}"


@pytest.fixture
def sound() -> Sound:
    """Return a check that axe-core finds no serious fault in a page, light or dark."""
    axe = Axe()

    async def check(page: Page) -> None:
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            found = (await axe.run(page)).response["violations"]
            grave = [
                f"{each['id']}: {each['help']}: {node['html'][:200]} ({node['failureSummary']})"
                for each in found
                if each["impact"] in GRAVE
                for node in each["nodes"]
            ]
            assert grave == [], f"{page.url}, {scheme}"

    return check


async def standing(thing: Locator, limit_s: float = LIMIT_S) -> FloatRect:
    """Return where something is, once it is there and moves no more: pages may draw it anew."""
    async with asyncio.timeout(limit_s):
        before = None
        while True:
            await thing.wait_for()
            place = await thing.bounding_box()
            if place is not None and place == before:
                return place
            before = place
            await thing.page.wait_for_timeout(50)
