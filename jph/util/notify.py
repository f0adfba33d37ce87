"""Messages of a service to its manager (systemd): ready, alive, stopping; without a library."""

import os
import socket
from collections.abc import MutableMapping
from typing import Final

_SOCKET: Final = "NOTIFY_SOCKET"
_WATCHDOG: Final = "WATCHDOG_USEC"
_WATCHDOG_PID: Final = "WATCHDOG_PID"


class Notifier:
    """A datagram socket to the service manager.

    Attributes:
        watchdog_s: the longest silence that the manager accepts; None without a watchdog.
    """

    def __init__(self, address: str, watchdog_s: float | None = None) -> None:
        self.watchdog_s = watchdog_s
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def send(self, *fields: str) -> bool:
        """Send fields, as `READY=1`; return whether the manager got them."""
        try:
            self._socket.sendto("\n".join(fields).encode(), self._address)
        except OSError:  # it restarts, or its queue is full: the next message follows
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def notifier(environment: MutableMapping[str, str] | None = None) -> Notifier | None:
    """Return the way to the service manager, or None if none started this process.

    The variables are removed: programs that this one starts are not the service.
    """
    variables = os.environ if environment is None else environment
    address = variables.pop(_SOCKET, "")
    watchdog, owner = variables.pop(_WATCHDOG, ""), variables.pop(_WATCHDOG_PID, "")
    if address[:1] not in ("/", "@"):
        return None
    watched = watchdog.isdecimal() and int(watchdog) > 0 and owner in ("", str(os.getpid()))
    return Notifier(address, int(watchdog) / 1e6 if watched else None)
