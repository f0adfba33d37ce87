"""Options with which a program proves itself to NATS, and NATS to it."""

from typing import Any

from jph.config.model import state_dir


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
