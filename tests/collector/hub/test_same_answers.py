"""A house that lets all leave for a hub: the hub's answers are the house's own, byte by byte."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from collector.calc import PostgresCalcHandler
from collector.hub.node import Hub
from collector.jphpostgresql import JphPostgreSQL
from jph.cli.main import cli
from jph.config.model import Network, parse
from jph.node.node import Node
from jph.wire.codec import Json
from nodes.site import Site
from tests.natsserver import NatsServer
from tests.support import REPOSITORY, running

HOUR_MS = 3_600_000
STEP_MS = 60_000
ELEMENTS = ("X1", "X2", "I1", "TX", "JS")


class Meter(Node):
    """Sends what the test says."""


def house(url: str) -> list[dict[str, Any]]:
    """Return the sensors of a house with a meter of two periods."""
    fields = [{"Codifier": "X1", "Field": "INDEX_HC"}, {"Codifier": "X2", "Field": "INDEX_HP"}]
    meter = {"Device": "nowhere", "Proxy": [*fields, {"Codifier": "I1", "Field": "CURRENT_1"}]}
    element = {"Type": "Proxy", "Sensor": {"Codifier": "TI"}, "TimeoutWarning": 90}
    return [
        {"Codifier": "TI", "Type": "Teleinfo", "Sensor": meter},
        *({**element, "Codifier": code} for code in ELEMENTS[:3]),
        {**element, "Codifier": "TX", "DataType": "text"},
        {**element, "Codifier": "JS", "DataType": "json"},
        {"Codifier": "Q1", "Type": "jphPostgreSQL", "Sensor": {"BatchInterval": 0.01}},
        {"Codifier": "Q2", "Type": "postgresCalcHandler", "SensorInterval": 0.5},
        {
            "Codifier": "W1",
            "Type": "Site",
            "Sensor": {"Name": "erquy", "URL": [url], "Block": 0.05, "Hub": True},
        },
    ]


def send(meter: Meter) -> None:
    """Send eleven hours of readings, up to now."""
    now_ms = time.time_ns() // 1_000_000
    for number, at_ms in enumerate(range(now_ms - 11 * HOUR_MS, now_ms, STEP_MS)):
        meter.send(number % 17 / 4, codifier="I1", timestamp_ms=at_ms)
        period = "X1" if number % 600 < 300 else "X2"
        meter.send(1000 + 40 * number, codifier=period, timestamp_ms=at_ms)
        if number % 50 == 0:
            meter.send(f"word {number}", codifier="TX", timestamp_ms=at_ms)
            value = json.dumps({"value": number, "unit": "é"})
            meter.send(Json(value), codifier="JS", timestamp_ms=at_ms)


QUESTIONS: tuple[tuple[str, ...], ...] = (
    *(
        ("history", code, "--from", "yesterday", "--every", every, *shape)
        for code in ("I1", "X1", "JS")
        for every, shape in (("raw", ("--csv",)), ("10min", ()), ("hour", ("--json",)))
    ),
    ("history", "TX", "--from", "yesterday"),
    ("history", "I1", "--from", "yesterday", "--every", "day", "--csv"),
    ("cost", "--day", "yesterday"),
    ("cost", "--day", "today", "--json"),
    ("cost",),
    ("gaps", "--json"),
)


def answers(*options: str) -> list[str]:
    found = [CliRunner().invoke(cli, [*options, *question]) for question in QUESTIONS]
    return [f"{each.exit_code} {each.output}" for each in found]


def written(path: Path, content: dict[str, Any]) -> Network:
    path.write_text(json.dumps(content), encoding="utf-8")
    return parse(path.read_bytes())


async def test_the_hub_answers_as_the_house(
    document: Callable[..., dict[str, Any]],
    sql: dict[str, Any],
    nats_server: NatsServer,
    tmp_path: Path,
) -> None:
    example = REPOSITORY / "static" / "tariffs" / "hphc.json"
    tariffs = json.loads(example.read_text(encoding="utf-8"))["Tariffs"]
    ours = document(*house(nats_server.url), SQL=sql, Tariffs=tariffs)
    sensor = {"URL": [nats_server.url], "BatchInterval": 0.01, "ComputeInterval": 0.2}
    channel = {"Address": "239.255.93.1", "Port": ours["Multicast"]["Control-Channel"]["Port"]}
    data = {"Address": "239.255.93.2", "Port": ours["Multicast"]["Data-Channel"]["Port"]}
    theirs = document(
        {"Codifier": "HB", "Type": "Hub", "Sensor": sensor},
        SQL=sql,
        Multicast={"Control-Channel": channel, "Data-Channel": data},
    )
    paths = [tmp_path / "house.json", tmp_path / "hub.json"]
    of_house, of_hub = map(written, paths, (ours, theirs))
    meter = Meter("TI", of_house)
    programs = (
        *(meter, JphPostgreSQL("Q1", of_house), PostgresCalcHandler("Q2", of_house)),
        *(Site("W1", of_house), Hub("HB", of_hub)),
    )
    house_words = ("--config", str(paths[0]))
    hub_words = ("--config", str(paths[1]), "--house", "erquy")
    async with running(*programs):
        send(meter)
        own: list[str] = []
        for _ in range(60):
            own = await asyncio.to_thread(answers, *house_words)
            if own == await asyncio.to_thread(answers, *hub_words) and all(
                each.startswith("0 ") for each in own
            ):
                break
            await asyncio.sleep(0.5)
        hubs = await asyncio.to_thread(answers, *hub_words)
    assert own == hubs
    whole = "\n".join(own)
    assert len(own[0].splitlines()) > 600
    assert "word 50" in whole
    yesterday, today = own[-4], own[-3]
    assert "nothing is known" not in yesterday or '"wh": 0,' not in today
