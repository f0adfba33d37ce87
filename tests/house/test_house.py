"""The whole house, used as a person would: from a terminal, the page and the databases."""

import json
import os
import random
import signal
import socket
import time
from pathlib import Path

import psycopg2
import pytest
import redis

from jph.config import model as config
from jph.config import stores
from tests.house.conftest import House, demonstration, eventually, start
from tests.support import LIMIT_S, REPOSITORY

NODES = (
    *("HO", "TI", "P1", "P2", "P3", "SH", "R1", "Q1", "Q2", "CF", "C1", "FR", "SP", "SC", "TH"),
    *("MQ", "WS", "ME", "GP", "FX", "BG"),
)
ELEMENTS = tuple(
    sensor.codifier
    for sensor in config.load(str(REPOSITORY / "static" / "config.json")).sensors
    if sensor.parent is not None and sensor.timeout_warning > 0
)
"""Elements that are sent again and again: all but those that only a change sends."""


def test_each_part_is_told_once_and_then_the_address(house: House) -> None:
    for part in (*NODES, "redis", "postgres"):
        assert sum(line.split()[:1] == [part] for line in house.output) == 1
    assert house.output[-1] == f"ready: http://127.0.0.1:{house.port}"


@pytest.mark.parametrize("codifier", NODES)
def test_each_node_answers_a_ping(house: House, codifier: str) -> None:
    done = house.control("ping", codifier)
    assert (done.returncode, "ms" in done.stdout) == (0, True), done


def test_each_element_is_pinged_at_its_node_and_seen_in_both_stores(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JPH_STATE", house.environment["JPH_STATE"])
    network = config.load(str(house.config))
    cache = redis.Redis.from_url(stores.redis_url(network), decode_responses=True)

    def stored() -> set[str]:
        with psycopg2.connect(stores.postgres_dsn(network)) as database, database.cursor() as asked:
            asked.execute("SELECT DISTINCT codifier FROM reading")
            return {str(code) for (code,) in asked.fetchall()}

    eventually(lambda: all(cache.hget(code, "Value") is not None for code in ELEMENTS))
    eventually(lambda: stored() >= set(ELEMENTS))
    done = house.control("ping", "@@", "--json")
    answering = {answer["codifier"] for answer in json.loads(done.stdout)}
    assert answering >= {network.sensor(code).parent for code in ELEMENTS}


def test_ping_tells_no_answer_from_no_such_codifier(house: House) -> None:
    silent = house.control("ping", "N1", patience=1)
    assert (silent.returncode, "not answer within 2 s" in silent.stderr) == (1, True)
    unknown = house.control("ping", "T1")
    assert unknown.returncode == 2
    assert "TI" in unknown.stderr


def test_an_order_reaches_the_chip_and_the_page(house: House) -> None:
    assert house.control("set", "21", "3").returncode == 0
    eventually(lambda: house.hash("21")["Value"] == "3")
    assert house.control("set", "21", "0").returncode == 0
    eventually(lambda: house.hash("21")["Value"] == "0")
    refused = house.control("set", "I1", "3")
    assert refused.returncode == 2
    assert "Control" in refused.stderr


def test_halt_and_start(house: House) -> None:
    assert house.control("halt", "C1").returncode == 0
    eventually(lambda: house.hash("C1")["State"] == "halted")
    assert house.control("start", "C1").returncode == 0
    eventually(lambda: house.hash("C1")["State"] == "alive")


def test_a_node_that_is_killed_is_back_and_nothing_else_restarts(house: House) -> None:
    before = {codifier: house.pid(codifier) for codifier in NODES}
    os.kill(before["SH"], signal.SIGKILL)
    eventually(lambda: house.pid("SH") != before["SH"])
    eventually(lambda: house.control("ping", "SH").returncode == 0)
    others = {codifier: house.pid(codifier) for codifier in NODES if codifier != "SH"}
    assert others == {codifier: pid for codifier, pid in before.items() if codifier != "SH"}


def test_random_datagrams_harm_no_node(house: House) -> None:
    multicast = config.load(str(house.config)).multicast
    before = {codifier: house.pid(codifier) for codifier in NODES}
    random.seed(2)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
        loopback = socket.inet_aton("127.0.0.1")
        out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, loopback)
        for endpoint in (multicast.control, multicast.data):
            for _ in range(10_000):
                noise = random.randbytes(random.randrange(200))
                out.sendto(noise, (endpoint.address, endpoint.port))
    for codifier in NODES:
        eventually(lambda c=codifier: house.control("ping", c).returncode == 0)
    assert {codifier: house.pid(codifier) for codifier in NODES} == before


@pytest.mark.parametrize("store", ["redis-server", "postgres"])
def test_a_store_that_is_killed_comes_back_with_its_users(house: House, store: str) -> None:
    os.kill(house.pid(store), signal.SIGKILL)

    def stored_after(moment_ms: float) -> bool:
        network = config.load(str(house.config))
        with psycopg2.connect(stores.postgres_dsn(network)) as database, database.cursor() as cur:
            cur.execute("SELECT max(timestamp) > to_timestamp(%s) FROM reading", (moment_ms,))
            row = cur.fetchone()
            return bool(row and row[0])

    killed = time.time()
    eventually(lambda: float(house.hash("I1")["DTimestamp"]) / 1000 > killed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JPH_STATE", house.environment["JPH_STATE"])
        eventually(lambda: _tolerant(stored_after, killed + 1))


def _tolerant(ask: object, moment: float) -> bool:
    try:
        return bool(ask(moment))  # type: ignore[operator]
    except psycopg2.Error:
        return False


def test_the_shedder_has_something_to_do_within_minutes(tmp_path: Path) -> None:
    """A cold evening: a phase over its limit, then heaters held off and the phase below it.

    Without the thermostat, which lets warm rooms wait, all heaters want heat.
    """
    with demonstration(tmp_path, without="Thermostat") as (path, port):
        house = start(path, tmp_path / "state", port)
        eventually(lambda: any(house.hash(f"S{p}").get("Value", "0") != "0" for p in "123"), 180.0)
        end(house, signal.SIGTERM)


def test_a_second_house_on_the_same_state_is_refused(house: House) -> None:
    second = house.control("up")
    assert second.returncode == 1
    assert str(house.process.pid) in second.stderr


def test_it_continues_where_it_was_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with demonstration(tmp_path) as (path, port):
        first = start(path, tmp_path / "state", port)
        assert first.control("set", "SP", "18.5").returncode == 0
        assert first.control("set", "11", "2").returncode == 0
        end(first, signal.SIGINT)
        second = start(path, tmp_path / "state", port)
        eventually(lambda: second.hash("SP")["Value"] == "18.5")
        eventually(lambda: second.hash("11")["Value"] == "2")
        end(second, signal.SIGTERM)


def end(house: House, how: signal.Signals) -> None:
    house.process.send_signal(how)
    house.process.communicate(timeout=LIMIT_S)
    assert house.process.returncode == 0
    state = house.environment["JPH_STATE"]
    eventually(lambda: not any(state in _text(p) for p in Path("/proc").glob("[0-9]*/environ")))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def test_a_port_in_use_is_told_at_once(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with (
            demonstration(tmp_path) as (path, _),
            pytest.raises(AssertionError, match="JPH_PORT"),
        ):
            start(path, tmp_path / "state", taken.getsockname()[1])
