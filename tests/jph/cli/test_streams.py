"""Standard output: encodings that lack characters, closed, full; shells that complete; nohup."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.jph.cli.programs import CONSOLE, Program, command, control, element, setpoint
from tests.support import LIMIT_S, REPOSITORY

WriteConfig = Callable[..., Path]


@pytest.fixture
def config(config_file: WriteConfig) -> Path:
    return config_file(setpoint("SP", "Salon été"), element("EL", "SP", Name="Être"), CONSOLE)


def shell(line: str, config: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which $JPH is the command."""
    jph = " ".join(command(config))
    return subprocess.run(
        ["bash", "-c", line],
        env={**os.environ, "JPH": jph, "JPH_PATIENCE": "0.2", **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_terminal_that_lacks_a_character_replaces_it(config: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        command(config, "status", "--wait", "0.1"),
        env=environment,
        capture_output=True,
        timeout=LIMIT_S,
    )
    assert b"Traceback" not in done.stderr
    assert b"silent" in done.stdout


def test_watch_ends_with_a_message_that_it_cannot_show(config: Path) -> None:
    with Program(*command(config, "run", "SP")):
        words = command(config, "watch", "--from", "SP", "--count", "1")
        environment = {**os.environ, "PYTHONIOENCODING": "latin-1:strict", "PYTHONUTF8": "0"}
        done = subprocess.run(words, env=environment, capture_output=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert b"SP?@@" in done.stdout


@pytest.mark.parametrize("where", ["> /dev/full", ">&-"])
@pytest.mark.parametrize("words", ["config check", "status --wait 0.1", "ping @@ --json"])
def test_an_output_that_cannot_be_written_is_one_line(config: Path, where: str, words: str) -> None:
    done = shell(f"$JPH {words} {where}", config)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("control.py: cannot write the output: ")
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_an_ignored_hangup_stays_ignored(config: Path) -> None:
    words = " ".join(command(config, "up"))
    with Program("bash", "-c", f"trap '' HUP; exec {words}") as house:
        house.expect("ready: ")
        house.process.send_signal(signal.SIGHUP)
        for child in house.children().values():
            os.kill(child, signal.SIGHUP)
        assert control(config, "ping", "SP").returncode == 0
        assert house.process.poll() is None


def test_a_house_runs_without_any_output(config: Path) -> None:
    words = " ".join(command(config, "run", "SP"))
    with Program("bash", "-c", f"exec {words} <&- >&- 2>&-") as node:
        assert control(config, "watch", "--from", "SP", "--count", "1").returncode == 0
        assert control(config, "ping", "SP").returncode == 0
        assert node.process.poll() is None


def test_a_shell_completes_the_installed_command(config: Path, tmp_path: Path) -> None:
    jph = tmp_path / "jph"
    jph.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from jph.cli.entry import main\nmain()\n"
    )
    jph.chmod(0o755)

    def complete(words: str, at: int) -> list[str]:
        environment = {
            **os.environ,
            "JPH_CONFIG": str(config),
            "_JPH_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(at),
        }
        done = subprocess.run(
            [str(jph)], env=environment, capture_output=True, text=True, timeout=LIMIT_S
        )
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert complete("jph pi", 1) == ["ping"]
    assert complete("jph ping s", 2) == ["SP"]
    assert complete("jph set E", 2) == ["EL"]
    version = subprocess.run([str(jph), "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("jph, version ")
