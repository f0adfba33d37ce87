"""Members hand over the signed config: TCP on the number of the control bus's port.

A node that hears of a newer roster asks the machine that has it. The answer is encrypted for the
asker's key in that roster, so a revoked member and an outsider get nothing they can read. Loaded
only in a sealed house.
"""

import asyncio
import contextlib
import fcntl
import os
import socket
import time
from pathlib import Path
from typing import Final

from jph.config import last_good
from jph.config.fetch import is_remote
from jph.config.model import Network, state_dir
from jph.config.sealed import Signed, admitted, fetch_signed
from jph.errors import ConfigError, SealError
from jph.seal.identity import FOLDER, load_keys
from jph.seal.wrapping import unwrap, wrap
from jph.util.statedir import open_lock
from jph.util.token_bucket import TokenBucket

_CONTEXT: Final = b"jph handover"
_ANSWER_S: Final = 10.0
_MOST_BYTES: Final = 17 * 2**20
_MOST_REQUEST: Final = 32
_A_SECOND: Final = 5.0
_AT_ONCE: Final = 20.0


async def serve(url: str, network: Network) -> None:
    """Hand over the config at `url` until cancelled; every node of a machine shares the port."""
    bucket = TokenBucket(_A_SECOND, _AT_ONCE)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_ANSWER_S):
                node = (await reader.readuntil(b"\n"))[:_MOST_REQUEST].decode().strip()
                if bucket.take(time.monotonic()):
                    writer.write(await asyncio.to_thread(_wrapped, url, node))
                    await writer.drain()
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            pass  # outsiders get no answer
        except (ConfigError, SealError):
            pass  # an edit that is not signed is not handed over
        finally:
            writer.close()

    here = "127.0.0.1" if network.multicast.ttl == 0 else None
    with contextlib.suppress(OSError):  # another program has the port: others hand over
        server = await asyncio.start_server(
            answer,
            here,
            network.multicast.control.port,
            family=socket.AF_INET,
            reuse_port=True,
        )
        async with server:
            await server.serve_forever()


def _wrapped(url: str, node: str) -> bytes:
    """Return config and signature for a member; nothing for anyone else.

    Raises:
        ConfigError: the config is not signed as it is now.
    """
    signed = fetch_signed(url)
    member = signed.roster.members.get(node) if signed.roster else None
    if member is None or signed.signature is None:
        return b""
    size = len(signed.document).to_bytes(4, "big")
    return wrap(size + signed.document + signed.signature, member.wrap, _CONTEXT)


async def ask(host: str, port: int, node: str) -> Signed:
    """Return the config that a machine hands over to the member `node`.

    Raises:
        SealError: it does not answer, or not to this member.
        Refused: what it hands over is not signed by the house, or old.
    """
    try:
        async with asyncio.timeout(_ANSWER_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(f"{node}\n".encode())
                content = bytearray()
                while len(content) < _MOST_BYTES and (part := await reader.read(65_536)):
                    content += part
            finally:
                writer.close()
    except (OSError, TimeoutError) as error:
        raise SealError(f"{host} port {port} hands over no config: {error}") from error
    if not content:
        raise SealError(f"{host} hands over no config: {node} is no member there any more")
    plain = unwrap(bytes(content), load_keys(state_dir(), node).wrap, _CONTEXT)
    end = 4 + int.from_bytes(plain[:4], "big")
    return admitted(Signed(plain[4:end], plain[end:]))


async def take_over(url: str, node: str, network: Network, host: str) -> str:
    """Bring the file of the config to a newer state that a peer has; return what was done.

    Raises:
        SealError, Refused: the peer has no good one.
        StoreError: the disk refuses.
    """
    known = network.roster.serial if network.roster else 0
    signed = await asyncio.to_thread(fetch_signed, url)
    if signed.roster and signed.roster.serial > known:
        return "the config has it already"
    if is_remote(url):
        return "its server has no newer one"
    newer = await ask(host, network.multicast.control.port, node)
    if newer.roster is None or newer.roster.serial <= known:
        return f"{host} has no newer one"
    await asyncio.to_thread(_write, url, newer)
    return f"config with serial {newer.roster.serial} taken over from {host}"


def _write(url: str, newer: Signed) -> None:
    """Replace the file, unless another node of this machine did, or a person edited it.

    Raises:
        Refused: the file was edited and not signed.
    """
    folder = state_dir() / FOLDER
    lock = open_lock(folder / "config.lock")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        now = fetch_signed(url)
        if now.roster and newer.roster and now.roster.serial >= newer.roster.serial:
            return
        path = Path(url.removeprefix("file:")).expanduser()
        last_good.keep_pair(path, newer.document, newer.signature or b"")
    finally:
        os.close(lock)
