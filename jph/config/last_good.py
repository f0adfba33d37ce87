"""The last good copy of a served configuration, byte for byte in the state directory.

After a power cut the server of the configuration may start later than its nodes, or not at all.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from jph.config.fetch import FetchError, fetch, is_remote
from jph.config.model import state_dir
from jph.errors import StoreError
from jph.util import durable
from jph.util.backoff import Backoff
from jph.util.secrets import SecretUrl

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
PATIENCE_S: Final = 5.0
"""How long a start tries the server before it takes the copy."""


class Fetched(NamedTuple):
    """A document; `copy_of` is why it is the last good copy, empty if it is the server's own."""

    document: bytes
    copy_of: str = ""


def copy_path(url: str) -> Path:
    """Return the file of the last good copy of a URL's document."""
    import hashlib  # loads the whole of OpenSSL

    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    return state_dir() / "config" / f"{digest}.json"


def keep(url: str, document: bytes) -> None:
    """Keep a document that a server sent and that has no mistakes.

    Raises:
        StoreError: the disk refuses.
    """
    if not is_remote(url):
        return
    path = copy_path(url)
    try:
        if path.read_bytes() == document:
            return
    except OSError:
        pass
    durable.replace(path, [document])


def fetch_or_copy(url: str) -> Fetched:
    """Return the document, else at once its last good copy.

    Raises:
        FetchError: it cannot be read and there is no copy.
    """
    try:
        return Fetched(fetch(url))
    except FetchError as error:
        copy = _copy(url, error) if is_remote(url) else None
        if copy is None:
            raise
        return copy


def fetch_at_start(
    url: str,
    warn: Callable[[str], None],
    *,
    patience_s: float = PATIENCE_S,
    sleep: Callable[[float], None] = time.sleep,
) -> Fetched:
    """Return the document of a program that starts: try a server again and again.

    After `patience_s` the last good copy counts; without one it waits for the server for ever.

    Raises:
        FetchError: the document is a file, and cannot be read.
    """
    backoff = Backoff(FIRST_DELAY_S, LONGEST_DELAY_S)
    give_up_s = time.monotonic() + patience_s
    while True:
        try:
            return Fetched(fetch(url))
        except FetchError as error:
            if not is_remote(url):
                raise
            delay_s = backoff.next_s()
            copy = _copy(url, error)
            if copy is not None and time.monotonic() + delay_s >= give_up_s:
                return copy
            warn(f"{error}; next attempt in {delay_s:g} s")
        sleep(delay_s)


def _copy(url: str, error: FetchError) -> Fetched | None:
    path = copy_path(url)
    try:
        document, kept_s = path.read_bytes(), path.stat().st_mtime
    except OSError:
        return None
    kept = time.strftime("%Y-%m-%d %H:%M", time.gmtime(kept_s))
    reason = str(error.__cause__ or error)
    return Fetched(
        document,
        f"the server of the config {SecretUrl(url)} does not answer ({reason}): "
        f"using its last good copy, kept at {kept} UTC",
    )


def try_to_keep(url: str, document: bytes, warn: Callable[[str], None]) -> None:
    """Keep a document; a disk that refuses is worth a warning only."""
    try:
        keep(url, document)
    except StoreError as error:
        warn(f"the copy of the config cannot be kept: {error}")
