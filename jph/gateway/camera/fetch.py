"""Fetches pictures over HTTP: blocking, for a thread. Never follows anything to elsewhere."""

import contextlib
import http.client
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Final

from jph.gateway.camera.pictures import (
    LARGEST,
    NoPicture,
    Picture,
    Splitter,
    boundary_of,
    picture,
)
from jph.gateway.camera.settings import Target

TIMEOUT_S: Final = 5.0
"""How long the camera may be silent."""
SLOWEST_S: Final = 15.0
"""How long one picture may take to come, and how long the head of an answer."""
_CHUNK: Final = 64 * 1024
_OK: Final = 200


def pictures(
    target: Target, go_on: Callable[[], bool], *, timeout_s: float = TIMEOUT_S
) -> Iterator[Picture]:
    """Yield what one request brings: a picture, or those of a stream while `go_on()`.

    Raises:
        NoPicture: what came is none; its text may be shown.
    """
    connection = _connection(target, timeout_s)
    try:
        connection.connect()
        line = connection.sock
        with _in_time(line):
            answer = _asked(connection, target)
        with answer:
            _check(answer.status)
            boundary = boundary_of(answer.headers.get("content-type", ""))
            if boundary is None:
                with _in_time(line):
                    content = _whole(answer, go_on)
                yield picture(content)
            else:
                yield from _stream(answer, Splitter(boundary), go_on)
    except TimeoutError as error:
        raise NoPicture("it does not answer in time") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise NoPicture("it cannot be reached, or does not speak HTTP") from error
    finally:
        connection.close()


def _connection(target: Target, timeout_s: float) -> http.client.HTTPConnection:
    kind = http.client.HTTPSConnection if target.secure else http.client.HTTPConnection
    return kind(target.host, target.port, timeout=timeout_s)


@contextlib.contextmanager
def _in_time(line: socket.socket) -> Iterator[None]:
    """Cut the line if the block does not end: what a library waits for may come byte by byte."""
    limit = threading.Timer(SLOWEST_S, _cut, [line])
    limit.daemon = True
    limit.start()
    try:
        yield
    finally:
        limit.cancel()


def _cut(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.shutdown(socket.SHUT_RDWR)


def _asked(connection: http.client.HTTPConnection, target: Target) -> http.client.HTTPResponse:
    headers = {"Accept": "multipart/x-mixed-replace, image/jpeg, image/png", "User-Agent": "jph"}
    if target.user:
        pair = b64encode(f"{target.user}:{target.password}".encode()).decode()
        headers["Authorization"] = f"Basic {pair}"
    connection.request("GET", target.path, headers=headers)
    return connection.getresponse()


def _check(status: int) -> None:
    if 300 <= status < 400:
        raise NoPicture("it wants to send us elsewhere, which is not followed")
    if status != _OK:
        raise NoPicture(f"it answers {status}")


def _whole(answer: http.client.HTTPResponse, go_on: Callable[[], bool]) -> bytes:
    content, until_s = bytearray(), time.monotonic() + SLOWEST_S
    while chunk := answer.read1(_CHUNK):
        content += chunk
        if len(content) > LARGEST:
            raise NoPicture("its picture is too large")
        if time.monotonic() > until_s or not go_on():
            raise NoPicture("its picture takes too long")
    return bytes(content)


def _stream(
    answer: http.client.HTTPResponse, splitter: Splitter, go_on: Callable[[], bool]
) -> Iterator[Picture]:
    until_s = time.monotonic() + SLOWEST_S
    while go_on() and (chunk := answer.read1(_CHUNK)):
        for each in splitter.feed(chunk):
            yield each
            until_s = time.monotonic() + SLOWEST_S
        if time.monotonic() > until_s:
            raise NoPicture("its picture takes too long")
