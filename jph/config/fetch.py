"""Reads the document of a configuration from a path, `file:` or `http:` URL.

One deadline covers a whole transfer: names, connection, headers and content.
"""

import threading
from pathlib import Path
from typing import Final

from jph.errors import ConfigError
from jph.util.secrets import SecretUrl

DEADLINE_S: Final = 10.0
MAX_BYTES: Final = 16 * 2**20
_HINT: Final = "(--config or JPH_CONFIG names another)"


class FetchError(ConfigError):
    """The document cannot be read now; a server may be down, a file may be missing."""


def is_remote(url: str) -> bool:
    """Return whether a URL names a server."""
    return url.startswith(("http://", "https://"))


def fetch(url: str, deadline_s: float = DEADLINE_S) -> bytes:
    """Return the bytes of the document at a path, `file:` or `http:` URL.

    Raises:
        FetchError: it cannot be read, is larger than 16 MiB, or does not arrive in time.
    """
    try:
        if is_remote(url):
            return _Transfer(url, deadline_s).result()
        path = url.removeprefix("file:")
        path = path.removeprefix("//") if path.startswith("///") else path
        return Path(path).expanduser().read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        raise FetchError(f"cannot read the config {SecretUrl(url)}: {error} {_HINT}") from error


class _Transfer:
    """One download in a thread of its own: a thread can wait for it no longer than the deadline."""

    def __init__(self, url: str, deadline_s: float) -> None:
        self._url = url
        self._deadline_s = deadline_s
        self._content = bytearray()
        self._expected: int | None = None
        self._error: Exception | None = None
        self._given_up = threading.Event()

    def result(self) -> bytes:
        """Return the content.

        Raises:
            OSError: it did not arrive, or not in time.
        """
        thread = threading.Thread(target=self._run, name="config", daemon=True)
        thread.start()
        thread.join(self._deadline_s)
        self._given_up.set()
        if thread.is_alive():
            raise OSError(f"not complete within {self._deadline_s:g} s: {self._progress()}")
        if self._error is not None:
            raise OSError(str(self._error)) from self._error
        if self._expected is not None and len(self._content) < self._expected:
            raise OSError(f"cut short: {self._progress()}")
        return bytes(self._content)

    def _progress(self) -> str:
        of = "" if self._expected is None else f" of {self._expected}"
        return f"{len(self._content)}{of} bytes arrived"

    def _run(self) -> None:
        # Imported here: a node whose config is a file does not need it.
        import http.client
        import urllib.error
        import urllib.request

        try:
            # The thread outlives its deadline at most once more.
            with urllib.request.urlopen(self._url, timeout=2 * self._deadline_s) as response:
                self._expected = response.length
                while not self._given_up.is_set() and (part := response.read1(65_536)):
                    self._content += part
                    if len(self._content) > MAX_BYTES:
                        raise OSError(f"larger than {MAX_BYTES >> 20} MiB")
        except urllib.error.HTTPError as error:
            error.close()
            self._error = error
        except http.client.IncompleteRead:
            self._error = OSError(f"cut short: {self._progress()}")
        except http.client.HTTPException as error:
            self._error = OSError(f"no proper answer: {error!r}")
        except (OSError, ValueError) as error:
            self._error = error
