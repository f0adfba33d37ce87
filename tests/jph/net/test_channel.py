"""One contract for every way a channel can work: batched or one call each, IPv4 or IPv6."""

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from jph.config.model import Endpoint
from jph.errors import BusError
from jph.net import batches
from jph.net.batches import Batches
from jph.net.channel import Channel
from tests.support import LIMIT_S, ip, network_namespace

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_NETLINK"), reason="written for Linux")
Make = Callable[[], Channel]


@pytest.fixture(params=["batched", "one call each", "IPv6"])
def make(
    request: pytest.FixtureRequest, ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Make]:
    """Yield a maker of channels of one group, closed at the end."""
    held = contextlib.ExitStack()
    if request.param == "one call each":
        monkeypatch.setattr(batches, "LINUX", False)
    address, interface = "239.255.91.3", "lo"
    if request.param == "IPv6":  # IPv6 has no multicast on the loopback interface
        held.enter_context(network_namespace())
        address, interface = "ff01::4a:1", "cable0"
        ip("link", "add", interface, "type", "veth", "peer", "name", "cable1")
        for end in (interface, "cable1"):
            ip("link", "set", end, "addrgenmode", "none")
            ip("link", "set", end, "up")
        ip("address", "add", "fd00::1/64", "dev", interface, "nodad")

    def channel() -> Channel:
        made = Channel(Endpoint(address=address, port=ports[0]), [interface], ttl=0)
        held.callback(made.close)
        return made

    with held:
        yield channel


def collect(receiver: Channel, sockets: list[socket.socket], count: int) -> list[bytes]:
    """Read until `count` datagrams have come, or the limit is over."""
    got: list[bytes] = []

    def keep(batch: memoryview, size: int, sender: tuple[str, int]) -> None:
        got.extend(bytes(batch[i : i + size]) for i in range(0, len(batch) or 1, size or 1))

    end = time.monotonic() + LIMIT_S
    while len(got) < count and (left := end - time.monotonic()) > 0:
        for ready in select.select(sockets, [], [], left)[0]:
            receiver.read(ready, keep)
    return got


MIXED = [bytes([i]) * (28 + i % 3) for i in range(150)] + [b"", b"x" * 1400, b"y" * 9000]


@pytest.mark.parametrize("datagrams", [[b"one"], [bytes([i]) * 36 for i in range(200)], MIXED])
def test_each_datagram_arrives_alone_whole_and_in_order(make: Make, datagrams: list[bytes]) -> None:
    receiver, sender = make(), make()
    sockets = receiver.open(listen=True)
    sender.open(listen=False)
    assert sender.send_many(datagrams) == len(datagrams)
    assert collect(receiver, sockets, len(datagrams)) == datagrams
    assert (sender.sent, sender.unsent) == (len(datagrams), 0)
    assert (receiver.received, receiver.overflowed) == (len(datagrams), 0)


def test_a_receiver_that_asks_for_no_batches_hears_each_datagram(
    make: Make, ports: tuple[int, int]
) -> None:
    sender = make()
    family = sender._family
    if family == socket.AF_INET6:
        pytest.skip("the original programs speak IPv4")
    with socket.socket(family, socket.SOCK_DGRAM) as plain:
        plain.settimeout(LIMIT_S)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        plain.bind(("", ports[0]))
        member = socket.inet_aton("239.255.91.3") + socket.inet_aton("127.0.0.1")
        plain.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        sender.open(listen=False)
        datagrams = [bytes([i]) * 32 for i in range(64)]
        assert sender.send_many(datagrams) == 64
        assert [plain.recv(1500) for _ in datagrams] == datagrams


def test_the_sender_is_known(make: Make) -> None:
    receiver, sender = make(), make()
    sockets = receiver.open(listen=True)
    sender.open(listen=False)
    sender.send(b"hello")
    senders: list[tuple[str, int]] = []
    select.select(sockets, [], [], LIMIT_S)
    receiver.read(sockets[0], lambda batch, size, address: senders.append(address))
    assert senders == [out.getsockname()[:2] for out in sender.senders]


def test_what_the_own_kernel_drops_is_told_apart(make: Make) -> None:
    receiver, sender = make(), make()
    (readable,) = receiver.open(listen=True)
    if not batches.LINUX:
        pytest.skip("no SO_RXQ_OVFL on this path")
    readable.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sender.open(listen=False)
    for _ in range(100):
        sender.send(b"x" * 1000)
    early = len(collect(receiver, [readable], 1))
    sender.send(b"after")
    late = len(collect(receiver, [readable], 1))
    assert receiver.overflowed > 0
    assert early + late + receiver.overflowed == 101


def test_loopback_alone_has_an_address(ports: tuple[int, int]) -> None:
    """With no other network, who is heard can be answered: not 0.0.0.0."""
    with network_namespace():
        ip("link", "set", "lo", "up")
        channel = Channel(Endpoint(address="239.255.91.3", port=ports[0]), ["lo"], ttl=0)
        heard: list[str] = []
        try:
            (receiver,) = channel.open(listen=True)
            channel.send(b"hello")
            assert select.select([receiver], [], [], LIMIT_S)[0]
            channel.read(receiver, lambda batch, size, sender: heard.append(sender[0]))
        finally:
            channel.close()
    assert heard == ["127.0.0.1"]


def test_a_network_that_is_not_there(ports: tuple[int, int]) -> None:
    away = Channel(Endpoint(address="239.255.91.3", port=ports[0]), ["nosuch0"])
    with pytest.raises(BusError, match=r"239\.255\.91\.3.*nosuch0.*no such interface"):
        away.open(listen=True)
    assert not away.is_open
    assert not away.send(b"lost")
    assert away.send_many([b"lost", b"lost"]) == 0
    assert (away.sent, away.unsent) == (0, 3)


def test_an_interface_may_be_named_by_its_address(ports: tuple[int, int]) -> None:
    endpoint = Endpoint(address="239.255.91.3", port=ports[0])
    receiver, sender = Channel(endpoint, ["127.0.0.1"], 0), Channel(endpoint, ["lo"], 0)
    try:
        sockets = receiver.open(listen=True)
        sender.open(listen=False)
        sender.send(b"hello")
        assert collect(receiver, sockets, 1) == [b"hello"]
        assert receiver.signature() == ((0, "127.0.0.1"),)
    finally:
        receiver.close()
        sender.close()


def test_what_leaves_can_be_answered(make: Make) -> None:
    sender = make()
    sender.open(listen=False)
    (out,), (address,) = sender.senders, [out.getsockname()[:2] for out in sender.senders]
    with socket.socket(sender._family, socket.SOCK_DGRAM) as asker:
        asker.settimeout(LIMIT_S)
        heard: list[tuple[bytes, tuple[str, int]]] = []
        end = time.monotonic() + LIMIT_S
        while time.monotonic() < end:  # a new IPv6 address may not be reached at once
            asker.sendto(b"again?", address)
            if select.select([out], [], [], 0.1)[0]:
                break
        sender.read(out, lambda batch, size, where: heard.append((bytes(batch), where)))
        ((question, where),) = heard
        assert question == b"again?"
        for via in (out, None, asker):
            sender.answer(MIXED[:100], where, via)
            answers = [asker.recvfrom(2048) for _ in range(100)]
            assert [datagram for datagram, _ in answers] == MIXED[:100]
            assert {source[:2] for _, source in answers} == {address}


@pytest.mark.parametrize("address", ["239.255.91.3", "ff01::4a:1"])
@pytest.mark.parametrize(("ttl", "reach"), [(0, 1), (1, 1), (4, 4)])
def test_what_goes_to_single_addresses_stays_where_the_bus_is(
    address: str, ttl: int, reach: int
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as out:
        batches.keep_on_link(out, ttl)
        assert unicast_ttl(out) == reach


def test_a_channel_answers_no_further_than_it_sends(make: Make) -> None:
    channel = make()
    channel.open(listen=True)
    assert [unicast_ttl(out) for out in channel.senders] == [1]


def unicast_ttl(out: socket.socket) -> int:
    if out.family == socket.AF_INET:
        return out.getsockopt(socket.IPPROTO_IP, socket.IP_TTL)
    return out.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)


def test_one_of_two_interfaces_may_be_down(ports: tuple[int, int]) -> None:
    endpoint = Endpoint(address="239.255.91.3", port=ports[0])
    receiver, sender = Channel(endpoint, ["nosuch0", "lo"], 0), Channel(endpoint, ["lo"], 0)
    try:
        sockets = receiver.open(listen=True)
        assert list(receiver.missing) == ["nosuch0"]
        assert receiver.places == "lo (127.0.0.1)"
        sender.open(listen=False)
        sender.send(b"hello")
        assert collect(receiver, sockets, 1) == [b"hello"]
        assert receiver.send(b"hello")
    finally:
        receiver.close()
        sender.close()


def test_a_batch_beyond_the_mtu_of_the_link_leaves_one_by_one(ports: tuple[int, int]) -> None:
    """A VPN's MTU is below the configured one: the kernel refuses batches of large datagrams."""
    with network_namespace():
        ip("link", "add", "cable0", "mtu", "1280", "type", "veth", "peer", "name", "cable1")
        for end in ("cable0", "cable1"):
            ip("link", "set", end, "up")
        ip("address", "add", "192.0.2.1/24", "dev", "cable0")
        channel = Channel(Endpoint(address="239.255.91.3", port=ports[0]), ["cable0"], ttl=1)
        try:
            sockets = channel.open(listen=True)
            sent = [bytes([number]) * 1400 for number in range(10)]
            assert channel.send_many(sent) == 10
            assert collect(channel, sockets, 10) == sent
        finally:
            channel.close()


def test_a_batch_never_exceeds_the_mtu_of_the_interface(
    ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call is refused: the channel reads the interface's MTU when it opens."""
    with network_namespace(), monkeypatch.context() as patch:
        ip("link", "add", "cable0", "mtu", "1280", "type", "veth", "peer", "name", "cable1")
        for end in ("cable0", "cable1"):
            ip("link", "set", end, "up")
        ip("address", "add", "192.0.2.1/24", "dev", "cable0")
        channel = Channel(Endpoint(address="239.255.91.3", port=ports[0]), ["cable0"], ttl=1)
        sizes = []

        def send(self: Batches, outs: object, group: bytes, size: int, to: object) -> int:
            sizes.append((len(group), size))
            return len(group) // size

        patch.setattr(Batches, "_send_group", send)
        try:
            for mtu, together in ((1280, 1), (1500, 10)):
                ip("link", "set", "cable0", "mtu", str(mtu))
                channel.open(listen=False)
                sizes.clear()
                assert channel.send_many([bytes(1400)] * 10) == 10
                assert sizes == [(1400 * together, 1400)] * (10 // together)
        finally:
            channel.close()


@pytest.mark.parametrize("interface", ["cable0", ""])
def test_a_wide_ipv6_group_on_an_interface_with_a_link_local_address_only(
    ports: tuple[int, int], interface: str
) -> None:
    with network_namespace():
        ip("link", "add", "cable0", "type", "veth", "peer", "name", "cable1")
        for end in ("cable0", "cable1"):
            ip("link", "set", end, "addrgenmode", "none", "up")
        ip("-6", "address", "add", "fe80::1/64", "dev", "cable0", "nodad")
        if not interface:
            ip("-6", "route", "del", "multicast", "ff00::/8", "dev", "cable1", "table", "local")
        group = Endpoint(address="ff15::6a70:68", port=ports[0])
        channel = Channel(group, [interface] * bool(interface), ttl=1)
        try:
            sockets = channel.open(listen=True)
            assert channel.send(b"hello")
            assert collect(channel, sockets, 1) == [b"hello"]
        finally:
            channel.close()
