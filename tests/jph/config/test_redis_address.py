"""Addresses of Redis: usable, or refused without a word of the password."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from jph.config import model as config
from jph.config.redis_address import database_of, normal_url
from jph.errors import ConfigError
from jph.util.secrets import SecretUrl, scrub


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis://:p#ss/w0rd?x@127.0.0.1:6379/0", "p#ss/w0rd?x"),
        ("redis://:p%23ss@127.0.0.1:6379/0", "p#ss"),
        ("redis://ann:a@b:c@127.0.0.1:6379/3", "a@b:c"),
        ("redis://:50%off@pi:6379", "50%off"),
        ("rediss://127.0.0.1:6379/0", None),
        ("redis://pi", None),
        ("redis://[::1]:6379/1", None),
        ("unix:///run/redis/redis.sock", None),
        ("unix:///run/a@b.sock?db=2", None),
    ],
)
def test_a_usable_address(url: str, password: str | None) -> None:
    secret = SecretUrl(url)
    options = redis.connection.parse_url(normal_url(secret))  # type: ignore[no-untyped-call]  # no types
    assert options.get("password") == password
    if password:
        assert password not in str(secret)
        assert password not in repr(config.Redis(url=secret))
        assert scrub(f"cannot connect to {url}") == f"cannot connect to {secret}"


@pytest.mark.parametrize(
    "url",
    [
        "redis://:s3cret@127.0.0.1:99999/0",
        "redis://:s3cret@127.0.0.1:port/0",
        "redis://:s3cret@127.0.0.1:6379/abc",
        "redis://:s3cret@:6379/0",
        "http://:s3cret@127.0.0.1:6379/0",
        "127.0.0.1:6379",
        "redis//127.0.0.1",
        "redis://",
        "",
        "unix://run/redis.sock",
        "redis://127.0.0.1: 6379/0",
    ],
)
def test_an_address_that_cannot_be_used(url: str, document: Callable[..., dict[str, Any]]) -> None:
    raw = json.dumps(document({"Codifier": "AA", "Type": "Pipe"}, Redis={"URL": url}))
    with pytest.raises(ConfigError, match="Redis: URL: ") as caught:
        config.parse(raw.encode())
    assert "s3cret" not in str(caught.value)


def test_the_number_of_the_database() -> None:
    assert database_of(SecretUrl("redis://127.0.0.1:6379/99")) == 99
    assert database_of(SecretUrl("unix:///run/redis.sock?db=3")) == 3
    assert database_of(SecretUrl("redis://pi")) == 0


def test_a_wrong_type_is_a_mistake(document: Callable[..., dict[str, Any]]) -> None:
    raw = json.dumps(document({"Codifier": "AA", "Type": "Pipe"}, Redis={"URL": 6379}))
    with pytest.raises(ConfigError, match=r"Redis.URL: expected text, found 6379"):
        config.parse(raw.encode())
