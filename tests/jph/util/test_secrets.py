"""Secrets in messages, log lines, tracebacks and on the log channel."""

import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jph.config import document
from jph.config.stores import read_password
from jph.errors import StoreError
from jph.net.log_channel import discreet
from jph.util import secrets
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


@pytest.fixture(autouse=True)
def only_own_secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the secrets of a test: a word of one would be missing in others."""
    monkeypatch.setattr(secrets, "_known", set())
    yield
    secrets._known.clear()


PASSWORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"], exclude_characters="@&;#?"),
    min_size=8,
    max_size=20,
).filter(lambda text: not text.startswith(("/", "~", "$", ".")) and "%" not in text)


@settings(max_examples=20)
@given(PASSWORDS)
def test_no_line_shows_a_password_that_the_config_holds(password: str) -> None:
    for where in (
        {"Sensors": [{"Type": "Camera", "Sensor": {"URL": f"http://ann:{password}@cam/a.jpg"}}]},
        {"Sensors": [{"Type": "Camera", "Sensor": {"URL": f"http://cam/a?user=a&pwd={password}"}}]},
        {"SQL": {"Password": password}},
        {"Sensors": [{"Sensor": {"SQL": {"Password": password, "Host": "pi"}}}]},
        {"Redis": {"URL": f"redis://:{quote(password, safe='')}@pi/0"}},
    ):
        secrets._known.clear()
        document.read(json.dumps(where).encode(), "config")
        forms = password, repr(password), json.dumps(password), quote(password, safe="")
        line = line_of(" or ".join(forms))
        assert password not in line
        assert quote(password, safe="") not in line
        assert line.count("…") >= len(forms)


def line_of(text: str) -> str:
    """Return the line that a handler writes of a failure with a text in it."""
    try:
        raise ValueError(f"cannot use <{text}>")
    except ValueError:
        record = logging.LogRecord("jph", 40, __file__, 1, "<%s> failed", (text,), sys.exc_info())
    assert CodifierFilter().filter(record)
    return logging.Formatter("%(message)s").format(record)


def test_the_password_in_a_file_is_known_once_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("tr0ub4dor\n", encoding="utf-8")
    assert read_password(str(tmp_path / "secret")) == "tr0ub4dor"
    assert scrub("FATAL: password=tr0ub4dor") == "FATAL: password=…"


def test_a_password_in_the_place_of_its_path_is_not_shown() -> None:
    document.read(b'{"SQL": {"Password": "tr0ub4dor"}}', "config")
    with pytest.raises(StoreError) as failed:
        read_password("tr0ub4dor")
    assert "tr0ub4dor" not in scrub(str(failed.value))


def test_a_path_is_no_secret() -> None:
    document.read(b'{"SQL": {"Password": "/etc/jph/password"}}', "config")
    assert scrub("cannot read /etc/jph/password") == "cannot read /etc/jph/password"


def test_a_crash_shows_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr("threading.excepthook", None)
    secrets.print_without_secrets()
    secrets.remember("tr0ub4dor")
    error = ValueError("cannot use tr0ub4dor")
    sys.excepthook(ValueError, error, None)
    assert capsys.readouterr().err == "ValueError: cannot use …\n"
