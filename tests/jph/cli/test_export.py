import contextlib
import csv
import math
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from collector.history.measures import measure_of
from collector.statistics.buckets import HOUR_US, MINUTE_US
from jph.config.model import Network
from tests.collector.statistics.test_calculator import CHANGE, House, reading
from tests.jph.cli.programs import control

WriteConfig = Callable[..., Path]
METER = {"Codifier": "I1", "Type": "Setpoint", "Sensor": {"Default": "1"}}
MS = CHANGE // 1000
VALUES: list[tuple[str, Any]] = [
    ("d", 0.1),
    ("d", math.inf),
    ("d", math.nan),
    ("q", 2**62 + 1),
    ("s", 'a "word", and\nanother'),
    ("j", '{"value": 7}'),
]


@pytest.fixture
def config(sql: dict[str, Any], config_file: WriteConfig) -> Path:
    with contextlib.closing(House(sql)) as house:
        house.write(
            *(
                reading(n, CHANGE + n * MINUTE_US, value, flag=flag)
                for n, (flag, value) in enumerate(VALUES)
            ),
            *(reading(n, CHANGE + n * HOUR_US, 1.0, "I2") for n in range(5)),
        )
        house.calculate(CHANGE + 30 * HOUR_US)
    return config_file(METER, {**METER, "Codifier": "I2"}, SQL=sql)


def exported(config: Path, *words: str) -> None:
    done = control(config, "export", *words)
    assert done.returncode == 0, done.stderr


def test_csv_is_exact(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    exported(config, "I1", "-o", str(path))
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    assert head == ["codifier", "timestamp_ms", "value", "quality", "epoch", "sequence"]
    assert [row[2] for row in rows] == [
        "0.1",
        "inf",
        "NaN",
        str(2**62 + 1),
        'a "word", and\nanother',
        '{"value": 7}',
    ]
    assert rows[1] == ["I1", str(MS + 60_000), "inf", "2", "7", "1"]  # implausible


def test_csv_with_decimal_commas(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "comma.csv"
    exported(config, "I1", "--decimal-comma", "-o", str(path))
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file, delimiter=";")
    assert head[2] == "value"
    assert [row[2] for row in rows][:4] == ["0,1", "inf", "NaN", str(2**62 + 1)]


def test_sqlite_keeps_types_and_statistics(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "house.sqlite"
    exported(config, "-o", str(path))
    with contextlib.closing(sqlite3.connect(path)) as file:
        found = file.execute(
            "SELECT value FROM reading WHERE codifier = 'I1' ORDER BY 1"
        ).fetchall()
        assert {value for (value,) in found} == {
            0.1,
            math.inf,
            "NaN",
            2**62 + 1,
            'a "word", and\nanother',
            '{"value": 7}',
        }
        assert file.execute("SELECT count(*) FROM reading").fetchone() == (11,)
        asked = "SELECT codifier, count FROM statistic_day WHERE codifier = 'I2'"
        assert file.execute(asked).fetchall() == [("I2", 5)]


def test_a_part_of_the_time(config: Path, tmp_path: Path) -> None:
    done = control(config, "export", "I2", "--from", "2026-10-25T02:00Z", "-o", "-")
    assert [line.split(",")[1] for line in done.stdout.splitlines()[1:]] == [
        str(MS + n * 3_600_000) for n in (2, 3, 4)
    ]
    assert "3 readings of 1 codifiers" in done.stderr


def test_a_file_that_is_there_is_not_lost(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "all.csv"
    path.write_text("precious")
    assert control(config, "export", "-o", str(path)).returncode == 2
    assert path.read_text() == "precious"
    exported(config, "--force", "-o", str(path))
    assert path.read_text().startswith("codifier,")
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_what_cannot_be_written_is_told(config: Path, tmp_path: Path) -> None:
    for name in ("nowhere/all.csv", "nowhere/all.sqlite"):
        done = control(config, "export", "-o", str(tmp_path / name))
        assert (done.returncode, "cannot write" in done.stderr) == (1, True), done.stderr


def test_sqlite_by_kind_of_measure(config: Path, tmp_path: Path) -> None:
    path = tmp_path / "measures.sqlite"
    exported(config, "--sqlite", str(path))
    with contextlib.closing(sqlite3.connect(path)) as file:
        tables = [name for (name,) in file.execute("SELECT name FROM sqlite_master "
                                                   "WHERE type = 'table'")]  # fmt: skip
        rows = file.execute("SELECT * FROM other WHERE codifier = 'I2' ORDER BY time").fetchall()
    assert tables == ["other"]
    assert len(rows) == 5
    assert rows[0][3] == 1.0
    assert rows[0][2].endswith("Z")
    done = control(config, "export", "--sqlite", str(path))
    assert (done.returncode, "is there already" in done.stderr) == (2, True)
    assert control(config, "export").returncode == 2


@pytest.mark.parametrize(
    ("entry", "table"),
    [
        ({"Symbol": "C"}, "temperature"),
        ({"Symbol": "%", "Name": "Humidity of the cellar"}, "humidity"),
        ({"Symbol": "%"}, "percent"),
        ({"Symbol": "W"}, "power"),
        ({"DataType": "bool"}, "state"),
        ({"DataType": "text", "Symbol": "C"}, "text"),
        ({}, "other"),
    ],
)
def test_kinds_of_measure(
    network: Callable[..., Network], entry: dict[str, Any], table: str
) -> None:
    made = network({**METER, **entry})
    assert measure_of(made.sensor("I1")) == table
    assert measure_of(None) == "other"
