"""Checks the config's `Logging` table against a closed schema. Pure.

`logging.config.dictConfig` calls any function that its table names, and a config may come from a
web server. Only what this module lists passes: stream, syslog and file handlers with their usual
settings, plain formatters, and log files below the state directory's `log`.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from jph.config.document import COMMENT
from jph.errors import Problem

Table = dict[str, Any]
Check = Callable[[object], str]
"""Returns what was expected, or "" if a value is good."""

_NAME: Final = re.compile(r"[\w. @-]{1,64}")
_LEVELS: Final = frozenset(
    {"CRITICAL", "FATAL", "ERROR", "WARNING", "WARN", "INFO", "DEBUG", "NOTSET"}
)
_STREAMS: Final = frozenset({"ext://sys.stdout", "ext://sys.stderr"})
_SOCKETS: Final = frozenset({"ext://socket.SOCK_DGRAM", "ext://socket.SOCK_STREAM"})


def problems(raw: object, log_folder: str) -> Iterator[Problem]:
    """Yield every part of a `Logging` table that is not in the schema."""
    if not isinstance(raw, dict):
        return  # the type is checked elsewhere
    yield from _keys(raw, "Logging", _TOP)
    formatters, handlers = _named(raw, "formatters"), _named(raw, "handlers")
    for key in ("formatters", "handlers", "loggers"):
        yield from _names(raw.get(key), f"Logging.{key}")
    for name, entry in formatters.items():
        yield from _entry(entry, f"Logging.formatters.{name}", _FORMATTER)
    for name, entry in handlers.items():
        path = f"Logging.handlers.{name}"
        kind = entry.get("class") if isinstance(entry, dict) else None
        if not isinstance(kind, str) or kind not in HANDLERS:
            known = ", ".join(HANDLERS)
            yield Problem(f"{path}.class", f"expected one of {known}; found {kind!r}")
            continue
        checks = {**_HANDLER, **HANDLERS[kind], "formatter": _one_of(formatters)}
        if "filename" in checks:
            checks["filename"] = _file_below(log_folder)
        yield from _entry(entry, path, checks)
    checks = {**_LOGGER, "handlers": _list_of(handlers)}
    for name, entry in _named(raw, "loggers").items():
        yield from _entry(entry, f"Logging.loggers.{name}", checks)
    if "root" in raw:
        yield from _entry(raw["root"], "Logging.root", checks)


def applied(table: Table, log_folder: str) -> Table:
    """Return a table that passed, without comments and with absolute names of files."""
    without = _without_comments(table)
    for handler in without.get("handlers", {}).values():
        if "filename" in handler:
            handler["filename"] = _file(handler["filename"], log_folder)
    return without


def _without_comments(raw: Table) -> Table:
    return {
        key: _without_comments(value) if isinstance(value, dict) else value
        for key, value in raw.items()
        if not key.startswith(COMMENT)
    }


def _named(raw: Table, key: str) -> Table:
    entries = raw.get(key)
    if not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if not name.startswith(COMMENT)}


def _names(raw: object, path: str) -> Iterator[Problem]:
    if raw is not None and not isinstance(raw, dict):
        yield Problem(path, "expected an object")
    for name in raw if isinstance(raw, dict) else ():
        if not name.startswith(COMMENT) and not _NAME.fullmatch(name):
            yield Problem(path, f"expected names of letters, digits and . - _, found {name!r}")


def _entry(raw: object, path: str, checks: Mapping[str, Check]) -> Iterator[Problem]:
    if isinstance(raw, dict):
        yield from _keys(raw, path, checks)
    else:
        yield Problem(path, "expected an object")


def _keys(raw: Table, path: str, checks: Mapping[str, Check]) -> Iterator[Problem]:
    for key, value in raw.items():
        if key.startswith(COMMENT):
            continue
        if key not in checks:
            yield Problem(f"{path}.{key}", f"not allowed here; known: {', '.join(checks)}")
        elif expected := checks[key](value):
            yield Problem(f"{path}.{key}", f"expected {expected}, found {value!r}")


def _text(value: object) -> str:
    """Accept text that dictConfig does not look up: `ext://` and `cfg://` import modules."""
    good = isinstance(value, str) and not re.match(r"\w+://", value)
    return "" if good else "text without ext:// or cfg://"


def _flag(value: object) -> str:
    return "" if isinstance(value, bool) else "true or false"


def _whole(value: object) -> str:
    return "" if type(value) is int and value >= 0 else "a whole number, 0 or more"


def _level(value: object) -> str:
    good = type(value) is int or (isinstance(value, str) and value in _LEVELS)
    return "" if good else "a level such as INFO or WARNING"


def _facility(value: object) -> str:
    good = type(value) is int or (isinstance(value, str) and re.fullmatch(r"[a-z0-9]+", value))
    return "" if good else "a syslog facility such as daemon"


def _address(value: object) -> str:
    if isinstance(value, list) and len(value) == 2:
        host, port = value
        good = _text(host) == "" and type(port) is int and 0 < port < 65536
    else:
        good = isinstance(value, str) and value.startswith("/")
    return "" if good else "a path such as /dev/log, or [host, port]"


def _anything(value: object) -> str:
    return ""


def _one_of(names: Mapping[str, object]) -> Check:
    def check(value: object) -> str:
        good = isinstance(value, str) and value in names
        return "" if good else f"one of {', '.join(sorted(names)) or 'no names, as there are none'}"

    return check


def _list_of(names: Mapping[str, object]) -> Check:
    one = _one_of(names)

    def check(value: object) -> str:
        good = isinstance(value, list) and not any(map(one, value))
        return "" if good else f"a list of {', '.join(sorted(names))}"

    return check


def _exactly(*values: object) -> Check:
    texts = " or ".join(map(repr, values))
    return lambda value: "" if any(type(value) is type(v) and value == v for v in values) else texts


def _file(name: str, log_folder: str) -> str:
    """Return the absolute name of a log file; relative ones are in `log_folder`."""
    folder = Path(log_folder)
    return os.path.normpath(folder / name.replace("$JPH_STATE", str(folder.parent)))


def _file_below(log_folder: str) -> Check:
    def check(value: object) -> str:
        good = isinstance(value, str) and "\0" not in value and not _text(value)
        if good and _file(str(value), log_folder).startswith(log_folder + os.sep):
            return ""
        return f"a file below {log_folder}"

    return check


_TOP: Final[dict[str, Check]] = {
    "version": _exactly(1),
    "disable_existing_loggers": _flag,
    "formatters": _anything,
    "handlers": _anything,
    "loggers": _anything,
    "root": _anything,
}
_FORMATTER: Final[dict[str, Check]] = {
    "class": _exactly("logging.Formatter"),
    "format": _text,
    "datefmt": _text,
    "style": _exactly("%"),
}
_HANDLER: Final[dict[str, Check]] = {"class": _text, "level": _level, "formatter": _text}
_FILE: Final[dict[str, Check]] = {
    "filename": _text,
    "mode": _exactly("a"),
    "encoding": _exactly("utf-8"),
    "delay": _flag,
}
HANDLERS: Final[dict[str, dict[str, Check]]] = {
    "logging.NullHandler": {},
    "logging.StreamHandler": {"stream": _exactly(*sorted(_STREAMS))},
    "logging.FileHandler": _FILE,
    "logging.handlers.WatchedFileHandler": _FILE,
    "logging.handlers.RotatingFileHandler": {**_FILE, "maxBytes": _whole, "backupCount": _whole},
    "logging.handlers.TimedRotatingFileHandler": {
        **_FILE,
        "when": _exactly(*"SMHD", "midnight", *(f"W{day}" for day in range(7))),
        "interval": _whole,
        "backupCount": _whole,
        "utc": _flag,
    },
    "logging.handlers.SysLogHandler": {
        "address": _address,
        "facility": _facility,
        "socktype": _exactly(*sorted(_SOCKETS)),
    },
}
"""The handlers that a config may use, each with the settings of its own."""
_LOGGER: Final[dict[str, Check]] = {"level": _level, "propagate": _flag}
