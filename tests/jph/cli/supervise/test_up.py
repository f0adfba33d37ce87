"""`up`: a small house kept alive, as a person or a script would use it."""

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jph.cli.supervise.process import Part
from jph.cli.supervise.supervisor import TERM_GRACE_S, Supervisor
from jph.cli.supervise.up import END_LIMIT_S, can_run
from jph.config.model import Sensor, load
from tests.jph.cli.programs import CONSOLE, Program, command, control, gone, setpoint
from tests.support import LIMIT_S, REPOSITORY, children, until

WriteConfig = Callable[..., Path]
CODES = ("S1", "S2", "S3")


@pytest.fixture
def config(config_file: WriteConfig) -> Path:
    """Write a house of three setpoints."""
    return config_file(*(setpoint(code) for code in CODES), CONSOLE)


@pytest.fixture
def house(config: Path) -> Iterator[Program]:
    """Run that house and wait until it is ready."""
    with Program(*command(config, "up")) as program:
        program.expect("ready: 3 parts")
        yield program


def test_each_part_is_told_and_answers(house: Program, config: Path, state: Path) -> None:
    assert sorted(line.split()[0] for line in house.lines) == [*CODES, "ready:"]
    assert control(config, "ping", "@@").stdout.count("Setpoint S") == 3
    assert {path.name for path in (state / "log").iterdir()} == {f"{c}.log" for c in CODES}


def test_a_killed_part_is_back_at_once_and_alone(house: Program, config: Path) -> None:
    before = house.children()
    os.kill(before["S2"], signal.SIGKILL)
    house.expect("S2         ended by SIGKILL; again in 0.2 s")
    house.expect("S2         ready again")
    after = house.children()
    assert after["S2"] != before["S2"]
    assert {**after, "S2": 0} == {**before, "S2": 0}
    assert control(config, "ping", "S2").returncode == 0


def test_its_value_survives_a_kill(house: Program, config: Path) -> None:
    assert control(config, "set", "S1", "23").returncode == 0
    os.kill(house.children()["S1"], signal.SIGKILL)
    house.expect("S1         ready again")
    heard = control(config, "watch", "--from", "S1", "--bus", "data", "--flag", "d", "--count", "1")
    assert "23 °C" in heard.stdout


def test_a_part_that_cannot_live_is_tried_ever_more_rarely(config_file: WriteConfig) -> None:
    config = config_file(setpoint("S1"), setpoint("S2"), CONSOLE)
    with Program(*command(config, "up")) as house:
        house.expect("ready: 2 parts")
        good = config.read_text(encoding="utf-8")
        config.write_text(good.replace("Setpoint S1", "S1").replace('"S1"', '"SX"'), "utf-8")
        os.kill(house.children()["S1"], signal.SIGKILL)
        house.expect("S1         ended by SIGKILL; again in 0.2 s")
        house.expect("S1         ended with status 2; again in 0.4 s")
        assert "codifier 'S1' is not in the config" in house.expect(" | ")
        config.write_text(good, encoding="utf-8")
        house.expect("S1         ready again")


def test_a_newer_instance_is_not_fought(house: Program, config: Path) -> None:
    with Program(*command(config, "run", "S3")) as newer:
        house.expect("S3         a newer instance has taken its place")
        before = house.children()
        assert set(before) == {"S1", "S2"}
        os.kill(before["S1"], signal.SIGKILL)
        house.expect("S1         ready again")  # time enough for S3 to have come back
        assert set(house.children()) == {"S1", "S2"}
        assert newer.process.poll() is None


def test_a_newer_house_takes_all(house: Program, config: Path, tmp_path: Path) -> None:
    words = command(config, "up", "--take-over")
    with Program(*words, JPH_STATE=str(tmp_path / "other")) as newer:
        newer.expect("ready: 3 parts")
        assert house.process.wait(LIMIT_S) == 3


def test_another_house_on_the_same_groups_is_left_alone(
    house: Program, config: Path, tmp_path: Path
) -> None:
    done = control(config, "up", patience=2, JPH_STATE=str(tmp_path / "other"))
    assert done.returncode == 1
    assert done.stderr.startswith("control.py: S1 S2 S3 run already: another house runs")
    assert "--take-over" in done.stderr
    assert len(house.children()) == 3
    assert house.process.poll() is None


def test_a_killed_house_is_followed_by_another_at_once(config: Path) -> None:
    with Program(*command(config, "up")) as house:
        house.expect("ready: 3 parts")
        house.process.kill()
        house.process.wait(LIMIT_S)
        with Program(*command(config, "up"), JPH_PATIENCE="4") as newer:
            newer.expect("ready: 3 parts")


@pytest.mark.parametrize("blocked", ["log/S1.log/x", "log"])
def test_a_log_that_cannot_be_written_is_one_line(config: Path, state: Path, blocked: str) -> None:
    place = state / blocked
    place.parent.mkdir(parents=True)
    place.touch()
    done = control(config, "up")
    assert done.returncode == 1
    assert done.stderr.startswith("control.py: the log ")
    assert done.stderr.count("\n") == 1


async def test_a_process_that_cannot_be_had_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def live(_: Part) -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(Part, "live", live)
    said: list[str] = []
    supervisor = Supervisor([Sensor("S1", "Setpoint")], {}, tmp_path, said.append)
    supervisor.start("S1")
    await until(lambda: len(said) == 2)
    await supervisor.stop()
    assert all("cannot be started: [Errno 11]" in line for line in said)


def test_what_is_not_installed_is_said_once_and_left_out(
    config_file: WriteConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    network = load(str(config_file(setpoint("SP"), {"Codifier": "CF", "Type": "Gateway"})))
    assert [part.codifier for part in network.nodes() if can_run(part)] == ["SP"]
    said = capsys.readouterr().out
    assert said.startswith("CF         is left out: Gateway needs jinja2: install")
    assert said.count("\n") == 1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything(house: Program, ending: signal.Signals) -> None:
    pids = list(house.children().values())
    assert len(pids) == 3
    house.process.send_signal(ending)
    assert house.process.wait(LIMIT_S) == 0
    assert gone(pids)


def test_a_part_that_does_not_listen_is_killed(house: Program) -> None:
    pids = house.children()
    os.kill(pids["S1"], signal.SIGSTOP)
    house.process.terminate()
    assert house.process.wait(LIMIT_S) == 0
    house.expect("S1         does not end; killed")
    assert gone(list(pids.values()))


def test_an_end_takes_less_than_five_seconds() -> None:
    assert TERM_GRACE_S + 1.0 < END_LIMIT_S < 5.0


def test_nothing_outlives_a_killed_supervisor(house: Program) -> None:
    pids = list(house.children().values())
    house.process.kill()
    assert gone(pids)


def test_a_second_up_on_the_same_state_is_refused(house: Program, config: Path) -> None:
    done = control(config, "up")
    assert done.returncode == 1
    assert f"pid {house.process.pid}" in done.stderr
    assert "JPH_STATE" in done.stderr
    assert house.process.poll() is None


def test_a_port_in_use_is_told_at_once(config_file: WriteConfig) -> None:
    config = config_file(
        setpoint("SP"), {"Codifier": "CF", "Type": "Gateway", "Name": "Page"}, CONSOLE
    )
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = control(config, "up", JPH_PORT=str(port))
    assert done.returncode == 1
    assert done.stderr.startswith(f"control.py: port {port} on 127.0.0.1 is in use")
    assert "JPH_PORT=" in done.stderr
    assert control(config, "up", JPH_PORT="http").returncode == 1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_to_make_alone_ends_everything(
    config: Path, tmp_path: Path, ending: signal.Signals
) -> None:
    makefile = tmp_path / "Makefile"
    words = " ".join(command(config, "up", "--follow-parent"))
    makefile.write_text(f"run:\n\t@exec {words}\n", encoding="utf-8")
    with Program("make", "-f", str(makefile), "-C", str(REPOSITORY), "run") as make:
        make.expect("ready: 3 parts")
        (child,) = children(make.process.pid)
        parts = children(child)
        assert len(parts) == 3
        make.process.send_signal(ending)
        assert gone([child, *parts])
        assert make.process.wait(LIMIT_S) != 0
