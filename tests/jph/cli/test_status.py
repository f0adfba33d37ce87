"""`status`: words for orders, hidden details, the terminal's width, last values from the cache."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import redis

from tests.jph.cli.programs import CONSOLE, Document, control, element

WriteConfig = Callable[..., Path]


def house() -> list[Document]:
    wire = {"Codifier": "11", "Wire": 1, "Phase": 1, "Room": "Hall", "Name": "Wall"}
    wires = [{**wire, "Applied": "1A", "Verified": "1I"}]
    phases = [{"Phase": 1, "Codifier": "S1", "Current": "I1", "Limit": 30}]
    return [
        {"Codifier": "P1", "Type": "PilotCard", "Name": "Card"}
        | {"Sensor": {"Bus": 1, "Wires": wires, "Shed": {"1": "S1"}, "State": "K1"}},
        element("11", "P1", Name="Heater with a name that is far too long for a terminal"),
        element("1A", "P1"),
        element("1I", "P1"),
        element("K1", "P1"),
        {"Codifier": "SH", "Type": "Shedding", "Name": "Shedder", "Sensor": {"Phases": phases}},
        element("S1", "SH", Name="Shed"),
        {"Codifier": "TI", "Type": "Teleinfo", "Name": "Meter"}
        | {"Sensor": {"Device": "/dev/null", "Proxy": [{"Codifier": "I1", "Field": "IINST1"}]}},
        element("I1", "TI", Name="Current", Symbol="A", TimeoutWarning=20),
        CONSOLE,
    ]


def fill(url: str, **values: str) -> None:
    """Write last values as the cache does, 10 minutes old."""
    now_ms = int(time.time() * 1000)
    with redis.Redis.from_url(url) as client:
        client.flushall()
        for code, value in values.items():
            fields = {"Value": value, "DTimestamp": str(now_ms - 600_000), "Quality": "0"}
            client.hset(code.strip("_"), mapping=fields)


def test_last_values_are_there_at_once(config_file: WriteConfig, redis_url: str) -> None:
    fill(redis_url, _11="3", S1="1", I1="7", K1="{}", _1A="1")
    config = config_file(*house(), Redis={"URL": redis_url})
    done = control(config, "status", patience=0.3)
    assert done.returncode == 1, done.stderr  # no node is there
    lines = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert " eco " in lines["11"]
    assert " 11 " in lines["S1"].split("Shed", 1)[1]  # the heaters that it holds back
    assert lines["I1"].split()[1:] == ["Current", "dead", "7", "A", "10", "min"]
    assert lines.keys().isdisjoint({"1A", "1I", "K1"})
    rows = json.loads(control(config, "status", "--json", patience=0.3).stdout)
    by_code = {row["codifier"]: row for row in rows}
    assert (by_code["I1"]["cached"], by_code["I1"]["value"]) == (True, 7)
    assert (by_code["1I"]["cached"], by_code["TI"]["state"]) == (False, "silent")


def test_details_are_shown_on_request(config_file: WriteConfig, redis_url: str) -> None:
    fill(redis_url, _1A="1")
    config = config_file(*house(), Redis={"URL": redis_url})
    done = control(config, "status", "--all", patience=0.3)
    lines = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert " off " in lines["1A"]
    assert {"1I", "K1"} <= lines.keys()


def test_every_line_fits_the_terminal(config_file: WriteConfig) -> None:
    config = config_file(*house())
    wide = control(config, "status", "--wait", "0.1").stdout
    assert max(map(len, wide.splitlines())) > 60
    done = control(config, "status", "--wait", "0.1", COLUMNS="60")
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "…" in done.stdout
    assert "silent" in done.stdout
