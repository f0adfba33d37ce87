"""Sets logging up from the config's `Logging` table; limits how often a line is logged."""

import logging
import os
from pathlib import Path
from typing import Any, Final

from jph.util.secrets import scrub
from jph.util.token_bucket import TokenBucket

CONSOLE_FORMAT: Final = "%(asctime)s %(codifier)s %(levelname)s %(message)s"
_ONCE_A_MINUTE_S: Final = 60.0
_OVERALL_BURST: Final = 60
_OVERALL_PER_S: Final = 0.5


class Throttle:
    """Allows one log line per key and interval, and a limited number of lines over all keys.

    The overall limit stops a sender that gives each message another key. The table of keys is
    bounded; the oldest key goes first.
    """

    def __init__(self, interval_s: float = _ONCE_A_MINUTE_S, max_keys: int = 1024) -> None:
        self._interval_s = interval_s
        self._max_keys = max_keys
        self._last: dict[object, float] = {}
        self._all = TokenBucket(_OVERALL_PER_S, _OVERALL_BURST)

    def allow(self, key: object, now_s: float) -> bool:
        """Whether a line of `key` may be logged at `now_s` (monotonic seconds)."""
        last = self._last.get(key)
        if last is not None and now_s - last < self._interval_s:
            return False
        if not self._all.take(now_s):
            return False
        self._last.pop(key, None)
        while len(self._last) >= self._max_keys:
            del self._last[next(iter(self._last))]
        self._last[key] = now_s
        return True


def node_logger(codifier: str, node_type: str, table: dict[str, Any]) -> "NodeLog":
    """Return the logger of a node: the first of `jph-XX`, its type, `jph`, `default` in `table`."""
    names = (f"jph-{codifier}", node_type, "jph", "default")
    known = table.get("loggers") or {}
    name = next((name for name in names if name in known), "jph")
    return NodeLog(logging.getLogger(name), {"codifier": codifier})


class NodeLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose records carry `%(codifier)s`, as the original's formats expect."""


class CodifierFilter(logging.Filter):
    """Gives every record the field that the formats name, and hides the secrets in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, with a `codifier` and without secrets."""
        if not hasattr(record, "codifier"):
            record.codifier = "--"
        record.msg, record.args = scrub(record.getMessage()), None
        if record.exc_info:
            record.exc_text = scrub(logging.Formatter().formatException(record.exc_info))
        return True


def configure(table: dict[str, Any]) -> list[str]:
    """Set logging up as a config's `Logging` table asks; return what could not be set up.

    `JPH_DEBUG=1` puts everything on the console instead, `JPH_SILENT=1` nothing. A handler that
    this machine cannot offer (no `/dev/log`, say) is left out, and the others go on.
    """
    if os.environ.get("JPH_SILENT") == "1":
        logging.basicConfig(handlers=[logging.NullHandler()], force=True)
        return []
    if os.environ.get("JPH_DEBUG") == "1":
        _to_console(logging.DEBUG)
        return []
    if not table:
        _to_console(logging.INFO)
        return []
    return _apply(table)


def _to_console(level: int) -> None:
    handler = logging.StreamHandler()
    handler.addFilter(CodifierFilter())
    logging.basicConfig(format=CONSOLE_FORMAT, level=level, handlers=[handler], force=True)


def _apply(table: dict[str, Any]) -> list[str]:
    """Apply `table`, leaving out one failing handler at a time."""
    import logging.config  # here: a program without the table does not need it

    refused: list[str] = []
    for _ in range(len(table.get("handlers") or {}) + 1):
        try:
            logging.config.dictConfig(_with_codifier(table))
        except (ValueError, TypeError, AttributeError, ImportError, KeyError, OSError) as error:
            reason = f"{error}: {error.__cause__}" if error.__cause__ else str(error)
            bad = next((name for name in table.get("handlers") or {} if f"'{name}'" in reason), "")
            refused.append(f"Logging: {reason}")
            if not bad:
                break
            table = _without(table, bad)
        else:
            # A handler that fails later (syslog restarted, a full disk) must not fill the console.
            logging.raiseExceptions = False
            return refused + _not_there_yet(table)
    _to_console(logging.INFO)
    return refused


def _not_there_yet(table: dict[str, Any]) -> list[str]:
    """Name the syslog sockets that do not exist; their handlers connect once they do."""
    handlers = (table.get("handlers") or {}).items()
    addresses = {name: handler.get("address") for name, handler in handlers}
    return [
        f"Logging: handler {name!r} has no {address} to write to yet"
        for name, address in addresses.items()
        if isinstance(address, str) and not Path(address).exists()
    ]


def _with_codifier(table: dict[str, Any]) -> dict[str, Any]:
    """Return `table` with a filter on every handler that supplies `%(codifier)s`."""
    handlers = {
        name: {**handler, "filters": [*handler.get("filters", []), "codifier"]}
        for name, handler in (table.get("handlers") or {}).items()
    }
    filters = {**(table.get("filters") or {}), "codifier": {"()": CodifierFilter}}
    return {
        "version": 1,
        **table,
        "handlers": handlers,
        "filters": filters,
        "disable_existing_loggers": False,
    }


def _without(table: dict[str, Any], handler: str) -> dict[str, Any]:
    """Return `table` without one handler and every mention of it."""

    def spared(logger: dict[str, Any]) -> dict[str, Any]:
        return {**logger, "handlers": [h for h in logger.get("handlers", []) if h != handler]}

    return {
        **table,
        "handlers": {name: h for name, h in table["handlers"].items() if name != handler},
        "loggers": {name: spared(entry) for name, entry in (table.get("loggers") or {}).items()},
        "root": spared(table.get("root") or {}),
    }
