"""Unix sockets are reached however long their path is."""

import socket
from pathlib import Path

import pytest

from jph.util.unixpath import MAX_SOCKET_PATH, socket_path


@pytest.mark.parametrize("depth", [1, 20])
def test_bound_and_reached(tmp_path: Path, depth: int) -> None:
    path = tmp_path.joinpath(*["é directory"] * depth, "bus.sock")
    path.parent.mkdir(parents=True)
    assert (len(str(path)) > MAX_SOCKET_PATH) == (depth == 20)
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with socket_path(path) as reachable:
            server.bind(reachable)
        server.listen()
        with socket_path(path) as reachable:
            client.connect(reachable)
        assert path.is_socket()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"), socket_path(tmp_path / ("x" * 200) / "s"):
        pass
