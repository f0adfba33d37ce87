"""A node whose configuration comes from a server: the server is down at the next start."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.jph.cli.programs import CONSOLE, Program, command, control, setpoint
from tests.support import tcp_port


@contextmanager
def serving(folder: Path, port: int) -> Iterator[None]:
    handler: Callable[..., Any] = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def test_a_node_starts_with_the_last_good_copy_and_reloads_later(
    document: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    state, folder = tmp_path / "state", tmp_path / "web"
    folder.mkdir()
    served = folder / "config.json"
    served.write_text(json.dumps(document(setpoint("SP"), CONSOLE)))
    local = tmp_path / "local.json"
    local.write_text(served.read_text())
    with tcp_port() as port:
        url = f"http://127.0.0.1:{port}/config.json"
        words = command(Path(url), "run", "SP")
        words[3] = url  # a Path would make one slash of two
        with serving(folder, port), Program(*words, JPH_STATE=str(state)):
            assert control(local, "watch", "--from", "SP", "--count", "1").returncode == 0
        [copy] = (state / "config").iterdir()
        assert copy.read_bytes() == served.read_bytes()
        with Program(*words, JPH_STATE=str(state)) as node:
            node.expect("next attempt in 0.5 s")
            node.expect("using its last good copy")
            assert control(local, "watch", "--from", "SP", "--count", "1").returncode == 0
            served.write_text(json.dumps(document(setpoint("SP", "Renamed"), CONSOLE)))
            with serving(folder, port):
                node.expect("the config can be read again")
                node.expect("config reloaded, as its server asked")
        assert copy.read_bytes() == served.read_bytes()
