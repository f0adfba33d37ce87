"""`record` reads what the recorder wrote, as far as it goes, and says where it does not."""

import json
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner, Result

from jph.cli.main import cli
from jph.cli.terminal.output import show_day
from jph.recorder import recording_files
from jph.recorder.frames import END, RecordedDatagram, RecordedEvent, pack_datagram, pack_event
from jph.recorder.overruns import Overrun, to_line
from jph.wire.codec import Control, Reading, encode_control, encode_data
from tests.jph.heating.explain.tellinghouse import telling_house

AT_MS = 1_795_000_000_000


def heard(source: str, value: float, at_ms: int = AT_MS) -> bytes:
    reading = Reading(5, 1, at_ms, "d", source, "@@", 1, 0, value)
    return pack_datagram(
        RecordedDatagram("data", at_ms * 1000, "127.0.0.1", 7002, encode_data(reading))
    )


def told(to: str, number: float) -> bytes:
    message = Control(9, 1, AT_MS, "A", "CC", to, 1, number, True)
    return pack_datagram(
        RecordedDatagram("control", AT_MS * 1000, "127.0.0.1", 7001, encode_control(message))
    )


def event(kind: str, text: str) -> bytes:
    return pack_event(RecordedEvent(kind, AT_MS * 1000, text))


PARTS = [heard("I1", 36.0), told("11", 3), event("shed", "phase 1: 11 shed"), heard("I1", 29.0)]


@pytest.fixture
def directory(state: Path) -> Path:
    """Write two recordings: 3 is the newest, whatever the clock said."""
    directory = state / "record"
    recording_files.write(
        directory / "000002-20270101T000000Z-loss.rec", 0, [event("loss", "P1"), END]
    )
    recording_files.write(directory / "000003-20261118T110640Z-shed.rec", 0, [*PARTS, END])
    return directory


def run(tmp_path: Path, *words: str) -> Result:
    path = tmp_path / "config.json"
    path.write_bytes(msgspec.json.encode(telling_house()))
    return CliRunner().invoke(cli, ["--config", str(path), "record", *words])


def test_the_newest_is_replayed_with_its_event_marked(directory: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "show")
    assert (done.exit_code, done.stderr) == (0, "")
    day, *rest = done.stdout.splitlines()
    assert day == show_day(AT_MS, ZoneInfo("Europe/Paris"))
    lines = [line.split(maxsplit=1)[1] for line in rest]
    assert lines == [
        "D d I1→@@          5  36",
        "C A CC→11          9  3                        Console",
        "━━━ shed: phase 1: 11 shed ━━━",
        "D d I1→@@          5  29",
    ]


def test_filters_are_those_of_watch(directory: Path, tmp_path: Path) -> None:
    def shown(*words: str) -> list[str]:
        _, *lines = run(tmp_path, "show", *words).stdout.splitlines()
        return [line.split()[3] for line in lines if "━━━" not in line]

    assert shown("--from", "i1") == ["I1→@@", "I1→@@"]
    assert shown("--either", "11") == ["CC→11"]
    assert shown("--to", "11") == ["CC→11"]
    assert shown("--flag", "A") == ["CC→11"]
    assert shown("--bus", "data", "--flag", "A") == []


def test_json_has_every_field(directory: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in run(tmp_path, "show", "--json").stdout.splitlines()]
    assert lines[0]["value"] == 36.0
    assert (lines[0]["bus"], lines[0]["address"], lines[0]["port"]) == ("data", "127.0.0.1", 7002)
    assert lines[1]["to"] == "11"
    assert lines[2] == {"event": "shed", "arrival_us": AT_MS * 1000, "text": "phase 1: 11 shed"}


@pytest.mark.parametrize("name", ["2", "000002-20270101T000000Z-loss.rec", "path"])
def test_another_is_named_by_number_name_or_path(
    directory: Path, tmp_path: Path, name: str
) -> None:
    path = str(next(directory.glob("000002*")))
    done = run(tmp_path, "show", path if name == "path" else name)
    assert "loss: P1" in done.stdout


def test_damage_is_told_and_the_rest_shown(directory: Path, tmp_path: Path) -> None:
    path = next(directory.glob("000003*"))
    content = bytearray(path.read_bytes())
    content[len(b"jphREC1\n") + 30] ^= 1
    path.write_bytes(content)
    done = run(tmp_path, "show")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1 + 3
    size = len(PARTS[0])
    assert f"{path.name}: {size} bytes from byte 8 on are damaged and left out" in done.stderr


def test_a_file_cut_by_a_power_cut(directory: Path, tmp_path: Path) -> None:
    path = next(directory.glob("000003*"))
    whole = path.read_bytes()
    path.write_bytes(whole[: -len(END) - 5])
    done = run(tmp_path, "show")
    assert done.exit_code == 1
    assert len(done.stdout.splitlines()) == 1 + 3
    assert "it ends without its end" in done.stderr
    path.write_bytes(whole[: -len(END)])  # between two frames: nothing is missing but the end
    done = run(tmp_path, "show")
    assert done.exit_code == 0
    assert "it is being recorded still, or was cut" in done.stderr


def test_what_is_no_recording(tmp_path: Path, state: Path) -> None:
    done = run(tmp_path, "show")
    assert done.exit_code == 1
    assert "nothing is recorded in" in done.stderr
    assert "no recording 'x'" in run(tmp_path, "show", "x").stderr
    other = tmp_path / "other.rec"
    other.write_bytes(b"something else altogether")
    done = run(tmp_path, "show", str(other))
    assert (done.exit_code, done.stdout) == (1, "")


def test_a_message_of_a_later_version_is_counted(state: Path, tmp_path: Path) -> None:
    later = pack_datagram(RecordedDatagram("data", 0, "", 0, b"\x00" * 40))
    recording_files.write(state / "record" / "000001-x-shed.rec", 0, [later, *PARTS, END])
    done = run(tmp_path, "show")
    assert done.exit_code == 1
    assert "messages that this version cannot read: 1" in done.stderr
    assert len(done.stdout.splitlines()) == 1 + 4


def test_what_a_file_says_does_not_command_the_terminal(state: Path, tmp_path: Path) -> None:
    parts = [event("shed", "\x1b[2Jgone"), END]
    recording_files.write(state / "record" / "000001-x-shed.rec", 0, parts)
    assert "\x1b" not in run(tmp_path, "show").stdout + run(tmp_path, "list").stdout


def test_the_list_has_the_newest_first(directory: Path, tmp_path: Path) -> None:
    lines = run(tmp_path, "list").stdout.splitlines()
    assert [line.split()[0][:6] for line in lines[1:]] == ["000003", "000002"]
    assert lines[1].endswith("1  shed: phase 1: 11 shed")
    rows = json.loads(run(tmp_path, "list", "--json").stdout)
    assert [row["events"][0]["kind"] for row in rows] == ["shed", "loss"]


def test_an_empty_list_says_so(state: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "list")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "nothing is recorded" in done.stderr


def test_overruns(state: Path, tmp_path: Path) -> None:
    done = run(tmp_path, "overruns")
    assert done.exit_code == 0
    assert "no overrun is noted" in done.stderr
    first = Overrun(AT_MS, AT_MS + 3200, 3.2, 2, 38.0, 30.0, 14.5, ("21", "22"), "under the limit")
    second = Overrun(AT_MS, AT_MS, 90.0, 1, 31.0, 30.0, 90.0, (), "meter silent")
    path = state / "record" / recording_files.OVERRUNS
    recording_files.add_lines(path, [to_line(first), '{"cut\n', to_line(second)], most=10)
    done = run(tmp_path, "overruns")
    lines = done.stdout.splitlines()
    assert lines[1].endswith("3.2 s      2  38 A   30 A   14  21 22")
    assert lines[2].endswith("2 min      1  31 A   30 A   90  nothing  meter silent")
    assert "lines that cannot be read: 1" in done.stderr
    (row,) = run(tmp_path, "overruns", "--json", "-n", "1").stdout.splitlines()
    assert json.loads(row)["ended"] == "meter silent"
