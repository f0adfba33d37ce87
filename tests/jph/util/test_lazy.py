"""Modules that wait until something in them is used."""

import subprocess
import sys

from tests.support import LIMIT_S, REPOSITORY


def _python(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return done.stdout


def test_asyncio_loads_no_tls_until_it_is_spoken() -> None:
    told = _python(
        """
import sys
from jph.util.lazy import SELDOM_USED, postpone
postpone(SELDOM_USED)
import asyncio
print("_ssl" in sys.modules)
import ssl
print("_ssl" in sys.modules)
ssl.create_default_context()
print("_ssl" in sys.modules)
"""
    )
    assert told.split() == ["False", "False", "True"]


def test_tls_works_once_it_is_used() -> None:
    told = _python(
        """
from jph.util.lazy import SELDOM_USED, postpone
postpone(SELDOM_USED)
import asyncio, ssl

async def main():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())
    except (ssl.SSLError, ConnectionError) as error:
        print(isinstance(error, OSError))
    server.close()

asyncio.run(main())
"""
    )
    assert told.strip() == "True"


def test_what_is_loaded_already_stays() -> None:
    told = _python(
        """
import ssl
from jph.util.lazy import SELDOM_USED, postpone
postpone(SELDOM_USED)
import sys
print(sys.modules["ssl"] is ssl)
"""
    )
    assert told.strip() == "True"
