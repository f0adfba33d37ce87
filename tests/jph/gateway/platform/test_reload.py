"""Settings of the gateway that a reload applies, and a Unix socket for a proxy."""

import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.jph.gateway import people
from tests.jph.gateway.houses import house
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running


async def test_a_reload_applies_who_may_look_and_by_which_name(
    network: Callable[..., Network], redis: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    def home(**settings: object) -> Network:
        return network(*house({"Port": 0, **settings}), Redis={"URL": redis.url})

    gateway = Gateway("CF", home(Public="read"))
    async with running(gateway), httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as http:
        named = {"Host": "jph.example.org"}
        assert (await http.get("/api/me")).status_code == 200
        assert (await http.get("/api/me", headers=named)).status_code == 421
        await _reload(gateway, home(Hosts=["jph.example.org"], Proxies=["127.0.0.1"]))
        assert (await http.get("/api/me")).status_code == 401
        assert (await http.get("/login", headers=named)).status_code == 200
        secure = await http.get("/login", headers={"X-Forwarded-Proto": "https"})
        assert "strict-transport-security" in secure.headers
        assert "restart" not in caplog.text
        await _reload(gateway, home(Port=1))
        assert "Port: changed in the config, needs a restart" in caplog.text


async def _reload(gateway: Gateway, network: Network) -> None:
    async def read() -> Network:
        return network

    await gateway._reload_once(read, "CC")


async def test_a_proxy_may_come_through_a_unix_socket(
    network: Callable[..., Network], redis: RedisProcess, tmp_path: Path
) -> None:
    path = tmp_path / "page.sock"
    home = network(*house({"Port": 0, "Socket": str(path)}), Redis={"URL": redis.url})
    gateway = Gateway("CF", home)
    async with running(gateway):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        await people.add(gateway, "ann", Role.ADMIN)
        through = httpx.AsyncHTTPTransport(uds=str(path))
        forged = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
        body = {"name": "ann", "password": "wrong"}
        async with httpx.AsyncClient(
            transport=through, base_url="http://localhost", timeout=LIMIT_S
        ) as proxy:
            answer = await proxy.post("/api/login", json=body, headers=forged)
            assert answer.status_code == 401
        async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as local:
            assert (await local.post("/api/login", json=body, headers=forged)).status_code == 401
        assert gateway._accounts is not None
        lines = await gateway._accounts.run(
            lambda file: [each[0] for each in file.execute("SELECT address FROM audit")]
        )
        assert lines == ["192.0.2.7", "127.0.0.1"], "no local user can forge an address"
