"""The recorder on a real loopback bus: what it writes, when, and that nothing stops it."""

import asyncio
import threading
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

import nodes.recorder
from jph.config.model import Network
from jph.errors import ConfigError, StoreError
from jph.recorder import recording_files
from jph.recorder.frames import (
    RecordDamage,
    RecordedDatagram,
    RecordedEvent,
    RecordEnd,
    RecordEntry,
    unpack,
)
from jph.recorder.overruns import Overrun, from_lines
from jph.wire.codec import Reading
from nodes.recorder import Recorder
from tests.jph.heating.explain.tellinghouse import story, telling_house
from tests.nodes.heatinghouse import Clock, Probe, living
from tests.support import LIMIT_S, until


class QuickRecorder(Recorder):
    tick_s = 0.02


def house(lost: str = "", **settings: float) -> Network:
    """Return a house in which only `lost` can count as lost during a test."""
    made = telling_house({"After": 0.2, **settings})
    sensors = [
        replace(each, keep_alive_interval=0.2 if each.codifier == lost else 600.0)
        for each in made.sensors
    ]
    return replace(made, sensors=sensors)


def recorder(lost: str = "", **settings: float) -> tuple[Recorder, Network]:
    network = house(lost, **settings)
    return QuickRecorder("FR", network), network


def entries(state: Path, number: int = 1) -> list[RecordEntry]:
    found = [
        p
        for p in recording_files.recordings(state / "record")
        if recording_files.number(p) == number
    ]
    return list(unpack(found[0].read_bytes())) if found else []


def events(state: Path, number: int = 1) -> list[str]:
    return [f"{e.kind} {e.text}" for e in entries(state, number) if isinstance(e, RecordedEvent)]


def ended(state: Path, number: int = 1) -> bool:
    found = entries(state, number)
    return bool(found) and isinstance(found[-1], RecordEnd)


def overruns(state: Path) -> list[Overrun]:
    path = state / "record" / recording_files.OVERRUNS
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [overrun for overrun in from_lines(text) if overrun]


async def test_a_shed_is_recorded_with_what_led_to_it_and_what_followed(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, nodes.recorder)
    node, network = recorder()
    probe = Probe("TI", network)
    async with living(probe, node):
        await probe.until_heard("FR", 0)
        probe.send(0, codifier="S1")
        probe.send(36, codifier="I1")
        probe.send_control("A", "11", 3)
        probe.send(0b11, codifier="S1")
        await probe.until_heard("FR", 1)
        await until(lambda: events(state))
        assert events(state) == ["shed phase 1: 11 12 shed at 36 A, limit 30 A"]
        probe.send(20, codifier="I1")
        await until(lambda: node._evidence.phase(1, time.monotonic()).current_a == 20)
        clock.now_s += 1
        await until(lambda: ended(state))
    heard = [entry for entry in entries(state) if isinstance(entry, RecordedDatagram)]
    said = [(e.bus, e.message().source, e.message().flag) for e in heard]
    assert ("control", "TI", "A") in said
    messages = [e.message() for e in heard]
    readings = [
        f"{m.source} {m.value}" for m in messages if isinstance(m, Reading) and m.flag == "i"
    ]
    assert [r for r in readings if r[0] in "IS"] == ["S1 0", "I1 36", "S1 3", "I1 20"]
    assert all(entry.address and entry.port for entry in heard)
    late_us = [entry.arrival_us - 1000 * entry.message().timestamp_ms for entry in heard]
    assert all(0 < late < 1e6 * LIMIT_S for late in late_us)


async def test_events_in_quick_succession_make_one_recording(state: Path) -> None:
    node, network = recorder(After=0.05)
    probe = Probe("TI", network)
    async with living(probe, node):
        await probe.until_heard("FR", 0)
        for turn, mask in enumerate((0, 1, 3, 7)):
            probe.send(mask, codifier="S1")
            await probe.until_heard("FR", turn)
            if mask:
                await until(lambda: ended(state))
    assert len(events(state)) == 3
    assert len(recording_files.recordings(state / "record")) == 1
    assert [e for e in entries(state) if isinstance(e, RecordDamage)] == []
    masks = [
        e.message().value  # type: ignore[union-attr]
        for e in entries(state)
        if isinstance(e, RecordedDatagram) and (e.message().source, e.message().flag) == ("S1", "i")
    ]
    assert masks == [0, 1, 3, 7]  # nothing twice, though it was written in three parts


async def test_events_far_apart_make_recordings_of_their_own_and_few_are_kept(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(monkeypatch, nodes.recorder)
    node, network = recorder(Minutes=0.01, After=0, Files=2)
    probe = Probe("TI", network)
    async with living(probe, node):
        await probe.until_heard("FR", 0)
        for turn in range(4):
            probe.send(0, codifier="W2")
            probe.send(40, codifier="W2")
            await probe.until_heard("FR", turn + 1)
            await until(lambda n=turn: ended(state, n + 1))
            clock.now_s += 1
        kept = [
            recording_files.number(path) for path in recording_files.recordings(state / "record")
        ]
        assert kept == [4, 3]


async def test_alarms_and_losses_are_events(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, nodes.recorder)
    node, network = recorder("SH")
    probe, lost = Probe("TI", network), Probe("SH", network)
    async with living(probe, node):
        async with living(lost):
            await probe.until_heard("FR", 0)
            lost.send(story(12.0), codifier="E1")
            await probe.until_heard("FR", 1)
        clock.now_s += 1
        await probe.until_heard("FR", 2)
        await until(lambda: len(events(state)) == 2)
    assert events(state)[0] == "alarm phase 1: 12 s left to the trip"
    assert events(state)[1].startswith("loss SH has given no sign for")


async def test_an_overrun_is_logged_with_what_was_shed(state: Path) -> None:
    node, network = recorder()
    probe = Probe("TI", network)
    async with living(probe, node):
        await probe.until_heard("FR", 0)
        probe.send(0, codifier="S1")
        probe.send(36, codifier="I1")
        probe.send(0b101, codifier="S1")
        probe.send(33, codifier="I1")
        probe.send(29, codifier="I1")
        await until(lambda: overruns(state))
        probe.send(20, codifier="IS")
        probe.send(25, codifier="I2")
        await probe.until(lambda: probe.last("I2"))
        await until(lambda: node._overruns._open)
    first, second = overruns(state)
    assert (first.phase, first.peak_a, first.limit_a) == (1, 36, 30)
    assert first.shed == ("11", "13")
    assert first.ended == "under the limit"
    assert (second.phase, second.limit_a, second.ended) == (2, 20, "recorder stopped")


async def test_what_was_not_written_yet_is_written_at_the_end(state: Path) -> None:
    node, network = recorder(After=600)
    probe = Probe("TI", network)
    async with living(probe, node):
        await probe.until_heard("FR", 0)
        probe.send(0, codifier="S1")
        probe.send(1, codifier="S1")
        await probe.until_heard("FR", 1)
    assert ended(state)
    assert len(events(state)) == 1


async def test_a_slow_or_refusing_disk_stops_nothing(
    state: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write, free = recording_files.write, threading.Event()
    tries: list[int] = []

    def slow(path: Path, length: int, parts: list[bytes]) -> int:
        tries.append(1)
        if len(tries) == 1:
            free.wait(LIMIT_S)
            raise StoreError("the disk is full")
        return write(path, length, parts)

    monkeypatch.setattr(recording_files, "write", slow)
    node, network = recorder()
    probe = Probe("TI", network)
    async with living(probe, node):
        await probe.until_heard("FR", 0)
        probe.send(0, codifier="S1")
        probe.send(1, codifier="S1")
        await until(lambda: tries)
        for turn in (2, 3):  # it goes on while the disk hangs
            probe.send(2**turn - 1, codifier="S1")
            await probe.until_heard("FR", turn)
        free.set()
        await until(lambda: ended(state))
    assert len(events(state)) == 3
    assert "the disk is full; trying again" in caplog.text


async def test_the_next_start_goes_on_counting(state: Path) -> None:
    for number in (1, 2):
        node, network = recorder()
        probe = Probe("TI", network)
        async with living(probe, node):
            await probe.until_heard("FR", 0)
            probe.send(0, codifier="S1")
            probe.send(1, codifier="S1")
            await probe.until_heard("FR", 1)
        assert len(events(state, number)) == 1


async def test_a_reload_takes_the_new_sizes(state: Path) -> None:
    node, network = recorder()
    bigger = house(Megabytes=1)

    async def reload() -> Network:
        return type(network)(multicast=network.multicast, sensors=bigger.sensors)

    node._reload = reload
    probe = Probe("TI", network)
    async with living(probe, node):
        await probe.until_heard("FR", 0)
        probe.send_control("C", "FR")
        await until(lambda: node.settings.megabytes == 1)
        while node._detector._shed.get("S1") != 0:  # the node opens its sockets again meanwhile
            probe.send(0, codifier="S1")
            await asyncio.sleep(0.02)
        probe.send(1, codifier="S1")
        await probe.until_heard("FR", 1)
        await until(lambda: ended(state))
    assert len(events(state)) == 1


async def test_halting_everybody_does_not_stop_the_recorder(state: Path) -> None:
    node, network = recorder()
    probe = Probe("TI", network)
    async with living(probe, node):
        await probe.until_heard("FR", 0)
        probe.send_control("H", "FR")
        probe.send(0, codifier="S1")
        probe.send(1, codifier="S1")
        await probe.until_heard("FR", 1)


@pytest.mark.parametrize(
    "settings",
    [{"Minutes": 0}, {"Megabytes": 0.01}, {"Files": 0}, {"After": -1}, {"Overruns": 0}],
)
def test_settings_that_cannot_be(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="FR"):
        Recorder("FR", telling_house(settings))
