"""Files under `/static`: read once, compressed once, cached by browsers for ever.

Pages name a file under a path with a hash of all files in it, so that a browser asks only once
for each edition; scripts import each other by relative paths and so stay in the same edition.
"""

import gzip
import hashlib
import mimetypes
from pathlib import Path
from typing import Any, Final, NamedTuple

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

_FOR_EVER: Final = "public, max-age=31536000, immutable"
_TEXTS: Final = frozenset({".js", ".css", ".svg", ".json", ".webmanifest", ".txt"})
_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}


class Asset(NamedTuple):
    """One file; `packed` is its gzip form, if that is worth it."""

    content: bytes
    packed: bytes | None
    media_type: str
    etag: str


class Assets:
    """The files of a directory.

    Attributes:
        edition: changes when any of them does.
    """

    def __init__(self, directory: Path) -> None:
        files = sorted(path for path in directory.rglob("*") if path.is_file())
        self._assets = {str(path.relative_to(directory)): _read(path) for path in files}
        every = "".join(f"{name} {asset.etag}\n" for name, asset in self._assets.items())
        self.edition = hashlib.sha256(every.encode()).hexdigest()[:12]

    def url(self, name: str) -> str:
        """Return the address of a file, for pages.

        Raises:
            KeyError: there is none.
        """
        self._assets[name]
        return f"/static/{self.edition}/{name}"

    def handlers(self) -> list[Any]:
        """Return what answers for `/static`."""

        @get("/static/{name:path}", sync_to_thread=False, include_in_schema=False, ready=True)
        def static(request: Request[Any, Any, Any]) -> Response[bytes]:
            name = str(request.path_params["name"]).lstrip("/")
            edition, _, rest = name.partition("/")
            of_edition = edition == self.edition
            asset = self._assets.get(rest if of_edition else name)
            if asset is None:
                raise NotFoundException("no such file")
            return _answer(request, asset, for_ever=of_edition)

        return [static]


def _answer(request: Request[Any, Any, Any], asset: Asset, *, for_ever: bool) -> Response[bytes]:
    headers = {
        "etag": asset.etag,
        "cache-control": _FOR_EVER if for_ever else "no-cache",
        "vary": "accept-encoding",
    }
    if asset.etag in request.headers.get("if-none-match", ""):
        return Response(b"", status_code=304, headers=headers, media_type=asset.media_type)
    content = asset.content
    if asset.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        content, headers["content-encoding"] = asset.packed, "gzip"
    return Response(content, headers=headers, media_type=asset.media_type)


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    kind = _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    packed = gzip.compress(content, 9, mtime=0) if path.suffix in _TEXTS else None
    if packed is not None and len(packed) >= len(content):
        packed = None
    return Asset(content, packed, kind or "application/octet-stream", etag)
