"""The shipped nginx and Caddy files: login, commands, stream, another port, a sub-path."""

import asyncio
import contextlib
import os
import re
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest

from jph.config.model import Network
from jph.gateway.accounts import passwords
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from tests.jph.gateway import people
from tests.jph.gateway.conftest import Plain
from tests.jph.gateway.houses import house
from tests.jph.gateway.platform.test_proxies import certificate
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, REPOSITORY, tcp_port

DEPLOY = REPOSITORY / "deploy"
NGINX = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
NAME = "jph.example.org"


@contextlib.asynccontextmanager
async def program(*command: str | Path, port: int) -> AsyncIterator[None]:
    """Run a proxy until the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )

    async def answers() -> bool:
        assert process.returncode is None, "the proxy has ended"
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    try:
        async with asyncio.timeout(LIMIT_S):
            while not await answers():  # noqa: ASYNC110 - nginx sends no sign of its own
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def nginx_conf(directory: Path, port: int, upstream: str, *, prefix: str = "") -> Path:
    """Return the shipped file with a port, a certificate and an upstream of this test."""
    cert, key = certificate(directory)
    text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    text = text[: text.index("server {\n    listen 80;")]
    text = re.sub(r"    listen \[::\].*\n", "", text)
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    text = re.sub(r"ssl_certificate +\S+;", f"ssl_certificate {cert};", text)
    text = re.sub(r"ssl_certificate_key +\S+;", f"ssl_certificate_key {key};", text)
    text = text.replace("    location / {", f"    location {prefix}/ {{")
    text = text.replace("proxy_pass http://127.0.0.1:8080;", f"proxy_pass {upstream};")
    if prefix:
        text = text.replace('X-Forwarded-Prefix "";', f"X-Forwarded-Prefix {prefix};")
    places = "".join(
        f"{each}_temp_path {directory}/{each};\n"
        for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = directory / "nginx.conf"
    conf.write_text(
        f"daemon off; pid {directory}/pid; error_log stderr;\n"
        # The workers of a root nginx are of another user, who may not use the socket of this test.
        f"{'user root;' if os.geteuid() == 0 else ''}\n"
        f"events {{}}\nhttp {{ access_log off;\n{places}{text}}}\n"
    )
    return conf


@contextlib.asynccontextmanager
async def behind_nginx(
    gateway: Gateway, directory: Path, upstream: str, prefix: str = ""
) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client of the gateway behind nginx."""
    assert NGINX is not None
    with tcp_port() as port:
        conf = nginx_conf(directory, port, upstream, prefix=prefix)
        trust = ssl.create_default_context(cafile=directory / "cert.pem")
        trust.check_hostname = False
        async with (
            program(NGINX, "-c", conf, "-p", directory, "-e", "stderr", port=port),
            httpx.AsyncClient(
                base_url=f"https://127.0.0.1:{port}{prefix}",
                verify=trust,
                timeout=LIMIT_S,
                # As a browser that knows no Sec-Fetch-Site, at https://jph.example.org:PORT.
                headers={"Host": f"{NAME}:{port}", "Origin": f"https://{NAME}:{port}"},
            ) as client,
        ):
            yield client


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess, tmp_path: Path) -> Network:
    """Return the house, whose page trusts a proxy on this machine and one at a Unix socket."""
    settings = {
        "Port": 0,
        "Hosts": [NAME],
        "Proxies": ["127.0.0.1"],
        "Socket": str(tmp_path / "page.sock"),
    }
    return network(*house(settings), Redis={"URL": redis.url})


@pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
@pytest.mark.parametrize("prefix", ["", "/jph"])
@pytest.mark.parametrize("through", ["tcp", "unix"])
async def test_nginx(
    gateway: Gateway, meter: Plain, tmp_path: Path, prefix: str, through: str
) -> None:
    await people.add(gateway, "ann", Role.ADMIN, passwords.hash_of(people.PASSWORD))
    tail = "/" if prefix else ""
    upstream = f"{gateway.url}{tail}"
    if through == "unix":
        upstream = f"http://unix:{tmp_path / 'page.sock'}:{tail}".removesuffix("" if tail else ":")
    async with behind_nginx(gateway, tmp_path, upstream, prefix) as client:
        page = await client.get("/login")
        assert page.status_code == 200
        sheet = re.search(r'href="([^"]+/base\.css)"', page.text)
        assert sheet is not None
        assert sheet[1].startswith(f"{prefix}/static/")
        body = {"name": "ann", "password": people.PASSWORD}
        login = await client.post("/api/login", json=body)
        assert login.status_code == 200, login.text
        cookie = login.headers["set-cookie"].split(";")[0]
        assert cookie.startswith("__Host-jph-CF=")
        client.headers["cookie"] = cookie
        assert (await client.post("/api/network/TI/ping")).json()["answered"] is True
        assert f'href="{prefix}/network"' in (await client.get("/")).text
        async with client.stream("GET", "/api/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    break
        client.headers["origin"] = "https://evil.example.com"
        assert (await client.post("/api/network/TI/ping")).status_code == 403


@pytest.mark.skipif(shutil.which("caddy") is None, reason="caddy is not installed")
async def test_caddy(gateway: Gateway, meter: Plain, tmp_path: Path) -> None:
    with tcp_port() as port:
        text = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
        text = text.replace(f"\n{NAME} {{", f"\nhttp://:{port} {{")
        text = text.replace("127.0.0.1:8080", gateway.url.removeprefix("http://"))
        conf = tmp_path / "Caddyfile"
        conf.write_text("{\n\tadmin off\n}\n" + text)
        await people.add(gateway, "ann", Role.ADMIN, passwords.hash_of(people.PASSWORD))
        caddy = shutil.which("caddy")
        assert caddy is not None
        async with (
            program(caddy, "run", "--config", conf, "--adapter", "caddyfile", port=port),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT_S) as client,
        ):
            client.headers["origin"] = f"http://127.0.0.1:{port}"
            body = {"name": "ann", "password": people.PASSWORD}
            assert (await client.post("/api/login", json=body)).status_code == 200
            assert (await client.post("/api/network/TI/ping")).json()["answered"] is True
            assert meter.active
