"""Reads from the kernel what this machine is: interfaces, routes, buffers, disks, devices."""

import contextlib
import os
import socket
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from jph.client.doctor.facts import Device, Disk, Interface, Machine
from jph.config.model import Network, Sensor, expand, state_dir
from jph.net.channel import interfaces_from_environment, is_interface_name

_NET: Final = Path("/sys/class/net")
_RMEM: Final = Path("/proc/sys/net/core/rmem_max")
_SNMP: Final = Path("/proc/net/snmp")
_SYNCHRONISED: Final = Path("/run/systemd/timesync/synchronized")
_TIMESYNC: Final = Path("/run/systemd/timesync")
_UP: Final = 0x1
_MULTICAST: Final = 0x1000
_LOOPBACK: Final = 0x8
_SYSTEMCTL_S: Final = 3.0


def machine(network: Network, dropped_before: int) -> Machine:
    """Return the facts of this machine; `dropped_before` is `dropped()` of some time ago."""
    host = socket.gethostname()
    wanted = interfaces_from_environment() or network.multicast.interfaces_of(host)
    names = tuple(name for name in wanted if is_interface_name(name))
    groups = (network.multicast.control.address, network.multicast.data.address)
    return Machine(
        name=host,
        interfaces=tuple(interfaces()),
        wanted=names,
        unrouted=() if wanted else tuple(group for group in groups if not _has_route(group)),
        dropped=max(0, dropped() - dropped_before),
        receive_bytes=int(_read(_RMEM) or 1 << 30),
        now_ms=time.time_ns() // 1_000_000,
        synchronised=_SYNCHRONISED.exists() if _TIMESYNC.is_dir() else None,
        failed_units=_failed_units(),
    )


def interfaces(net: Path = _NET) -> Iterator[Interface]:
    """Yield the interfaces of this machine; loopback counts as one that carries multicast."""
    for _, name in socket.if_nameindex():
        flags = int(_read(net / name / "flags") or "0x1003", 16)
        bridge = net / name / "bridge"
        yield Interface(
            name,
            up=bool(flags & _UP),
            multicast=bool(flags & (_MULTICAST | _LOOPBACK)),
            mtu=int(_read(net / name / "mtu") or 1500),
            addressed=_addressed(name),
            snoops=_read(bridge / "multicast_snooping") == "1"
            and _read(bridge / "multicast_querier") == "0",
        )


def dropped() -> int:
    """Return how many datagrams full receive buffers of this machine have dropped so far."""
    lines = [line.split() for line in _read(_SNMP).splitlines() if line.startswith("Udp:")]
    if len(lines) != 2 or "RcvbufErrors" not in lines[0]:
        return 0
    return int(lines[1][lines[0].index("RcvbufErrors")])


def disks(parts: Sequence[Sensor]) -> list[Disk]:
    """Return the folders that nodes of this machine write to."""
    return [_disk(state_dir())] if parts else []


def devices(parts: Sequence[Sensor]) -> list[Device]:
    """Return the serial ports and buses that nodes of this machine use, by their paths."""
    found = []
    for part in parts:
        for key in ("Device", "Bus"):
            value = part.sensor.get(key)
            path = f"/dev/i2c-{value}" if key == "Bus" and isinstance(value, int) else value
            if isinstance(path, str) and expand(path).startswith("/"):
                found.append(Device(part.codifier, expand(path), _device_error(expand(path))))
    return found


def _device_error(path: str) -> str:
    if not Path(path).exists():
        return "it is not there"
    return "" if os.access(path, os.R_OK | os.W_OK) else "this user may not open it"


def _disk(path: Path) -> Disk:
    try:
        found, mode = os.statvfs(path), path.stat().st_mode
    except OSError:
        return Disk(str(path), exists=False)
    return Disk(
        str(path),
        writable=os.access(path, os.W_OK) and not found.f_flag & os.ST_RDONLY,
        free_bytes=found.f_bavail * found.f_frsize,
        total_bytes=found.f_blocks * found.f_frsize,
        private=not mode & stat.S_IWOTH,
        wear=_wear(),
    )


def _wear() -> float | None:
    """Return the used share of an eMMC's life, in steps of a tenth; SD cards do not say."""
    for path in Path("/sys/block").glob("mmcblk*/device/life_time"):
        with contextlib.suppress(ValueError):
            return max(int(word, 16) for word in _read(path).split()) / 10
    return None


def _has_route(group: str) -> bool:
    """Whether a route leads to a group. Nothing is sent."""
    family = socket.AF_INET6 if ":" in group else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((group, 9))
    except OSError:
        return False
    return True


def _addressed(name: str) -> bool:
    """Whether an interface has an IPv4 or IPv6 address."""
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked, contextlib.suppress(OSError):
        fcntl.ioctl(asked.fileno(), 0x8915, struct.pack("16s16x", name.encode()[:15]))
        return True
    return any(
        line.split()[-1:] == [name] for line in _read(Path("/proc/net/if_inet6")).split("\n")
    )


def _failed_units() -> tuple[str, ...]:
    words = ["systemctl", "list-units", "--state=failed", "--plain", "--no-legend", "jph*"]
    if not Path("/run/systemd/system").is_dir():
        return ()
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_SYSTEMCTL_S)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(line.split()[0] for line in done.stdout.splitlines() if line.strip())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""
