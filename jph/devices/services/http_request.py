"""One HTTP request at a time, in a thread, with one deadline for all of it.

Built on http.client: smaller than other clients by 10 MB and more. A redirect is followed to the
same host only, so that headers with secrets go nowhere else.
"""

import asyncio
import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urljoin, urlsplit

from jph.errors import DeviceError
from jph.util.secrets import scrub
from jph.util.unixpath import socket_path
from jph.util.worker import Worker

if TYPE_CHECKING:
    from http.client import HTTPConnection, HTTPResponse

MAX_BODY: Final = 1_000_000
_MOST_REDIRECTS: Final = 3
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_CHUNK: Final = 65_536


class Request(NamedTuple):
    """A request; `ca_file` is a certificate to trust instead of the system's.

    `unix` is the path of a Unix socket on which the server listens, empty for TCP.
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    ca_file: str = ""
    unix: str = ""


class Response(NamedTuple):
    """A whole answer."""

    status: int
    media_type: str
    body: bytes

    @property
    def text(self) -> str:
        """The body as text; bytes that are no UTF-8 are replaced."""
        return self.body.decode("utf-8", "replace")


class HttpClient:
    """Sends the requests of one node, one after the other."""

    def __init__(self, name: str) -> None:
        self._worker = Worker(f"{name} http")
        self._call: _Call | None = None

    async def send(self, request: Request, limit_s: float) -> Response:
        """Return the answer.

        Raises:
            DeviceError: there is no whole one within `limit_s`.
        """
        if self._call is not None and not self._call.done.is_set():
            raise DeviceError("the request before is still under way")
        call = self._call = _Call(request, limit_s)
        try:
            async with asyncio.timeout(limit_s):
                return await self._worker.run(call.run)
        except TimeoutError:
            raise DeviceError(f"no whole answer within {limit_s:g} s") from None
        finally:
            call.abort()

    def close(self) -> None:
        """End the thread."""
        if self._call is not None:
            self._call.abort()
        self._worker.stop()


class _Call:
    """A request under way; `abort` ends it from another thread."""

    def __init__(self, request: Request, limit_s: float) -> None:
        self._request = request
        self._limit_s = limit_s
        self._connection: HTTPConnection | None = None
        self._aborted = False
        self._lock = threading.Lock()
        self.done = threading.Event()

    def abort(self) -> None:
        """Close the connection: a read that waits returns at once."""
        with self._lock:
            self._aborted = True
            sock = self._connection.sock if self._connection is not None else None
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def run(self) -> Response:
        """Send and receive.

        Raises:
            DeviceError: with what went wrong.
        """
        from http.client import HTTPException  # only nodes that send requests need it

        url = self._request.url
        try:
            for _ in range(_MOST_REDIRECTS + 1):
                response, location = self._once(url)
                if location is None:
                    return response
                url = self._redirected(url, location)
            raise DeviceError(f"more than {_MOST_REDIRECTS} redirects")
        except (OSError, HTTPException, ValueError) as error:
            text = scrub(str(error)) or type(error).__name__
            raise DeviceError(f"{_host(url)}: {text}") from None
        finally:
            self.done.set()

    def _once(self, url: str) -> tuple[Response, str | None]:
        """Return the answer of one address, and where it redirects to."""
        parts = urlsplit(url)
        connection = self._connect(parts.scheme, parts.hostname or "", parts.port)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            headers = {"Accept-Encoding": "identity", "Connection": "close"}
            headers |= dict(self._request.headers)
            connection.request(self._request.method, path, self._request.body, headers)
            with connection.getresponse() as answer:
                return self._read(url, answer)
        finally:
            connection.close()

    def _read(self, url: str, answer: "HTTPResponse") -> tuple[Response, str | None]:
        location = answer.getheader("Location")
        if answer.status in _REDIRECTS and location and self._request.method == "GET":
            return Response(answer.status, "", b""), location
        body = b""
        while chunk := answer.read1(_CHUNK):
            body += chunk
            if len(body) > MAX_BODY:
                raise DeviceError(f"{_host(url)}: more than {MAX_BODY} bytes")
        if answer.length:
            raise DeviceError(f"{_host(url)}: the answer ends {answer.length} bytes early")
        media_type = (answer.getheader("Content-Type") or "").partition(";")[0].strip().lower()
        return Response(answer.status, media_type, body), None

    def _connect(self, scheme: str, host: str, port: int | None) -> "HTTPConnection":
        from http.client import HTTPConnection, HTTPSConnection

        made: HTTPConnection
        if scheme == "https":
            import ssl

            context = ssl.create_default_context(cafile=self._request.ca_file or None)
            made = HTTPSConnection(host, port, timeout=self._limit_s, context=context)
        else:
            made = HTTPConnection(host, port, timeout=self._limit_s)
        with self._lock:
            if self._aborted:
                raise DeviceError(f"no whole answer within {self._limit_s:g} s")
            self._connection = made
        if self._request.unix:
            made.sock = _unix_socket(self._request.unix, self._limit_s)
        else:
            made.connect()
        if self._aborted:
            raise DeviceError(f"no whole answer within {self._limit_s:g} s")
        return made

    def _redirected(self, url: str, location: str) -> str:
        """Return the address of a redirect to the same server, plain to TLS allowed."""
        target = urljoin(url, location)
        before, after = urlsplit(url), urlsplit(target)
        safer = (before.scheme, after.scheme) == ("http", "https")
        same = (before.scheme, before.hostname, before.port) == (
            after.scheme,
            after.hostname,
            after.port,
        )
        if not same and not (safer and before.hostname == after.hostname):
            raise DeviceError(f"{_host(url)} redirects to {_host(target)}: not followed")
        return target


def _unix_socket(path: str, limit_s: float) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(limit_s)
        with socket_path(path) as reachable:
            made.connect(reachable)
    except OSError:
        made.close()
        raise
    return made


def check_url(url: str) -> None:
    """Check an address.

    Raises:
        ValueError: it is none of http or https, or has characters that no address has.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected http://… or https://…, found {scrub(url[:60])!r}")
    if any(character <= " " or character == "\x7f" for character in url):
        raise ValueError("the address has a blank or a control character")
    _ = parts.port  # raises for a port that is none


def _host(url: str) -> str:
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or url[:40]
