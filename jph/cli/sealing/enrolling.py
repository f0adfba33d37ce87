"""The exchange between the enrolling machine and the one that joins: one TCP connection.

    joiner    → 16 bytes of salt                     enroller  → 16 bytes of salt
    joiner    → "hello", encrypted with the secret   enroller  → Offer
    joiner    → Candidate for each codifier          enroller  → Welcome: the signed config
    joiner    → "done", after it has written all

Each message after the salts has its length, 4 bytes, in front.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from jph.config import last_good
from jph.config.sealed import Signed
from jph.errors import SealError
from jph.seal.document import is_signed, roster_in
from jph.seal.enrolment import (
    LIFE_S,
    SALT_BYTES,
    SECRET_BYTES,
    Candidate,
    Channel,
    Line,
    Offer,
    Welcome,
    candidate,
    check_candidate,
)
from jph.seal.generation import open_generation_key
from jph.seal.identity import NodeKeys, PublicKeys, new_keys, save_keys
from jph.seal.roster import Roster, fingerprint
from jph.seal.trust import Trust, save_trust

_EXCHANGE_S: Final = 20.0
_MOST_BYTES: Final = 17 * 2**20
_MOST_FAILURES: Final = 20
"""Connections without the secret after which the line ends."""
_HELLO: Final = b"hello"
_DONE: Final = b"done"

Accept = Callable[[Mapping[str, PublicKeys]], Signed]
"""Adds members to the config and returns it signed."""


class _Peer:
    """One side of the connection once both salts are known."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, channel: Channel
    ) -> None:
        self._reader, self._writer, self._channel = reader, writer, channel

    async def send(self, message: bytes) -> None:
        sealed = self._channel.seal(message)
        self._writer.write(len(sealed).to_bytes(4, "big") + sealed)
        await self._writer.drain()

    async def receive(self) -> bytes:
        size = int.from_bytes(await self._reader.readexactly(4), "big")
        if size > _MOST_BYTES:
            raise SealError(f"the other side announces {size} bytes: it is no control.py")
        return self._channel.open(await self._reader.readexactly(size))


class Enroller:
    """Waits for the machine that has the line, and lets it in once."""

    def __init__(self, offer: Offer, accept: Accept, url: str = "") -> None:
        self._offer, self._accept, self._url = offer, accept, url
        self._secret = os.urandom(SECRET_BYTES)
        self._server: asyncio.Server | None = None
        self._joined: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._failures = 0
        self._busy = asyncio.Lock()

    async def open(self, address: str, port: int = 0) -> Line:
        """Listen, and return the line to carry over.

        Raises:
            SealError: the port is not free.
        """
        try:
            self._server = await asyncio.start_server(self._serve, None, port)
        except OSError as error:
            raise SealError(f"cannot listen on port {port}: {error}") from error
        number = self._server.sockets[0].getsockname()[1]
        if port == 0 and len({s.getsockname()[1] for s in self._server.sockets}) > 1:
            await self.close()
            self._server = await asyncio.start_server(self._serve, None, number)
        return Line(address, number, fingerprint(self._offer.house), self._secret)

    async def wait(self, life_s: float = LIFE_S) -> str:
        """Wait until a machine has joined; return its address.

        Raises:
            SealError: none did in time, or too many tried without the secret.
        """
        try:
            async with asyncio.timeout(life_s):
                return await self._joined
        except TimeoutError as error:
            raise SealError(
                f"no machine joined within {life_s / 60:g} min: the line is void"
            ) from error
        finally:
            await self.close()

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("peername")[0]
        try:
            async with self._busy, asyncio.timeout(_EXCHANGE_S):
                if not self._joined.done():
                    await self._exchange(reader, writer)
                    self._joined.set_result(address)
        except SealError as error:
            self._failures += 1
            if self._failures >= _MOST_FAILURES and not self._joined.done():
                self._joined.set_exception(SealError(f"{self._failures} failed: {error}"))
        except (OSError, EOFError, TimeoutError, msgspec.DecodeError):
            pass  # a scanner, or a joiner that ended: the line stays good
        except Exception as error:
            if not self._joined.done():
                self._joined.set_exception(error)
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        own = os.urandom(SALT_BYTES)
        theirs = await reader.readexactly(SALT_BYTES)
        writer.write(own)
        peer = _Peer(reader, writer, Channel(self._secret, theirs, own, joins=False))
        if await peer.receive() != _HELLO:
            raise SealError("an unexpected message")
        await peer.send(msgspec.msgpack.encode(self._offer))
        offered = msgspec.msgpack.decode(await peer.receive(), type=dict[str, Candidate])
        if sorted(offered) != sorted(self._offer.codes):
            raise SealError("the machine sends keys of other codifiers than it was asked for")
        for code, each in offered.items():
            check_candidate(each, code, self._offer.house)
        public = {code: PublicKeys(each.sign, each.wrap) for code, each in offered.items()}
        signed = self._accept(public)
        welcome = Welcome(signed.document, signed.signature or b"", self._url)
        await peer.send(msgspec.msgpack.encode(welcome))
        await peer.receive()


class Joined(msgspec.Struct, frozen=True):
    """What a machine has after it joined."""

    codes: list[str]
    fingerprint: str
    serial: int
    path: str
    kept: str
    url: str


async def join(line: Line, config: Path, state: Path) -> Joined:
    """Make keys, have them enrolled, and write keys, house key and config on this machine.

    Raises:
        SealError: the enrolling machine does not answer, or is not the one of the line.
    """
    try:
        async with asyncio.timeout(_EXCHANGE_S):
            reader, writer = await asyncio.open_connection(line.address, line.port)
            try:
                return await _join(line, config, state, reader, writer)
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        reason = str(error) or f"no answer within {_EXCHANGE_S:g} s"
        raise SealError(
            f"{line.address} port {line.port}: {reason}; does control.py enrol still run there?"
        ) from error
    except (EOFError, msgspec.DecodeError) as error:
        raise SealError(
            "the enrolling machine ended the connection: the line is used up, too old or mistyped"
        ) from error


async def _join(
    line: Line,
    config: Path,
    state: Path,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> Joined:
    own = os.urandom(SALT_BYTES)
    writer.write(own)
    theirs = await reader.readexactly(SALT_BYTES)
    peer = _Peer(reader, writer, Channel(line.secret, own, theirs, joins=True))
    await peer.send(_HELLO)
    offer = msgspec.msgpack.decode(await peer.receive(), type=Offer)
    if fingerprint(offer.house) != line.fingerprint:
        raise SealError("the machine that answers is of another house than the line")
    keys = {code: new_keys() for code in offer.codes}
    candidates = {code: candidate(each, code, offer.house) for code, each in keys.items()}
    await peer.send(msgspec.msgpack.encode(candidates))
    welcome = msgspec.msgpack.decode(await peer.receive(), type=Welcome)
    roster = _checked(welcome, offer.house, keys)
    for code, each in keys.items():
        save_keys(state, code, each)
    kept = set_aside(config, welcome.document)
    last_good.keep_pair(config, welcome.document, welcome.signature)
    save_trust(state, Trust(roster.house, roster.serial, roster.generation))
    last_good.keep(str(config), Signed(welcome.document, welcome.signature, roster))
    await peer.send(_DONE)
    return Joined(sorted(keys), line.fingerprint, roster.serial, str(config), kept, welcome.url)


def _checked(welcome: Welcome, house: bytes, keys: Mapping[str, NodeKeys]) -> Roster:
    """Return the roster of the config that came, if it is the house's and our keys open it.

    Raises:
        SealError: it is not.
    """
    if not is_signed(welcome.document, welcome.signature, house):
        raise SealError("the config that came is not signed by the house")
    roster = roster_in(welcome.document)
    if roster is None or roster.house != house:
        raise SealError("the config that came has no roster of the house")
    for code, each in keys.items():
        open_generation_key(roster, code, each)
    return roster


def set_aside(path: Path, document: bytes) -> str:
    """Rename a config that another one replaces; return its new name, empty if there is none."""
    if not path.exists() or path.read_bytes() == document:
        return ""
    aside = path.with_name(f"{path.name}.{time.strftime('%Y%m%d-%H%M%S')}")
    path.replace(aside)
    return str(aside)


def own_address(towards: str) -> str:
    """Return the address of this machine on the way to another one; nothing is sent."""
    family = socket.AF_INET6 if ":" in towards else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((towards, 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
