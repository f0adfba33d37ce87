"""A served configuration: one deadline, a cut transfer, attempts at start, the last good copy."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jph.config import last_good
from jph.config.fetch import FetchError, fetch
from jph.config.sealed import Signed
from jph.errors import ConfigError
from jph.node import kinds
from tests.support import LIMIT_S

CONFIG = b'{"Sensors": []}'
FULL = b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n" + CONFIG
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n" + CONFIG
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{"


class Server:
    """Answers every request with `answer`; `more` is sent a byte at a time, on demand."""

    def __init__(self, answer: bytes, *, close: bool = True) -> None:
        self.answer = answer
        self.asked = 0
        self._close = close
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/config.json"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.asked += 1
            self._open.append(client)
            client.recv(4096)
            client.sendall(self.answer)
            if self._close:
                client.close()

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for client in self._open:
            client.close()
        self._thread.join(LIMIT_S)


@contextmanager
def serving(answer: bytes, *, close: bool = True) -> Iterator[Server]:
    server = Server(answer, close=close)
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize("answer", [CUT, CHUNKED])
def test_a_transfer_that_ends_early_is_reported_as_such(answer: bytes) -> None:
    with serving(answer) as server, pytest.raises(FetchError, match="cut short: ") as caught:
        fetch(server.url)
    if answer is CUT:
        assert "15 of 20 bytes arrived" in str(caught.value)


@pytest.mark.parametrize("answer", [b"HT", CUT, b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_one_deadline_covers_headers_and_content(answer: bytes) -> None:
    with serving(answer, close=False) as server:
        with pytest.raises(FetchError, match=r"not complete within 0\.2 s: \d+") as caught:
            fetch(server.url, deadline_s=0.2)
        if answer is CUT:
            assert "15 of 20 bytes arrived" in str(caught.value)


def test_a_password_in_the_url_is_not_shown() -> None:
    with pytest.raises(FetchError) as caught:
        fetch("http://ann:s3same@127.0.0.1:9/config.json")
    assert "s3same" not in str(caught.value)


def test_a_start_waits_for_the_server_without_a_copy() -> None:
    with serving(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n") as server:
        delays: list[float] = []
        warnings: list[str] = []

        def sleep(seconds: float) -> None:
            delays.append(seconds)
            if len(delays) == 9:
                server.answer = FULL

        fetched = last_good.fetch_at_start(server.url, warnings.append, sleep=sleep)
        assert fetched == last_good.Fetched(Signed(CONFIG))
        assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
        assert "503" in warnings[0]
        assert warnings[0].endswith("next attempt in 0.5 s")


@pytest.mark.usefixtures("state")
def test_a_start_takes_the_last_good_copy_byte_for_byte() -> None:
    document = b'{ "Sensors":\n [] }\n'
    with serving(CUT) as server:
        last_good.keep(server.url, Signed(document))
        fetched = last_good.fetch_at_start(
            server.url, lambda _: None, patience_s=0, sleep=lambda _: None
        )
        assert fetched.document == document
        assert "cut short: 15 of 20 bytes arrived" in fetched.copy_of
        assert last_good.fetch_or_copy(server.url).document == document
    with pytest.raises(FetchError):
        last_good.fetch_or_copy("http://127.0.0.1:9/other.json")


@pytest.mark.usefixtures("state")
def test_only_a_config_without_mistakes_is_kept(
    document: Callable[..., dict[str, Any]],
) -> None:
    good = json.dumps(document({"Codifier": "SP", "Type": "Setpoint"})).encode()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    with serving(head % len(good) + good) as server:
        path = last_good.copy_path(server.url)
        kinds.load_and_keep(server.url)
        assert path.read_bytes() == good
        server.answer = FULL
        with pytest.raises(ConfigError):
            kinds.load_and_keep(server.url)
        assert path.read_bytes() == good


def test_a_file_is_read_once_and_not_copied(tmp_path: Path, state: Path) -> None:
    with pytest.raises(FetchError):
        last_good.fetch_at_start(str(tmp_path / "none.json"), lambda _: None)
    path = tmp_path / "config.json"
    path.write_bytes(CONFIG)
    last_good.keep(str(path), Signed(CONFIG))
    assert not (state / "config").exists()
