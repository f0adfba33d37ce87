"""Recording, playing and converting on real buses and files; what `watch` selects."""

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jph.cli.commands.play import _play
from jph.cli.commands.watch import CsvPrinter, Novelty
from jph.cli.main import cli
from jph.cli.recording import RotatingFiles, Rotation, record_buses
from jph.cli.terminal.context import App
from jph.config.model import load
from jph.errors import JphError
from jph.node.node import Node, now_ms
from jph.recorder import recording_files
from jph.recorder.frames import END, RecordedDatagram, pack_datagram, unpack
from jph.recorder.replay import Playback
from jph.wire.codec import Control, Flag, Quality, Reading, encode_control, encode_data
from nodes.setpoint import Setpoint
from tests.jph.cli.programs import CONSOLE, setpoint
from tests.support import running, until

ConfigFile = Callable[..., Path]
AT_MS = 1_795_000_000_000


class Collector(Node, type="Recorder"):
    """Stands where a collector would: it keeps what it hears, and switches nothing."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.heard: list[Reading] = []

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.heard += readings


def heard(value: float, after_ms: int, sequence: int) -> RecordedDatagram:
    message = Reading(sequence, 9, AT_MS + after_ms, "d", "X1", "@@", 1, 0, value)
    return RecordedDatagram(
        "data", (AT_MS + after_ms) * 1000, "127.0.0.1", 7002, encode_data(message)
    )


TAPE = [heard(float(i), 1000 * i, 10 + i) for i in range(20)]


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "house.rec"
    recording_files.write(path, 0, [*map(pack_datagram, TAPE), END])
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(config), *words])


async def test_a_recording_arrives_with_its_values_order_and_intervals(
    config_file: ConfigFile,
) -> None:
    config = config_file(setpoint("X1"), {"Codifier": "Q1", "Type": "Recorder"}, CONSOLE)
    collector = Collector("Q1", load(str(config)))
    playback = Playback(speed=1000, end_ms=now_ms(), salt=7)
    async with running(collector):
        await _play(App(str(config)), iter([playback.due(playback.chosen(TAPE))]), really=False)
        await until(lambda: len(collector.heard) == len(TAPE))
    assert [reading.value for reading in collector.heard] == [float(i) for i in range(20)]
    times = [reading.timestamp_ms for reading in collector.heard]
    assert {after - before for before, after in itertools.pairwise(times)} == {1000}
    assert times[-1] == playback.end_ms


async def test_beside_a_node_that_obeys_it_refuses_without_really(config_file: ConfigFile) -> None:
    config = config_file(setpoint("S1"), setpoint("X1"), CONSOLE)
    playback = Playback(speed=1000)
    async with running(Setpoint("S1", load(str(config)))):
        with pytest.raises(JphError, match="S1 would take the recording"):
            await _play(App(str(config)), iter([playback.due(playback.chosen(TAPE))]), really=False)


def test_half_a_target_is_refused(config_file: ConfigFile, tape: Path) -> None:
    config = config_file(setpoint("X1"), CONSOLE)
    done = run(config, "play", str(tape), "--data", "239.1.2.3:4000")
    assert done.exit_code == 2
    assert run(config, "play", str(tape), "--data", "239.1.2.3").exit_code == 2


async def test_both_buses_are_recorded_and_read_again(
    config_file: ConfigFile, tmp_path: Path
) -> None:
    config = config_file(setpoint("S1"), CONSOLE)
    folder = tmp_path / "tapes"
    async with running(Setpoint("S1", load(str(config)))):
        recording = asyncio.create_task(
            record_buses(App(str(config)), folder, Rotation(3, 10_000_000))
        )
        await until(lambda: _messages(folder, Reading) and _messages(folder, Control))
        recording.cancel()
        await recording
    assert {message.source for message in _messages(folder, Reading)} == {"S1"}
    assert recording_files.recordings(folder)[0].read_bytes().endswith(END)


def _messages(folder: Path, kind: type) -> list[Reading | Control]:
    entries = [e for path in recording_files.recordings(folder) for e in unpack(path.read_bytes())]
    messages = [entry.message() for entry in entries if isinstance(entry, RecordedDatagram)]
    return [message for message in messages if isinstance(message, kind)]


def test_files_rotate_and_the_oldest_goes(tmp_path: Path) -> None:
    files = RotatingFiles(tmp_path, Rotation(files=2, bytes=100))
    for entry in TAPE[:6]:
        files.write([pack_datagram(entry)] * 2)
    files.write([], end=True)
    kept = recording_files.recordings(tmp_path)
    assert [recording_files.number(path) for path in kept] == [6, 5]


def test_a_recording_becomes_rows_lines_tables_and_packets(
    config_file: ConfigFile, tape: Path, tmp_path: Path
) -> None:
    config = config_file(setpoint("X1"), CONSOLE)
    lines = run(config, "convert", str(tape)).stdout.splitlines()
    assert lines[0].startswith("arrival_us,bus,timestamp_ms,flag,source")
    assert len(lines) == 1 + len(TAPE)
    last = run(config, "convert", str(tape), "--to", "jsonl").stdout.splitlines()[-1]
    assert json.loads(last)["value"] == 19.0
    assert json.loads(last)["source"] == "X1"
    database = tmp_path / "house.sqlite"
    assert run(config, "convert", str(tape), "--out", str(database)).exit_code == 0
    opened = sqlite3.connect(database)
    assert opened.execute("SELECT count(*), sum(value) FROM messages").fetchone() == (20, 190.0)
    opened.close()
    assert run(config, "convert", str(tape), "--out", str(database)).exit_code == 1  # it stays
    packets = tmp_path / "house.pcap"
    assert run(config, "convert", str(tape), "--out", str(packets)).exit_code == 0
    assert packets.stat().st_size == 24 + sum(16 + 28 + len(entry.datagram) for entry in TAPE)


def reading(code: str, value: float, quality: int = 0) -> Reading:
    return Reading(1, 9, AT_MS, "d", code, "@@", 1, quality, value)


def test_changes_are_values_or_qualities_that_differ() -> None:
    novelty = Novelty(changes=True)
    seen = [reading("I1", 1.0), reading("I1", 1.0), reading("I2", 1.0), reading("I1", 1.0, 1)]
    assert [novelty.passes(each) for each in seen] == [True, False, True, True]
    assert not novelty.complete


def test_once_ends_with_the_last_expected_codifier() -> None:
    novelty = Novelty(frozenset({"I1", "I2"}), once=True)
    assert novelty.passes(reading("I1", 1.0))
    assert not novelty.passes(reading("I1", 2.0))
    assert not novelty.complete
    assert novelty.passes(reading("I2", 1.0))
    assert novelty.complete


def test_csv_has_one_heading_and_a_line_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    printer = CsvPrinter()
    printer.show(reading("I1", 1.5, Quality.STALE), AT_MS)
    printer.show(Control(3, 9, AT_MS, Flag.ALIVE, "TI", "@@", 1, 5.0, True), AT_MS)
    assert capsys.readouterr().out.splitlines() == [
        "timestamp_ms,bus,flag,source,to,sequence,quality,value",
        f"{AT_MS},data,d,I1,@@,1,stale,1.5",
        f"{AT_MS},control,I,TI,@@,3,,5.0",
    ]


def test_a_control_message_survives_a_tape() -> None:
    message = Control(3, 9, AT_MS, Flag.ALIVE, "TI", "@@", 1, 5.0, True)
    entry = RecordedDatagram("control", 1, "", 0, encode_control(message))
    assert next(iter(unpack(pack_datagram(entry)))) == entry
