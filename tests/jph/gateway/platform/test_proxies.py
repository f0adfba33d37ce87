"""TLS, directly and by a proxy; who is believed about the client."""

import asyncio
import contextlib
import datetime
import ipaddress
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from jph.config.model import Network
from jph.errors import ConfigError
from jph.gateway.accounts import passwords
from jph.gateway.accounts.roles import Role
from jph.gateway.live import stream
from jph.gateway.node import Gateway
from jph.gateway.platform.forwarded import behind_proxies, networks_of, place_in, prefix_of
from jph.gateway.platform.protection import Receive, Scope, Send
from tests.jph.gateway import people
from tests.jph.gateway.houses import house
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running

OURS = networks_of(["127.0.0.1", "10.0.0.0/24", "fd00::/64"])
HASH = passwords.hash_of(people.PASSWORD)


async def seen(peer: str, headers: dict[str, str], prefix: str = "", path: str = "/") -> Scope:
    """Return the scope that an application behind the proxies gets."""
    found: Scope = {}

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        found.update(scope)

    async def nothing(*_: object) -> dict[str, object]:
        return {}

    scope = {
        "type": "http",
        "client": (peer, 4711),
        "scheme": "http",
        "path": path,
        "headers": [(k.encode(), v.encode()) for k, v in ({"host": "pi"} | headers).items()],
    }
    await behind_proxies(app, OURS, prefix)(scope, nothing, nothing)
    return found


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("::ffff:127.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "1.2.3.4, 192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "192.0.2.7, 10.0.0.9", "192.0.2.7"),
        ("127.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("unix", "192.0.2.7", "192.0.2.7"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("192.0.2.9", "192.0.2.7", "192.0.2.9"),
        ("10.0.1.1", "192.0.2.7", "10.0.1.1"),
    ],
)
async def test_only_our_proxies_are_believed(peer: str, forwarded: str, client: str) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert (await seen(peer, headers))["client"][0] == client


@pytest.mark.parametrize(
    ("headers", "host", "any_port"),
    [
        ({}, "pi", True),
        ({"host": "pi:8443"}, "pi:8443", False),
        ({"x-forwarded-port": "8443"}, "pi:8443", False),
        ({"x-forwarded-port": "443", "x-forwarded-proto": "https"}, "pi", False),
        ({"x-forwarded-host": "jph.example.org:8443"}, "jph.example.org:8443", False),
        ({"x-forwarded-host": "<script>"}, "pi", False),
    ],
)
async def test_forwarded_host_and_port(headers: dict[str, str], host: str, any_port: bool) -> None:
    scope = await seen("127.0.0.1", headers)
    assert dict(scope["headers"])[b"host"].decode() == host
    assert place_in(scope).any_port is any_port
    scope = await seen("192.0.2.9", headers)
    assert dict(scope["headers"])[b"host"].decode() == headers.get("host", "pi")
    assert not place_in(scope).any_port


@pytest.mark.parametrize(
    ("peer", "sent", "setting", "path", "prefix", "inside"),
    [
        ("127.0.0.1", "/jph/", "", "/log", "/jph", "/log"),
        ("127.0.0.1", "/jph", "", "/jph/log", "/jph", "/log"),
        ("127.0.0.1", "", "/jph", "/log", "/jph", "/log"),
        ("192.0.2.9", "/evil", "/jph", "/jph", "/jph", "/"),
        ("127.0.0.1", "//evil.example.com", "", "/log", "", "/log"),
        ("192.0.2.9", "/evil", "", "/log", "", "/log"),
    ],
)
async def test_prefix(
    peer: str, sent: str, setting: str, path: str, prefix: str, inside: str
) -> None:
    headers = {"x-forwarded-prefix": sent} if sent else {}
    scope = await seen(peer, headers, setting, path)
    assert place_in(scope).prefix == prefix
    assert scope["path"] == inside


@pytest.mark.parametrize("text", ["jph", "//x", "/a b", "/<x>"])
def test_a_prefix_is_a_path(text: str) -> None:
    with pytest.raises(ConfigError, match="expected a path"):
        prefix_of(text)


@pytest.mark.parametrize("text", ["proxy.example.org", "", "10.0.0.0/99"])
def test_proxies_are_addresses(text: str) -> None:
    with pytest.raises(ConfigError, match="expected addresses or networks"):
        networks_of([text])


async def log_in(client: httpx.AsyncClient, **headers: str) -> httpx.Response:
    body = {"name": "ann", "password": people.PASSWORD}
    return await client.post("/api/login", json=body, headers=headers)


async def audited(gateway: Gateway) -> list[str]:
    """Return the addresses of what was audited, the newest first."""
    assert gateway._accounts is not None
    return await gateway._accounts.run(
        lambda file: [row[0] for row in file.execute("SELECT address FROM audit ORDER BY id DESC")]
    )


async def test_streams_behind_a_proxy_are_those_of_their_browsers(
    network: Callable[..., Network], redis: RedisProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_CLIENTS", 2)
    settings = {"Port": 0, "Public": "read", "Proxies": ["127.0.0.1"]}
    gateway = Gateway("CF", network(*house(settings), Redis={"URL": redis.url}))
    async with running(gateway), contextlib.AsyncExitStack() as opened:
        client = await opened.enter_async_context(
            httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S)
        )

        async def status(of: str) -> int:
            asked = client.stream("GET", "/events", headers={"X-Forwarded-For": of})
            return (await opened.enter_async_context(asked)).status_code

        statuses = [await status(f"192.0.2.{last}") for last in (7, 7, 7, 8)]
    assert statuses == [200, 200, 503, 200]


async def test_behind_a_proxy_with_tls(
    network: Callable[..., Network], redis: RedisProcess
) -> None:
    settings = {"Port": 0, "Proxies": ["127.0.0.1"], "Hosts": ["jph.example.org"]}
    gateway = Gateway("CF", network(*house(settings), Redis={"URL": redis.url}))
    told = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
    async with running(gateway):
        await people.add(gateway, "ann", Role.ADMIN, HASH)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as client:
            page = await client.get("/login", headers=told)
            assert page.headers["strict-transport-security"].startswith("max-age=")
            # As the shipped nginx file on another port: the Host has no port, the Origin has one.
            told |= {"Host": "jph.example.org", "Origin": "https://jph.example.org:8443"}
            answer = await log_in(client, **told)
            assert answer.status_code == 200
            (cookie,) = answer.headers.get_list("set-cookie")
            assert cookie.startswith("__Host-jph-CF=")
            assert "Secure" in cookie
        assert await audited(gateway) == ["192.0.2.7"]


async def test_without_proxies_nothing_is_believed(
    network: Callable[..., Network], redis: RedisProcess
) -> None:
    gateway = Gateway("CF", network(*house(), Redis={"URL": redis.url}))
    async with running(gateway):
        await people.add(gateway, "ann", Role.ADMIN, HASH)
        async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as client:
            told = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"}
            answer = await log_in(client, **told)
            assert answer.status_code == 200
            assert "strict-transport-security" not in answer.headers
            assert "Secure" not in answer.headers["set-cookie"]
        assert await audited(gateway) == ["127.0.0.1"]


def certificate(directory: Path, number: int = 1) -> tuple[Path, Path]:
    """Make a certificate of this machine and its key, in place of those that are there."""
    x509 = pytest.importorskip("cryptography.x509", reason="makes the certificate of this test")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(number)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    files = directory / "cert.pem", directory / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    kind = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, plain))
    return files


async def test_tls_of_our_own(
    network: Callable[..., Network], redis: RedisProcess, tmp_path: Path
) -> None:
    cert, key = certificate(tmp_path)
    settings = {"Port": 0, "Public": "read", "Certificate": str(cert), "Key": str(key)}
    gateway = Gateway("CF", network(*house(settings), Redis={"URL": redis.url}))
    trust = ssl.create_default_context(cafile=cert)
    async with running(gateway):
        assert gateway.url.startswith("https://127.0.0.1:")
        await people.add(gateway, "ann", Role.ADMIN, HASH)
        async with httpx.AsyncClient(base_url=gateway.url, verify=trust, timeout=LIMIT_S) as client:
            assert (await log_in(client)).status_code == 200
            assert "__Host-jph-CF" in client.cookies
            assert (await client.get("/api/me")).json()["name"] == "ann"


async def test_a_renewed_certificate_is_taken_and_a_broken_one_is_not(
    network: Callable[..., Network],
    redis: RedisProcess,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    x509 = pytest.importorskip("cryptography.x509", reason="makes the certificate of this test")
    cert, key = certificate(tmp_path, 1)
    settings = {"Port": 0, "Public": "read", "Certificate": str(cert), "Key": str(key)}
    gateway = Gateway("CF", network(*house(settings), Redis={"URL": redis.url}))

    async def shown() -> int:
        """Return the number of the certificate that the next browser is shown."""
        gateway.on_reload()
        place = urlsplit(gateway.url)
        assert place.hostname is not None
        assert place.port is not None
        where = (place.hostname, place.port)
        text = await asyncio.to_thread(ssl.get_server_certificate, where, timeout=LIMIT_S)
        return int(x509.load_pem_x509_certificate(text.encode()).serial_number)

    async with running(gateway):
        assert await shown() == 1
        key.write_text("no key")
        assert await shown() == 1
        certificate(tmp_path, 2)
        assert await shown() == 2
        cert.unlink()
        assert [await shown(), await shown()] == [2, 2]
    assert caplog.text.count("the old certificate stays") == 2


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"Certificate": "cert.pem"}, "needs both Certificate and Key"),
        ({"Certificate": "/nowhere.pem", "Key": "/nowhere.pem"}, "No such file"),
        ({"Proxies": ["the proxy"]}, "expected addresses or networks"),
    ],
)
async def test_wrong_settings_are_told(
    network: Callable[..., Network], redis: RedisProcess, settings: dict[str, object], said: str
) -> None:
    home = network(*house({"Port": 0, **settings}), Redis={"URL": redis.url})
    with pytest.raises(ConfigError, match=said):
        await Gateway("CF", home).run()
