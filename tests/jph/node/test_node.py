"""The life of a node, over real multicast on the loopback interface."""

import asyncio
import logging
import random
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from jph.config.model import Network
from jph.errors import ConfigError, DuplicateInstance, JphError
from jph.node.node import Node, Settings
from jph.retransmit.messages import (
    Envelope,
    EpochsRequest,
    Faults,
    decode_unicast,
    encode_unicast,
)
from jph.wire.codec import EVERY_NODE, VERSION, Control, Reading, encode_control, encode_data
from jph.wire.notes import notes_of
from tests.support import LIMIT_S, ended, ip, network_namespace, running, until

NetworkMaker = Callable[..., Network]


class EarSettings(Settings, frozen=True):
    """Settings of the test's node."""

    size: int = 1


class Ear(Node, type="Ear", settings=EarSettings):
    """A node that keeps what it hears."""

    hears_itself = True

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.heard: list[Control] = []
        self.readings: list[Reading] = []
        self.reloads = 0

    def on_control(self, message: Control) -> None:
        self.heard.append(message)

    def on_announcement(self, announcement: Reading) -> None:
        self.on_data([announcement])

    def on_data(self, readings: Sequence[Reading]) -> None:
        self.readings += readings

    def on_reload(self) -> None:
        self.reloads += 1

    def flags(self, source: str) -> list[str]:
        return [str(message.flag) for message in self.heard if message.source == source]

    def values(self, source: str) -> list[Any]:
        return [r.value for r in self.readings if r.source == source and r.flag != "n"]


class Mouth(Node, type="Mouth"):
    """A node that counts its timer."""

    ticks = 0

    async def on_timer(self, now_ms: int) -> None:
        self.ticks += 1
        self.send(self.ticks)


class Console(Ear, type="Console"):
    """A node that neither halts nor announces itself."""

    halts = False
    announces = False


EAR = {"Codifier": "EA", "Type": "Ear"}
MOUTH = {"Codifier": "MO", "Type": "Mouth", "SensorInterval": 0.05}
ELEMENTS = [
    {"Codifier": "M1", "Type": "Proxy", "Sensor": {"Codifier": "MO"}},
    {"Codifier": "M2", "Type": "Proxy", "Control": "enabled", "Sensor": {"Codifier": "MO"}},
]


def message(**fields: Any) -> Control:
    """Return a control message as another start of a program would send it."""
    default = Control(1, 999, 5, "I", "EA", EVERY_NODE, VERSION, 0.0, True)
    return default._replace(**fields)


async def test_it_announces_itself_then_its_readings(network: NetworkMaker) -> None:
    net = network(EAR, MOUTH)
    ear, mouth = Ear("EA", net), Mouth("MO", net)
    async with running(ear), running(mouth):
        await until(lambda: len(ear.values("MO")) >= 3)
    assert ear.flags("MO")[:2] == ["N", "I"]
    new = next(m for m in ear.heard if m.source == "MO")
    assert new.number == mouth.config_time_ms
    first, second = [r for r in ear.readings if r.source == "MO"][:2]
    assert (first.flag, first.value) == ("n", first.sequence)
    assert (second.sequence, second.value) == ((first.sequence + 1) % 2**31, 1)
    assert first.epoch == second.epoch == new.epoch != 0
    assert ear.data_sequences.lost("MO") == 0


async def test_a_ping_is_answered_for_the_node_and_its_elements(network: NetworkMaker) -> None:
    net = network(EAR, MOUTH, *ELEMENTS)
    ear, mouth = Ear("EA", net), Mouth("MO", net)
    async with running(ear, mouth):
        for number, to in enumerate(("MO", "M1", EVERY_NODE)):
            ear.send_control("P", to, number + 0.5)
            await until(lambda n=number: any(m[7] == n + 0.5 for m in answers(ear)))
    assert {(m.to, m.source) for m in answers(ear)} == {("EA", "MO"), ("EA", "EA")}


def answers(ear: Ear) -> list[Control]:
    return [m for m in ear.heard if m.flag == "T"]


async def test_halt_and_start(network: NetworkMaker) -> None:
    net = network(EAR, MOUTH)
    ear, mouth = Ear("EA", net), Mouth("MO", net)
    async with running(ear, mouth):
        await until(lambda: mouth.ticks >= 2)
        ear.send_control("H", "MO")
        await until(lambda: not mouth.active)
        await until(lambda: ear.heard[-1].flag == "I" and not ear.heard[-1].active)
        ticks, sent = mouth.ticks, mouth.bus.data.sent
        mouth.send("unheard")
        ear.send_control("P", "MO", 7.0)
        await until(lambda: answers(ear))
        assert (mouth.ticks, mouth.bus.data.sent) == (ticks, sent)
        ear.send_control("S", "MO")
        await until(lambda: mouth.ticks > ticks)
    assert "unheard" not in ear.values("MO")


async def test_halting_stops_receiving_but_not_consoles(network: NetworkMaker) -> None:
    net = network(EAR, MOUTH, {"Codifier": "CC", "Type": "Console"})
    ear, mouth, console = Ear("EA", net), Mouth("MO", net), Console("CC", net)
    async with running(ear, mouth, console):
        console.send_control("H", "EA")
        console.send_control("H", "CC")
        await until(lambda: not ear.active)
        heard = len(ear.readings)
        seen = len(console.readings)
        await until(lambda: len(console.readings) > seen + 2)
        assert len(ear.readings) == heard
    assert console.active
    assert console.flags("CC") == ["H", "H"]


async def test_commands_reach_only_what_may_be_commanded(
    network: NetworkMaker, caplog: pytest.LogCaptureFixture
) -> None:
    net = network({**EAR, "Control": "enabled"}, MOUTH, *ELEMENTS)

    class Obedient(Ear, type="Obedient"):
        pass

    ear, mouth = Ear("EA", net), Obedient("MO", net)
    async with running(ear, mouth):
        for to, number in (("MO", 1.0), ("M1", 2.0), ("M2", 3.0), ("M2", float("nan"))):
            ear.send_control("A", to, number)
        ear.send_control("E", "EA", 4.0)
        ear.send_control("P", "MO")
        await until(lambda: answers(ear))
    taken = [(str(m.flag), m.to, m.number) for m in mouth.heard if m.flag in ("A", "E")]
    assert taken == [("A", "M2", 3.0), ("E", "EA", 4.0)]
    assert "A from EA to M1: it has no Control" in caplog.text


@pytest.mark.parametrize("later_ms", [1, 3_600_000])
async def test_a_later_instance_takes_the_codifier(network: NetworkMaker, later_ms: int) -> None:
    net = network(EAR)
    older, newer = Ear("EA", net), Ear("EA", net)
    newer.config_time_ms = older.config_time_ms + later_ms
    ending = asyncio.create_task(older.run())
    await until(lambda: older.bus.control.is_open)
    async with running(newer):
        with pytest.raises(DuplicateInstance, match="another instance of EA") as caught:
            await asyncio.wait_for(ending, LIMIT_S)
        assert newer.active
    assert caught.value.exit_status == 3


async def test_consoles_do_not_end_each_other(network: NetworkMaker) -> None:
    net = network({"Codifier": "CC", "Type": "Console"})
    first, second = Console("CC", net), Console("CC", net)
    async with running(first), running(second):
        second.send_control("P", "ZZ", 5.0)
        original = message(epoch=0, version=0, source="CC", number=first.config_time_ms + 9.0)
        second.bus.control.send(encode_control(original))
        await until(lambda: "I" in first.flags("CC"))
        assert first.flags("CC") == ["P", "I"]


async def test_own_and_older_announcements_are_no_duplicates(network: NetworkMaker) -> None:
    net = network(EAR)
    ear = Ear("EA", net)
    async with running(ear):
        ear.bus.control.send(encode_control(message(number=ear.config_time_ms - 1.0)))
        await until(lambda: len(ear.flags("EA")) >= 3)


async def test_keep_alives_give_way_to_readings_but_not_for_ever(network: NetworkMaker) -> None:
    quiet = {**MOUTH, "Codifier": "QU", "SensorInterval": 60, "KeepAliveInterval": 0.02}
    net = network(EAR, {**MOUTH, "SensorInterval": 0.01, "KeepAliveInterval": 0.02}, quiet)
    ear, talker, silent = Ear("EA", net), Mouth("MO", net), Mouth("QU", net)
    async with running(ear, talker, silent):
        await until(lambda: ear.flags("MO").count("I") >= 3)
        assert ear.flags("QU").count("I") > 2 * ear.flags("MO").count("I")


async def test_a_good_config_is_taken_and_a_broken_one_refused(
    network: NetworkMaker, caplog: pytest.LogCaptureFixture
) -> None:
    net = network(EAR, MOUTH)
    offers: list[Network | ConfigError] = []

    async def reload() -> Network:
        offer = offers.pop(0)
        if isinstance(offer, ConfigError):
            raise offer
        return offer

    ear, mouth = Ear("EA", net, reload), Mouth("MO", net)
    async with running(ear, mouth):
        before = ear.config_time_ms
        offers.append(ConfigError("config has 1 mistake:"))
        mouth.send_control("C", "EA")
        await until(lambda: "keeping the old config" in caplog.text)
        assert (ear.config_time_ms, ear.settings.size) == (before, 1)
        offers.append(network({**EAR, "Sensor": {"Size": "large"}}, MOUTH))
        mouth.send_control("C", "EA")
        await until(lambda: "Sensors[EA].Sensor.Size" in caplog.text)
        offers.append(network({**EAR, "Sensor": {"Size": 2}}, MOUTH))
        mouth.send_control("C", "EA")
        await until(lambda: ear.reloads == 1)
        assert (ear.settings.size, ear.config_time_ms > before) == (2, True)
        await until(lambda: ear.flags("EA")[-2:] == ["N", "I"])
        heard = len(ear.values("MO"))
        await until(lambda: len(ear.values("MO")) > heard)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_reload_names_what_needs_a_restart(
    network: NetworkMaker, caplog: pytest.LogCaptureFixture
) -> None:
    net = network(EAR, MOUTH)

    async def reload() -> Network:
        return network({**EAR, "Ring": {"Minutes": 1}, "Journal": True}, MOUTH)

    ear, mouth = Ear("EA", net, reload), Mouth("MO", net)
    async with running(ear, mouth):
        mouth.send_control("C", "EA")
        await until(lambda: ear.reloads == 1)
        await until(lambda: ear.flags("EA").count("N") == 2)
        news = [each for each in ear.heard if each.source == "EA" and each.flag == "N"]
        assert [notes_of(each).restart for each in news] == [(), ("Ring", "Journal")]
        assert int(news[-1].number) == ear.config_time_ms
    assert "Ring, Journal: changed in the config, needs a restart" in caplog.text


async def test_reloads_that_overlap_leave_nothing_open(network: NetworkMaker) -> None:
    net = network(EAR, MOUTH)

    async def reload() -> Network:
        await asyncio.sleep(0)
        return net

    ear, mouth = Ear("EA", net, reload), Mouth("MO", net)
    async with running(ear, mouth):
        before = open_files()
        for _ in range(5):
            mouth.send_control("C", "EA")
        # One is under way and one waits; the others asked for the same.
        await until(lambda: ear.reloads >= 2 and not ear._reloads)
        await until(lambda: ear.flags("EA").count("N") == 1 + ear.reloads)
        assert open_files() == before


async def test_garbage_is_counted_and_told_once(
    network: NetworkMaker, caplog: pytest.LogCaptureFixture
) -> None:
    net = network(EAR, MOUTH)
    ear, mouth = Ear("EA", net), Mouth("MO", net)
    random.seed(1)
    async with running(ear, mouth):
        for count in range(1, 501):
            noise = random.randbytes(random.randrange(80))
            mouth.bus.control.send(noise)
            mouth.bus.data.send(noise)
            if count % 50 == 0:
                await until(lambda n=count: ear.refused.total() >= 2 * n)
        ear.send_control("P", "MO", 3.0)
        await until(lambda: answers(ear))
        assert ear.refused.total() == 1000
        assert mouth.refused.total() == 500
    told = [r for r in caplog.records if "refused a datagram" in r.message]
    assert 0 < len(told) <= 4


async def test_a_node_does_not_hear_itself_unless_it_says_so(network: NetworkMaker) -> None:
    class Inward(Ear, type="Inward"):
        hears_itself = False

    entries = [{"Codifier": "EA", "Type": "Inward"}, {"Codifier": "EB", "Type": "Ear"}]
    net = network(*entries)
    inward, ear = Inward("EA", net), Ear("EB", net)
    async with running(inward, ear):
        inward.send(1)
        ear.send(2)
        await until(lambda: inward.readings and len(ear.readings) > 3)
        assert {reading.source for reading in inward.readings} == {"EB"}
        assert {reading.source for reading in ear.readings} == {"EA", "EB"}


async def test_a_kinds_mistakes_do_not_end_its_node(
    network: NetworkMaker, caplog: pytest.LogCaptureFixture
) -> None:
    class Clumsy(Node, type="Clumsy"):
        hears_itself = True

        async def on_timer(self, now_ms: int) -> None:
            self.send(1)
            raise ValueError("timer")

        def on_control(self, message: Control) -> None:
            raise ValueError("control")

        def on_data(self, readings: Sequence[Reading]) -> None:
            raise ValueError("data")

    net = network(EAR, {**MOUTH, "SensorInterval": 0.02})
    ear, clumsy = Ear("EA", net), Clumsy("MO", net)
    async with running(ear, clumsy):
        await until(lambda: len(ear.values("MO")) >= 3)
        ear.send_control("P", "MO", 3.0)
        await until(lambda: answers(ear))
    assert {"timer", "control", "data"} <= {
        str(r.exc_info[1]) for r in caplog.records if r.exc_info
    }


async def test_a_task_that_crashes_ends_the_node(network: NetworkMaker) -> None:
    class Fragile(Node, type="Fragile"):
        async def open(self) -> None:
            self.spawn(self.crash(), "reader")

        async def crash(self) -> None:
            raise ValueError("no such luck")

    with pytest.raises(JphError, match=r"reader crashed.*no such luck"):
        await asyncio.wait_for(Fragile("EA", network(EAR)).run(), LIMIT_S)


async def test_a_node_that_is_not_in_the_config(network: NetworkMaker) -> None:
    with pytest.raises(ConfigError, match="codifier 'EB' is not in the config; near: EA"):
        Ear("EB", network(EAR))


async def test_it_waits_for_a_network_and_survives_its_loss(
    network: NetworkMaker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    net = network(EAR, MOUTH, Multicast={"Interfaces": {"*": "cable0"}, "TTL": 1})
    with network_namespace():
        ear, mouth = Ear("EA", net), Mouth("MO", net)
        tasks = [asyncio.create_task(node.run()) for node in (ear, mouth)]
        await until(lambda: mouth.ticks >= 2)
        assert "waiting for it" in caplog.text
        for _ in range(2):
            plug_in()
            heard = len(ear.values("MO"))
            await until(lambda n=heard: len(ear.values("MO")) > n)
            ip("link", "delete", "cable0")
            await until(lambda: not mouth.bus.data.is_open and not ear.bus.data.is_open)
        assert mouth.bus.data.unsent > 0
        await ended((ear, mouth), tasks)
    assert "the network is back" in caplog.text


def plug_in() -> None:
    ip("link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
    ip("link", "set", "cable1", "up")
    ip("address", "add", "192.0.2.1/24", "dev", "cable0")
    ip("link", "set", "cable0", "up")


async def test_a_stepped_clock_does_not_stop_the_timer(
    network: NetworkMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = network(EAR, MOUTH)
    ear, mouth = Ear("EA", net), Mouth("MO", net)
    hour_ns = 3_600 * 10**9
    real = time.time_ns
    async with running(ear, mouth):
        for step in (hour_ns, -hour_ns):
            monkeypatch.setattr(time, "time_ns", lambda s=step: real() + s)
            ticks = mouth.ticks
            await until(lambda n=ticks: mouth.ticks > n + 2)
    assert ear.data_sequences.lost("MO") == 0


async def test_nothing_is_left_open(network: NetworkMaker) -> None:
    net = network(EAR, MOUTH)
    ear = Ear("EA", net)
    async with running(ear, Mouth("MO", net)):
        await until(lambda: ear.values("MO"))
    assert not ear.bus.control.is_open
    assert asyncio.all_tasks() == {asyncio.current_task()}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("239.255.91.1", net.multicast.control.port))


def stranger() -> socket.socket:
    """Return a socket that sends to the group on the loopback interface."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 0)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    return made


@pytest.mark.parametrize("flag", ["N", "I"])
async def test_a_forged_announcement_ends_no_node(
    network: NetworkMaker, ports: tuple[int, int], caplog: pytest.LogCaptureFixture, flag: str
) -> None:
    """An announcement with a config time far ahead is believed only if its address answers."""
    ear = Ear("EA", network(EAR))
    forged = Control(1, 999, 5, flag, "EA", EVERY_NODE, VERSION, 1e15, True)
    with stranger() as attacker:
        async with running(ear):
            attacker.sendto(encode_control(forged), ("239.255.91.1", ports[0]))
            await until(lambda: ear.foreign["EA"] == 1)
            request = await asyncio.to_thread(attacker.recv, 2048)
            assert isinstance(decode_unicast(request), EpochsRequest)
            ear.send(1)
            await until(lambda: ear.values("EA") == [1])
    assert "two programs share the codifier" in caplog.text


async def test_a_plain_request_to_every_node_ends_no_node(
    network: NetworkMaker, ports: tuple[int, int]
) -> None:
    """Such a request names no source, so its answer would have no sender."""
    ear = Ear("EA", network(EAR))
    request = Control(1, 0, 5, "R", "XX", EVERY_NODE, VERSION, 3.0, True)
    with stranger() as other:
        async with running(ear):
            ear.send(1)
            other.sendto(encode_control(request), ("239.255.91.1", ports[0]))
            await until(lambda: "R" in ear.flags("XX"))
            ping = request._replace(flag="P", to="EA")
            other.sendto(encode_control(ping), ("239.255.91.1", ports[0]))
            await until(lambda: "T" in ear.flags("EA"))
            ear.send(2)
            await until(lambda: ear.values("EA") == [1, 2])


async def test_a_reading_of_an_own_element_from_another_epoch_is_told(
    network: NetworkMaker, ports: tuple[int, int], caplog: pytest.LogCaptureFixture
) -> None:
    element = {"Codifier": "E1", "Type": "Proxy", "Sensor": {"Codifier": "EA"}}
    ear = Ear("EA", network(EAR, element))
    foreign = Reading(7, 999, 5, "i", "E1", EVERY_NODE, VERSION, 0, 1)
    with stranger() as other:
        async with running(ear):
            ear.send(1, codifier="E1")
            await until(lambda: ear.readings)
            for _ in range(3):
                other.sendto(encode_data(foreign), ("239.255.91.2", ports[1]))
            await until(lambda: ear.foreign["E1"] == 3)
            ping = Control(1, 0, 5, "P", "XX", "EA", VERSION, 7.0, True)
            other.sendto(encode_control(ping), ("239.255.91.1", ports[0]))
            await until(lambda: "T" in ear.flags("EA"))
            assert notes_of(ear.heard[-2]).shared  # said before the answer ends the wait
    assert caplog.text.count("E1 is also sent by another program, at 127.0.0.1") == 1


async def test_answers_to_pings_have_a_limit(network: NetworkMaker, ports: tuple[int, int]) -> None:
    mouth = Mouth("MO", network(EAR, MOUTH))
    ping = Control(1, 0, 5, "P", "XX", EVERY_NODE, 0, 7.0, True)
    with stranger() as other:
        async with running(mouth):
            await until(lambda: mouth.bus.control.sent >= 2)
            for _ in range(1_000):
                other.sendto(encode_control(ping), ("239.255.91.1", ports[0]))
            await until(lambda: "XX" in mouth.control_sequences.sources)
            await until(lambda: mouth.bus.control.sent > 150)
    assert mouth.bus.control.sent < 400


async def test_an_announcement_has_a_hook_of_its_own(network: NetworkMaker) -> None:
    class Apart(Ear, type="Apart"):
        def on_announcement(self, announcement: Reading) -> None:
            self.announced = (announcement.flag, announcement.source)

    ear, mouth = Apart("EA", network(EAR, MOUTH)), Mouth("MO", network(EAR, MOUTH))
    async with running(ear, mouth):
        mouth.send(5)
        await until(lambda: ear.readings)
    assert ear.announced == ("n", "MO")
    assert {reading.flag for reading in ear.readings} == {"i"}


@pytest.mark.parametrize(
    ("allowed", "named", "injected"),
    [(False, True, False), (True, False, False), (True, True, True)],
)
async def test_faults_are_injected_only_as_the_config_allows(
    network: NetworkMaker, allowed: bool, named: bool, injected: bool
) -> None:
    """An order must be allowed by the config and name the epoch of the node."""
    ear = Ear("EA", network(EAR, Drill=allowed))
    with stranger() as other:
        async with running(ear):
            epoch = ear._sender.epoch + (not named)
            envelope = Envelope(1, 0, "CC", "EA", 7)
            (out,) = ear.bus.control.senders
            before = ear.bus.control.received
            order = Faults(envelope, epoch, 60.0, loss=1.0)
            other.sendto(encode_unicast(order), out.getsockname())
            if injected:
                await until(lambda: ear._receiver._injector is not None)
            elif named:
                await until(lambda: ear.refused["drill"])
            else:
                await until(lambda: ear.bus.control.received > before)
    assert (ear._receiver._injector is not None) is injected
