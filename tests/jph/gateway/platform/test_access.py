"""Access: roles, CSRF, forged requests, each tried."""

from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.houses import house
from tests.jph.gateway.people import COOKIE, logged_in, session_of
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running

COMMANDS = [
    ("POST", "/sensormsg/TI/H"),
    ("POST", "/sensormsg/TI/P"),
]
ADMINS = [
    ("GET", "/api/users"),
    ("POST", "/api/users"),
    ("PATCH", "/api/users/1"),
    ("DELETE", "/api/users/1"),
    ("DELETE", "/api/users/1/sessions"),
    ("GET", "/api/users/1/sessions"),
    ("GET", "/api/audit"),
    ("GET", "/users"),
]
OWN = [
    ("GET", "/api/tokens"),
    ("POST", "/api/tokens"),
    ("DELETE", "/api/tokens/1"),
    ("GET", "/api/sessions"),
    ("DELETE", "/api/sessions/1"),
    ("POST", "/api/password"),
    ("GET", "/account"),
]
READING = ["/", "/sensor/", "/sensor/TI", "/events", "/api/me", "/api/openapi.json", "/gaps"]


@pytest.fixture
async def closed(network: Callable[..., Network], redis: RedisProcess) -> AsyncIterator[Gateway]:
    """Yield a gateway that needs a login for everything."""
    sensors = house({"Port": 0})
    gateway = Gateway("CF", network(*sensors, Redis={"URL": redis.url}))
    async with running(gateway):
        yield gateway


@pytest.mark.parametrize(("method", "path"), [*COMMANDS, *ADMINS, *OWN])
async def test_a_visitor_commands_nothing(
    visitor: httpx.AsyncClient, meter: Plain, method: str, path: str
) -> None:
    assert (await visitor.request(method, path)).status_code == 401
    assert meter.active


@pytest.mark.parametrize(("method", "path"), [*COMMANDS, *ADMINS])
async def test_a_viewer_commands_nothing(
    viewer: httpx.AsyncClient, meter: Plain, method: str, path: str
) -> None:
    answer = await viewer.request(method, path)
    assert answer.status_code == 403
    assert "this needs the role" in answer.json()["error"]
    assert meter.active


@pytest.mark.parametrize(("method", "path"), ADMINS)
async def test_an_operator_keeps_no_accounts(
    operator: httpx.AsyncClient, method: str, path: str
) -> None:
    assert (await operator.request(method, path)).status_code == 403


@pytest.mark.parametrize("path", READING)
async def test_nothing_is_read_without_a_login(closed: Gateway, path: str) -> None:
    async with httpx.AsyncClient(base_url=closed.url, timeout=LIMIT_S) as visitor:
        assert (await visitor.get(path)).status_code == 401
        page = await visitor.get(path, headers={"Accept": "text/html"})
        assert page.status_code == 303
        assert page.headers["location"].startswith("/login")


async def test_what_a_login_needs_is_open(closed: Gateway) -> None:
    async with httpx.AsyncClient(base_url=closed.url, timeout=LIMIT_S) as visitor:
        page = await visitor.get("/login")
        assert page.status_code == 200
        for name in page.text.split('"/static/')[1:]:
            asset = await visitor.get("/static/" + name.split('"')[0])
            assert asset.status_code == 200
        health = await visitor.get("/healthz")
        assert health.status_code == 503, "this house has no cache"
        assert health.headers["content-type"].startswith("application/json")
    async with logged_in(closed, Role.VIEWER) as viewer:
        assert (await viewer.get("/")).status_code == 200


async def test_where_one_wanted_to_go_is_kept(closed: Gateway) -> None:
    async with httpx.AsyncClient(base_url=closed.url, timeout=LIMIT_S) as visitor:
        html = {"Accept": "text/html"}
        page = await visitor.get("/graphs?codes=I1&x=%2F", headers=html)
        assert page.headers["location"] == "/login?next=%2Fgraphs%3Fcodes%3DI1%26x%3D%252F"


class TestCsrf:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://evil.example.com"}, 403),
            ({"Sec-Fetch-Site": "cross-site"}, 403),
            ({"Sec-Fetch-Site": "same-site"}, 403),
            ({"Sec-Fetch-Site": "same-origin"}, 200),
            # Sec-Fetch-Site decides: behind a proxy, Host may lack the port that Origin has.
            ({"Sec-Fetch-Site": "same-origin", "Origin": "https://pi:8443"}, 200),
        ],
    )
    async def test_a_session_commands_from_its_own_page_only(
        self, gateway: Gateway, meter: Plain, headers: dict[str, str], status: int
    ) -> None:
        secret = await session_of(gateway, Role.OPERATOR)
        async with httpx.AsyncClient(
            base_url=gateway.url, cookies={COOKIE: secret}, timeout=LIMIT_S
        ) as client:
            answer = await client.post("/sensormsg/TI/P", headers=headers)
        assert answer.status_code == status

    async def test_the_cookie_comes_with_a_link_of_another_site(
        self, gateway: Gateway, operator: httpx.AsyncClient
    ) -> None:
        page = await operator.get("/", headers={"Sec-Fetch-Site": "cross-site"})
        assert "operator" in page.text


async def test_no_command_by_get(operator: httpx.AsyncClient, meter: Plain) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        answer = await operator.request(method, "/sensormsg/TI/H")
        assert answer.status_code in (204, 405)
    assert meter.active


async def test_a_method_of_ones_own_is_no_way_around(
    viewer: httpx.AsyncClient, meter: Plain
) -> None:
    headers = {"X-HTTP-Method-Override": "POST", "X-Forwarded-For": "127.0.0.1"}
    answer = await viewer.get("/sensormsg/TI/H", headers=headers)
    assert answer.status_code == 405
    assert meter.active


async def test_an_oversize_body_is_not_read(operator: httpx.AsyncClient, meter: Plain) -> None:
    answer = await operator.post("/sensormsg/TI/H", content=b"x" * 200_000)
    assert answer.status_code == 413
    assert meter.active


async def test_a_refusal_for_a_person_is_a_page(http: httpx.AsyncClient) -> None:
    answer = await http.get("/<script>", headers={"Accept": "text/html", "Accept-Language": "fr"})
    assert answer.status_code == 404
    assert "Cette page n’existe pas." in answer.text
    assert "<script>" not in answer.text.replace('<script type="', "")


async def test_a_body_of_brackets_is_refused(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    body = b'{"name": "x", "query": "", "other": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    for path in ("/api/graphs", "/api/login", "/api/heaters/orders"):
        answer = await http.post(path, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 400, path
    assert "the gateway failed" not in caplog.text
