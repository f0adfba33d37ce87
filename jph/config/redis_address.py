"""The address of Redis in a configuration: checked, and in the form that its client reads. Pure."""

import re
from typing import Final

from jph.util.secrets import SecretUrl

SCHEMES: Final = ("redis", "rediss", "unix")
EXPECTED: Final = "expected redis://host:6379/0, rediss://host:6379/0 or unix:///path"
MOST_DATABASES: Final = 16
"""A Redis has databases 0 to 15 unless its own configuration says otherwise."""

_PARTS: Final = re.compile(
    r"(?P<host>\[[^\]]*\]|[^:/?#]*)(?::(?P<port>[^/?#]*))?(?P<rest>.*)", re.S
)


def check_redis(secret: SecretUrl) -> None:
    """Check the address of Redis.

    Raises:
        ValueError: it cannot be used; the message does not show the password.
    """
    normal_url(secret)


def database_of(secret: SecretUrl) -> int:
    """Return the number of the database in a valid address."""
    scheme, _, tail = _split(secret)
    parts = _PARTS.fullmatch(tail)
    if scheme == "unix" or parts is None:
        return _database("?" + tail.partition("?")[2]) or 0
    return _database(parts["rest"]) or 0


def normal_url(secret: SecretUrl) -> str:
    """Return the address as redis-py reads it: `#`, `/` and `@` of a password are encoded.

    Raises:
        ValueError: it cannot be used; the message does not show the password.
    """
    scheme, login, tail = _split(secret)
    if scheme == "unix":
        if not tail.startswith("/"):
            raise ValueError(f"URL: {EXPECTED}, found {secret}")
        return f"unix://{_encoded(login)}{tail}"
    parts = _PARTS.fullmatch(tail)
    if parts is None or not parts["host"] or re.search(r"\s", tail):
        raise ValueError(f"URL: no host; {EXPECTED}, found {secret}")
    port = parts["port"]
    if port is not None and not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        raise ValueError(f"URL: expected a port from 1 to 65535, found {port!r}")
    if _database(parts["rest"]) is None:
        raise ValueError(f"URL: expected the number of a database after the last /, found {secret}")
    return f"{scheme}://{_encoded(login)}{tail}"


def _split(secret: SecretUrl) -> tuple[str, str, str]:
    """Return scheme, login as written, and the rest."""
    scheme, separator, rest = secret.reveal().partition("://")
    if not separator or scheme not in SCHEMES:
        raise ValueError(f"URL: {EXPECTED}, found {secret}")
    if rest.startswith("/"):
        return scheme, "", rest
    login, _, tail = rest.rpartition("@")
    return scheme, login, tail


def _database(rest: str) -> int | None:
    """Return the number of the database in `/0`, `?db=0` or nothing; None if it is no number."""
    from urllib.parse import parse_qsl

    path, _, query = rest.partition("?")
    text = dict(parse_qsl(query)).get("db", path.strip("/") or "0")
    return int(text) if text.isascii() and text.isdigit() else None


def _encoded(login: str) -> str:
    """Return a login with every special character encoded; what is encoded already stays."""
    if not login:
        return ""
    from urllib.parse import quote, unquote

    user, _, password = login.partition(":")
    return f"{quote(unquote(user), safe='')}:{quote(unquote(password), safe='')}@"
