"""Faults of a house, in real processes on hosts of their own.

Five sources send 200 readings a second each. However the network, the collector, PostgreSQL or the
disk fail: in the end every reading is stored, once, or it is in the table of gaps.

JPH_FAULTS=full runs each fault as long as it deserves, and prints figures.
"""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from tests.faults.house import FULL, House, seconds
from tests.faults.lan import Host, Lan
from tests.faults.tally import compare, count, explain, unaccounted, wait_for
from tests.support import LIMIT_S

CODES = ("S1", "S2", "S3", "S4", "S5")
RATE = 200.0
LIVE = RATE * len(CODES)
Report = Callable[..., None]


@pytest.fixture
def hosts(network: Lan) -> tuple[Host, Host, Host]:
    """Return two hosts for sources, and one for a collector."""
    return network.host("attic"), network.host("cellar"), network.host("store")


def send(house: House, hosts: tuple[Host, ...], lasting_s: float) -> None:
    """Let five sources on two hosts send."""
    house.source(hosts[0], *CODES[:3], lasting_s=lasting_s, rate=RATE)
    house.source(hosts[1], *CODES[3:], lasting_s=lasting_s, rate=RATE)


def reorder(house: House, host: Host) -> None:
    """Let the host's collector swap one reading in a hundred: the packet filter cannot."""
    drill = ("drill", "--reorder", "1%", "--for", "10min", "--node", "Q1")

    def begun() -> bool:
        program = host.run("control.py", "--config", str(house.config()), *drill)
        return program.process.wait(LIMIT_S) == 0

    wait_for(begun, LIMIT_S, "a collector that hears of a drill")


@pytest.mark.parametrize("percent", [10, 30])
def test_a_network_that_loses_doubles_and_reorders(
    house: House, hosts: tuple[Host, Host, Host], percent: int, report: Report
) -> None:
    house.collect(hosts[2])
    reorder(house, hosts[2])
    for host in hosts:
        host.lose(percent)
        host.double(1)
    lasting_s = seconds(30, 5)
    send(house, hosts, lasting_s)
    house.wait_done(lasting_s + LIMIT_S)
    began_s = time.monotonic()
    tally = house.settled()
    extra, lost = house.lan.unicast_bytes(), hosts[2].lost_bytes()
    report(tally=tally, after_s=time.monotonic() - began_s, extra=extra / lost)
    assert tally.sent == LIVE * lasting_s
    assert tally.perfect, tally
    assert lost > 0
    if FULL and percent == 10:  # a busy machine answers late, and is asked twice
        assert extra < 1.5 * lost


def test_a_collector_that_is_killed_again_and_again(
    house: House, hosts: tuple[Host, Host, Host], report: Report
) -> None:
    kills, every_s = round(seconds(20, 3)), seconds(3, 2)
    lasting_s = every_s * (kills + 1)
    collector = house.collect(hosts[2])
    send(house, hosts, lasting_s)
    for kill in range(1, kills + 1):
        house.wait_sent(round(LIVE * every_s * kill))
        collector.kill()
        collector = house.collect(hosts[2])
    house.wait_done(lasting_s + LIMIT_S)
    tally = house.settled()
    report(tally=tally, kills=kills)
    assert tally.perfect, tally


@pytest.mark.parametrize("gently", [True, False])
def test_a_postgresql_that_is_away(
    house: House, hosts: tuple[Host, Host, Host], gently: bool, report: Report
) -> None:
    away_s = seconds(60, 4)
    collector = house.collect(hosts[2])
    lasting_s = 2 * away_s
    send(house, hosts, lasting_s)
    wait_for(lambda: count(house.sql, CODES) > LIVE, LIMIT_S, "a second's readings stored")
    (house.server.stop if gently else house.server.kill)()
    try:
        before = house.sent()
        house.wait_sent(before + round(LIVE * away_s))
        spool = hosts[2].state / "spool" / "Q1"
        wait_for(lambda: spool.exists() and any(spool.iterdir()), LIMIT_S, "a spool")
    finally:
        house.server.start()
    rate = drain_rate(house)
    house.wait_done(lasting_s + LIMIT_S)
    tally = house.settled()
    report(tally=tally, drained=rate, times_live=rate / LIVE)
    assert collector.runs
    assert tally.perfect, tally
    assert not FULL or rate > 5 * LIVE


def drain_rate(house: House) -> float:
    """Return how many readings a second are stored while there is something to catch up."""
    wait_for(lambda: count(house.sql, CODES), LIMIT_S, "an answer")
    first, began_s = count(house.sql, CODES), time.monotonic()
    wait_for(lambda: count(house.sql, CODES) > first, LIMIT_S, "the first reading drained")
    began_s = time.monotonic() - 0.02
    wait_for(lambda: house.sent() - count(house.sql, CODES) < LIVE, LIMIT_S, "the spool drained")
    return (count(house.sql, CODES) - first) / (time.monotonic() - began_s)


def test_a_host_that_is_cut_off(
    house: House, hosts: tuple[Host, Host, Host], report: Report
) -> None:
    """Its journal fills the hole: its memory keeps a fraction of it only."""
    away_s = seconds(120, 5)
    house.source_entry = {
        "Ring": {"Minutes": away_s / 8 / 60},
        "Journal": {"Hours": 1, "FlushSeconds": 1},
    }
    house.collect(hosts[2])
    lasting_s = away_s + seconds(20, 3)
    send(house, hosts, lasting_s)
    wait_for(lambda: count(house.sql, CODES) > LIVE, LIMIT_S, "a second's readings stored")
    hosts[0].link(up=False)
    house.wait_sent(house.sent() + round(LIVE * away_s))
    hosts[0].link(up=True)
    began_s = time.monotonic()
    house.wait_done(lasting_s + LIMIT_S)
    tally = house.settled()
    report(tally=tally, after_s=time.monotonic() - began_s)
    assert tally.perfect, tally


@pytest.mark.parametrize("journal", [False, True])
def test_sources_that_are_killed_while_they_are_cut_off(
    house: House, hosts: tuple[Host, Host, Host], journal: bool, report: Report
) -> None:
    """What died with them is a gap that the history shows, of unknown size at worst."""
    if journal:
        house.source_entry = {"Journal": {"Hours": 1, "FlushSeconds": 1}}
    house.collect(hosts[2])
    kills, every_s = round(seconds(10, 2)), seconds(5, 2.5)
    lasting_s = every_s * (kills + 4)
    sources = house.source(hosts[0], *CODES[:3], lasting_s=lasting_s, rate=RATE)
    wait_for(lambda: count(house.sql, CODES) > LIVE, LIMIT_S, "a second's readings stored")
    hosts[2].deafen(True)
    for _ in range(kills):
        house.wait_sent(house.sent() + round(3 * RATE * every_s))
        sources.kill()
        sources = house.source(hosts[0], *CODES[:3], lasting_s=lasting_s, rate=RATE)
    hosts[2].deafen(False)
    house.wait_done(kills * lasting_s + LIMIT_S)
    with contextlib.suppress(TimeoutError):
        wait_for(lambda: not unaccounted(house.sql, house.logs), LIMIT_S, "every reading's place")
    missing = unaccounted(house.sql, house.logs)
    tally = compare(house.sql, house.logs)
    report(tally=tally, unaccounted=len(missing))
    assert not missing, f"{len(missing)} of {tally.sent}\n{explain(house.sql)}"
    assert not any((tally.doubled, tally.wrong, tally.contradictory, tally.foreign)), tally


def test_two_collectors_on_two_hosts(
    house: House, hosts: tuple[Host, Host, Host], report: Report
) -> None:
    other = house.lan.host("spare")
    for host in (hosts[2], other):
        host.lose(10)
    collectors = [house.collect(hosts[2], "Q1"), house.collect(other, "Q2")]
    lasting_s = seconds(30, 5)
    send(house, hosts, lasting_s)
    house.wait_sent(round(LIVE * lasting_s / 2))
    collectors[0].kill()
    collectors[0] = house.collect(hosts[2], "Q1")
    house.wait_done(lasting_s + LIMIT_S)
    tally = house.settled()
    report(tally=tally)
    assert all(collector.runs for collector in collectors)
    assert tally.perfect, tally


@pytest.fixture
def small_disk(hosts: tuple[Host, Host, Host]) -> Iterator[Path]:
    """Put the collector's spool on a disk of 128 KiB."""
    spool = hosts[2].state / "spool"
    spool.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(spool)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode()}")
    try:
        yield spool
    finally:
        subprocess.run(["umount", "--lazy", str(spool)], check=True)


def test_a_disk_that_is_full(
    house: House, hosts: tuple[Host, Host, Host], small_disk: Path, report: Report
) -> None:
    house.collector_settings = {"BufferMiB": 0.1}
    collector = house.collect(hosts[2])
    away_s = seconds(60, 9)  # the disk has room for 3 s, memory for 2.6
    lasting_s = away_s + seconds(30, 4)
    send(house, hosts, lasting_s)
    wait_for(lambda: count(house.sql, CODES) > LIVE, LIMIT_S, "a second's readings stored")
    house.server.stop()
    try:
        house.wait_sent(house.sent() + round(LIVE * away_s))
        wait_for(lambda: "No space left" in collector.said(), LIMIT_S, "a disk that is full")
    finally:
        house.server.start()
    house.wait_done(lasting_s + LIMIT_S)
    tally = house.settled()
    report(tally=tally)
    assert collector.runs
    assert tally.lost > 0
    assert tally.honest, tally
    said = collector.said()
    assert "Traceback" not in said
    wait_for(lambda: not any(small_disk.rglob("*.spool")), LIMIT_S, "an empty spool")


@pytest.mark.parametrize("seed", [4, 5] if FULL else [4])
def test_an_hour_of_everything(
    house: House, hosts: tuple[Host, Host, Host], seed: int, report: Report
) -> None:
    """Faults of all kinds, one after the other and together, in an order that a seed gives."""
    other = house.lan.host("spare")
    random = Random(seed)
    house.source_entry = {"Journal": {"Hours": 1, "FlushSeconds": 1}}
    collectors = {"Q1": house.collect(hosts[2], "Q1"), "Q2": house.collect(other, "Q2")}
    where = {"Q1": hosts[2], "Q2": other}
    lasting_s = seconds(300, 12)
    send(house, hosts, lasting_s)
    steps = round(lasting_s / 2) - 1
    away = False
    for step in range(1, steps + 1):
        match random.choice(("lose", "kill", "server", "link")):
            case "lose":
                random.choice((*hosts, other)).lose(random.choice((0, 5, 10, 30)))
            case "kill":
                code = random.choice(("Q1", "Q2"))
                collectors[code].kill()
                collectors[code] = house.collect(where[code], code)
            case "server" if not away:
                random.choice((house.server.stop, house.server.kill))()
                away = True
            case "server":
                house.server.start()
                away = False
            case "link":
                random.choice(hosts).link(up=random.random() < 0.6)
        house.wait_sent(round(LIVE * 2 * step))
    if away:
        house.server.start()
    for host in (*hosts, other):
        host.link(up=True)
        host.lose(0)
    house.wait_done(lasting_s + LIMIT_S)
    tally = house.settled()
    report(tally=tally, steps=steps)
    assert all(collector.runs for collector in collectors.values())
    assert tally.honest, f"{tally}\n{explain(house.sql)}"
