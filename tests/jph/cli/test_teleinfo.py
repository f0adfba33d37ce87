"""`teleinfo` as a program: captures explained, a live line shown, both for people and programs."""

import contextlib
import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.jph.cli.programs import Program
from tests.jph.devices.tic.frames import HISTORIQUE_THREE, SHORT, STANDARD_SINGLE, even, frame, line
from tests.support import LIMIT_S, REPOSITORY

WORDS = [sys.executable, str(REPOSITORY / "control.py"), "teleinfo"]
DAMAGED = frame(HISTORIQUE_THREE).replace(b"IINST2 014", b"IINST2 015")


def told(*words: str, data: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*WORDS, *words], input=data, capture_output=True, timeout=LIMIT_S, check=False
    )


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "capture.raw"
    path.write_bytes(even(DAMAGED + frame(HISTORIQUE_THREE)) + b"\n" + even(line("IINST1", "0")))
    return path


def test_a_capture_explained(capture: Path) -> None:
    done = told("--file", str(capture))
    text = done.stdout.decode()
    assert done.returncode == 0, done.stderr
    head = text.splitlines()[:3]
    assert head[0] == "historique mode, three phases, even parity"
    assert head[1] == "2 whole frames, 0 cut"
    assert head[2] == "45 groups, 2 bad (checksum 1, value 1)"
    assert "current of phase 2: 14 A" in text
    assert "Landis+Gyr" in text
    assert "IINST1 cannot be '0'" in text
    assert "its checksum is" in text


def test_a_capture_for_programs_and_from_a_pipe(capture: Path) -> None:
    told_json = json.loads(told("--file", str(capture), "--json").stdout)
    assert told_json == json.loads(told("--file", "-", "--json", data=capture.read_bytes()).stdout)
    keys = ("mode", "phases", "frames", "groups", "bad", "parity")
    assert [told_json[key] for key in keys] == ["historique", 3, 2, 45, 2, True]
    assert told_json["last"] == {line[0]: line[-1] for line in HISTORIQUE_THREE}
    assert told_json["facts"]["TARIFF_PERIOD"] == "HC BLANC"
    assert [(one["cause"], one["line"][:6]) for one in told_json["refused"]] == [
        ("checksum", "IINST2"),
        ("value", "IINST1"),
    ]


def test_no_meter_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("nothing of a meter\n" * 100)
    text = told("--file", str(path)).stdout.decode()
    assert "not one group understood" in text
    assert "100 groups, 100 bad" in text
    assert "60 more" in text


def test_what_to_read_must_be_said() -> None:
    for words in ([], ["--file", "-", "--device", "/dev/null"]):
        done = told(*words, data=b"")
        assert done.returncode == 2
        assert b"one of --device and --file" in done.stderr


def test_a_missing_port_is_told_in_one_line(tmp_path: Path) -> None:
    done = told("--device", str(tmp_path / "meter"))
    assert done.returncode == 1
    assert done.stderr.startswith(b"control.py: cannot open the meter's port")
    assert done.stderr.count(b"\n") == 1


class Speaker:
    """A meter that says the same again and again, on a pseudo-terminal or to a TCP client."""

    def __init__(self, said: bytes) -> None:
        self._said = said
        self._over = threading.Event()

    @contextlib.contextmanager
    def on_a_pty(self) -> Iterator[str]:
        master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)

        def speak() -> None:
            while not self._over.wait(0.05):
                with contextlib.suppress(BlockingIOError):
                    os.write(master, self._said)

        with self._running(speak):
            yield os.ttyname(slave)
        os.close(master)
        os.close(slave)

    @contextlib.contextmanager
    def on_tcp(self) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def speak() -> None:
                client, _ = server.accept()
                with client, contextlib.suppress(OSError):
                    while not self._over.wait(0.05):
                        client.sendall(self._said)

            with self._running(speak):
                yield f"socket://127.0.0.1:{server.getsockname()[1]}"

    @contextlib.contextmanager
    def _running(self, speak: object) -> Iterator[None]:
        thread = threading.Thread(target=speak)  # type: ignore[arg-type]
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join(LIMIT_S)


@pytest.mark.parametrize("kind", ["on_a_pty", "on_tcp"])
def test_a_live_meter_until_ctrl_c(kind: str) -> None:
    speaker = Speaker(DAMAGED + frame(SHORT))
    with getattr(speaker, kind)() as device, Program(*WORDS, "--device", device) as program:
        program.expect("current of phase 1: 3 A")
        program.expect("overrun warning of phase 2: 24 A")
        program.process.send_signal(signal.SIGINT)
        assert program.process.wait(LIMIT_S) == 0
        program.expect("by cause: checksum")
        assert program.expect("meaning").split() == ["label", "value", "meaning", "age"]
        assert program.expect("IINST2").endswith(" s")


def test_raw_lines_and_json() -> None:
    with Speaker(even(DAMAGED)).on_a_pty() as device:
        raw = told("--device", device, "--raw", "--seconds", "3").stdout.decode()
        groups = told("--device", device, "--json", "--seconds", "3").stdout.decode().splitlines()
    assert line("IINST1", "003").decode() in raw
    assert "checksum: its checksum is" in raw
    assert {json.loads(one)["label"] for one in groups} >= {"ADCO", "IINST1"}
    assert all(json.loads(one)["mode"] == "historique" for one in groups)


def test_on_a_terminal_the_table_stays_in_its_place() -> None:
    with Speaker(frame(STANDARD_SINGLE)).on_a_pty() as device:
        ours, theirs = pty.openpty()
        program = subprocess.Popen(
            [*WORDS, "--device", device, "--seconds", "5"], stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 4096):
                shown += piece
        os.close(ours)
        assert program.wait(LIMIT_S) == 0
    assert shown.count(b"\x1b[H") > 2
    assert b"more: a higher window" in shown or b"number of the tariff period" in shown
    assert b"standard  bit 7 stripped" in shown


def test_a_port_that_another_program_reads_is_told() -> None:
    with (
        Speaker(frame(SHORT)).on_a_pty() as device,
        Program(*WORDS, "--device", device) as program,
    ):
        program.expect("current of phase 1")
        done = told("--device", device)
        assert done.returncode == 1
        assert b"another program reads it" in done.stderr
