"""Facts about an installation, as a console gathers them on one machine. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from jph.config.model import Network
from jph.util.freshness import State


class Interface(NamedTuple):
    """A network interface of this machine.

    `snoops` is whether it is a bridge that forwards multicast to those that joined only, without a
    querier of its own.
    """

    name: str
    up: bool = True
    multicast: bool = True
    mtu: int = 1500
    addressed: bool = True
    snoops: bool = False


class Machine(NamedTuple):
    """This machine: network, clock, programs.

    Attributes:
        wanted: the interfaces that the config gives it; empty if the routes choose.
        unrouted: groups to which no route leads.
        dropped: datagrams that full receive buffers dropped while the console listened.
        receive_bytes: the largest receive buffer that the system allows.
        now_ms: its clock; synchronised: whether the system has set it, None if that is unknown.
        failed_units: units of systemd that stay failed.
    """

    name: str = ""
    interfaces: tuple[Interface, ...] = ()
    wanted: tuple[str, ...] = ()
    unrouted: tuple[str, ...] = ()
    dropped: int = 0
    receive_bytes: int = 1 << 30
    now_ms: int = 0
    synchronised: bool | None = None
    failed_units: tuple[str, ...] = ()


class NodeSeen(NamedTuple):
    """A node as the console saw it.

    Attributes:
        answered: whether it answered the ping; heard: whether any message of it arrived.
        addresses: UDP source addresses of its control messages; off_link: those of them that this
            machine reaches through a router only.
        epochs: how many programs sent with its codifier.
        clock_ms: offset of its clock, positive for one that is ahead.
        config_ms: when it read its config; 0 if that is unknown.
        late: codifiers of it that send readings and have sent none for too long.
        lost: messages of it that did not arrive here.
    """

    codifier: str
    name: str
    type: str
    state: State
    answered: bool = True
    heard: bool = True
    active: bool = True
    addresses: frozenset[str] = frozenset()
    off_link: frozenset[str] = frozenset()
    epochs: int = 1
    clock_ms: float | None = None
    config_ms: int = 0
    restart: tuple[str, ...] = ()
    shared: bool = False
    disk_full: bool = False
    not_storing: bool = False
    late: tuple[str, ...] = ()
    lost: int = 0


class Store(NamedTuple):
    """A store that this machine reaches: Redis or PostgreSQL.

    `error` is why it does not answer; `schema` and `wanted_schema` are versions of the tables;
    `evicts` is whether it forgets values when memory is short.
    """

    name: str
    error: str = ""
    version: str = ""
    least: str = ""
    schema: int | None = None
    wanted_schema: int | None = None
    evicts: bool = False


class Disk(NamedTuple):
    """A folder that nodes write to; `wear` is the used share of the card's life, if it says."""

    path: str
    exists: bool = True
    writable: bool = True
    free_bytes: int = 1 << 40
    total_bytes: int = 1 << 40
    private: bool = True
    wear: float | None = None


class Device(NamedTuple):
    """A device that a node of this machine uses; `error` is why it cannot."""

    node: str
    path: str
    error: str = ""


class Facts(NamedTuple):
    """All that is known of an installation.

    Attributes:
        config_ms: when the config file was changed last; 0 if it is no file of this machine.
        strangers: codifiers on the bus that the config does not have.
        warnings: what `config check` warns of.
        bus_error: why this machine cannot join the bus.
    """

    network: Network
    machine: Machine = Machine()
    nodes: tuple[NodeSeen, ...] = ()
    stores: tuple[Store, ...] = ()
    disks: tuple[Disk, ...] = ()
    devices: tuple[Device, ...] = ()
    config_ms: int = 0
    strangers: Mapping[str, str] = {}
    warnings: tuple[str, ...] = ()
    bus_error: str = ""
