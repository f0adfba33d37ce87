"""A web server on loopback that answers as small boards do, with their oddities."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Asked(NamedTuple):
    """A request that the server got."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Board:
    """Answers by path; `asked` has every request.

    An answer is the bytes after the status line, so that a test can write any mistake.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: dict[str, bytes | Callable[[], bytes]] = {}
        self.url = ""
        self.hold = threading.Event()

    def json(
        self, path: str, body: str, media_type: str = "application/json", status: str = "200 OK"
    ) -> None:
        """Answer a path with a body."""
        content = body.encode()
        kind = f"Content-Type: {media_type}\r\n" if media_type else ""
        head = f"HTTP/1.0 {status}\r\n{kind}Content-Length: {len(content)}\r\n\r\n"
        self.answers[path] = head.encode() + content


@contextlib.contextmanager
def web_server() -> Iterator[Board]:
    """Serve a board until the end of the block."""
    board = Board()

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            size = int(self.headers.get("Content-Length") or 0)
            asked = Asked(self.command, self.path, dict(self.headers), self.rfile.read(size))
            board.asked.append(asked)
            answer = board.answers.get(self.path.partition("?")[0], b"HTTP/1.0 404 No\r\n\r\n")
            with contextlib.suppress(OSError):
                self.wfile.write(answer() if callable(answer) else answer)
                if self.path == "/slow":
                    board.hold.wait(60)
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    board.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield board
    finally:
        board.hold.set()
        server.shutdown()
        server.server_close()
        thread.join()
