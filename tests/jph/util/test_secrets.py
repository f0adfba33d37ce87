"""Secrets in messages, log lines, tracebacks and on the log channel."""

import logging

import pytest

from jph.net.log_channel import discreet
from jph.util.logs import CodifierFilter
from jph.util.secrets import Secret, SecretUrl, hide_password, scrub


def test_a_secret_shows_itself_only_when_it_is_revealed() -> None:
    secret = Secret("tr0ub4dor")
    assert (str(secret), f"{secret}", repr([secret])) == ("…", "…", "[…]")
    assert secret.reveal() == "tr0ub4dor"
    assert secret == Secret("tr0ub4dor")
    assert secret != Secret("other")
    assert scrub("password=tr0ub4dor!") == "password=…!"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:p#ss/w0rd@pi:6379/0", "redis://:…@pi:6379/0"),
        ("http://ann:a@b@pi/config.json", "http://ann:…@pi/config.json"),
        ("http://ann@pi/config.json", "http://ann@pi/config.json"),
        ("http://pi:8080/a", "http://pi:8080/a"),
        ("unix:///run/x@y:z", "unix:///run/x@y:z"),
        ("static/config.json", "static/config.json"),
    ],
)
def test_the_password_of_a_url(url: str, shown: str) -> None:
    assert hide_password(url) == shown


def test_every_form_of_a_password_is_hidden_in_logs() -> None:
    secret = SecretUrl("redis://:qu#rtz/9@pi:6379/0")
    try:
        raise ValueError(f"cannot use {secret.reveal()}")
    except ValueError as error:
        record = logging.LogRecord(
            "jph", logging.ERROR, __file__, 1, "%s and %s", ("qu#rtz/9", "qu%23rtz%2F9"), None
        )
        record.exc_info = (type(error), error, error.__traceback__)
    assert CodifierFilter().filter(record)
    line = logging.Formatter("%(message)s").format(record)
    assert "qu" not in line
    assert "cannot use redis://:…@pi:6379/0" in line
    assert "quartz" not in discreet("AUTH qu#rtz/9")
    assert "qu#rtz" not in discreet("AUTH qu#rtz/9")
