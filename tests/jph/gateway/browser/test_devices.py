"""The page Devices in a real browser: a switch, a slider, a motion, narrow and wide."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from jph.sim.chips.gpio import GpioChip
from nodes.gpio import Gpio
from nodes.jphredis import JphRedis
from nodes.setpoint import Setpoint
from tests.jph.gateway.browser.conftest import Show, Sound, fits
from tests.jph.gateway.stage import RedisProcess
from tests.jph.gateway.subjects.test_devices import ROOMS, sensors
from tests.support import running


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess, tmp_path: Path) -> Network:
    """Return pins, set points and a room."""
    found = sensors(f"unix:{tmp_path}/gpio")
    return network(*found, Redis={"URL": redis.url}, Rooms=ROOMS)


@pytest_asyncio.fixture(loop_scope="session")
async def chip(tmp_path: Path) -> AsyncIterator[GpioChip]:
    """Serve the pins."""
    served = GpioChip(tmp_path / "gpio")
    await served.start()
    yield served
    await served.close()


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(home: Network, chip: GpioChip) -> AsyncIterator[Gateway]:
    """Yield a gateway beside the nodes of the devices."""
    page = Gateway("CF", home)
    points = [Setpoint(code, home) for code in ("FJ", "SP")]
    async with running(JphRedis("R1", home), Gpio("G1", home), *points, page):
        yield page


@pytest.mark.usefixtures("patient")
async def test_devices(show: Show, sound: Sound, chip: GpioChip) -> None:
    page = await show("/devices", role=Role.OPERATOR)
    relay = page.locator('.device[data-code="G2"]')
    await relay.get_by_role("switch").click()
    await expect(relay.locator(".answer")).to_have_text("G2 says on")
    await expect(relay.locator("[data-part=value]")).to_have_text("on")
    assert chip.levels[2] == 1
    fan = page.locator('.device[data-code="FJ"]')
    await fan.get_by_role("slider").fill("40")
    await expect(fan.locator(".answer")).to_have_text("FJ says 40 %")
    await expect(fan.locator("[data-part=value]")).to_have_text("40")
    chip.drive(3, 1)
    await expect(page.locator("[data-part=motion]")).to_have_text("motion now")
    await fits(page)
    await sound(page)


async def test_a_viewer_sees_and_sets_nothing(show: Show) -> None:
    page = await show("/devices", role=Role.VIEWER, language="fr")
    await expect(page.locator("main")).to_contain_text("Appareils")
    await expect(page.locator(".set")).to_have_count(0)
