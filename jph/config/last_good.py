"""The last good copy of a served or signed configuration, byte for byte in the state directory.

After a power cut the server of the configuration may start later than its nodes, or not at all. A
signed config that was edited and not signed again must not keep a house from starting.
"""

import contextlib
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from jph.config.fetch import FetchError, is_remote
from jph.config.model import state_dir
from jph.config.sealed import Refused, Signed, admitted, fetch_signed, note_use, signature_url
from jph.errors import ConfigError, StoreError
from jph.util import durable
from jph.util.backoff import Backoff
from jph.util.secrets import SecretUrl

FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 30.0
PATIENCE_S: Final = 5.0
"""How long a start tries the server before it takes the copy."""


class Fetched(NamedTuple):
    """A document; `copy_of` is why it is the last good copy, empty if it is the one at the URL."""

    signed: Signed
    copy_of: str = ""

    @property
    def document(self) -> bytes:
        """The bytes of the config."""
        return self.signed.document


def copy_path(url: str) -> Path:
    """Return the file of the last good copy of a URL's document."""
    digest = _sha256()(url.encode()).hexdigest()[:16]
    return state_dir() / "config" / f"{digest}.json"


def _sha256() -> Callable[[bytes], Any]:
    """Return the SHA-256 that is a part of Python: hashlib loads OpenSSL, 4 MB in every node."""
    for name in ("_sha2", "_sha256", "hashlib"):
        with contextlib.suppress(ImportError):
            found: Callable[[bytes], Any] = importlib.import_module(name).sha256
            return found
    raise AssertionError("this Python has no SHA-256")


def keep(url: str, signed: Signed) -> None:
    """Keep a document that has no mistakes, if a server sent it or the house signed it.

    Raises:
        StoreError: the disk refuses.
    """
    if not is_remote(url) and signed.signature is None:
        return
    path = copy_path(url)
    note_use(signed)
    if signed.signature is not None:
        keep_pair(path, signed.document, signed.signature)
    elif _bytes_of(path) != signed.document:
        durable.replace(path, [signed.document])


def keep_pair(path: Path, document: bytes, signature: bytes) -> None:
    """Replace a config and its signature; a power cut leaves a good pair, the old or the new one.

    Raises:
        StoreError: the disk refuses.
    """
    beside = Path(signature_url(str(path)))
    before = _bytes_of(beside) or b""
    if _bytes_of(path) == document and before == signature:
        return
    durable.replace(beside, [signature, before])
    durable.replace(path, [document])
    durable.replace(beside, [signature])


def _bytes_of(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def fetch_or_copy(url: str) -> Fetched:
    """Return the document, else at once its last good copy.

    Raises:
        FetchError: it cannot be read and there is no copy.
        Refused: the house has not signed it, and there is no copy.
    """
    try:
        return Fetched(fetch_signed(url))
    except (FetchError, Refused) as error:
        copy = _copy(url, error) if is_remote(url) or isinstance(error, Refused) else None
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
        Refused: the house has not signed it, and there is no copy.
    """
    backoff = Backoff(FIRST_DELAY_S, LONGEST_DELAY_S)
    give_up_s = time.monotonic() + patience_s
    while True:
        try:
            return Fetched(fetch_signed(url))
        except Refused as error:
            if (copy := _copy(url, error)) is None:
                raise
            return copy
        except FetchError as error:
            if not is_remote(url):
                raise
            delay_s = backoff.next_s()
            copy = _copy(url, error)
            if copy is not None and time.monotonic() + delay_s >= give_up_s:
                return copy
            warn(f"{error}; next attempt in {delay_s:g} s")
        sleep(delay_s)


def _copy(url: str, error: ConfigError) -> Fetched | None:
    path = copy_path(url)
    try:
        document, kept_s = path.read_bytes(), path.stat().st_mtime
        signed = admitted(Signed(document, _bytes_of(Path(signature_url(str(path))))))
    except (OSError, Refused):
        return None
    kept = time.strftime("%Y-%m-%d %H:%M", time.gmtime(kept_s))
    reason = str(error.__cause__ or error)
    if isinstance(error, Refused):
        why = f"{reason}; {SecretUrl(url)} is not used until then"
    else:
        why = f"the server of the config {SecretUrl(url)} does not answer ({reason})"
    return Fetched(signed, f"{why}: using its last good copy, kept at {kept} UTC")


def try_to_keep(url: str, signed: Signed, warn: Callable[[str], None]) -> None:
    """Keep a document; a disk that refuses is worth a warning only."""
    try:
        keep(url, signed)
    except StoreError as error:
        warn(f"the copy of the config cannot be kept: {error}")
