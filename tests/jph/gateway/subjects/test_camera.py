"""Cameras: pictures through the gateway, and nothing but pictures, from nowhere but the config."""

import asyncio
import contextlib
import logging
import threading
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jph.config.model import Network
from jph.errors import ConfigError
from jph.gateway.accounts.roles import Role
from jph.gateway.camera import feed, fetch
from jph.gateway.camera.node import Camera
from jph.gateway.camera.pictures import LARGEST, NoPicture, Splitter, boundary_of, picture
from jph.gateway.camera.settings import CameraSettings
from jph.gateway.node import Gateway
from jph.node import kinds
from nodes.controlprogram import ListeningProgram, on_bus
from tests.jph.gateway.fakecamera import JPEG, OTHER, FakeCamera, camera, snapshot, stream
from tests.jph.gateway.houses import node
from tests.jph.gateway.people import logged_in
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running, until

MakeNetwork = Callable[..., Network]
PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 50


class TestPictures:
    def test_only_pictures_pass(self) -> None:
        assert picture(JPEG) == (JPEG, "image/jpeg")
        assert picture(JPEG + b"<script>").content == JPEG
        assert picture(PNG).media_type == "image/png"
        for other in (b"", b"<html><script>alert(1)</script>", b"GIF89a", b"\xff\xd8\xff no end"):
            with pytest.raises(NoPicture):
                picture(other)
        with pytest.raises(NoPicture, match="too large"):
            picture(JPEG[:-2] + b"x" * LARGEST + JPEG[-2:])

    @pytest.mark.parametrize(
        ("header", "boundary"),
        [
            ("multipart/x-mixed-replace; boundary=frame", b"--frame"),
            ('Multipart/X-Mixed-Replace;boundary="a b"; x=y', b"--a b"),
            ("multipart/x-mixed-replace; boundary=--myboundary", b"--myboundary"),
            ("multipart/x-mixed-replace", None),
            ("image/jpeg; boundary=frame", None),
            ("", None),
        ],
    )
    def test_boundaries(self, header: str, boundary: bytes | None) -> None:
        assert boundary_of(header) == boundary

    @pytest.mark.parametrize("step", [1, 7, 1000, 100_000])
    @pytest.mark.parametrize("lengths", [True, False])
    @pytest.mark.parametrize("end", [b"\r\n", b"\n"])
    def test_a_stream_in_any_slices(self, step: int, lengths: bool, end: bytes) -> None:
        body = b"preamble" + end
        for content in (JPEG, OTHER, JPEG):
            head = b"--x" + end + b"Content-Type: image/jpeg" + end
            if lengths:
                head += b"content-length: %d" % len(content) + end
            body += head + end + content + end
        body += b"--x--" + end
        splitter = Splitter(b"--x")
        found = [
            each.content
            for at in range(0, len(body), step)
            for each in splitter.feed(body[at : at + step])
        ]
        assert found == [JPEG, OTHER, JPEG]

    @pytest.mark.parametrize(
        "body",
        [
            b"--x\r\n" + b"a" * 10_000,
            b"--x\r\nContent-Length: 99999999\r\n\r\n",
            b"--x\r\nContent-Length: 5\r\n\r\n<htm>",
            b"--x\r\n\r\nno picture\r\n--x",
        ],
    )
    def test_what_is_no_stream_of_pictures(self, body: bytes) -> None:
        with pytest.raises(NoPicture):
            list(Splitter(b"--x").feed(body))

    @given(st.lists(st.binary(max_size=200), max_size=20))
    def test_any_bytes(self, chunks: list[bytes]) -> None:
        splitter = Splitter(b"--")
        with contextlib.suppress(NoPicture):
            for chunk in chunks:
                for each in splitter.feed(chunk):
                    assert each.content.startswith((b"\xff\xd8\xff", b"\x89PNG"))

    def test_a_stream_without_an_end_is_given_up(self) -> None:
        splitter = Splitter(b"--x")
        assert list(splitter.feed(b"--x\r\n\r\n" + b"a" * LARGEST)) == []
        with pytest.raises(NoPicture, match="too large"):
            list(splitter.feed(b"a" * 5000))


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "",
            "file:///etc/passwd",
            "ftp://host/x",
            "gopher://host",
            "//host/x",
            "http://",
            "http://host:99999/",
            "http://host/a b",
            "http://host/\r\nHost: other",
            "http://hóst/",
            "javascript:alert(1)",
        ],
    )
    def test_addresses_that_are_none(self, network: MakeNetwork, url: str) -> None:
        house = network(node("CA", "Camera", Sensor={"URL": url}))
        with pytest.raises(ConfigError) as refused:
            Camera.check_settings(house.sensor("CA"))
        assert "expected" in str(refused.value)

    def test_a_mistake_does_not_repeat_the_password(self, network: MakeNetwork) -> None:
        house = network(node("CA", "Camera", Sensor={"URL": "ftp://ann:hunter2@host/"}))
        with pytest.raises(ConfigError) as refused:
            Camera.check_settings(house.sensor("CA"))
        assert "hunter2" not in str(refused.value)

    def test_credentials_are_taken_apart(self) -> None:
        target = CameraSettings(url="https://ann:p%40ss@cam.lan/x?y=1").target("")
        assert target == (True, "cam.lan", 443, "/x?y=1", "ann", "p@ss")
        assert CameraSettings(url="http://cam").target("secret").password == "secret"
        assert kinds.find("Camera") is Camera


def home(network: MakeNetwork, redis: RedisProcess, **settings: Any) -> Network:
    """Return a house with one camera, readable by any client."""
    return network(
        node("CA", "Camera", "Garden", Sensor=settings),
        node("CF", "Gateway", Sensor={"Port": 0, "Public": "read"}),
        Redis={"URL": redis.url},
    )


@contextlib.asynccontextmanager
async def opened(house: Network) -> AsyncIterator[tuple[Gateway, httpx.AsyncClient]]:
    """Give a gateway and a client of it that may look at cameras."""
    page = Gateway("CF", house)
    async with running(page), logged_in(page, Role.VIEWER) as client:
        client.timeout = httpx.Timeout(LIMIT_S)
        yield page, client


async def trouble(client: httpx.AsyncClient) -> str:
    answer = await client.get("/api/camera/CA")
    assert (answer.status_code, answer.content) == (204, b"")
    return answer.headers["x-trouble"]


@pytest.fixture(autouse=True)
def patient_fetch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a camera be silent for as long as a slow machine makes it."""
    monkeypatch.setattr(fetch.pictures, "__kwdefaults__", {"timeout_s": LIMIT_S})
    monkeypatch.setattr(feed, "WATCHED_S", LIMIT_S)


@pytest.fixture
def fake() -> Any:
    with camera(snapshot()) as running_camera:
        yield running_camera


async def test_a_snapshot_through_the_gateway(
    network: MakeNetwork, redis: RedisProcess, fake: FakeCamera
) -> None:
    url = fake.url("/pic?x=1", who="ann:p%40ss@")
    async with opened(home(network, redis, URL=url, Mode="snapshot", Interval=0.1)) as (_, client):
        answer = await client.get("/api/camera/CA")
        assert (answer.status_code, answer.content) == (200, JPEG)
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        number = int(answer.headers["x-picture"])
        later = await client.get(f"/api/camera/CA?after={number}")
        assert int(later.headers["x-picture"]) > number
        assert fake.asked[0] == ("/pic?x=1", f"Basic {b64encode(b'ann:p@ss').decode()}")
        for path in ("/camera", "/api/camera", "/codifier/CA", "/sensor/CA", "/api/log"):
            text = (await client.get(path)).text
            assert "p@ss" not in text
            assert "p%40ss" not in text
            assert str(fake.port) not in text


async def test_a_stream_is_fetched_once_for_all(
    network: MakeNetwork, redis: RedisProcess, fake: FakeCamera
) -> None:
    over = threading.Event()
    fake.answer = stream([JPEG, OTHER], then=over)
    async with opened(home(network, redis, URL=fake.url())) as (_, client):
        answers = await asyncio.gather(*(client.get("/api/camera/CA") for _ in range(8)))
        assert {answer.status_code for answer in answers} == {200}
        assert all(answer.content in (JPEG, OTHER) for answer in answers)
        assert (await client.get("/api/camera/CA")).content == OTHER
        assert len(fake.asked) == 1
        over.set()


async def test_the_browser_never_says_where(
    network: MakeNetwork, redis: RedisProcess, fake: FakeCamera
) -> None:
    async with opened(home(network, redis, URL=fake.url("/live"))) as (_, client):
        for path in (
            "/api/camera/..%2f..%2fetc%2fpasswd",
            "/api/camera/../../etc/passwd",
            "/api/camera/CA/../../secret",
            "/api/camera/CA/other",
            "/api/camera/CA%2Fother",
            "/api/camera/http:%2f%2f10.0.0.1",
            f"/api/camera/{fake.url('/other')}",
            "/api/camera/CF",
            "/api/camera/ZZ",
        ):
            assert (await client.get(path)).status_code in (400, 404), path
        await client.get("/api/camera/CA?url=http://10.0.0.1/&path=/other&URL=x")
        await client.get(
            "/api/camera/CA", headers={"X-Original-URL": "/other", "Range": "bytes=1-"}
        )
        assert {path for path, _ in fake.asked} == {"/live"}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(
    network: MakeNetwork, redis: RedisProcess, fake: FakeCamera, status: int
) -> None:
    with camera(snapshot()) as other:
        fake.answer = snapshot(b"", status, Location=other.url("/internal"))
        async with opened(home(network, redis, URL=fake.url())) as (_, client):
            assert "elsewhere" in await trouble(client)
        assert other.asked == []


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (snapshot(b"<script>alert(1)</script>", kind="text/html"), "no picture"),
        (snapshot(b"<svg xmlns='http://www.w3.org/2000/svg'/>", kind="image/svg+xml"), "no pict"),
        (snapshot(JPEG[:-2] + b"x" * LARGEST + JPEG[-2:]), "too large"),
        (snapshot(b"", 401), "it answers 401"),
        (snapshot(b"", 500), "it answers 500"),
        (lambda request: request.wfile.write(b"nonsense\r\n\r\n"), "does not speak HTTP"),
    ],
)
async def test_what_is_no_picture_never_arrives(
    network: MakeNetwork, redis: RedisProcess, fake: FakeCamera, answer: Any, why: str
) -> None:
    fake.answer = answer
    async with opened(home(network, redis, URL=fake.url())) as (_, client):
        assert why in await trouble(client)


async def test_a_camera_that_hangs_or_is_not_there(
    network: MakeNetwork,
    redis: RedisProcess,
    fake: FakeCamera,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    over = threading.Event()

    def hang(_: object) -> None:
        over.wait(LIMIT_S)

    fake.answer = hang
    monkeypatch.setattr(fetch.pictures, "__kwdefaults__", {"timeout_s": 0.2})
    async with opened(home(network, redis, URL=fake.url(who="ann:hunter2@"))) as (_, client):
        assert "in time" in await trouble(client)
        over.set()
        fake.answer = snapshot()
        monkeypatch.setattr(feed, "RETRY_S", 0.05)
        async with asyncio.timeout(LIMIT_S):
            while (await client.get("/api/camera/CA")).status_code != 200:
                pass
    assert "no picture of camera CA" in caplog.text
    assert "hunter2" not in caplog.text
    assert str(fake.port) not in caplog.text


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0"]
)
def test_a_camera_that_dawdles_for_ever_is_left(
    fake: FakeCamera, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(fetch, "SLOWEST_S", 0.3)
    over = threading.Event()

    def drip(request: Any) -> None:
        request.wfile.write(said)
        until_s = time.monotonic() + LIMIT_S
        while not over.wait(0.02) and time.monotonic() < until_s:
            request.wfile.write(b"0")

    fake.answer = drip
    target = CameraSettings(url=fake.url()).target("")
    began_s = time.monotonic()
    try:
        with pytest.raises(NoPicture):
            list(fetch.pictures(target, lambda: time.monotonic() < began_s + LIMIT_S))
    finally:
        over.set()
    assert time.monotonic() - began_s < LIMIT_S


@contextlib.asynccontextmanager
async def visited(house: Network) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that has not logged in."""
    page = Gateway("CF", house)
    async with running(page), httpx.AsyncClient(base_url=page.url, timeout=LIMIT_S) as client:
        yield client


async def test_who_may_look(network: MakeNetwork, redis: RedisProcess, fake: FakeCamera) -> None:
    settings = {"URL": fake.url(), "Mode": "snapshot"}
    async with visited(home(network, redis, **settings)) as visitor:
        assert (await visitor.get("/api/camera/CA")).status_code == 401
        assert (await visitor.get("/api/camera")).json() == []
        shown = (await visitor.get("/camera")).text
        assert "Garden" not in shown
        assert "Log in to see the cameras." in shown
    assert fake.asked == []


async def test_a_public_camera(network: MakeNetwork, redis: RedisProcess, fake: FakeCamera) -> None:
    settings = {"URL": fake.url(), "Mode": "snapshot", "Public": True}
    async with visited(home(network, redis, **settings)) as visitor:
        assert (await visitor.get("/api/camera/CA")).content == JPEG
        assert "Garden" in (await visitor.get("/camera")).text


async def test_nobody_looks_nobody_asks(
    network: MakeNetwork,
    redis: RedisProcess,
    fake: FakeCamera,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ahead_s = [0.0]
    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + ahead_s[0], sleep=time.sleep)
    monkeypatch.setattr(feed, "time", clock)
    settings = {"URL": fake.url(), "Mode": "snapshot", "Interval": 0.1}
    async with opened(home(network, redis, **settings)) as (page, client):
        assert page._senses is not None
        watched = page._senses.cameras["CA"]
        assert fake.asked == []
        await client.get("/api/camera/CA")
        ahead_s[0] = feed.WATCHED_S
        await until(lambda: watched._thread is not None and not watched._thread.is_alive())
        asked = len(fake.asked)
        assert (await client.get("/api/camera/CA")).status_code == 200
        await until(lambda: len(fake.asked) > asked)


async def test_too_many_who_wait_are_refused(
    network: MakeNetwork,
    redis: RedisProcess,
    fake: FakeCamera,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feed, "MOST_WAITING", 2)
    over = threading.Event()
    fake.answer = stream([], then=over)
    async with opened(home(network, redis, URL=fake.url())) as (_, client):
        asking = [asyncio.create_task(client.get("/api/camera/CA")) for _ in range(4)]
        await until(lambda: sum(task.done() for task in asking) == 2)
        refused = [task.result().status_code for task in asking if task.done()]
        assert refused == [429, 429]
        over.set()
        await asyncio.gather(*asking)


async def test_a_house_without_cameras(network: MakeNetwork, redis: RedisProcess) -> None:
    bare = network(node("CF", "Gateway", Sensor={"Port": 0}), Redis={"URL": redis.url})
    async with opened(bare) as (_, client):
        page = (await client.get("/camera")).text
        assert "No camera is configured." in page
        assert 'href="/camera"' not in page


async def test_the_node_says_whether_pictures_come(
    network: MakeNetwork, redis: RedisProcess, fake: FakeCamera, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    settings = {"URL": fake.url(who="ann:hunter2@"), "Mode": "snapshot"}
    house = network(
        node("CA", "Camera", SensorInterval=0.05, Sensor=settings), node("CC", "ControlProgram")
    )
    async with on_bus(ListeningProgram("CC", house)) as console, running(Camera("CA", house)):
        said: list[Any] = []
        console.read = lambda readings: said.extend(r.value for r in readings if r.flag != "n")
        await until(lambda: 1 in said)
        fake.answer = snapshot(b"", 404)
        await until(lambda: 0 in said)
    assert "it answers 404" in caplog.text
    assert "hunter2" not in caplog.text
