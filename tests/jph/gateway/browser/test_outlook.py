"""Energy, log, diagram, camera and pool in a real browser: what a person sees and does there."""

import logging
import re
import struct
import zlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from jph.net.log_channel import LogBusHandler
from jph.node.node import Node
from nodes.jphredis import JphRedis
from nodes.pool import Pool
from tests.jph.gateway.browser.conftest import Show, Sound
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.fakecamera import FakeCamera, camera, snapshot
from tests.jph.gateway.houses import element, house, node
from tests.jph.gateway.people import cookie_of
from tests.jph.gateway.stage import RedisProcess
from tests.support import running, until

WIDTHS = (390, 1280)
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture
def garden() -> Iterator[FakeCamera]:
    """Yield a camera that sends a picture of one pixel."""
    with camera(snapshot(png(), kind="image/png")) as fake:
        yield fake


def png() -> bytes:
    """Return a PNG of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0\1\2\3")) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture
def home(
    network: Callable[..., Network],
    redis: RedisProcess,
    ports: tuple[int, int],
    garden: FakeCamera,
) -> Network:
    """Return a house with a log channel, a pool and a camera."""
    pool = {"Temperature": "RA", "Mode": "PM", "State": "PS"}
    seen = {"URL": garden.url(), "Mode": "snapshot", "Public": True}
    return network(
        *house({"Port": 0, "Public": "read"}),
        node("PO", "Pool", "Pool", SensorInterval=0.2, DataType="bool", Sensor=pool),
        element("PM", "PO", "Switch", Control="enabled"),
        element("PS", "PO", "State", DataType="json"),
        node("CA", "Camera", EVIL, Sensor=seen),
        Redis={"URL": redis.url},
        Multicast={"Log-Channel": {"Address": "239.255.91.3", "Port": ports[0]}},
    )


@pytest_asyncio.fixture(loop_scope="session")
async def gateway(home: Network, meter: Plain) -> AsyncIterator[Gateway]:
    """Yield the gateway, with a meter, a pool and a cache beside it."""
    page = Gateway("CF", home)
    others: list[Node] = [Pool("PO", home), JphRedis("R1", home)]
    async with running(meter, *others, page):
        assert page._senses is not None
        book = page._senses.logbook
        await until(lambda: book.joined)
        yield page


@pytest.fixture
def say(home: Network) -> Iterator[Callable[..., None]]:
    """Yield what logs a line as a node does."""
    handler = LogBusHandler(home.multicast, host="attic")
    logger = logging.getLogger("tests.outlook")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)

    def line(text: str, code: str = "TI", level: int = logging.INFO) -> None:
        logger.log(level, "%s", text, extra={"codifier": code})

    yield line
    logger.removeHandler(handler)
    handler.close()


async def fits(page: Page) -> None:
    """Fail if the page scrolls sideways."""
    wide = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{wide} px too wide"


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_log_as_it_comes(
    show: Show, sound: Sound, say: Callable[..., None], width: int
) -> None:
    page = await show("/log", width=width)
    say("sunrise", "C1")
    say(EVIL, level=logging.WARNING)
    lines = page.locator("#lines li[data-level]")
    await expect(lines).to_have_count(2)
    await expect(lines.nth(1)).to_contain_text(EVIL)
    assert await page.locator("#lines img").count() == 0

    await page.locator("#level").select_option("WARNING")
    await expect(lines).to_have_count(1)
    await page.locator("#level").select_option("DEBUG")
    await page.locator("#text").fill("SUN")
    await expect(lines).to_have_count(1)
    await expect(page).to_have_url(re.compile(r"text=SUN"))
    await page.locator("#text").fill("")
    await lines.first.get_by_role("button", name="C1").click()
    await expect(page.locator("#code")).to_have_value("C1")
    await expect(lines).to_have_count(1)
    await page.locator("#code").select_option("")

    await page.get_by_role("button", name="Pause").click()
    say("while no client looks")
    await expect(page.get_by_role("button", name="Go on (1 new)")).to_be_visible()
    await expect(lines).to_have_count(2)
    await page.get_by_role("button", name="Go on").click()
    await expect(lines).to_have_count(3)
    await fits(page)
    await sound(page)


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_diagram_of_the_network(show: Show, sound: Sound, width: int) -> None:
    page = await show("/diagram", width=width)
    await expect(page.locator("#picture svg .node")).to_have_count(10)
    meter = page.locator("#list tr", has_text="TI")
    await expect(meter).to_contain_text("alive")
    await expect(page.locator("#said")).to_contain_text("missing:")
    await expect(page.locator("#said")).to_contain_text("P1")
    await expect(page.locator("#picture .node[data-state='silent']").first).to_be_visible()
    await fits(page)
    await sound(page)
    await page.locator("#picture .node a", has_text="TI").first.click()
    await expect(page).to_have_url(re.compile("/codifier/TI$"))


@pytest.mark.parametrize("width", WIDTHS)
async def test_a_camera_shows_and_says_when_it_does_not(
    show: Show, sound: Sound, garden: FakeCamera, width: int
) -> None:
    page = await show("/camera", width=width)
    canvas = page.locator("[data-camera=CA] canvas")
    await expect(canvas).to_have_js_property("width", 1)
    pixel = await canvas.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 1, 1).data]")
    assert pixel == [1, 2, 3, 255]
    await expect(page.locator("h2")).to_have_text(EVIL)
    assert await page.locator("main img").count() == 0
    await fits(page)
    await sound(page)
    garden.answer = snapshot(b"<script>alert(1)</script>", kind="text/html")
    said = page.locator("[data-camera=CA] [data-part=said]")
    await expect(said).to_have_text("No picture: it sends something that is no picture")
    garden.answer = snapshot(png(), kind="image/png")
    await expect(said).to_have_text("")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("width", WIDTHS)
async def test_the_pool_and_its_switch(
    show: Show, sound: Sound, gateway: Gateway, width: int
) -> None:
    page = await show("/pool", width=width)
    await expect(page.locator("[data-part=mode]")).to_have_text("Automatic")
    await page.context.add_cookies([await cookie_of(gateway, Role.OPERATOR)])
    await page.reload()
    await expect(page.get_by_role("button", name="Automatic")).to_have_attribute(
        "aria-pressed", "true"
    )
    await page.get_by_role("button", name="On", exact=True).click()
    await expect(page.locator("[data-part=pump]")).to_have_text("runs")
    await expect(page.get_by_role("button", name="On", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    await expect(page.locator("[data-part=next]")).to_have_text(
        "forced on until the switch says otherwise"
    )
    await expect(page.locator(".toast")).to_contain_text("PM")
    await page.get_by_role("button", name="Off", exact=True).click()
    await expect(page.locator("[data-part=pump]")).to_have_text("stands still")
    await expect(page.locator("svg .ran").first).to_be_visible()
    await fits(page)
    await sound(page)


async def test_all_of_it_in_french(show: Show) -> None:
    for path, words in (
        ("/log", "Tous les niveaux"),
        ("/diagram", "La même chose en liste"),
        ("/camera", "Plein écran"),
        ("/pool", "Filtration du jour"),
    ):
        page = await show(path, language="fr")
        await expect(page.locator("main")).to_contain_text(words)
        await expect(page.locator("#link")).to_have_text("en direct")


async def test_a_gateway_that_goes_is_told_and_found_again(show: Show) -> None:
    pages = [await show(path) for path in ("/log", "/diagram", "/pool")]
    for offline, mood in ((True, "bad"), (False, "good")):
        for page in pages:
            await page.context.set_offline(offline)
        for page in pages:
            await expect(page.locator("#link")).to_have_attribute("data-mood", mood)
