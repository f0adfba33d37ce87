"""The connection to NATS that sites and hubs share."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from jph.config.model import state_dir

if TYPE_CHECKING:
    from nats.aio.client import Client

RETRY_S: Final = 1.0
"""Time until the next attempt after a failure."""


class Access(Protocol):
    """Settings that say where the servers are, and how to prove oneself to them."""

    @property
    def url(self) -> Sequence[str]:
        """Addresses of the servers."""

    @property
    def credentials(self) -> str:
        """File with the key of this program."""

    @property
    def authority(self) -> str:
        """File with the certificate that the servers prove with."""


async def connect(
    access: Access,
    name: str,
    failed: Callable[[Exception], Awaitable[None]],
    **callbacks: Callable[[], Awaitable[None]],
) -> "Client":
    """Connect to one of the servers; the library connects again by itself, but not the first time.

    Raises:
        OSError: no server answers, or the certificate of the authority cannot be read.
        nats.errors.Error: the servers refuse.
    """
    import nats

    return await nats.connect(
        list(access.url),
        name=f"jph {name}",
        max_reconnect_attempts=-1,
        reconnect_time_wait=RETRY_S,
        error_cb=failed,
        **callbacks,
        **proof(access.credentials, access.authority),
    )


def proof(credentials: str, authority: str) -> dict[str, Any]:
    """Return connection options: a file with an nkey seed (`.nk`) or credentials, and TLS 1.3.

    Raises:
        OSError: the certificate of the authority cannot be read.
    """
    found: dict[str, Any] = {}
    if credentials:
        path = credentials.replace("$JPH_STATE", str(state_dir()))
        found["nkeys_seed" if path.endswith(".nk") else "user_credentials"] = path
    if authority:
        import ssl

        context = ssl.create_default_context(
            cafile=authority.replace("$JPH_STATE", str(state_dir()))
        )
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        found["tls"] = context
    return found


def reason(error: Exception) -> str:
    """Return the text of an error; the name of its type if it has none, as a timeout."""
    return str(error) or type(error).__name__
