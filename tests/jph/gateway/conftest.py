"""A real Redis, and a real gateway with nodes to talk to."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest

from jph.client.limits import Limits
from jph.config.model import Network, Sensor
from jph.gateway.accounts.roles import Role
from jph.gateway.node import Gateway
from jph.node.node import Node, Settings
from tests.jph.gateway.houses import house
from tests.jph.gateway.people import logged_in
from tests.jph.gateway.stage import RedisProcess
from tests.support import LIMIT_S, running


class Plain(Node):
    """A node that only lives, in the place of one with a device."""

    @classmethod
    def check_settings(cls, entry: Sensor) -> Settings:
        """Take any settings."""
        return Settings()


@pytest.fixture(scope="session")
def redis_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisProcess]:
    """Yield a Redis of our own that a test may stop and start again."""
    process = RedisProcess(tmp_path_factory.mktemp("redis") / "redis.sock")
    yield process
    process.stop()


@pytest.fixture
def redis(redis_process: RedisProcess) -> RedisProcess:
    """Return the Redis, running and empty."""
    redis_process.start()
    with redis_process.client() as client:
        client.flushall()
    return redis_process


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a gateway that is made after this wait longer for orders and settings.

    Not for tests in which no node answers.
    """
    monkeypatch.setattr(Gateway, "limits", Limits(order_s=(LIMIT_S,), setting_s=LIMIT_S))


@pytest.fixture
def home(network: Callable[..., Network], redis: RedisProcess) -> Network:
    """Return the network of the house, with the Redis."""
    return network(*house(), Redis={"URL": redis.url})


@pytest.fixture
def meter(home: Network) -> Plain:
    """Return the node TI, which runs beside the gateway and answers."""
    return Plain("TI", home)


@pytest.fixture
async def gateway(home: Network, meter: Plain) -> AsyncIterator[Gateway]:
    """Yield a running gateway."""
    page = Gateway("CF", home)
    async with running(meter, page):
        yield page


@pytest.fixture
async def http(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an HTTP client of the gateway that has logged in as admin."""
    async with logged_in(gateway, Role.ADMIN) as client:
        yield client


@pytest.fixture
async def operator(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an HTTP client that has logged in as operator."""
    async with logged_in(gateway, Role.OPERATOR) as client:
        yield client


@pytest.fixture
async def viewer(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an HTTP client that has logged in as viewer."""
    async with logged_in(gateway, Role.VIEWER) as client:
        yield client


@pytest.fixture
async def visitor(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """Yield an HTTP client that has not logged in."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=LIMIT_S) as client:
        yield client
