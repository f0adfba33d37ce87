"""Access to the accounts' file; every call runs in one thread."""

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from jph.errors import JphError
from jph.gateway.accounts.database import AccountsError, accounts_path, open_accounts
from jph.gateway.accounts.passwords import Passwords
from jph.node.node import now_ms
from jph.util.logs import Throttle
from jph.util.worker import Worker

P = ParamSpec("P")
T = TypeVar("T")


class Accounts:
    """The accounts' file and the check of passwords.

    Attributes:
        passwords: hashes and compares them.
    """

    def __init__(
        self,
        log: "logging.Logger | logging.LoggerAdapter[Any]",
        path: Path | None = None,
        now_ms: Callable[[], int] = now_ms,
    ) -> None:
        self.passwords = Passwords()
        self._log = log
        self._throttle = Throttle()
        self.now_ms = now_ms
        self._path = path or accounts_path()
        self._worker = Worker("jph accounts")
        self._opened: sqlite3.Connection | None = None
        self._which: tuple[int, int] | None = None
        self._closed = False

    async def run(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call a function of `users`, `sessions`, `tokens` … with the open file.

        Raises:
            AccountsError: the file cannot be used.
        """
        if self._closed:
            raise AccountsError("the accounts are closed")
        return await self._worker.run(lambda: self._call(function, *args, **kwargs))

    def post(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], None],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Call such a function in its turn without waiting; a failure goes to `failed`."""

        def job() -> None:
            try:
                self._call(function, *args, **kwargs)
            except JphError as error:
                self.failed(error)

        self._worker.post(job)

    def failed(self, error: JphError) -> None:
        """Log once a minute that something could not be stored."""
        if self._throttle.allow(type(error), time.monotonic()):
            self._log.error("%s", error)

    def close(self) -> None:
        """Close the file after what is under way."""
        self._closed = True
        self._worker.post(self._close)
        self._worker.stop()

    def _call(
        self,
        function: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        if self._opened is not None and self._which != _which(self._path):
            self._close()  # the file was replaced: accounts removed from it must not log in
        if self._opened is None:
            self._opened = open_accounts(self._path)
            self._which = _which(self._path)
        try:
            return function(self._opened, *args, **kwargs)
        except sqlite3.Error as error:
            if not isinstance(error, sqlite3.OperationalError | sqlite3.IntegrityError):
                self._close()  # it is damaged: looked at anew next time
            raise AccountsError(f"the accounts cannot be used: {error}") from error

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _which(path: Path) -> tuple[int, int] | None:
    """Return an identity of a file that changes when another file replaces it."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
