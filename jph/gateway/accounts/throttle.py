"""Limits of the rate of logins, by address and by account, in bounded tables. Pure.

Time comes in as monotonic seconds.
"""

import ipaddress
from collections import OrderedDict
from typing import Final, NamedTuple

from jph.gateway.accounts.users import normalized
from jph.util.backoff import delay_after

MOST_KEYS: Final = 2000
"""Of more addresses or names, those that failed longest ago are forgotten."""
FORGET_S: Final = 3600.0


class Limits(NamedTuple):
    """Number of free failures; each further one doubles the wait, up to the longest."""

    free: int
    first_s: float
    longest_s: float


OF_ADDRESS: Final = Limits(free=10, first_s=1.0, longest_s=900.0)
"""A household behind one address may mistype more often than one person."""
OF_NAME: Final = Limits(free=4, first_s=1.0, longest_s=60.0)
"""Short: a person who guesses must not lock out the owner of the account."""


class _Failures:
    """Failures by key."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._of: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, key: str, now_s: float) -> float:
        count, last_s = self._of.get(key, (0, 0.0))
        over = count - self._limits.free
        if over < 0:
            return 0.0
        delay_s = delay_after(over, self._limits.first_s, self._limits.longest_s)
        return max(0.0, last_s + delay_s - now_s)

    def note(self, key: str, now_s: float) -> None:
        count, last_s = self._of.pop(key, (0, now_s))
        if now_s - last_s > FORGET_S:
            count = 0
        self._of[key] = count + 1, now_s
        if len(self._of) > MOST_KEYS:
            self._of.popitem(last=False)

    def forget(self, key: str) -> None:
        self._of.pop(key, None)

    def __len__(self) -> int:
        return len(self._of)


class LoginThrottle:
    """Failures by address and by name of the account."""

    def __init__(self) -> None:
        self._addresses = _Failures(OF_ADDRESS)
        self._names = _Failures(OF_NAME)
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()

    def enter(self, address: str, name: str, now_s: float) -> float:
        """Return 0 if an attempt may be made now, else the seconds to wait.

        An attempt counts as failed until `right` is called, so that parallel attempts count too.
        The address of a user's last login has one attempt that does not wait for failures of the
        same account from elsewhere.
        """
        place, account = place_of(address), _account_of(name)
        wait_s = self._addresses.wait_s(place, now_s)
        if (place, account) not in self._known:
            wait_s = max(wait_s, self._names.wait_s(account, now_s))
        if wait_s <= 0:
            self._known.pop((place, account), None)
            self._addresses.note(place, now_s)
            self._names.note(account, now_s)
        return wait_s

    def right(self, address: str, name: str) -> None:
        """Forget the failures after the right password."""
        place, account = place_of(address), _account_of(name)
        self._addresses.forget(place)
        self._names.forget(account)
        self._known[place, account] = None
        self._known.move_to_end((place, account))
        if len(self._known) > MOST_KEYS:
            self._known.popitem(last=False)

    def __len__(self) -> int:
        return len(self._addresses) + len(self._names)


def _account_of(name: str) -> str:
    """Return one key for all spellings of a name that find the same account."""
    return normalized(name).casefold()


def place_of(address: str) -> str:
    """Return the place of an address: an IPv4 address, or an IPv6 network of 64 bits."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((int(found), 64), strict=False))
    return str(found)
