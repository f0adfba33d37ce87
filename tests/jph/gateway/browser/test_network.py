"""The network as people use it: find, sort, command with a question where it matters, set."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from nodes.setpoint import Setpoint
from tests.i2cserver import I2CServer
from tests.jph.gateway.browser.conftest import Show, Sound, fits
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.houses import LATE_MS, with_a_late_card
from tests.jph.gateway.stage import RedisProcess, alive, now_ms, reading
from tests.jph.gateway.warmhouse import warm_house
from tests.support import running, until


@pytest.fixture
def chip(tmp_path: Path) -> Iterator[I2CServer]:
    server = I2CServer(tmp_path / "i2c.sock")
    yield server
    server.close()


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess, chip: I2CServer) -> Network:
    """Return a house with something to set; card P2 has been late for a while."""
    redis.write({"P2": alive(at_ms=now_ms() - LATE_MS), "P1": alive(), "SH": alive()})
    return network(*with_a_late_card(warm_house(chip)), Redis={"URL": redis.url})


@pytest_asyncio.fixture(loop_scope="session")
async def setpoint(gateway: Gateway, home: Network) -> AsyncIterator[Setpoint]:
    """Run the setpoint beside the gateway."""
    setpoint = Setpoint("SP", home)
    async with running(setpoint):
        yield setpoint


def line(page: Page, code: str) -> Locator:
    return page.locator(f'tr[data-code="{code}"]')


def cell(page: Page, code: str, part: str) -> Locator:
    return line(page, code).locator(f'[data-part="{part}"]')


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_late_node_is_found(show: Show, width: int) -> None:
    page = await show("/network", width=width)
    await expect(cell(page, "P2", "state")).to_have_text("late")
    await page.get_by_role("button", name="Trouble").click()
    await expect(line(page, "P2")).to_be_visible()
    await expect(line(page, "TI")).not_to_be_visible()
    await page.get_by_role("button", name="All", exact=True).click()
    await page.get_by_role("searchbox").fill("card 2")
    await expect(page.locator("tbody tr:visible")).to_have_count(1)
    await page.get_by_role("searchbox").fill("nothing like that")
    await expect(page.locator("#none")).to_be_visible()


async def test_lines_are_sorted_by_what_people_ask_for(show: Show, redis: RedisProcess) -> None:
    page = await show("/network")
    redis.write({"I2": reading(7) | {"DPacketsLost": "12"}})
    await expect(cell(page, "I2", "losses")).to_have_text("12")
    await page.get_by_role("button", name="Lost").click()
    first = page.locator("tbody tr").first
    await expect(first).to_have_attribute("data-code", "I2")
    await page.get_by_role("button", name="Name").click()
    heads = page.locator('th[aria-sort="ascending"]')
    await expect(heads).to_have_text("Name")
    await page.get_by_role("button", name="Code").click()
    await expect(first).to_have_attribute("data-code", "TI")


async def test_ages_grow_and_hosts_are_told(show: Show) -> None:
    page = await show("/network", role=Role.OPERATOR)
    await line(page, "TI").get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Ping").click()
    await expect(dialog.locator("#answer")).to_contain_text("TI answered in")
    await dialog.get_by_role("button", name="Close").click()
    await expect(cell(page, "TI", "host")).not_to_be_empty()
    await expect(cell(page, "TI", "wire")).to_have_text("1")
    await expect(cell(page, "TI", "age")).not_to_have_text("never")


async def test_a_halt_is_confirmed_and_its_answer_shown(
    show: Show, meter: Plain, redis: RedisProcess
) -> None:
    page = await show("/network", role=Role.ADMIN)
    await line(page, "TI").get_by_role("button").click()
    about = page.get_by_role("dialog").filter(has_text="Last sign of life")
    question = page.get_by_role("dialog").filter(has_text="Halt TI, Meter?")
    await about.get_by_role("button", name="Halt").click()
    await question.get_by_role("button", name="Cancel").click()
    await expect(question).not_to_be_visible()
    assert meter.active
    await about.get_by_role("button", name="Halt").click()
    await question.get_by_role("button", name="Halt").click()
    await expect(about.locator("#answer")).to_contain_text("TI says that it is halted")
    assert not meter.active
    await expect(cell(page, "TI", "state")).to_have_text("halted")
    await about.get_by_role("button", name="Start").click()
    await expect(about.locator("#answer")).to_have_text("TI says that it is sending")
    await until(lambda: meter.active)


async def test_a_node_that_does_not_answer_is_told(show: Show) -> None:
    page = await show("/network", width=390, role=Role.OPERATOR)
    await line(page, "P1").get_by_role("button").click()
    await page.get_by_role("dialog").get_by_role("button", name="Ping").click()
    await expect(page.locator("#answer")).to_have_text("P1 did not answer within 2 s")
    await expect(page.locator("#answer")).to_have_attribute("data-mood", "bad")


async def test_all_are_asked_at_once(show: Show) -> None:
    page = await show("/network", role=Role.OPERATOR)
    await page.get_by_role("button", name="Ping all").click()
    dialog = page.locator("#every-node")
    await expect(dialog.locator("#every-node-said")).to_contain_text("nodes answered")
    await expect(dialog).to_contain_text("TI answered in")
    await expect(dialog).to_contain_text("P1 did not answer within 2 s")


@pytest.mark.usefixtures("patient")
async def test_a_value_is_set_by_a_slider_and_the_answer_shown(
    show: Show, setpoint: Setpoint
) -> None:
    page = await show("/network", role=Role.OPERATOR)
    await page.get_by_role("button", name="To set").click()
    await line(page, "SP").get_by_role("button").click()
    dialog = page.get_by_role("dialog")
    slider = dialog.get_by_role("slider", name="Value of SP")
    await slider.fill("22.5")
    await expect(dialog.locator("output")).to_have_text("22.5 °C")
    await dialog.get_by_role("button", name="Set", exact=True).click()
    await expect(page.locator("#answer")).to_have_text("SP says 22.5 °C")
    assert setpoint.value == 22.5
    await dialog.get_by_role("button", name="Step by −0.5").click()
    await expect(page.locator("#answer")).to_have_text("SP says 22.0 °C")


async def test_hostile_text_stays_text(show: Show, redis: RedisProcess) -> None:
    page = await show("/network")
    evil = "<img src=x onerror=alert(1)>"
    redis.write({"C1": reading(evil), "TI": alive() | {"Value": evil}})
    await expect(cell(page, "C1", "value")).to_have_text(evil)
    assert await page.locator("main img").count() == 0


async def test_it_fits_and_keeps_nobody_out(show: Show, sound: Sound, redis: RedisProcess) -> None:
    redis.write({"C1": reading("x" * 500), "11": reading(0), "S1": reading(1), "12": reading(3)})
    page = await show("/network", role=Role.OPERATOR)
    await expect(cell(page, "C1", "value")).to_contain_text("xxx")
    await fits(page)
    for width in (390, 1280):
        await page.set_viewport_size({"width": width, "height": 900})
        await sound(page)
    await line(page, "SP").get_by_role("button").click()
    await sound(page)
