"""Version 0.1.0 is an interface: its state, its history and its programs are understood for ever.

`tests/data/0.1.0` holds what it wrote and its wheel (the README there says how it was made). What
is done here is done by command lines, and asked of them, of the API or of documented tables, so
that modules may be renamed at will.
"""

import contextlib
import json
import lzma
import os
import re
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from tests.jph.cli.programs import CONSOLE, Program, control, setpoint
from tests.stores_fixtures import connect
from tests.support import LIMIT_S, REPOSITORY, tcp_port

TODAY = REPOSITORY / "control.py"
FROZEN = Path(__file__).parent / "data" / "0.1.0"
EXPECTED = json.loads((FROZEN / "expected.json").read_text(encoding="utf-8"))
NODES = ("HO", "SP", "PO", "P1", "P2", "P3", "SH")
DAYS = ("--from", "2026-11-17", "--to", "2026-11-19")
ARRIVED = "SELECT codifier, count(*) FROM readings WHERE epoch = ANY(%s) GROUP BY 1"
PACKED = "SELECT count(*)::int, sum(count)::int FROM packed WHERE day < '2026-11-20'"
BOOKS = """
    SELECT codifier, missing = '{}', (SELECT count(*) FROM gap),
        (SELECT count(*) = max(sequence) - min(sequence) + 1 FROM reading r
         WHERE r.codifier = source.codifier AND r.epoch = source.epoch)
    FROM source WHERE codifier LIKE 'S_'
"""
Document = dict[str, Any]
WriteConfig = Callable[..., Path]


@pytest.fixture
def frozen_state(state: Path) -> Path:
    """Put the kept state directory where today's programs look for theirs."""
    with tarfile.open(FROZEN / "state.tar.xz") as archive:
        archive.extractall(state.parent, filter="data")
    return state


@pytest.fixture
def house(config_file: WriteConfig, sql: Document) -> Callable[..., Path]:
    """Return a writer of the kept config, on this test's network and database."""

    def write(**top_level: Any) -> Path:
        kept = json.loads((FROZEN / "config.json").read_text(encoding="utf-8"))
        return config_file(*kept["Sensors"], Tariffs=kept["Tariffs"], SQL=sql, **top_level)

    return write


def words(script: Path, config: Path, *more: str) -> list[str]:
    """Return the command line of one generation's control.py."""
    return [sys.executable, str(script), "--config", str(config), *more]


def running(config: Path, *codes: str, script: Path = TODAY, **environment: str) -> Program:
    """Run nodes of one generation, with nothing of the other to be found."""
    environment["PYTHONPATH"] = str(script.parent)
    return Program(*words(script, config, "run", *codes), **environment)


def told(config: Path, *words: str) -> Any:
    """Return what a command tells as JSON; a list if it is a line for each."""
    done = control(config, *words, "--json")
    assert done.returncode == 0, done.stderr
    try:
        return json.loads(done.stdout)
    except ValueError:
        return [json.loads(line) for line in done.stdout.splitlines()]


def ask(sql: Document, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return what the database answers; nothing while its tables are not there yet."""
    with contextlib.closing(connect(sql)) as connection, connection.cursor() as cursor:
        try:
            cursor.execute(statement, values)
        except psycopg2.errors.UndefinedTable:
            return []
        return cursor.fetchall()


def becomes(wanted: object, found: Callable[[], object]) -> None:
    """Ask another program again until it says what is wanted, however slow the machine is."""
    until_s = time.monotonic() + 2 * LIMIT_S
    while (said := found()) != wanted:
        assert time.monotonic() < until_s, f"expected {wanted}, found {said}"
        time.sleep(0.1)


def covers(found: Any, kept: Any) -> bool:
    """Say whether an answer has all that it had in 0.1.0; later versions may add keys."""
    if isinstance(kept, dict):
        return isinstance(found, dict) and all(
            key in found and covers(found[key], value) for key, value in kept.items()
        )
    if isinstance(kept, list):
        return isinstance(found, list) and len(found) == len(kept) and all(map(covers, found, kept))
    return bool(found == kept)


def test_recordings_overruns_and_users_are_read(frozen_state: Path, house: Any) -> None:
    config = house()
    listed = [
        {"file": Path(each["file"]).name, "events": [event["text"] for event in each["events"]]}
        for each in told(config, "record", "list")
    ]
    assert listed == EXPECTED["recordings"]
    lines = {code: len(told(config, "record", "show", code)) for code in ("1", "2")}
    assert lines == EXPECTED["lines recorded"]
    assert covers(told(config, "record", "overruns"), EXPECTED["overruns"])
    users = [[each["name"], each["role"], each["tokens"]] for each in told(config, "user", "list")]
    assert users == EXPECTED["users"]


def test_nodes_go_on_with_orders_setpoint_switch_and_simulated_house(
    frozen_state: Path, house: Any
) -> None:
    """Orders that had an end, and have ended since, are what they were before."""
    config = house()
    kept = dict(EXPECTED["values"])
    for code, each in EXPECTED["ended"].items():
        kept[code] = each["then" if 1000 * time.time() > each["until_ms"] else "order"]

    heard: dict[str, object] = {}

    def values() -> dict[str, object]:
        """Return the newest values so far: a slow machine may not say all in one interval."""
        for row in told(config, "status", "--wait", "5"):
            if row["codifier"] in kept and row["value"] is not None:
                heard[row["codifier"]] = row["value"]
        return heard

    with running(config, *NODES) as nodes:
        becomes(kept, values)
    assert not [line for line in nodes.lines if "ERROR" in line]
    meter = json.loads((frozen_state / "house" / "state.json").read_bytes())["meter"]
    assert meter["off_peak_wh"] + meter["peak_wh"] > EXPECTED["simulated Wh"]


def test_the_page_knows_its_people(frozen_state: Path, house: Any, redis_url: str) -> None:
    """A token that was given then still opens the door; graphs and audit are there."""
    with tcp_port() as port, running(house(Redis={"URL": redis_url}), "CF", JPH_PORT=str(port)):

        def answer(path: str) -> Any:
            token = {"Authorization": f"Bearer {EXPECTED['token']}"}
            url = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=token)
            try:
                with urllib.request.urlopen(url, timeout=LIMIT_S) as page:
                    return json.load(page)
            except urllib.error.URLError as error:
                return str(error)

        becomes(EXPECTED["page"]["/api/me"], lambda: answer("/api/me"))
        asked = {path: answer(path) for path in EXPECTED["page"]}
    assert covers(asked, EXPECTED["page"]), asked


def test_what_waited_in_spool_and_journal_is_stored(
    frozen_state: Path, house: Any, sql: Document
) -> None:
    """The collector empties the kept spool, and fetches a source's earlier starts."""
    epochs = EXPECTED["epochs"]
    with running(house(), "Q1", "SP"):
        becomes(EXPECTED["waited"], lambda: dict(ask(sql, ARRIVED, epochs)))
        kept = frozen_state / "spool" / "Q1" / "000000000000.spool"
        becomes(False, kept.exists)


def test_the_backup_comes_back_and_answers(house: Any, sql: Document, tmp_path: Path) -> None:
    """Also after today's collector and calculator have worked on it."""
    config, archive = house(), tmp_path / "house.backup"
    archive.write_bytes(lzma.decompress((FROZEN / "house.backup.xz").read_bytes()))
    done = control(config, "restore", str(archive), "--yes")
    assert done.returncode == 0, done.stderr

    def facts() -> Document:
        history = {
            f"{code} {every}": told(config, "history", code, *DAYS, "--every", every)["points"]
            for code, every in (("I1", "day"), ("PA", "hour"), ("RA", "10min"), ("X1", "raw"))
        }
        return {
            "history": {name: [len(found), found[0], found[-1]] for name, found in history.items()},
            "tariff": told(config, "history", "TP", *DAYS),
            "gaps": told(config, "gaps", "I1")["gaps"],
            "cost": told(config, "cost", "--day", "2026-11-17"),
            "users": [user["name"] for user in told(config, "user", "list")],
            "readings": dict(ask(sql, ARRIVED, EXPECTED["dumped epochs"])),
            "packed": ask(sql, PACKED),
        }

    before = json.loads(json.dumps(facts(), default=str))
    assert covers(before, EXPECTED["history"]), before
    with running(config, "Q1", "Q2"):
        now = "SELECT count(DISTINCT codifier) FROM reading WHERE codifier IN ('Q1', 'Q2') "
        later = f"{now} AND timestamp > now() - interval '1 minute'"
        becomes([(2,)], lambda: ask(sql, later))
    assert json.loads(json.dumps(facts(), default=str)) == before


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Unpack the kept wheel; return its control.py, which finds the wheel's packages only."""
    place = tmp_path / "old"
    with zipfile.ZipFile(next(FROZEN.glob("*.whl"))) as wheel:
        wheel.extractall(place)
    asked = "import control, jph; print(jph.__version__, jph.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(place)}
    said = subprocess.check_output([sys.executable, "-c", asked], cwd=place, env=environment)
    assert said.decode().split() == ["0.1.0", str(place / "jph" / "__init__.py")]
    return place / "control.py"


@pytest.mark.parametrize("collects", ["today", "0.1.0"])
def test_lost_readings_are_resent_between_the_generations(
    collects: str, old: Path, config_file: WriteConfig, sql: Document
) -> None:
    """One generation collects what the other sends, in a bad network, and both ping the other."""
    sources = [setpoint(code, SensorInterval=0.05) for code in ("SA", "SB")]
    collector = {"Codifier": "Q1", "Type": "jphPostgreSQL", "SensorInterval": 1}
    config = config_file(*sources, collector, CONSOLE, SQL=sql, Drill=True)
    one, other = (TODAY, old) if collects == "today" else (old, TODAY)

    def command(script: Path, *more: str) -> int:
        environment = {**os.environ, "PYTHONPATH": str(script.parent)}
        return subprocess.run(words(script, config, *more), env=environment).returncode

    with (
        running(config, "Q1", script=one) as hearing,
        running(config, "SA", "SB", script=other),
    ):
        becomes(0, lambda: command(one, "ping", "SA"))
        becomes(0, lambda: command(other, "ping", "Q1"))
        drill = ("--patience", "10", "drill", "--loss", "40%", "--for", "3s", "--node", "Q1")
        assert command(one, *drill) == 0
        over = hearing.expect("the drill is over")
        lost = re.search(r"of \d+ datagrams (\d+) lost", over)
        assert lost is not None, over
        assert int(lost[1]) > 0
        becomes([0, 0], lambda: [command(one, "halt", code) for code in ("SA", "SB")])
        whole = [("SA", True, 0, True), ("SB", True, 0, True)]
        becomes(whole, lambda: sorted(ask(sql, BOOKS)))
