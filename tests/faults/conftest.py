"""Hosts, a PostgreSQL that may be killed, and a house on them."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.house import FULL, House, Server
from tests.faults.lan import Lan, lan
from tests.stores_fixtures import short_directory


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Yield a PostgreSQL of these tests' own, that may be killed."""
    with short_directory() as state:
        server = Server(state)
        try:
            yield server
        finally:
            server.close()


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Lan]:
    """Yield a network without hosts."""
    with lan(tmp_path) as made:
        yield made


@pytest.fixture
def house(network: Lan, server: Server) -> House:
    """Return a house without hosts, and a database of its own."""
    return House(network, server)


@pytest.fixture
def report(
    request: pytest.FixtureRequest, capfd: pytest.CaptureFixture[str]
) -> Callable[..., None]:
    """Return a printer of figures, shown with JPH_FAULTS=full."""

    def report(**figures: object) -> None:
        if FULL:
            with capfd.disabled():
                sys.stdout.write(f"\n{request.node.name}: {figures}\n")

    return report
