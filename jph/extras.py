"""Libraries that only some installations have, and the extra of `setup.cfg` that brings each."""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Final

from jph.errors import JphError

EXTRA_OF: Final[Mapping[str, str]] = {
    "RFXtrx": "devices",
    "argon2": "gateway",
    "cryptography": "seal",
    "gmqtt": "mqtt",
    "holidays": "schedule",
    "jinja2": "gateway",
    "jmespath": "devices",
    "litestar": "gateway",
    "nats": "sites",
    "periphery": "devices",
    "prometheus_client": "gateway",
    "segno": "seal",
    "uvicorn": "gateway",
    "vacances_scolaires_france": "schedule",
    "websockets": "devices",
    "yaml": "schedule",
}


def need(who: str, *modules: str) -> None:
    """Make sure that libraries are installed: `pip install jph` alone brings none of them.

    Raises:
        JphError: one is not; says what to install.
    """
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise JphError(advice(who, missing))


def advice(who: str, missing: Sequence[str]) -> str:
    """Return what to install for libraries that `who` needs and that are not there."""
    extra, names = EXTRA_OF.get(missing[0]), ", ".join(missing)
    if extra is None:  # of a kind of another package
        return f"{who} needs {names}, which is not installed"
    return f"{who} needs {names}: install the extra '{extra}', as in pip install 'jph[{extra}]'"


def explained(error: ModuleNotFoundError) -> str | None:
    """Return what to install after a failed import; None if no extra brings that module."""
    module = (error.name or "").partition(".")[0]
    return advice("this", [module]) if module in EXTRA_OF else None
