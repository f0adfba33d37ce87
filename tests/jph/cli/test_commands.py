"""Commands against a real node, and against none: what they say, and how they end."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.jph.cli.programs import CONSOLE, Program, command, control, element, setpoint
from tests.support import LIMIT_S

WriteConfig = Callable[..., Path]


@pytest.fixture
def config(config_file: WriteConfig) -> Path:
    """Write a network of two setpoints (one without Control), an element and the console."""
    return config_file(
        setpoint("SP", "Comfort temperature"),
        setpoint("SQ", Control=""),
        element("EL", "SP"),
        CONSOLE,
    )


@pytest.fixture
def nodes(config: Path) -> Iterator[Program]:
    """Run both setpoints in one process and wait until they speak."""
    with Program(*command(config, "run", "SP", "SQ")) as program:
        for code in ("SP", "SQ"):
            heard = control(config, "watch", "--bus", "data", "--from", code, "--count", "1")
            assert heard.returncode == 0
        yield program


def test_ping_tells_time_and_clock(nodes: Program, config: Path) -> None:
    done = control(config, "ping", "SP")
    assert done.returncode == 0, done.stderr
    found = re.fullmatch(
        r"SP \(Comfort temperature\): (\d+\.\d+) ms, clock ([+-]\d+\.\d+) ms\n", done.stdout
    )
    assert found, done.stdout
    assert 0 < float(found[1]) < 1000 * LIMIT_S
    assert abs(float(found[2])) < 1000 * LIMIT_S


def test_ping_counts_what_it_sent_and_lost(nodes: Program, config: Path) -> None:
    done = control(config, "ping", "-c", "3", "-i", "0.01", "SP")
    assert "SP: 3 sent, 3 answered, 0 % lost" in done.stdout
    shown = json.loads(control(config, "ping", "--json", "-c", "2", "-i", "0", "SP").stdout)
    assert (shown["sent"], shown["answered"], shown["lost_percent"]) == (2, 2, 0.0)
    assert len(shown["round_trip_ms"]) == 2


def test_pinging_an_element_pings_its_node_and_says_so(nodes: Program, config: Path) -> None:
    done = control(config, "ping", "el")
    assert done.returncode == 0
    assert done.stdout.startswith("EL is an element of SP: pinging SP\nSP (Comfort")


def test_ping_everybody_lists_who_answers(nodes: Program, config: Path) -> None:
    done = control(config, "ping", "@@")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["code", "SP", "SQ"]


def test_two_terminals_get_their_own_answers(nodes: Program, config: Path) -> None:
    words = command(config, "ping", "-c", "20", "-i", "0.01", "SP")
    with Program(*words) as one, Program(*words) as other:
        for terminal in (one, other):
            terminal.expect("SP: 20 sent, 20 answered")


@pytest.mark.parametrize(("patience", "shown"), [(1, "2 s"), (0.25, "0.5 s")])
def test_nobody_there_is_told_in_time(config: Path, patience: float, shown: str) -> None:
    done = control(config, "ping", "SP", patience=patience)
    assert done.returncode == 1
    assert done.stderr == f"SP (Comfort temperature) does not answer within {shown}\n"


def test_everybody_silent_names_them(config: Path) -> None:
    done = control(config, "ping", "@@", patience=1)
    assert done.returncode == 1
    assert done.stderr == "no answer from SP SQ\n"


@pytest.mark.parametrize(
    "words", [["ping", "S1"], ["halt", "S1"], ["set", "S1", "2"], ["watch", "--from", "S1"]]
)
def test_an_unknown_codifier_names_near_ones(config: Path, words: list[str]) -> None:
    done = control(config, *words)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "S1" in done.stderr
    assert "SP (Comfort temperature)" in done.stderr


def test_set_and_step_show_the_reading_that_follows(nodes: Program, config: Path) -> None:
    done = control(config, "set", "SP", "21.5")
    assert (done.returncode, done.stdout) == (0, "SP (Comfort temperature): 21.5 °C\n")
    done = control(config, "step", "SP", "-0.5")
    assert (done.returncode, done.stdout) == (0, "SP (Comfort temperature): 21 °C\n")
    shown = json.loads(control(config, "set", "--json", "SP", "99").stdout)
    assert (shown["asked"], shown["value"], shown["done"]) == (99, 30, True)  # its Max
    done = control(config, "set", "SP", "99")
    said = "SP (Comfort temperature): asked 99 °C, took 30 °C\n"
    assert (done.returncode, done.stdout) == (0, said)


def test_what_has_no_control_is_refused(config: Path) -> None:
    for words in (("set", "SQ", "1"), ("step", "EL", "1")):
        done = control(config, *words)
        assert done.returncode == 2
        assert '"Control": "enabled"' in done.stderr


def test_set_without_a_node_fails(config: Path) -> None:
    done = control(config, "set", "SP", "21", patience=1)
    assert (done.returncode, done.stderr) == (1, "control.py: SP does not answer\n")


def test_halt_and_start(nodes: Program, config: Path) -> None:
    done = control(config, "halt", "SP")
    assert (done.returncode, done.stdout) == (0, "SP is halted\n")
    assert "(halted)" in control(config, "ping", "SP").stdout
    done = control(config, "set", "SP", "22", patience=3)
    assert done.returncode == 1
    assert "it is halted" in done.stderr
    done = control(config, "start", "@@")
    assert (done.returncode, done.stdout) == (0, "SP sends data\nSQ sends data\n")


def test_reload_is_confirmed_or_refused(nodes: Program, config: Path) -> None:
    good = config.read_text(encoding="utf-8")
    assert control(config, "reload", "SP").stdout == "SP read the configuration again\n"
    broken = config.with_name("broken.json")
    broken.write_text(good, encoding="utf-8")
    config.write_text(good.replace('"Min": 5', '"Min": "cold"'), encoding="utf-8")
    done = control(broken, "reload", "SP", patience=1)
    assert done.returncode == 1
    assert "refused" in done.stderr
    assert control(broken, "ping", "SP").returncode == 0


def test_status_needs_the_bus_only(nodes: Program, config: Path) -> None:
    control(config, "halt", "SQ")
    done = control(config, "status", "--json", "--wait", "4")
    assert done.returncode == 0, done.stderr
    rows = {row["codifier"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"SP", "SQ", "EL"}
    assert (rows["SP"]["state"], rows["SP"]["value"], rows["SP"]["active"]) == ("alive", 20, True)
    assert rows["SP"]["round_trip_ms"] > 0
    assert (rows["SQ"]["state"], rows["SQ"]["active"]) == ("halted", False)
    assert (rows["EL"]["state"], rows["EL"]["node"]) == ("unheard", "SP")
    table = control(config, "status", "--wait", "4").stdout
    assert re.search(r"^SP +Comfort temperature +alive +20 °C", table, re.M)
    assert "\x1b" not in table


def test_status_of_an_empty_house(config: Path) -> None:
    done = control(config, "status", "--wait", "0.2")
    assert done.returncode == 1
    assert done.stdout.count("silent") == 3


def test_watch_counts_and_filters(nodes: Program, config: Path) -> None:
    done = control(config, "watch", "--from", "SP", "--bus", "data", "--count", "3", "--json")
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0
    assert [(m["bus"], m["source"], m["value"]) for m in messages] == [("data", "SP", 20.0)] * 3
    sequences = [m["sequence"] for m in messages]
    assert sequences == list(range(sequences[0], sequences[0] + 3))


def test_watch_follows_one_conversation(nodes: Program, config: Path) -> None:
    words = command(config, "watch", "--either", "CC", "--flag", "P", "--flag", "T", "--count", "2")
    with Program(*words) as watching:
        while watching.process.poll() is None and len(watching.lines) < 2:
            assert control(config, "ping", "SP").returncode == 0  # until it listens
        assert " C P CC→SP" in watching.expect("CC→SP")
        assert " C T SP→CC" in watching.expect("SP→CC")
        assert watching.process.wait(LIMIT_S) == 0


def test_watch_into_a_reader_that_leaves_ends_quietly(nodes: Program, config: Path) -> None:
    words = shlex.join(command(config, "watch"))
    done = subprocess.run(
        ["bash", "-c", f"{words} | head -n 2; echo status ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[2:] == ["status 0"]


def test_ping_everybody_leaves_out_the_asker(nodes: Program, config: Path) -> None:
    with Program(*command(config, "watch", "--flag", "T", "--from", "SP")) as watching:
        while not watching.lines:  # until it listens: it is there as a console of our name
            beside = control(config, "ping", "@@")
    alone = control(config, "ping", "@@")
    for table in (beside, alone):
        assert [line.split()[0] for line in table.stdout.splitlines()] == ["code", "SP", "SQ"]


def test_a_node_named_twice_is_a_mistake(config: Path) -> None:
    done = control(config, "run", "SP", "SP")
    assert done.returncode == 2
    assert "SP is named more than once" in done.stderr


def test_a_state_that_cannot_be_is_one_line(config: Path) -> None:
    done = control(config, "run", "SP", JPH_STATE="/proc/x")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "/proc/x cannot be used" in done.stderr


def test_run_ends_on_sigterm(nodes: Program, config: Path) -> None:
    nodes.process.terminate()
    assert nodes.process.wait(LIMIT_S) == 0


def test_run_makes_way_for_a_newer_instance(nodes: Program, config: Path) -> None:
    with Program(*command(config, "run", "SP")), Program(*command(config, "run", "SQ")):
        assert nodes.process.wait(LIMIT_S) == 3


def test_no_config_is_one_line(tmp_path: Path) -> None:
    done = control(tmp_path / "none.json", "status")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "none.json" in done.stderr
