"""Contents that a person reads or is about to touch do not jump while a page loads."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.jph.gateway import past
from tests.jph.gateway.browser.conftest import Show
from tests.jph.gateway.stage import RedisProcess
from tests.support import running

MOST = 0.02
"""Of the browser's own measure; 0.1 is what is called good."""
SHIFTS = """
() => new Promise((done) => new PerformanceObserver((list) => {
  const shown = ({ node, previousRect: from, currentRect: to }) =>
    `${node?.id || node?.nodeName}: ${from.y},${from.height} to ${to.y},${to.height}`;
  done(list.getEntries().map((each) => [each.value, each.sources.map(shown)]));
}).observe({ type: "layout-shift", buffered: true }) || setTimeout(() => done([]), 500))
"""


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(
    network: Callable[..., Network], sql: dict[str, Any], redis: RedisProcess
) -> AsyncIterator[Gateway]:
    """Yield a gateway of a house with a history, so that every part of its pages is there."""
    home = past.home(network, sql, redis.url)
    past.fill(sql, home, hours=2)
    page = Gateway("CF", home)
    async with running(page):
        yield page


@pytest.mark.parametrize(
    ("path", "last"),
    [
        ("/", "#today [data-part=versus]:has-text('today')"),
        ("/users", "#users tr"),
        ("/account", "#sessions tr"),
        ("/diagram", "#list tbody tr >> nth=0"),
    ],
)
async def test_a_page_stands_still_on_a_telephone(show: Show, path: str, last: str) -> None:
    page = await show(path, width=390, role=Role.ADMIN, live=path in ("/", "/diagram"))
    await expect(page.locator(last)).to_be_visible()
    shifts = await page.evaluate(SHIFTS)
    assert sum(value for value, _ in shifts) < MOST, shifts
