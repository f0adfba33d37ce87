"""A camera on the loopback interface: an HTTP server that answers as a test wants it."""

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 4 + b"\xff\xd9"
OTHER = b"\xff\xd8\xff\xe1" + b"other" * 100 + b"\xff\xd9"

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class FakeCamera:
    """What was asked, and what is answered.

    Attributes:
        asked: (path, the `Authorization` that came) of each request.
    """

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []
        self.port = 0

    def url(self, path: str = "/live", who: str = "") -> str:
        """Return the address of a path."""
        return f"http://{who}127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def camera(answer: Answer) -> Iterator[FakeCamera]:
    """Run a camera for the length of a block."""
    fake = FakeCamera(answer)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fake.asked.append((self.path, self.headers.get("Authorization", "")))
            with contextlib.suppress(OSError):
                fake.answer(self)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    fake.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def snapshot(
    content: bytes = JPEG, status: int = 200, kind: str = "image/jpeg", **more: str
) -> Answer:
    """Return an answer of one picture, or of anything else."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content)))
        for name, value in more.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content)

    return answer


def stream(pictures: list[bytes], *, lengths: bool = True, then: threading.Event) -> Answer:
    """Return an answer of several pictures; it ends when `then` is set."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", 'multipart/x-mixed-replace; boundary="cut here"')
        request.end_headers()
        for content in pictures:
            head = b"--cut here\r\nContent-Type: image/jpeg\r\n"
            if lengths:
                head += b"Content-Length: %d\r\n" % len(content)
            request.wfile.write(head + b"\r\n" + content + b"\r\n")
        request.wfile.write(b"--cut here\r\n")
        request.wfile.flush()
        then.wait(10)

    return answer
