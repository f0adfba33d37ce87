"""Reads a config with its signature, and refuses one that a sealed house did not sign."""

import time
from typing import Final, NamedTuple

from jph.config.fetch import FetchError, fetch
from jph.config.model import state_dir
from jph.errors import ConfigError, JphError
from jph.seal.roster import Roster
from jph.seal.trust import load_trust, remember

_AGAIN_S: Final = 0.3
"""Wait before the second look: a config and its signature are replaced one after the other."""


class Refused(ConfigError):
    """The document is there, but the house has not signed it as it is."""


class Signed(NamedTuple):
    """A document with its signature, and the roster in it; both None in an open house."""

    document: bytes
    signature: bytes | None = None
    roster: Roster | None = None


def signature_url(url: str) -> str:
    """Return the path or URL of the signature of the config at `url`."""
    path, mark, query = url.partition("?") if "://" in url else (url, "", "")
    return f"{path}.sig{mark}{query}"


def fetch_signed(url: str) -> Signed:
    """Return the document at a path or URL, admitted by what this machine knows of its house.

    Raises:
        FetchError: it cannot be read.
        Refused: it is not signed, or old, or of another house.
    """
    signed = _fetch_pair(url)
    try:
        return admitted(signed)
    except Refused:
        time.sleep(_AGAIN_S)
        return admitted(_fetch_pair(url))


def admitted(signed: Signed) -> Signed:
    """Return a document with its roster, if this machine may use it.

    Raises:
        Refused: it is not signed, or old, or of another house.
    """
    try:
        roster = load_trust(state_dir()).admit(signed.document, signed.signature)
    except JphError as error:
        raise Refused(str(error)) from error
    return signed._replace(roster=roster)


def note_use(signed: Signed) -> None:
    """Remember the serial of a config that this machine uses: an older one is refused from now on.

    Raises:
        StoreError: the disk refuses.
    """
    if signed.roster is not None:
        remember(state_dir(), signed.roster)


def _fetch_pair(url: str) -> Signed:
    document = fetch(url)
    if b'"Roster"' not in document:
        return Signed(document)
    try:
        return Signed(document, fetch(signature_url(url)))
    except FetchError:
        return Signed(document)
