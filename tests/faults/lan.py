"""Hosts on one Ethernet, made of the kernel's own parts: a network namespace each, and a bridge.

Loss and doubles are the kernel's own packet filter (nftables): every host drops what comes to it,
datagram by datagram, so that questions get lost as well as answers.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import LIMIT_S, REPOSITORY

GROUPS = "224.0.0.0/4"


class Program:
    """A real process on a host; what it says goes to a file."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait(LIMIT_S)

    def stop(self) -> None:
        """End it as its supervisor would."""
        if self.runs:
            self.process.terminate()
        try:
            self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


class Host:
    """One network namespace with an address of its own."""

    def __init__(self, lan: "Lan", name: str, number: int) -> None:
        self.name = name
        self.port = f"port{number}"
        self.address = f"10.77.0.{number}"
        self.state = lan.directory / name
        self.state.mkdir(exist_ok=True)
        self._lan = lan
        self.namespace = f"{lan.prefix}-{name}"

    def run(self, *words: str, **environment: str) -> Program:
        """Start a Python program of this checkout on this host."""
        log = self._lan.directory / f"{self.name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, sys.executable, *words],
                cwd=REPOSITORY,
                env={**os.environ, "JPH_STATE": str(self.state), **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        program = Program(process, log)
        self._lan.programs.append(program)
        return program

    def lose(self, percent: float) -> None:
        """Drop so many percent of the datagrams that come to this host, and count them."""
        rules = f"""
            table inet jph {{
                counter lost {{ }}
                chain arrive {{
                    type filter hook prerouting priority -300;
                    iifname "eth0" ip protocol udp numgen random mod 1000 < {round(10 * percent)} \
                        ip daddr {GROUPS} counter name "lost" drop
                    iifname "eth0" ip protocol udp ip daddr != {GROUPS} \
                        numgen random mod 1000 < {round(10 * percent)} drop
                }}
            }}
        """
        _nft(self.namespace, "add table inet jph; delete table inet jph;\n" + rules)

    def deafen(self, deaf: bool) -> None:
        """Drop every datagram that comes to this host, or let all arrive again."""
        rules = """
            table inet jph {
                chain arrive {
                    type filter hook prerouting priority -300;
                    iifname "eth0" ip protocol udp drop
                }
            }
        """
        _nft(self.namespace, "add table inet jph; delete table inet jph;\n" + rules * deaf)

    def double(self, percent: float) -> None:
        """Send so many percent of the datagrams twice to this host."""
        rules = f"""
            table netdev {self.port} {{
                chain leave {{
                    type filter hook egress device "{self.port}" priority 0;
                    meta mark 7 accept
                    ip protocol udp numgen random mod 1000 < {round(10 * percent)} \
                        meta mark set 7 dup to "{self.port}"
                }}
            }}
        """
        _nft(self._lan.switch, rules)

    def lost_bytes(self) -> int:
        """Bytes of readings (as IP packets) that `lose` took away from this host."""
        return _counter(self.namespace, "inet jph", "lost")

    def link(self, up: bool) -> None:
        """Plug or pull the host's cable."""
        _ip("-n", self.namespace, "link", "set", "eth0", "up" if up else "down")
        if up:  # the kernel forgets routes with the link
            _ip("-n", self.namespace, "route", "replace", GROUPS, "dev", "eth0")


class Lan:
    """A bridge and the hosts on it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prefix = f"jph{os.getpid()}"
        self.switch = f"{self.prefix}-switch"
        self.programs: list[Program] = []
        self._namespaces: list[str] = []
        self._make_namespace(self.switch)
        _ip("-n", self.switch, "link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
        _ip("-n", self.switch, "link", "set", "bridge", "up")
        _nft(
            self.switch,
            f"""
            table bridge jph {{
                counter unicast {{ }}
                chain forward {{
                    type filter hook forward priority 0;
                    ether type ip ip protocol udp ip daddr != {GROUPS} counter name "unicast"
                }}
            }}
            """,
        )

    def host(self, name: str) -> Host:
        """Add a host."""
        host = Host(self, name, len(self._namespaces))
        self._make_namespace(host.namespace)
        peer = ("peer", "name", "eth0", "netns", host.namespace)
        _ip("link", "add", host.port, "netns", self.switch, "type", "veth", *peer)
        _ip("-n", self.switch, "link", "set", host.port, "master", "bridge", "up")
        # one packet a datagram, as on a wire: else the filter drops whole batches
        _ip("-n", host.namespace, "link", "set", "eth0", "gso_max_segs", "1")
        _ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "eth0")
        _ip("-n", host.namespace, "link", "set", "lo", "up")
        host.link(up=True)
        return host

    def unicast_bytes(self) -> int:
        """Bytes of all that was asked and answered between hosts (as IP packets)."""
        return _counter(self.switch, "bridge jph", "unicast")

    def close(self) -> None:
        """End every program and remove every namespace."""
        for program in self.programs:
            if program.runs:
                program.process.send_signal(signal.SIGKILL)
                program.process.wait(LIMIT_S)
        for namespace in reversed(self._namespaces):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)

    def _make_namespace(self, name: str) -> None:
        _ip("netns", "add", name)
        self._namespaces.append(name)


@contextlib.contextmanager
def lan(directory: Path) -> Iterator[Lan]:
    """Give a network; skip where the machine does not allow one."""
    missing = [name for name in ("ip", "nft") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip("hosts in network namespaces need root, iproute2 and nftables")
    try:
        made = Lan(directory)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces with a packet filter here: {error.stderr.decode()}")
    try:
        yield made
    finally:
        made.close()


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


def _nft(namespace: str, rules: str) -> None:
    command = ["ip", "netns", "exec", namespace, "nft", "-f", "-"]
    subprocess.run(command, input=rules.encode(), check=True, capture_output=True)


def _counter(namespace: str, table: str, name: str) -> int:
    command = ["ip", "netns", "exec", namespace, "nft", "list", "counter", *table.split(), name]
    told = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    return int(told.split("bytes")[1].split()[0])
