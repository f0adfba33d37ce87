import os
from collections.abc import Callable
from pathlib import Path

import psycopg2.extensions
import pytest
import redis.connection

from jph.config.model import Network, Sql
from jph.config.stores import (
    postgres_dsn,
    postgres_socket,
    redis_socket,
    redis_url,
    socket_directory,
)
from jph.errors import StoreError

RUNTIME = {Path("/tmp"), Path("/run"), Path(f"/run/user/{os.getuid()}")}
MakeNetwork = Callable[..., Network]


def test_sockets_lie_in_the_state() -> None:
    assert socket_directory(Path("/srv/house")) == Path("/srv/house/run")


def test_a_long_state_has_its_sockets_elsewhere() -> None:
    states = [Path("/srv") / ("long" * 25) / name for name in ("a", "b")]
    first, second = map(socket_directory, states)
    assert first != second
    assert first.parent in RUNTIME
    for directory in (first, second):
        assert len(os.fsencode(postgres_socket(directory))) <= 107


def test_the_longest_path_that_fits_is_used() -> None:
    room = 107 - len(os.fsencode(postgres_socket(Path("/run"))))
    fits, too_long = Path("/" + "x" * (room - 1)), Path("/" + "x" * room)
    assert socket_directory(fits) == fits / "run"
    assert len(os.fsencode(postgres_socket(fits / "run"))) == 107
    assert socket_directory(too_long).parent in RUNTIME


def test_redis_is_embedded_by_default(
    network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPH_STATE", "/srv/a house")
    options = redis.connection.parse_url(redis_url(network()))  # type: ignore[no-untyped-call]  # no types
    assert options["path"] == str(redis_socket(Path("/srv/a house/run")))


def test_redis_of_the_config_wins(network: MakeNetwork) -> None:
    assert redis_url(network(Redis={"URL": "redis://pi:6379/0"})) == "redis://pi:6379/0"


def test_postgres_is_embedded_by_default(
    network: MakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPH_STATE", "/srv/a 'house'")
    parts = psycopg2.extensions.parse_dsn(postgres_dsn(network()))
    directory = "/srv/a 'house'/run/postgres"
    assert parts == {"host": directory, "port": "5432", "dbname": "jph", "user": "jph"}


def test_the_password_is_read_from_its_file(
    network: MakeNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".sqlpassword").write_text("it's \\ secret\n")
    entry = {"Database": "sensors", "User": "jphadmin", "Password": "~/.sqlpassword"}
    parts = psycopg2.extensions.parse_dsn(postgres_dsn(network(SQL={**entry, "Host": "::1"})))
    assert parts["password"] == "it's \\ secret"
    assert (parts["host"], parts["dbname"], parts["user"]) == ("::1", "sensors", "jphadmin")


def test_a_node_may_have_a_server_of_its_own(network: MakeNetwork) -> None:
    shared = {"Database": "a", "User": "u"}
    dsn = postgres_dsn(network(SQL=shared), Sql(database="b", user="u"))
    assert psycopg2.extensions.parse_dsn(dsn)["dbname"] == "b"


def test_a_missing_password_file_is_named(network: MakeNetwork, tmp_path: Path) -> None:
    path = str(tmp_path / "none")
    with pytest.raises(StoreError, match=path):
        postgres_dsn(network(), Sql(database="a", user="u", password=path))
