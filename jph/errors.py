"""The errors that jph raises on purpose, as one tree.

    JphError                 exit status 1
    ├── ConfigError          exit status 2   a mistake in the configuration; carries all of them
    ├── WireError
    │   ├── EncodeError      a message that cannot be sent: our mistake
    │   └── DecodeError      a datagram that is not one of ours: the sender's mistake
    ├── BusError             sockets, interfaces, groups
    ├── SealError            a key, a signature or a roster that cannot be used
    ├── DeviceError          serial lines, I2C
    ├── StoreError           Redis, PostgreSQL
    └── DuplicateInstance    exit status 3   a newer instance took this codifier

A message says what failed, on what, and what to do.
"""

from collections.abc import Sequence
from typing import NamedTuple


class JphError(Exception):
    """The base of all; `exit_status` is what a program ends with."""

    exit_status = 1


class Problem(NamedTuple):
    """One mistake in a configuration: its place, what was found and what was expected."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ConfigError(JphError):
    """One or more mistakes in the configuration, all of them together."""

    exit_status = 2

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join([str(self.args[0]), *(f"  {problem}" for problem in self.problems)])


class WireError(JphError):
    """A message and its bytes do not agree."""


class EncodeError(WireError):
    """A message that the wire cannot carry: our mistake."""


class DecodeError(WireError):
    """A datagram that is not one of ours; `reason` is a short word to count by."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BusError(JphError):
    """A socket, an interface or a multicast group refuses."""


class SealError(JphError):
    """A key, a signature or a roster that cannot be used; names the remedy."""


class DeviceError(JphError):
    """A serial line or an I2C chip does not answer as it should."""


class StoreError(JphError):
    """Redis or PostgreSQL is away or refuses."""


class DuplicateInstance(JphError):
    """A newer instance of this codifier is on the network; this one has ended.

    A supervisor must not start it again: they would end each other for ever.
    """

    exit_status = 3
