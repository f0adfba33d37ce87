"""The rooms as people use them: warm one, leave, undo, ask why, on a telephone and a desk."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from jph.heating.plan.edits.week import week_of
from nodes.schedule import Schedule
from tests.jph.gateway.browser.conftest import Show, Sound, fits, standing
from tests.jph.gateway.browser.test_shifts import MOST, SHIFTS
from tests.jph.gateway.roomhouse import ROOMS, room_house
from tests.jph.gateway.stage import RedisProcess, alive, reading
from tests.support import running

SMALL = """
() => [...document.querySelectorAll(":is(main, dialog[open]) :is(button, .button)")]
  .filter((each) => each.offsetParent)
  .map((each) => [each.textContent, each.getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44)
  .map(([text, box]) => `${text}: ${box.width} × ${box.height}`)
"""
"""Controls that are too small for a finger."""


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess) -> Network:
    """Return the house with rooms and a meter that is heard."""
    signs = {code: alive() for code in ("TI", "P1", "P2", "SH", "SC", "R1", "C1")}
    redis.write(signs | {"RA": reading(16.2), "I1": reading(27), "I2": reading(20)})
    redis.write({"IS": reading(30), "11": reading(0), "21": reading(0), "S1": reading(0)})
    return network(*room_house(WarmUp=6.0), Redis={"URL": redis.url}, Rooms=ROOMS)


@pytest_asyncio.fixture(loop_scope="session")
async def schedule(gateway: Gateway, home: Network) -> AsyncIterator[Schedule]:
    """Run the Schedule node beside the gateway."""
    schedule = Schedule("SC", home)
    async with running(schedule):
        yield schedule


def tile(page: Page, code: str) -> Locator:
    return page.locator(f'.tile[data-room="{code}"]')


async def known(page: Page) -> None:
    """Wait until the page shows what the Schedule node says."""
    await expect(tile(page, "ZK").locator("[data-part=wish]")).to_have_text("17°")


WORDS = {
    "en": ("Boost for 1 hour", "Undo", "Away…", "Friday to Sunday", "Leave", "I am home"),
    "fr": ("Boost pendant 1 heure", "Défaire", "Absence…", "De vendredi à dimanche", "Partir",
           "Je suis rentré"),
}  # fmt: skip


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize(("width", "language"), [(390, "en"), (1280, "fr")])
async def test_warm_a_room_undo_and_leave(
    show: Show, schedule: Schedule, width: int, language: str
) -> None:
    boost, undo, away, weekend, leave, home = WORDS[language]
    page = await show(width=width, language=language, role=Role.OPERATOR)
    await known(page)
    # Two taps warm a room for an hour; the dialog says before what comes of it, and closes.
    await tile(page, "ZK").locator(".name").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator("#boost-said li")).to_have_count(2)
    await expect(dialog.locator("#layers [data-decides]").first).to_be_visible()
    await dialog.get_by_role("button", name=boost).click()
    await expect(dialog).not_to_be_visible()
    wish = tile(page, "ZK").locator("[data-part=wish]")
    await expect(wish).to_have_text("20°")
    assert schedule.versions.document["hand"]["Kitchen"][0]["boost"] is True
    await page.locator(".toast.undo").get_by_role("button", name=undo).click()
    await expect(wish).to_have_text("17°")
    assert not schedule.versions.document["hand"]
    # Three taps leave from Friday to Sunday.
    await page.get_by_role("button", name=away).click()
    await page.get_by_role("button", name=weekend).click()
    await page.get_by_role("button", name=leave).click()
    await expect(page.get_by_role("button", name=home)).to_be_visible()
    absence = schedule.versions.document["absence"]
    back = datetime.fromtimestamp(absence["until_ms"] / 1000)
    assert (back.isoweekday(), back.hour) == (7, 18)
    await page.get_by_role("button", name=home).click()
    await expect(page.get_by_role("button", name=away)).to_be_visible()


@pytest.mark.usefixtures("schedule")
async def test_taps_on_plus_are_one_wish_and_the_rooms_have_an_order_of_ones_own(
    show: Show, schedule: Schedule
) -> None:
    page = await show(width=390, role=Role.OPERATOR)
    await known(page)
    warmer = page.get_by_role("button", name="Kitchen: warmer")
    for _ in range(3):
        await warmer.click()
    await expect(page.locator(".toast.undo")).to_contain_text("Kitchen: 18.5°")
    assert len(schedule.versions.changes) == 1
    await tile(page, "ZH").get_by_role("button", name="comfort").click()
    await expect(tile(page, "ZH").locator("[aria-pressed=true]")).to_have_text("comfort")
    await page.get_by_role("button", name="Arrange").click()
    await page.get_by_role("button", name="Hall: earlier").click()
    await page.reload()
    await expect(page.locator(".tile h2").first).to_have_text("Hall")


@pytest.mark.usefixtures("schedule")
async def test_the_rooms_keep_no_one_out_and_stand_still(show: Show, sound: Sound) -> None:
    page = await show(width=390, role=Role.OPERATOR)
    await known(page)
    shifts = await page.evaluate(SHIFTS)
    assert sum(value for value, _ in shifts) < MOST, shifts
    await fits(page)
    await page.set_viewport_size({"width": 390, "height": 900})
    await sound(page)
    assert await page.evaluate(SMALL) == []
    await tile(page, "ZK").locator(".name").click()
    await expect(page.locator("#layers dt").first).to_be_visible()
    await sound(page)
    assert await page.evaluate(SMALL) == []


async def test_what_is_not_known_is_said_first(show: Show) -> None:
    page = await show(width=390)  # no Schedule node runs
    await expect(page.locator("#plan-away")).to_contain_text("The wishes of the rooms")
    await expect(tile(page, "ZK").locator("[data-part=wish]")).to_have_text("?")
    await expect(tile(page, "ZK").locator("[data-part=temp]")).to_have_text("16.2°")
    await expect(tile(page, "ZK")).to_have_attribute("data-unknown", "")
    await expect(tile(page, "ZK").locator(".phrase")).to_contain_text("its wish is not known")


PLAN = {
    "en": ("Add a slot", "all days", "Save the week", "Monday"),
    "fr": ("Ajouter un créneau", "tous les jours", "Enregistrer la semaine",
           "Lundi"),
}  # fmt: skip


@pytest.mark.parametrize(("width", "language"), [(390, "fr"), (1280, "en")])
async def test_the_week_of_a_room(
    show: Show, schedule: Schedule, sound: Sound, width: int, language: str
) -> None:
    add, all_days, save, monday = PLAN[language]
    page = await show("/plan", width=width, language=language, role=Role.OPERATOR, live=False)
    await expect(page.locator("#changes li")).to_have_count(1)
    first = page.locator(".day[data-day='1']")
    await first.get_by_role("button", name=monday).first.click()
    await page.get_by_role("button", name=add).click()
    edge = first.locator(".edge")
    await expect(edge).to_have_attribute("aria-valuetext", "12:00")
    # A finger drags it by a quarter of the day, and the arrow keys move it by a quarter of an hour.
    lane = await standing(first.locator(".edges"))
    middle = lane["y"] + lane["height"] / 2
    await page.mouse.move(lane["x"] + lane["width"] / 2, middle)
    await page.mouse.down()
    await page.mouse.move(lane["x"] + lane["width"] / 4, middle, steps=4)
    await page.mouse.up()
    await expect(edge).to_have_attribute("aria-valuetext", "06:00")
    await edge.press("ArrowRight")
    await expect(edge).to_have_attribute("aria-valuetext", "06:15")
    await expect(page.locator("#ahead-said")).to_have_text(PREVIEWED[language])
    assert not schedule.versions.changes
    # Two slots at one time are refused at their day, and are mended there.
    await page.get_by_role("button", name=add).click()
    times = first.locator("input[type=time]")
    await times.nth(2).fill("06:15")
    await times.nth(2).press("Tab")
    await expect(first.locator(".conflict")).to_contain_text("06:15")
    await expect(page.get_by_role("button", name=save)).to_be_disabled()
    await first.locator(".slot .square").nth(2).click()
    await expect(first.locator(".conflict")).not_to_be_visible()
    await page.get_by_role("button", name=all_days).click()
    await sound(page)
    assert await page.evaluate(SMALL) == []
    await fits(page)
    await page.get_by_role("button", name=save).click()
    await expect(page.locator("#changes li").first).to_contain_text(SET_WEEK[language])
    week = week_of(schedule.versions.document["scheduler"], "Kitchen")
    assert [(slot["start"], slot["value"]) for slot in week["B"]["7"]] == [
        ("00:00", 17.0),
        ("06:15", 19.0),
    ]
    await page.locator("#undo").click()
    await expect(page.locator("#changes li").first).not_to_contain_text(SET_WEEK[language])


SET_WEEK = {"en": "Kitchen: a new week", "fr": "Cuisine : nouvelle semaine"}
PREVIEWED = {
    "en": "As it would be, after saving",
    "fr": "Comme ce serait, une fois enregistré",
}


@pytest.mark.usefixtures("schedule")
@pytest.mark.parametrize("language", ["en", "fr"])
async def test_the_plan_stands_still_on_a_telephone(show: Show, language: str) -> None:
    page = await show("/plan", width=390, language=language, role=Role.OPERATOR, live=False)
    await expect(page.locator("#changes li")).to_have_count(1)
    await expect(page.locator("#ahead .r").first).to_be_visible()
    assert await page.evaluate(SHIFTS) == []


async def test_a_viewer_sees_the_week_and_changes_nothing(show: Show, schedule: Schedule) -> None:
    page = await show("/plan?room=ZH", width=390, live=False)
    await expect(page.locator("#changes li")).to_have_count(1)
    assert await page.locator(".edge, #save, #undo").count() == 0
    assert not schedule.versions.changes
